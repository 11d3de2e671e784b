"""The ledger of places: which files were seen where, in which version, and how far each has come.

Owns the statements on ``sync_object`` and what they set in ``sync_file``. Everything runs inside the caller's
transaction. What is new is the set difference between a listing and this ledger, never a high-water mark.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptsync.merge.sql import names
from promptsync.store import ledger

_MOST_STRANGERS = 200


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger says of one key: the version it last saw, its state there, how often it was tried."""

    tag: str
    state: str
    attempts: int
    gone: bool


def known(connection: sqlite3.Connection, place: str) -> dict[str, Known]:
    """Everything ever seen at a place, by key."""
    sql = "SELECT key, tag, state, attempts, gone_at IS NOT NULL FROM sync_object WHERE place = ?"
    rows = connection.execute(sql, (place,))
    return {key: Known(tag, state, attempts, bool(gone)) for key, tag, state, attempts, gone in rows}


def note_seen(connection: sqlite3.Connection, place: str, rows: Iterable[Mapping[str, Any]], now: str) -> None:
    """New keys and new versions of known ones begin to wait. Rows: key, tag, size, modified_at, table, org_id, as_of.

    A copy that was held in an older version needs nobody any more.
    """
    for row in rows:
        _retire_held(connection, place, row["key"])
        entry = {"place": place, **row, "state": "waiting", "attempts": 0, "seen_at": now}
        entry |= {"tried_at": None, "gone_at": None, "file_id": None, "error": None}
        slots = ", ".join("?" * len(entry))
        connection.execute(
            f"INSERT OR REPLACE INTO sync_object ({names(entry)}) VALUES ({slots})", tuple(entry.values())
        )


def note_gone(connection: sqlite3.Connection, place: str, keys: Iterable[str], now: str) -> None:
    """These are not listed any more. What was loaded stays loaded."""
    connection.executemany(
        "UPDATE sync_object SET gone_at = ?, "
        "state = CASE WHEN state IN ('waiting', 'failed') THEN 'gone' ELSE state END WHERE place = ? AND key = ?",
        [(now, place, key) for key in keys],
    )


def note_back(connection: sqlite3.Connection, place: str, keys: Iterable[str]) -> None:
    """These are listed again, in the version that is known."""
    connection.executemany(
        "UPDATE sync_object SET gone_at = NULL, state = CASE state WHEN 'gone' THEN 'waiting' ELSE state END "
        "WHERE place = ? AND key = ?",
        [(place, key) for key in keys],
    )


def note_strangers(connection: sqlite3.Connection, place: str, file_names: Iterable[str], now: str) -> None:
    """Names that are none of a snapshot: each once in ``sync_drift``, the first two hundred of a listing."""
    for name in sorted(set(file_names))[:_MOST_STRANGERS]:
        plain = name[:200].encode("utf-8", "replace").decode()
        ledger.add_drift(connection, "file name", "", plain, now, place)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt on a file: ``place``, ``key``, the state it is in after it, when (ISO), what went wrong."""

    place: str
    key: str
    state: str
    at: str
    error: str | None = None


def note_tried(connection: sqlite3.Connection, attempt: Attempt) -> None:
    """An attempt that ended before the file could be loaded."""
    connection.execute(
        "UPDATE sync_object SET state = ?, attempts = attempts + 1, tried_at = ?, error = ? "
        "WHERE place = ? AND key = ?",
        (attempt.state, attempt.at, attempt.error, attempt.place, attempt.key),
    )


def note_loaded(connection: sqlite3.Connection, attempt: Attempt, lay: Path, lies: Path) -> None:
    """A file was loaded or held. ``lay``: where, while it was loaded; ``lies``: where its copy is now."""
    note_tried(connection, attempt)
    file_id = connection.execute("SELECT max(id) FROM sync_file WHERE path = ?", (str(lay),)).fetchone()[0]
    connection.execute(
        "UPDATE sync_object SET file_id = ? WHERE place = ? AND key = ?", (file_id, attempt.place, attempt.key)
    )
    if lies != lay and file_id is not None:
        changes = {"path": str(lies), "error": attempt.error}
        ledger.update(connection, "sync_file", file_id, changes)


def settle_held(connection: sqlite3.Connection, place: str) -> list[Path]:
    """Held files that a person has accepted meanwhile count as loaded; returns where their copies lie."""
    settled = connection.execute(
        "SELECT o.key, f.path FROM sync_object o JOIN sync_file f ON f.id = o.file_id "
        "WHERE o.place = ? AND o.state = 'held' AND f.state IN ('merged', 'unchanged')",
        (place,),
    ).fetchall()
    connection.executemany(
        "UPDATE sync_object SET state = 'loaded', error = NULL WHERE place = ? AND key = ?",
        [(place, key) for key, _ in settled],
    )
    return [Path(path) for _, path in settled if path]


def _retire_held(connection: sqlite3.Connection, place: str, key: str) -> None:
    connection.execute(
        "UPDATE sync_file SET state = 'unchanged', error = 'replaced by a newer version where it was fetched from' "
        "WHERE state IN ('held', 'failed', 'ignored') "
        "AND id = (SELECT file_id FROM sync_object WHERE place = ? AND key = ? AND state = 'held')",
        (place, key),
    )
