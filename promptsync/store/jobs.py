"""Export jobs on record: the rows of ``sync_job``.

Owns the statements on that table. Everything runs inside the caller's transaction. No link and no key is ever in it.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from promptsync.store import ledger
from promptsync.store.reading import as_dicts

_COLUMNS = ("id", "type", "range", "vendor_id", "state", "attempts", "requested_at", "changed_at", "file_id", "error")
_REJECTED = "(SELECT rejected FROM sync_file WHERE id = sync_job.file_id) AS rejected"
_SELECT = f"SELECT {', '.join(_COLUMNS)}, {_REJECTED} FROM sync_job"
CLOSED = ("loaded", "failed", "refused")
"""States in which nothing is left to do."""


@dataclass(frozen=True, slots=True)
class UnsettledJob:
    """A job that is open, or ended badly and was not followed by a good one of its type. Times: ISO."""

    id: int
    type: str
    range: str
    state: str
    requested_at: str
    changed_at: str
    error: str | None


def add(connection: sqlite3.Connection, row: Mapping[str, Any]) -> int:
    """A new job; returns its id."""
    return ledger.insert(connection, "sync_job", row)


def change(connection: sqlite3.Connection, job_id: int, row: Mapping[str, Any]) -> None:
    """Write down what has become of a job."""
    ledger.update(connection, "sync_job", job_id, row)


def open_jobs(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Jobs with something left to do, oldest first."""
    return _rows(connection.execute(f"{_SELECT} WHERE state NOT IN {CLOSED!r} ORDER BY id"))


def some(connection: sqlite3.Connection, ids: Sequence[int]) -> list[dict[str, Any]]:
    """Jobs by their ids, in order."""
    marks = ", ".join("?" * len(ids))
    return _rows(connection.execute(f"{_SELECT} WHERE id IN ({marks}) ORDER BY id", tuple(ids)))


def held(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Jobs whose file waits for a person, oldest first."""
    waiting = "SELECT id FROM sync_file WHERE state = 'held'"
    return _rows(connection.execute(f"{_SELECT} WHERE state = 'failed' AND file_id IN ({waiting}) ORDER BY id"))


def has_rejects(connection: sqlite3.Connection, job_id: int) -> bool:
    """Whether rows of a job's file could not be merged, or are just being tried again."""
    sql = (
        "SELECT EXISTS (SELECT 1 FROM sync_job j JOIN sync_file f ON f.id = j.file_id WHERE j.id = ? AND "
        "(f.state <> 'merged' OR EXISTS (SELECT 1 FROM sync_reject r WHERE r.file_id = f.id)))"
    )
    return bool(connection.execute(sql, (job_id,)).fetchone()[0])


def unsettled(connection: sqlite3.Connection) -> list[UnsettledJob]:
    """Jobs that may need a person, oldest first."""
    sql = (
        "SELECT id, type, range, state, requested_at, changed_at, error FROM sync_job j WHERE state <> 'loaded' AND "
        "NOT (state IN ('failed', 'refused') AND EXISTS "
        "(SELECT 1 FROM sync_job g WHERE g.type = j.type AND g.id > j.id AND g.state = 'loaded')) ORDER BY id"
    )
    return [UnsettledJob(*row) for row in connection.execute(sql)]


def count_loaded(connection: sqlite3.Connection) -> int:
    """How many jobs have been loaded."""
    return int(connection.execute("SELECT count(*) FROM sync_job WHERE state = 'loaded'").fetchone()[0])


def newest(connection: sqlite3.Connection, limit: int) -> list[dict[str, Any]]:
    """The newest jobs, newest first."""
    return _rows(connection.execute(f"{_SELECT} ORDER BY id DESC LIMIT ?", (limit,)))


def vendor_ids(connection: sqlite3.Connection) -> set[str]:
    """Every id that the vendor has given to a job of ours."""
    return {row[0] for row in connection.execute("SELECT vendor_id FROM sync_job WHERE vendor_id IS NOT NULL")}


def loaded(connection: sqlite3.Connection, kind: str) -> list[dict[str, Any]]:
    """The newest loaded jobs of a kind, newest first."""
    return _rows(
        connection.execute(f"{_SELECT} WHERE type = ? AND state = 'loaded' ORDER BY id DESC LIMIT 100", (kind,))
    )


def _rows(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    return list(as_dicts(cursor))
