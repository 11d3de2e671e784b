"""What plugins may not do to the tables that change sets fill: claim rows of them, widen them, declare odd ones."""

from dataclasses import replace

import pytest

from promptsync import Column, FileKind, FilledBy, Kind, Table, TableFiles, hookimpl
from promptsync.engine.built_in import extended
from promptsync.errors import ConfigError
from promptsync.events.claim_check import check_claims
from promptsync.events.claims import Claims
from promptsync.model import View
from promptsync.plugins.declared import PluginError
from promptsync.testing import Kit
from promptsync.vendors import declared_schema

FINE = Table(
    "mine",
    "Mine",
    ("id",),
    tuple(Column(name, Kind.INTEGER, "x", group) for name, group in (("id", ""), ("org_id", ""), ("a", "mine"))),
)


def test_their_rows_cannot_be_claimed() -> None:
    claims = Claims(1, 1, 1, [])
    claims.mention("tag", 1)
    assert check_claims(declared_schema(), claims) is claims
    claims.mention("cio_people", 1, "a")
    with pytest.raises(PluginError, match="no table cio_people that can be claimed"):
        check_claims(declared_schema(), claims)


def test_they_cannot_be_widened() -> None:
    column = Column("mood", Kind.TEXT, "x", "mine")
    assert "mood" in extended(declared_schema(), {"p": ([], {"tag": [column]})}, observed=False)["tag"].by_name
    with pytest.raises(ConfigError, match="plugin p: columns are added to cio_people"):
        extended(declared_schema(), {"p": ([], {"cio_people": [column]})}, observed=False)


CHANGES = Table(
    "mine",
    "Mine",
    ("workspace_id", "id"),
    (
        Column("workspace_id", Kind.INTEGER, "x"),
        Column("id", Kind.INTEGER, "x"),
        Column("a", Kind.INTEGER, "x", "row"),
    ),
    org_scoped=False,
    filled_by=FilledBy.CHANGE_SET,
    order="a",
)


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (replace(FINE, views=(View("cio_people_gone", "x", "mine"),)), "full lists or views"),
        (replace(FINE, filled_by=FilledBy.SNAPSHOT), "exported"),
        (replace(FINE, filled_by=FilledBy.EXPORT), "exported"),
        (replace(FINE, columns=(*FINE.columns, Column("b", Kind.TEXT, "x", "b", exported=True))), "exported"),
        (replace(FINE, filled_by=FilledBy.CHANGE_SET), "workspace_id"),
        (replace(CHANGES, key=("id", "workspace_id")), "workspace_id"),
        (replace(CHANGES, order="c"), "order names one of them"),
        (replace(CHANGES, org_scoped=True), "org_scoped"),
        (replace(CHANGES, columns=(*CHANGES.columns, Column("c", Kind.TEXT, "x", "other"))), "one group"),
    ],
)
def test_what_is_the_vendors_alone_cannot_be_declared_nor_change_sets_of_another_shape(wrong: Table, why: str) -> None:
    for fine in (FINE, CHANGES):
        assert "mine" in extended(declared_schema(), {"p": ([fine], {})}, observed=False)
    with pytest.raises(ConfigError, match=why):
        extended(declared_schema(), {"p": ([wrong], {})}, observed=False)


class Bringing:
    """A plugin with a table of change sets, and ``kinds`` of files."""

    def __init__(self, *kinds: FileKind | TableFiles) -> None:
        self._kinds = kinds

    @hookimpl
    def tables(self) -> list[Table]:
        return [CHANGES]

    @hookimpl
    def file_kinds(self) -> list[FileKind | TableFiles]:
        return [*self._kinds]


def test_a_table_of_change_sets_needs_files_of_a_kind_of_its_own(kit: Kit) -> None:
    with pytest.raises(ConfigError, match="none of its file_kinds brings any"):
        _ = kit.enable(Bringing(FileKind("rows", "*.rows", lambda _: [])), "mine").engine
    with pytest.raises(ConfigError, match="there is a kind of file nightly already"):
        _ = kit.enable(Bringing(TableFiles("nightly", lambda _: None, (".x",))), "mine").engine
    assert kit.enable(Bringing(TableFiles("mine", lambda _: None, (".x",))), "mine").engine.kinds.recognise("a.x")


def test_views_are_there_with_plugins_too() -> None:
    assert extended(declared_schema(), {"p": ([FINE], {})}, observed=True).views == declared_schema().views
