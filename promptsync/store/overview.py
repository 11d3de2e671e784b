"""How fresh the mirror is and what came of its files: runs, snapshots, change sets, files, and what is new to us.

Owns these questions, each asked once and answered as facts; status, metrics and checks put them into words and
numbers. Must not write. What the inbox, the rejects and the jobs say of themselves is beside them.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from promptsync.clock import CLOCKS_DIFFER, hours_since, iso_millis, parse_iso
from promptsync.merge.sql import quote
from promptsync.model import FilledBy, Kind, Schema
from promptsync.store.deliveries import newest_receipt


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a task. ``started_at``: ISO; ``outcome``: done, problem or failed."""

    started_at: str
    outcome: str
    message: str | None


def last_run(connection: sqlite3.Connection, task: str) -> Run | None:
    """The last run of a task."""
    return _run(connection, task)


def last_good_run(connection: sqlite3.Connection, task: str, now: int) -> Run | None:
    """The last run of a task that did its work, by ``now`` (microseconds): one dated in the future says nothing."""
    return _run(connection, task, "AND outcome = 'done' AND started_at <= ?", iso_millis(now + CLOCKS_DIFFER))


def _run(connection: sqlite3.Connection, task: str, condition: str = "", *values: str) -> Run | None:
    sql = f"SELECT started_at, outcome, message FROM sync_run WHERE task = ? {condition} ORDER BY id DESC LIMIT 1"
    row = connection.execute(sql, (task, *values)).fetchone()
    return Run(*row) if row else None


@dataclass(frozen=True, slots=True)
class FailedTask:
    """A task whose last run failed. ``started_at``: ISO."""

    task: str
    started_at: str
    message: str | None


def failing_tasks(connection: sqlite3.Connection, but: tuple[str, ...], since: int) -> Iterator[FailedTask]:
    """Those whose last run failed and began ``since`` (microseconds), but for names that begin with one of ``but``."""
    sql = (
        "SELECT task, started_at, message FROM sync_run r WHERE outcome = 'failed' AND started_at >= ? AND id = "
        "(SELECT max(id) FROM sync_run WHERE task = r.task) ORDER BY task"
    )
    for task, *found in connection.execute(sql, (iso_millis(since),)):
        if not task.startswith(but):
            yield FailedTask(task, *found)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An applied snapshot. ``at``: the instant it states, microseconds."""

    table: str
    org_id: int
    at: int
    rows: int


def snapshots(connection: sqlite3.Connection) -> Iterator[Snapshot]:
    """The applied snapshots by table, organization and instant, each once however many files stated it."""
    sql = 'SELECT "table", org_id, at, max(rows) FROM sync_snapshot GROUP BY 1, 2, 3 ORDER BY 1, 2, 3'
    return (Snapshot(*row) for row in connection.execute(sql))


@dataclass(frozen=True, slots=True)
class Success:
    """The last time that something came to a good end. ``kind``: task, snapshot, change_set or webhook; ``source``: the
    task or the table; ``at``: ISO."""

    kind: str
    source: str
    at: str


_SUCCESSES: Final = (
    ("snapshot", 'SELECT "table", max(applied_at) FROM sync_snapshot WHERE applied_at <= ? GROUP BY 1'),
    (
        "change_set",
        "SELECT \"table\", max(seen_at) FROM sync_file WHERE sequence IS NOT NULL AND state = 'merged' "
        "AND seen_at <= ? GROUP BY 1",
    ),
)


def last_successes(connection: sqlite3.Connection, now: int) -> Iterator[Success]:
    """Of each task, of each table by snapshot and by change set, and of the webhook. ``now``: microseconds; what a
    clock that was ahead has dated in the future is no success of now."""
    latest = iso_millis(now + CLOCKS_DIFFER)
    for (task,) in connection.execute("SELECT DISTINCT task FROM sync_run ORDER BY 1").fetchall():
        if (run := last_good_run(connection, task, now)) is not None:
            yield Success("task", task, run.started_at)
    for kind, sql in _SUCCESSES:
        yield from (Success(kind, table, at) for table, at in connection.execute(sql, (latest,)))
    if (received := newest_receipt(connection, now + CLOCKS_DIFFER)) is not None:
        yield Success("webhook", "", received)


def newest_mark(connection: sqlite3.Connection) -> int | None:
    """The newest time at which something was received, loaded or run, in microseconds; it can lie in the future."""
    loaded = connection.execute("SELECT max(seen_at) FROM sync_file").fetchone()[0]
    ran = connection.execute("SELECT max(started_at) FROM sync_run").fetchone()[0]
    return max((parse_iso(mark) for mark in (newest_receipt(connection), loaded, ran) if mark), default=None)


@dataclass(frozen=True, slots=True)
class LedgerFile:
    """A file on record. ``as_of``, ``seen_at``: ISO; ``error``: why it was held, failed or ignored; ``path``: where it
    was when it was last seen; ``source``: by what it was loaded."""

    id: int
    name: str
    table: str | None
    org_id: int | None
    as_of: str | None
    state: str
    rows: int | None
    error: str | None
    seen_at: str
    path: str | None
    source: str | None


_FILES: Final = 'SELECT id, name, "table", org_id, as_of, state, rows, error, seen_at, path, source FROM sync_file'


def held_files(connection: sqlite3.Connection) -> tuple[LedgerFile, ...]:
    """Files that wait for a person. What is wrong with that of an export job is said of the job, and no more once a
    newer one has been merged."""
    sql = (
        f"{_FILES} WHERE state IN ('held', 'failed', 'ignored') "
        "AND id NOT IN (SELECT file_id FROM sync_job WHERE file_id IS NOT NULL) ORDER BY id"
    )
    return tuple(LedgerFile(*row) for row in connection.execute(sql))


def held_file(connection: sqlite3.Connection, id_: int) -> LedgerFile | None:
    """One of those, by its number."""
    return next((file for file in held_files(connection) if file.id == id_), None)


def unfinished_files(connection: sqlite3.Connection) -> tuple[LedgerFile, ...]:
    """Files whose merging was begun and not ended."""
    return tuple(LedgerFile(*row) for row in connection.execute(f"{_FILES} WHERE state = 'staged' ORDER BY id"))


@dataclass(frozen=True, slots=True)
class DifferingFile:
    """A merged file that contradicts one of the same instant. ``differing``: in how many rows."""

    id: int
    name: str
    path: str
    differing: int


_SUCCESSOR: Final = (
    'SELECT 1 FROM sync_file g WHERE g.state = \'merged\' AND g."table" = f."table" AND g.org_id IS f.org_id'
)


def differing_files(connection: sqlite3.Connection) -> tuple[DifferingFile, ...]:
    """Those that no later night or correction settles."""
    sql = (
        "SELECT id, name, path, differing FROM sync_file f WHERE state = 'merged' AND differing > 0 AND NOT EXISTS "
        f"({_SUCCESSOR} AND (g.as_of, ifnull(g.correction, 0)) > (f.as_of, ifnull(f.correction, 0))) ORDER BY id"
    )
    return tuple(DifferingFile(*row) for row in connection.execute(sql))


def files_ahead(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """Merged files whose rows claim to have changed hours after the file was made, unless a later night was merged:
    (name, how many rows) each."""
    sql = (
        "SELECT name, ahead FROM sync_file f WHERE state = 'merged' AND ahead > 0 AND NOT EXISTS "
        f"({_SUCCESSOR} AND g.as_of > f.as_of) ORDER BY id"
    )
    return connection.execute(sql).fetchall()


def count_files(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """How many files on record are in each state."""
    return connection.execute("SELECT state, count(*) FROM sync_file GROUP BY 1").fetchall()


def count_file_rows(connection: sqlite3.Connection) -> Iterator[tuple[str, str, str, int]]:
    """What came of the rows of files on record: (table, where the files came from, outcome, how many rows) each."""
    outcomes = ("inserted", "updated", "unchanged", "rejected")
    sums = ", ".join(f"ifnull(sum({outcome}), 0)" for outcome in outcomes)
    sql = f'SELECT "table", ifnull(source, \'\'), {sums} FROM sync_file WHERE "table" IS NOT NULL GROUP BY 1, source'
    for table, source, *counts in connection.execute(sql):
        yield from ((table, source, outcome, count) for outcome, count in zip(outcomes, counts, strict=True))


@dataclass(frozen=True, slots=True)
class Drift:
    """Something never seen before. ``first_seen``: ISO; ``seen_in``: where."""

    kind: str
    table: str
    name: str
    first_seen: str
    seen_in: str


def drift(connection: sqlite3.Connection) -> tuple[Drift, ...]:
    """Everything that was new to us, in the order in which it came."""
    sql = 'SELECT kind, "table", name, first_seen, seen_in FROM sync_drift ORDER BY first_seen'
    return tuple(Drift(*row) for row in connection.execute(sql))


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
