"""The mirror's tables and views for Customer.io: made fresh, made in a mirror from before, and what the views show."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.merge.layout import Layout
from promptsync.merge.sql import names, quote
from promptsync.model import FilledBy, Schema, Table, View
from promptsync.store.connect import open_reader
from promptsync.store.ddl import create_table, create_view
from promptsync.store.mirror import Mirror, add_column, split_column
from promptsync.vendors import declared_schema

SCHEMA = declared_schema()
TABLES = [table for table in SCHEMA if table.filled_by is FilledBy.CHANGE_SET]


def _objects(path: Path) -> dict[str, str]:
    """Every table, index and view of the database with its SQL."""
    connection = open_reader(path)
    try:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE name GLOB 'cio_*' AND sql IS NOT NULL")
        return dict(rows.fetchall())
    finally:
        connection.close()


def _made(path: Path, schema: Schema) -> dict[str, str]:
    Mirror(path, schema).close()
    return _objects(path)


def test_a_mirror_from_before_these_tables_gets_them_whole(tmp_path: Path) -> None:
    fresh = _made(tmp_path / "fresh.db", SCHEMA)
    assert {table.name for table in TABLES} | {view.name for view in SCHEMA.views} <= fresh.keys()
    old = tmp_path / "old.db"
    assert _made(old, Schema(table for table in SCHEMA if table.filled_by is not FilledBy.CHANGE_SET)) == {}
    assert _made(old, SCHEMA) == fresh


def test_views_follow_the_declarations_and_columns_added_to_their_tables(tmp_path: Path) -> None:
    path = tmp_path / "mirror.db"
    people = SCHEMA["cio_people"]
    (gone,) = people.views
    before = replace(people, views=(replace(gone, where="deleted = 1"), View("cio_people_all", "All", "cio_people")))
    earlier = [before if table is people else table for table in SCHEMA]
    assert "suppressed" not in _made(path, Schema(earlier))["cio_people_gone"]
    mirror = Mirror(path, SCHEMA)
    assert "suppressed" in _objects(path)["cio_people_gone"]
    mirror.writer.run(lambda connection: add_column(connection, mirror.layout("cio_people"), "shoe size"))
    with mirror.reading() as connection:
        shown = [column[0] for column in connection.execute("SELECT * FROM cio_people_gone").description]
        assert shown == [row[1] for row in connection.execute("PRAGMA table_info(cio_people)")]
    assert "shoe size" in shown
    mirror.close()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_hidden_columns_are_versions_of_bytes_and_a_revision(table: Table) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute(create_table(table, SCHEMA))
    layout = Layout(table)
    split_column(connection, layout, layout.values[0])
    add_column(connection, layout, "unheard of")
    info = connection.execute(f"PRAGMA table_info({quote(table.name)})").fetchall()
    hidden = {name: (kind, required, default) for _, name, kind, required, default, _ in info if name.startswith("_")}
    assert hidden == {
        "_row_at": ("BLOB", 1, "x''"),
        "_rev": ("INTEGER", 1, "0"),
        f"_col_{layout.values[0]}_at": ("BLOB", 0, None),
        "_col_unheard of_at": ("BLOB", 1, "x''"),
    }
    key = [name for place, name in sorted((row[5], row[1]) for row in info if row[5])]
    assert key == list(table.key)
    assert "STRICT, WITHOUT ROWID" in create_table(table, SCHEMA)
    connection.close()


def test_a_reference_is_a_foreign_key_where_the_whole_key_is_known(tmp_path: Path) -> None:
    path = tmp_path / "mirror.db"
    Mirror(path, SCHEMA).close()
    connection = open_reader(path)
    found: dict[tuple[str, int], tuple[str, list[tuple[str, str]]]] = {}
    for table in TABLES:
        for number, _, target, ours, theirs, *_ in connection.execute(f"PRAGMA foreign_key_list({table.name})"):
            found.setdefault((table.name, number), (target, []))[1].append((ours, theirs))
    links = {(table, pairs[-1][0], target, pairs[-1][1]) for (table, _), (target, pairs) in found.items()}
    assert ("cio_deliveries", "subject_id", "cio_subjects", "subject_name") in links
    assert ("cio_inbound", "in_reply_to_delivery_id", "cio_deliveries", "delivery_id") in links
    assert {pairs[0] for _, pairs in found.values()} == {("workspace_id", "workspace_id")}
    assert {link[2] for link in links}.isdisjoint({"cio_campaigns", "cio_actions", "cio_broadcasts"})
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


_NEWEST = [view for view in SCHEMA.views if view.newest]
_FEW = st.integers(0, 2)


@pytest.mark.parametrize("view", _NEWEST, ids=lambda view: view.name)
@settings(max_examples=40, deadline=None)
@given(rows=st.sets(st.tuples(_FEW, _FEW, _FEW, _FEW), max_size=25))
def test_a_view_shows_the_newest_row_of_each(view: View, rows: set[tuple[int, ...]]) -> None:
    table = SCHEMA[view.table]
    keys = {row[: len(table.key)] for row in rows}
    connection = sqlite3.connect(":memory:")
    connection.execute(create_table(table, SCHEMA))
    connection.execute(create_view(view))
    marks = ", ".join("?" * len(table.key))
    connection.executemany(f"INSERT INTO {view.table} ({names(table.key)}) VALUES ({marks})", sorted(keys))
    newest: dict[tuple[int, ...], int] = {}
    for *per, last in keys:
        newest[tuple(per)] = max(last, newest.get(tuple(per), last))
    shown = connection.execute(f"SELECT {names((*view.per, view.newest))} FROM {view.name}").fetchall()
    connection.close()
    assert sorted(tuple(map(int, row)) for row in shown) == sorted((*per, last) for per, last in newest.items())


def test_who_is_gone_is_who_was_deleted_or_suppressed() -> None:
    table = SCHEMA["cio_people"]
    connection = sqlite3.connect(":memory:")
    connection.execute(create_table(table, SCHEMA))
    connection.execute(create_view(table.views[0]))
    marks = (None, 0, 1)
    people = [(1, f"{deleted} {suppressed}", deleted, suppressed) for deleted in marks for suppressed in marks]
    columns = "workspace_id, internal_customer_id, deleted, suppressed"
    connection.executemany(f"INSERT INTO cio_people ({columns}) VALUES (?, ?, ?, ?)", people)
    shown = {row[0] for row in connection.execute("SELECT internal_customer_id FROM cio_people_gone")}
    connection.close()
    assert shown == {name for _, name, *states in people if 1 in states}


@pytest.mark.parametrize(
    ("sql", "plan"),
    [
        ("cio_attributes_current ORDER BY timestamp DESC LIMIT 51", "cio_attributes_timestamp"),
        ("cio_people_gone ORDER BY updated_at DESC LIMIT 51", "cio_people_updated_at_open"),
        ("cio_metrics WHERE workspace_id = 1 AND delivery_id = 'x'", "cio_metrics_delivery_id"),
    ],
)
def test_what_pages_ask_is_answered_from_an_index(tmp_path: Path, sql: str, plan: str) -> None:
    path = tmp_path / "mirror.db"
    Mirror(path, SCHEMA).close()
    connection = open_reader(path)
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {sql}")]
    connection.close()
    assert plan in steps[0] and not any("TEMP B-TREE" in step for step in steps)
