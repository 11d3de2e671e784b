"""How far each table of Customer.io's change sets has come.

Owns the question what is newest per table and workspace, whichever way it came, what of it still waits, and which rows
claim to be of a time that has not come. Must not write.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from promptsync.clock import hours_since, iso_millis
from promptsync.merge.sql import quote
from promptsync.model import FilledBy, Kind, Schema

_LOADED: Final = (
    'SELECT "table", workspace_id, max(sequence), seen_at FROM sync_file '
    "WHERE sequence IS NOT NULL AND state IN ('merged', 'unchanged') GROUP BY 1, 2"
)
_AT_PLACES: Final = (
    "SELECT \"table\", workspace_id, max(iif(state = 'loaded', printf('%018d', sequence) || "
    "iif(part > 0, printf('_%018d', part), ''), NULL)), modified_at, "
    "sum(state = 'waiting'), sum(state = 'held'), sum(state = 'over_budget'), sum(state = 'skipped') "
    "FROM sync_object WHERE sequence IS NOT NULL GROUP BY 1, 2"
)
"""Both take the other columns from the row that has the greatest sequence (SQLite, Bare columns in an aggregate)."""


@dataclass(frozen=True, slots=True)
class ChangeSetState:
    """One table of one workspace. ``newest``: sequence of its newest file, as names have it; None before the first.

    ``written_at``: ISO, when that file was written where it was fetched from, else when it was loaded. ``later``: rows
    that are ordered by a time later than now, ``latest`` the last such time (ISO). The others are numbers of files at
    the places.
    """

    table: str
    workspace_id: int
    newest: str | None
    written_at: str | None
    age_hours: float | None
    waiting: int = 0
    held: int = 0
    over_budget: int = 0
    skipped: int = 0
    later: int = 0
    latest: str | None = None


def change_set_states(connection: sqlite3.Connection, schema: Schema, now: int) -> Iterator[ChangeSetState]:
    """The state of each table, by name and workspace. ``now``: microseconds."""
    ahead = dict(_later_than(connection, schema, now))
    loaded = {(row[0], row[1] or 0): row[2:] for row in connection.execute(_LOADED)}
    places = {(row[0], row[1] or 0): row[2:] for row in connection.execute(_AT_PLACES)}
    for table, workspace in sorted(loaded.keys() | places.keys() | ahead.keys()):
        newest, seen_at = loaded.get((table, workspace), (None, None))
        fetched, modified_at, *counts = places.get((table, workspace), (None, None, 0, 0, 0, 0))
        written = modified_at if newest == fetched and modified_at else seen_at
        later = ahead.get((table, workspace), (0, None))
        yield ChangeSetState(table, workspace, newest, written, hours_since(written, now), *counts, *later)


def _later_than(
    connection: sqlite3.Connection, schema: Schema, now: int
) -> Iterator[tuple[tuple[str, int], tuple[int, str]]]:
    """(Table, workspace) to how many rows are ordered by a time later than now, and the last of these times."""
    for table in schema.filled_by(FilledBy.CHANGE_SET):
        if table.order and table.by_name[table.order].kind is Kind.TIME:
            order = quote(table.order)
            sql = (
                f"SELECT workspace_id, count(*), max({order}) FROM {quote(table.name)} WHERE {order} > ? "
                "GROUP BY +workspace_id"  # by the index of the times, not by the key
            )
            for workspace, rows, latest in connection.execute(sql, (iso_millis(now),)):
                yield (table.name, workspace), (rows, latest)
