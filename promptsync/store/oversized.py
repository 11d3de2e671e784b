"""Deliveries that were refused because their bodies are larger than allowed (413): none of them is in the inbox.

Owns the mark ``oversized`` in ``sync_state``, and from when on it is history. Everything runs inside the caller's
transaction.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from promptsync.clock import MICROS, iso_millis, parse_iso

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
