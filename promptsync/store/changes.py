"""The change feed: for each observer a queue of changed rows, filled by triggers in the transaction of the change.

Owns the triggers and the queue. There is no trigger, and so no cost,
unless an observer is enabled. With one, each change of a watched row costs one insertion into ``sync_change``;
delivered changes are taken out, so the queue is the observer's position, and after a crash in between they are
delivered again.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptsync.merge.sql import names, quote
from promptsync.model import Role, Schema, Table
from promptsync.store import marks

_PREFIX = "sync_change:"


@dataclass(frozen=True, slots=True)
class Watch:
    """``observer``: its queue's name. ``tables``: table to the columns that count; none named: any."""

    observer: str
    tables: Mapping[str, Sequence[str]]


def watch(connection: sqlite3.Connection, schema: Schema, watches: Iterable[Watch]) -> None:
    """Make the triggers that are wanted; drop all others, and the queues of observers that are gone."""
    watches = list(watches)
    wanted = dict(trigger for one in watches for trigger in _triggers(schema, one))
    found = dict(
        connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name GLOB ?", (f"{_PREFIX}*",)
        )
    )
    for name in found.keys() - {name for name, sql in wanted.items() if found.get(name) == sql}:
        connection.execute(f"DROP TRIGGER {quote(name)}")
    for name, sql in wanted.items():
        if found.get(name) != sql:
            connection.execute(sql)
    if connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'sync_change')").fetchone()[0]:
        connection.execute(
            "DELETE FROM sync_change WHERE observer NOT IN (SELECT value FROM json_each(?))",
            (json.dumps([one.observer for one in watches]),),
        )


def is_watched(connection: sqlite3.Connection, table: str) -> bool:
    """Whether an observer follows this table's rows."""
    sql = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? AND name GLOB ?)"
    return bool(connection.execute(sql, (table, f"{_PREFIX}*")).fetchone()[0])


def waiting(
    connection: sqlite3.Connection, observer: str, limit: int
) -> list[tuple[int, str, tuple[Any, ...], int | None]]:
    """The next changes of an observer's queue, oldest first: (seq, table, key, revision) each."""
    rows = connection.execute(
        'SELECT seq, "table", key, rev FROM sync_change WHERE observer = ? ORDER BY seq LIMIT ?', (observer, limit)
    )
    return [(seq, table, tuple(json.loads(key)), rev) for seq, table, key, rev in rows]


def forget(connection: sqlite3.Connection, observer: str, last: int, revision: int | None) -> None:
    """Remove delivered changes, up to ``last``, from the queue; the newest delivered revision stays on record."""
    connection.execute("DELETE FROM sync_change WHERE observer = ? AND seq <= ?", (observer, last))
    if revision is not None:
        marks.put(connection, f"observer:{observer}", str(revision))


def _triggers(schema: Schema, watched: Watch) -> Iterable[tuple[str, str]]:
    """Name and text of each trigger, exactly as SQLite keeps it."""
    for name, columns in watched.tables.items():
        table = schema[name]
        entry = _entry(watched.observer, table)
        some = " OR ".join(f"NEW.{quote(column)} IS NOT NULL" for column in columns) or "1"
        label = f"{_PREFIX}{watched.observer}:{name}"
        yield (
            f"{label}:new",
            f"CREATE TRIGGER {quote(f'{label}:new')} AFTER INSERT ON {quote(name)} WHEN {some} BEGIN {entry} END",
        )
        if table.role is Role.MIRROR:
            of = f" OF {names(columns)}" if columns else ""
            differ = " OR ".join(f"NEW.{quote(c)} IS DISTINCT FROM OLD.{quote(c)}" for c in columns)
            yield (
                f"{label}:changed",
                f"CREATE TRIGGER {quote(f'{label}:changed')} AFTER UPDATE{of} ON {quote(name)} "
                f"WHEN {differ or 'NEW._rev <> OLD._rev'} BEGIN {entry} END",
            )


def _entry(observer: str, table: Table) -> str:
    key = ", ".join(f"NEW.{quote(column)}" for column in table.key)
    revision = "NEW._rev" if table.role is Role.MIRROR else "NULL"
    return (
        f"INSERT INTO sync_change SELECT '{observer}', COALESCE(max(seq), 0) + 1, '{table.name}', json_array({key}), "
        f"{revision} FROM sync_change WHERE observer = '{observer}';"
    )
