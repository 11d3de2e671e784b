"""Deliveries that were not let in: how many, why, and when the newest was.

Owns two marks in ``sync_state``, as nothing else is stored of them: ``refused``, by reason and minutes of the last day,
and ``oversized``, of those that were too large (413), and from when on each is history. Everything runs inside the
caller's transaction.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Final

from promptsync.clock import MICROS, iso_millis, parse_iso
from promptsync.store import marks

_REFUSED: Final = "refused"
_STEP: Final = 60 * MICROS
_HOUR: Final = 3_600 * MICROS
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class RefusedDeliveries:
    """Deliveries refused in the last hour for one ``reason`` (a class name of the listener's). ``first_at`` and
    ``last_at``: ISO, to the minute."""

    reason: str
    count: int
    first_at: str
    last_at: str


def refused(connection: sqlite3.Connection, now: int) -> Iterator[RefusedDeliveries]:
    """Those of the last hour, by reason, the most frequent first. ``now``: microseconds."""
    recent = {reason: _between(at, now - _HOUR, now) for reason, at in _minutes(connection).items()}
    for reason, count in sorted(recent.items(), key=lambda one: -sum(one[1].values())):
        if count:
            yield RefusedDeliveries(reason, sum(count.values()), min(count), max(count))


def note_refused(connection: sqlite3.Connection, count: Mapping[str, int], now: int) -> None:
    """Record ``count`` more, by reason, and forget those of the day before. ``now``: microseconds."""
    kept = {reason: _between(at, now - _DAY, now) for reason, at in _minutes(connection).items()}
    minute = iso_millis(now // _STEP * _STEP)
    for reason, more in count.items():
        at = kept.setdefault(reason, {})
        at[minute] = at.get(minute, 0) + more
    marks.put_facts(connection, _REFUSED, {reason: at for reason, at in kept.items() if at})


def _minutes(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    return marks.read_facts(connection, _REFUSED) or {}


def _between(at: Mapping[str, int], after: int, now: int) -> dict[str, int]:
    """Those of a time that has come: a clock that was ahead is history at once."""
    since, until = iso_millis(after // _STEP * _STEP), iso_millis(now)
    return {minute: count for minute, count in at.items() if since <= minute <= until}


_OVERSIZED: Final = "oversized"
_HISTORY: Final = 7 * _DAY


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
    facts = marks.read_facts(connection, _OVERSIZED)
    found = Oversized(**facts) if facts is not None else None
    if found is None or abs(now - parse_iso(found.last_at)) > _HISTORY:  # as far ahead: no clock that is right was
        return None
    return found


def note_oversized(connection: sqlite3.Connection, count: Mapping[str, int], largest: int, now: int) -> None:
    """Record ``count`` more refused deliveries, by event type. ``largest``: bytes; ``now``: microseconds."""
    known = oversized(connection, now) or Oversized({}, 0, iso_millis(now), iso_millis(now))
    kinds = {kind: known.count.get(kind, 0) + count.get(kind, 0) for kind in sorted({*known.count, *count})}
    found = Oversized(kinds, max(largest, known.largest), known.first_at, iso_millis(now))
    marks.put_facts(connection, _OVERSIZED, asdict(found))
