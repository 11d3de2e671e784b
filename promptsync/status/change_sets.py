"""How far has each table of Customer.io come? Read from the mirror alone.

Owns what is newest per table and workspace, whichever way it came, what of it still waits, and which rows claim to be
of a time that has not come. Opens nothing: it is handed a connection.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from promptsync.clock import MICROS, iso_millis, parse_iso
from promptsync.merge.sql import quote
from promptsync.model import Kind, Schema

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
_WRONG_CLOCK: Final = 86_400 * MICROS
"""A row that much later than now is no matter of two clocks that differ."""
_UNCHANGING: Final = frozenset({"cio_events", "cio_inbound"})
"""What happened once does not change: a row's time decides between copies of it, which say the same."""


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
        yield ChangeSetState(table, workspace, newest, written, _age(written, now), *counts, *later)


def change_set_problems(states: Iterable[ChangeSetState], now: int) -> Iterator[str]:
    """Sentences, each for a person to act on. ``now``: microseconds."""
    for state in states:
        if state.latest and state.table not in _UNCHANGING and parse_iso(state.latest) > now + _WRONG_CLOCK:
            yield (
                f"{state.later:,} rows of {state.table} in workspace {state.workspace_id} are dated later than now, up "
                f"to {state.latest}, and win over every change before that: once the vendor has put them right, "
                f"'promptsync reset {state.table}' and load its files again."
            )


def _later_than(
    connection: sqlite3.Connection, schema: Schema, now: int
) -> Iterator[tuple[tuple[str, int], tuple[int, str]]]:
    """(Table, workspace) to how many rows are ordered by a time later than now, and the last of these times."""
    for table in schema:
        if table.change_sets and table.order and table.by_name[table.order].kind is Kind.TIME:
            order = quote(table.order)
            sql = (
                f"SELECT workspace_id, count(*), max({order}) FROM {quote(table.name)} WHERE {order} > ? "
                "GROUP BY +workspace_id"  # by the index of the times, not by the key
            )
            for workspace, rows, latest in connection.execute(sql, (iso_millis(now),)):
                yield (table.name, workspace), (rows, latest)


def _age(written: Any, now: int) -> float | None:
    return None if written is None else round((now - parse_iso(written)) / MICROS / 3600, 1)
