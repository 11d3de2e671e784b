"""A declaration that has changed: what is added is added, and nothing else is opened unless a migration is written."""

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from promptsync.errors import ConfigError, SchemaMismatch
from promptsync.model import Column, Kind, Role, Schema, Table
from promptsync.store.connect import open_reader, open_writer
from promptsync.store.migrations import Fingerprint, Migration, differences, fingerprint, migrate, recorded
from promptsync.store.mirror import Mirror, add_column
from promptsync.vendors import declared_schema

SCHEMA = declared_schema()
Change = Callable[[Table], Table]


def _columns(change: Callable[[Column], Column]) -> Change:
    return lambda table: replace(table, columns=tuple(map(change, table.columns)))


def _regrouped(group: str, into: str, only: str = "") -> Change:
    return _columns(lambda c: replace(c, group=into) if c.group == group and c.name in (only or c.name) else c)


def _of_kind(name: str, kind: Kind) -> Change:
    return _columns(lambda c: replace(c, kind=kind) if c.name == name else c)


def _but(name: str) -> Change:
    return lambda table: replace(table, columns=tuple(c for c in table.columns if c.name != name))


REFUSED: dict[str, tuple[str, Change, str]] = {
    "a group has another name": ("message", _regrouped("state", "progress"), "in group state"),
    "a column is in another group": ("message", _regrouped("reason", "code"), "column error_message was text in group"),
    "a kind that is stored otherwise": ("broadcast", _of_kind("num_sent", Kind.TEXT), "was integer in group facts"),
    "a kind that is stored alike": ("message", _of_kind("sent_timestamp", Kind.TEXT), "was time in group"),
    "a kind in a table of events": ("message_status", _of_kind("status", Kind.JSON), "column status was text"),
    "a column less in a group": ("message", _but("is_mms"), "column is_mms (boolean in group"),
    "a column less without groups": ("sync_file", _but("path"), "column path (text) is no longer declared"),
    "a group is exported now": (
        "message",
        _columns(lambda c: replace(c, exported=c.exported or c.group == "state")),
        "group state was not exported and is now exported",
    ),
    "a key in another order": (
        "contact_data",
        lambda t: replace(t, key=t.key[::-1]),
        "key was id, managed and is now managed, id",
    ),
    "a key of more columns": ("contact_tag", lambda t: replace(t, key=("id", "contact_id")), "key was id and is now"),
    "another partial index": (
        "sync_event",
        lambda t: replace(t, partial_indexes=(("id", "state = 'pending'"),)),
        "index sync_event_id_open was id WHERE state <> 'applied' and is now id WHERE state = 'pending'",
    ),
    "an index less": ("message", lambda t: replace(t, indexes=t.indexes[:-1]), "index message_created_timestamp"),
    "another order of change sets": ("cio_metrics", lambda t: replace(t, order="created_at"), "version was seq_num"),
    "search in other columns": ("contact", lambda t: replace(t, search=("display_name",)), "search was display_name"),
    "rows of no organization": ("tag", lambda t: replace(t, org_scoped=False), "owner was an organization"),
}

SEEN_WITHOUT_RECORD = (
    "a group has another name",
    "a kind that is stored otherwise",
    "a key in another order",
    "a key of more columns",
    "another partial index",
)


def changed(name: str, change: Change) -> Schema:
    return Schema(change(table) if table.name == name else table for table in SCHEMA)


@pytest.fixture
def path(empty: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(empty, tmp_path / "mirror.db"))


def _dump(path: Path) -> list[str]:
    with closing(open_reader(path)) as connection:
        rows = connection.execute(
            "SELECT name, sql FROM sqlite_master UNION ALL SELECT * FROM sync_state ORDER BY 1, 2"
        )
        return [str(row) for row in rows]


@pytest.mark.parametrize("what", REFUSED)
def test_what_would_lose_versions_is_refused_and_nothing_is_touched(path: Path, what: str) -> None:
    table, change, sentence = REFUSED[what]
    before = _dump(path)
    with pytest.raises(SchemaMismatch) as caught:
        Mirror(path, changed(table, change))
    assert isinstance(caught.value, ConfigError) and not caught.value.retryable
    assert sentence in str(caught.value) and f"The table {table} of {path} " in str(caught.value)
    assert _dump(path) == before
    Mirror(path, SCHEMA).close()


@pytest.mark.parametrize("what", SEEN_WITHOUT_RECORD)
def test_without_a_record_the_table_itself_is_asked(path: Path, what: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM sync_state WHERE name GLOB 'schema:*'")
    with pytest.raises(SchemaMismatch):
        Mirror(path, changed(*REFUSED[what][:2]))
    Mirror(path, SCHEMA).close()
    with closing(open_reader(path)) as connection:
        assert recorded(connection) == {table.name: fingerprint(table) for table in SCHEMA}


def _additions() -> Iterator[tuple[str, Schema]]:
    mood = Column("mood", Kind.TIME, "New", "mood")
    plain = Column("plain", Kind.INTEGER, "New")
    yield "a column in a group of its own", changed("message", lambda t: replace(t, columns=(*t.columns, mood)))
    known = replace(mood, group="state")
    yield "a column in a known group", changed("message", lambda t: replace(t, columns=(*t.columns, known)))
    yield "a column of our own", changed("sync_run", lambda t: replace(t, columns=(*t.columns, plain)))
    yield "an index", changed("message", lambda t: replace(t, indexes=(*t.indexes, ("segments",))))
    yield "full-text search", changed("tag", lambda t: replace(t, search=("name",)))
    yield "a table", Schema((*SCHEMA, Table("new", "New", ("id",), (replace(plain, name="id"), plain), Role.OWN)))


@pytest.mark.parametrize(("schema"), [pytest.param(schema, id=what) for what, schema in _additions()])
def test_what_is_added_is_made_kept_and_guarded_from_then_on(path: Path, schema: Schema) -> None:
    for _ in range(2):
        Mirror(path, schema).close()
    with closing(open_reader(path)) as connection:
        assert recorded(connection) == {table.name: fingerprint(table) for table in schema}


def test_a_disabled_plugin_leaves_its_columns_and_finds_them_as_they_were(path: Path) -> None:
    """Its group goes whole, and stands still; but it cannot come back as something else."""
    mood = Column("mood", Kind.TIME, "How it feels", "feeling")
    widened = changed("message", lambda t: replace(t, columns=(*t.columns, mood)))
    for schema in (widened, SCHEMA, widened, SCHEMA):
        Mirror(path, schema).close()
    for other in (replace(mood, kind=Kind.TEXT), replace(mood, group="moods"), replace(mood, group="state")):
        with pytest.raises(SchemaMismatch, match="column mood was time in group feeling and is now"):
            Mirror(path, changed("message", lambda t, other=other: replace(t, columns=(*t.columns, other))))


@pytest.mark.parametrize(("kind", "fine"), [(Kind.TEXT, True), (Kind.TIME, False), (Kind.INTEGER, False)])
def test_a_column_that_the_vendor_had_first_is_text_until_a_migration_reads_it(
    path: Path, kind: Kind, fine: bool
) -> None:
    mirror = Mirror(path, SCHEMA)
    mirror.writer.run(lambda connection: add_column(connection, mirror.layout("message"), "mood"))
    mirror.close()
    mood = Column("mood", kind, "How it feels", "outcome")
    declared = changed("message", lambda t: replace(t, columns=(*t.columns, mood)))
    if fine:
        Mirror(path, declared).close()
        return
    with pytest.raises(SchemaMismatch, match="column mood was text and is now"):
        Mirror(path, declared)


def _rename_state(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE message RENAME COLUMN _state_at TO _progress_at")


def _restate(before: Fingerprint) -> Fingerprint:
    text = {fact: was.replace(" in group state", " in group progress") for fact, was in before.items()}
    return {fact.replace("group state", "group progress"): was for fact, was in text.items()}


RENAME = Migration("message: group state becomes progress", "message", _rename_state, _restate)
RENAMED = changed("message", _regrouped("state", "progress"))


@pytest.mark.parametrize("on_record", [True, False])
def test_a_written_migration_runs_once_and_covers_what_it_says(path: Path, on_record: bool) -> None:
    with closing(open_writer(path)) as connection:
        connection.execute("INSERT INTO message (id, org_id, status, _state_at) VALUES (1, 1, 'SENT', 77)")
        if not on_record:
            connection.execute("DELETE FROM sync_state WHERE name GLOB 'schema:*'")
        for _ in range(2):
            migrate(connection, RENAMED, [RENAME])
            assert connection.execute("SELECT status, _progress_at FROM message").fetchall() == [("SENT", 77)]
        with pytest.raises(SchemaMismatch, match="column segments was integer"):
            migrate(connection, Schema(_of_kind("segments", Kind.TEXT)(table) for table in RENAMED), [RENAME])


def test_a_new_mirror_needs_no_migration_and_never_runs_it(tmp_path: Path) -> None:
    with closing(open_writer(tmp_path / "new.db")) as connection:
        for _ in range(2):
            migrate(connection, RENAMED, [RENAME])
        assert connection.execute("SELECT count(_progress_at) FROM message").fetchone() == (0,)


def test_a_migration_that_fails_leaves_table_and_record_as_they_were(path: Path) -> None:
    def half(connection: sqlite3.Connection) -> None:
        _rename_state(connection)
        connection.execute("SELECT no such column")

    before = _dump(path)
    with closing(open_writer(path)) as connection, pytest.raises(sqlite3.Error):
        migrate(connection, RENAMED, [replace(RENAME, apply=half)])
    assert [row for row in _dump(path) if "_sqlite_migrations" not in row] == [
        row for row in before if "_sqlite_migrations" not in row
    ]


def test_every_fact_of_every_table_is_missed_when_it_changes() -> None:
    for table in SCHEMA:
        facts = fingerprint(table)
        assert list(differences(facts, facts)) == []
        for fact in facts:
            assert list(differences({**facts, fact: "otherwise"}, facts)), (table.name, fact)


def test_no_two_indexes_of_the_mirror_have_one_name() -> None:
    """The second would never be made, in silence."""
    every = [index.name for table in SCHEMA for index in table.all_indexes]
    assert len(set(every)) == len(every)
