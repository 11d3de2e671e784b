"""What plugins may not do to the tables that change sets fill: claim rows of them, widen them, declare their like."""

from dataclasses import replace

import pytest

from promptsync import Column, Kind, Table
from promptsync.errors import ConfigError
from promptsync.events.claim_check import check_claims
from promptsync.events.claims import Claims
from promptsync.model import FilledBy, View
from promptsync.plugins.declared import PluginError
from promptsync.plugins.schema import extended
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


@pytest.mark.parametrize(
    "wrong", [{"filled_by": FilledBy.CHANGE_SET}, {"views": (View("cio_people_gone", "x", "mine"),)}]
)
def test_none_can_be_declared_nor_views(wrong: dict[str, object]) -> None:
    assert "mine" in extended(declared_schema(), {"p": ([FINE], {})}, observed=False)
    with pytest.raises(ConfigError, match="change sets or views"):
        extended(declared_schema(), {"p": ([replace(FINE, **wrong)], {})}, observed=False)


def test_views_are_there_with_plugins_too() -> None:
    assert extended(declared_schema(), {"p": ([FINE], {})}, observed=True).views == declared_schema().views
