"""Rejects, seen as a to-do list: which there are, where each came from, trying again, throwing away.

Owns these statements on ``sync_reject``; what is rejected anew is added in ledger.py. ``ids`` None means all.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from promptsync.store.reading import as_dicts


def newest(connection: sqlite3.Connection, class_: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest rejects without their originals, newest first; of one class, if that is given."""
    sql = (
        'SELECT r.id, r."class", r."table", f.name AS file, r.event_id, r.line, r.reason, r.rejected_at '
        "FROM sync_reject r LEFT JOIN sync_file f ON f.id = r.file_id "
        'WHERE ?1 IS NULL OR r."class" = ?1 ORDER BY r.id DESC LIMIT ?2'
    )
    return list(as_dicts(connection.execute(sql, (class_, limit))))


def count_by_class(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rejects of each class there are, by its name."""
    return dict(connection.execute('SELECT "class", count(*) FROM sync_reject GROUP BY 1 ORDER BY 1').fetchall())


def origins(connection: sqlite3.Connection, ids: Sequence[int] | None) -> tuple[list[int], dict[int, Path]]:
    """The deliveries that these rejects came from, and the files: number in the ledger to its path."""
    where, values = _chosen(ids)
    events = connection.execute(
        f"SELECT DISTINCT event_id FROM sync_reject WHERE event_id IS NOT NULL AND {where}", values
    ).fetchall()
    files = connection.execute(
        f"SELECT id, path FROM sync_file WHERE id IN (SELECT file_id FROM sync_reject WHERE {where})", values
    )
    return [row[0] for row in events], {number: Path(path) for number, path in files if path}


def superseded(connection: sqlite3.Connection, files: Sequence[int]) -> set[int]:
    """Those of the files that a newer one of the same table and organization has been merged after."""
    sql = (
        'SELECT EXISTS (SELECT 1 FROM sync_file n WHERE n.state = \'merged\' AND n."table" = f."table" '
        "AND n.org_id IS f.org_id AND n.as_of > f.as_of) FROM sync_file f WHERE id = ?"
    )
    return {number for number in files if connection.execute(sql, (number,)).fetchone() == (1,)}


def take(connection: sqlite3.Connection, events: Sequence[int], files: Sequence[int]) -> None:
    """Before trying again: set the deliveries to pending and forget their rejects, and those of the files.

    The files count as begun, so that the next start after a kill finishes them and finds their rejects again.
    """
    connection.executemany("UPDATE sync_event SET state = 'pending' WHERE id = ?", [(event,) for event in events])
    connection.executemany("DELETE FROM sync_reject WHERE event_id = ?", [(event,) for event in events])
    connection.executemany("DELETE FROM sync_reject WHERE file_id = ?", [(file,) for file in files])
    begun = "UPDATE sync_file SET state = 'staged', source = 'retry' WHERE id = ?"
    connection.executemany(begun, [(file,) for file in files])


def discard(connection: sqlite3.Connection, ids: Sequence[int] | None) -> int:
    """Delete rejects; returns how many."""
    where, values = _chosen(ids)
    return connection.execute(f"DELETE FROM sync_reject WHERE {where}", values).rowcount


def _chosen(ids: Sequence[int] | None) -> tuple[str, Sequence[int]]:
    if ids is None:
        return "1 = 1", ()
    return f"id IN ({', '.join('?' * len(ids))})", ids
