"""Rejects, seen as a to-do list: where each came from, trying again, throwing away.

Owns these statements on ``sync_reject``. ``ids`` None means all.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path


def origins(connection: sqlite3.Connection, ids: Sequence[int] | None) -> tuple[list[int], list[Path]]:
    """The deliveries and the files, where they lie now or lay, that these rejects came from."""
    where, values = _chosen(ids)
    events = [
        row[0]
        for row in connection.execute(
            f"SELECT DISTINCT event_id FROM sync_reject WHERE event_id IS NOT NULL AND {where}", values
        )
    ]
    files = connection.execute(
        f"SELECT DISTINCT path FROM sync_file WHERE id IN (SELECT file_id FROM sync_reject WHERE {where})", values
    )
    return events, [Path(row[0]) for row in files if row[0]]


def take(connection: sqlite3.Connection, ids: Sequence[int] | None, events: Sequence[int]) -> None:
    """Before trying again: forget the rejects whose origin is there, and set their deliveries to pending."""
    where, values = _chosen(ids)
    connection.execute(f"DELETE FROM sync_reject WHERE event_id IS NOT NULL AND {where}", values)
    connection.executemany("UPDATE sync_event SET state = 'pending' WHERE id = ?", [(event,) for event in events])


def discard(connection: sqlite3.Connection, ids: Sequence[int] | None) -> int:
    """Delete rejects; returns how many."""
    where, values = _chosen(ids)
    return connection.execute(f"DELETE FROM sync_reject WHERE {where}", values).rowcount


def _chosen(ids: Sequence[int] | None) -> tuple[str, Sequence[int]]:
    if ids is None:
        return "1 = 1", ()
    return f"id IN ({', '.join('?' * len(ids))})", ids
