"""The inbox as people see it: what it holds, what waits, what failed.

Owns the reads of ``sync_event`` that apply nothing; it must not write there, storing and applying are in inbox.py.
Everything runs inside the caller's transaction.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from promptsync.clock import CLOCKS_DIFFER, MAX_MICROS, MICROS, iso_micros, parse_iso
from promptsync.store.reading import as_dicts

_PENDING: Final = "state = 'pending' AND state <> 'applied'"
"""The condition of the partial index.

Beside it a plus before ``received_at`` keeps SQLite from the index of that column, along which it would read every
delivery there is.
"""


@dataclass(frozen=True, slots=True)
class InboxState:
    """``newest``: when the newest delivery was received (ISO); ``received``: how many ever were. The others are numbers
    of deliveries in that state."""

    newest: str | None
    received: int
    pending: int
    failed: int
    unknown_type: int


def inbox_state(connection: sqlite3.Connection, now: int) -> InboxState:
    """How many deliveries there are, and how many of them are not applied. ``now``: microseconds."""
    sql = "SELECT state, count(*) FROM sync_event WHERE state <> 'applied' GROUP BY 1"
    count = dict(connection.execute(sql).fetchall())
    newest = newest_receipt(connection, now + CLOCKS_DIFFER)
    received = connection.execute("SELECT max(id) FROM sync_event").fetchone()[0]
    return InboxState(newest, received or 0, *(count.get(state, 0) for state in ("pending", "failed", "unknown_type")))


def newest_receipt(connection: sqlite3.Connection, latest: int = MAX_MICROS) -> str | None:
    """When the newest delivery was received (ISO), of those no later than ``latest`` (microseconds)."""
    sql = "SELECT max(received_at) FROM sync_event WHERE received_at <= ?"
    newest: str | None = connection.execute(sql, (iso_micros(latest),)).fetchone()[0]
    return newest


def oldest_pending(connection: sqlite3.Connection) -> str | None:
    """When the oldest delivery was received that waits to be applied (ISO)."""
    sql = f"SELECT min(+received_at) FROM sync_event WHERE {_PENDING}"
    oldest: str | None = connection.execute(sql).fetchone()[0]
    return oldest


def undecided(connection: sqlite3.Connection, before: str) -> int:
    """How many deliveries received before then (ISO, microseconds) have failed or are of an unknown type."""
    sql = "SELECT count(*) FROM sync_event WHERE state IN ('failed', 'unknown_type') AND state <> 'applied'"
    return int(connection.execute(f"{sql} AND +received_at < ?", (before,)).fetchone()[0])


_STEP: Final = timedelta(hours=6)
_WEEKS: Final = timedelta(weeks=4)


def longest_silence(connection: sqlite3.Connection) -> timedelta:
    """The longest time without a delivery in the four weeks before the newest one, to be exact if it was of more than
    six hours, else no longer one. By a look into every quarter of a day, however many deliveries there are."""
    newest = newest_receipt(connection)
    if newest is None:
        return timedelta()
    end = parse_iso(newest)
    at, longest = end - int(_WEEKS.total_seconds() * MICROS), 0
    step = int(_STEP.total_seconds() * MICROS)
    first = connection.execute("SELECT min(received_at) FROM sync_event").fetchone()[0]
    at = max(at, parse_iso(first))
    while at < end:
        last = _receipt(connection, "max", "BETWEEN ? AND ?", at, min(at + step, end))
        if last is None or last == at:  # nothing in this quarter: until when?
            later = _receipt(connection, "min", "> ?", at)
            if later is None:
                break
            longest, at = max(longest, later - at), later
        else:
            at = last
    return timedelta(microseconds=longest)


def _receipt(connection: sqlite3.Connection, which: str, condition: str, *bounds: int) -> int | None:
    sql = f"SELECT {which}(received_at) FROM sync_event WHERE received_at {condition}"
    found = connection.execute(sql, [iso_micros(bound) for bound in bounds]).fetchone()[0]
    return None if found is None else parse_iso(found)


def newest(connection: sqlite3.Connection, state: str | None, type_: str | None, limit: int) -> list[dict[str, Any]]:
    """The newest deliveries without their bodies, newest first; of one state or type, if that is given."""
    wanted = {name: value for name, value in (("state", state), ("type", type_)) if value}
    where = " AND ".join(f"{name} = ?" for name in wanted) or "TRUE"
    sql = f"SELECT id, received_at, type, org_id, state, error FROM sync_event WHERE {where} ORDER BY id DESC LIMIT ?"
    return list(as_dicts(connection.execute(sql, (*wanted.values(), limit))))


def everything(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """The whole inbox, oldest first: id, received_at (ISO), type, path and body of each delivery."""
    return as_dicts(connection.execute("SELECT id, received_at, type, path, body FROM sync_event ORDER BY id"))


def count_by_type(connection: sqlite3.Connection) -> dict[str, int]:
    """How many deliveries of each type there are."""
    return dict(connection.execute("SELECT type, count(*) FROM sync_event GROUP BY 1").fetchall())


def count_different(connection: sqlite3.Connection, limit: int) -> tuple[int, int]:
    """Of the newest ``limit`` deliveries: how many there are, and how many different texts they have."""
    looked, different = connection.execute(
        "SELECT count(*), count(DISTINCT type || digest) FROM "
        "(SELECT type, digest FROM sync_event ORDER BY id DESC LIMIT ?)",
        (limit,),
    ).fetchone()
    return looked, different
