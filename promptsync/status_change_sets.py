"""How far has each table of Customer.io come? Read from the mirror alone.

Owns what is newest per table and workspace, whichever way it came, and what of it still waits. Opens nothing: it is
handed a connection.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from promptsync.clock import MICROS, parse_iso

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

    ``written_at``: ISO, when that file was written where it was fetched from, else when it was loaded. The others are
    numbers of files at the places.
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


def change_set_states(connection: sqlite3.Connection, now: int) -> Iterator[ChangeSetState]:
    """The state of each table, by name and workspace. ``now``: microseconds."""
    loaded = {(row[0], row[1] or 0): row[2:] for row in connection.execute(_LOADED)}
    places = {(row[0], row[1] or 0): row[2:] for row in connection.execute(_AT_PLACES)}
    for table, workspace in sorted(loaded.keys() | places.keys()):
        newest, seen_at = loaded.get((table, workspace), (None, None))
        fetched, modified_at, *counts = places.get((table, workspace), (None, None, 0, 0, 0, 0))
        written = modified_at if newest == fetched and modified_at else seen_at
        yield ChangeSetState(table, workspace, newest, written, _age(written, now), *counts)


def _age(written: Any, now: int) -> float | None:
    return None if written is None else round((now - parse_iso(written)) / MICROS / 3600, 1)
