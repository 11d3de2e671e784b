"""Time: microseconds since the epoch inside, ISO 8601 UTC outside.

Owns the two spellings and the one place that asks the operating system. Everything that decides takes a ``Clock``
(or a number) as a parameter, so that a test can say what time it is.
"""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

Clock = Callable[[], int]
"""Returns the present as microseconds since the epoch, UTC."""

MICROS = 1_000_000
YEAR_2000 = 946_684_800 * MICROS
"""No time before it is one that a clock or a vendor meant."""

CLOCKS_DIFFER = 300 * MICROS
"""How far a time may lie ahead of this machine's clock and be believed."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_MICROS = 253_402_300_799_999_999  # 9999-12-31T23:59:59.999999Z


def system_clock() -> int:
    """The machine's wall clock in microseconds since the epoch."""
    return time.time_ns() // 1000


@lru_cache(maxsize=1024)  # of one delivery most times are the same
def iso_millis(micros: int) -> str:
    """``2026-02-04T08:00:00.000Z``: how every time is written in the mirror (milliseconds, cut not rounded)."""
    minutes, rest = divmod(min(max(micros, 0), MAX_MICROS) // 1000, 60_000)
    return f"{_minute(minutes)}{rest // 1000:02d}.{rest % 1000:03d}Z"


def iso_micros(micros: int) -> str:
    """``2026-02-04T08:00:00.000000Z``: how times of receipt are written."""
    minutes, rest = divmod(min(max(micros, 0), MAX_MICROS), 60 * MICROS)
    return f"{_minute(minutes)}{rest // MICROS:02d}.{rest % MICROS:06d}Z"


def parse_iso(text: str) -> int:
    """Microseconds of an ISO 8601 time; one without an offset is UTC. Raises ValueError."""
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return micros_of(when)


def micros_of(when: datetime) -> int:
    """Microseconds since the epoch of an aware datetime, exactly."""
    return (when - _EPOCH) // timedelta(microseconds=1)


def local_date(at: int, zone: ZoneInfo) -> date:
    """The date of an instant (microseconds) in a zone."""
    return datetime.fromtimestamp(at // MICROS, UTC).astimezone(zone).date()


def seconds_since(iso: str, now: int) -> float:
    """The age of an ISO time at ``now`` (microseconds), in seconds."""
    return (now - parse_iso(iso)) / MICROS


def hours_since(iso: str | None, now: int) -> float | None:
    """The same in hours, to a tenth; None of no time."""
    return None if iso is None else round(seconds_since(iso, now) / 3600, 1)


@lru_cache(maxsize=4096)
def _minute(minutes: int) -> str:
    """``2026-02-04T08:00:`` of a number of minutes since the epoch: times that are written together lie close to each
    other, and the calendar is most of the work."""
    return time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(minutes * 60))
