"""The inbox as people see it: what it holds, what waits, what failed, and what was too large for it.

Owns the reads of ``sync_event`` that apply nothing; it must not write there, storing and applying are in inbox.py. Of
deliveries refused for their size (413) nothing is stored but the mark ``oversized`` in ``sync_state``, which is owned
here too, and from when on it is history. Everything runs inside the caller's transaction.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from promptsync.clock import CLOCKS_DIFFER, MAX_MICROS, MICROS, iso_micros, iso_millis, parse_iso
from promptsync.store.reading import as_dicts

_PENDING: Final = "state = 'pending' AND state <> 'applied'"
"""The condition of the partial index."""


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
    oldest: str | None = connection.execute(f"SELECT min(received_at) FROM sync_event WHERE {_PENDING}").fetchone()[0]
    return oldest


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


_MARK: Final = "oversized"
_HISTORY: Final = 7 * 86_400 * MICROS


@dataclass(frozen=True, slots=True)
class Oversized:
    """``count``: by event type, ``other`` for those not in the specification. ``largest``: bytes, at least.
    ``first_at``, ``last_at``: ISO."""

    count: Mapping[str, int]
    largest: int
    first_at: str
    last_at: str

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.count.values())


def oversized(connection: sqlite3.Connection, now: int) -> Oversized | None:
    """Those of the last seven days without a pause as long as that; None if there were none. ``now``: microseconds."""
    row = connection.execute("SELECT value FROM sync_state WHERE name = ?", (_MARK,)).fetchone()
    found = Oversized(**json.loads(row[0])) if row else None
    if found is None or abs(now - parse_iso(found.last_at)) > _HISTORY:  # as far ahead: no clock that is right was
        return None
    return found


def note_oversized(connection: sqlite3.Connection, count: Mapping[str, int], largest: int, now: int) -> None:
    """Record ``count`` more refused deliveries, by event type. ``largest``: bytes; ``now``: microseconds."""
    known = oversized(connection, now) or Oversized({}, 0, iso_millis(now), iso_millis(now))
    kinds = {kind: known.count.get(kind, 0) + count.get(kind, 0) for kind in sorted({*known.count, *count})}
    found = Oversized(kinds, max(largest, known.largest), known.first_at, iso_millis(now))
    connection.execute(
        "INSERT INTO sync_state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_MARK, json.dumps(asdict(found))),
    )
