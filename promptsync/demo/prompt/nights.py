"""Local midnights of the organisation's zone and how export files spell them. Pure; knows nothing of rows."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from promptsync.clock import MICROS, micros_of

ZONE = "America/Los_Angeles"
RUN_DELAY = 3600 * MICROS
"""The export of a midnight runs an hour later."""


def midnight(day: date) -> int:
    """The local midnight that begins a day, microseconds since the epoch."""
    return micros_of(datetime.combine(day, time(), ZoneInfo(ZONE)))


def day_of(at: int) -> date:
    """The local day of an instant."""
    return datetime.fromtimestamp(at // MICROS, UTC).astimezone(ZoneInfo(ZONE)).date()


def midnight_before(at: int) -> int:
    """The newest local midnight that is not after ``at``."""
    return midnight(day_of(at))


def midnights(begin: int, end: int) -> Iterator[int]:
    """Every local midnight in ``[begin, end)``, in order."""
    day = day_of(begin)
    while (at := midnight(day)) < end:
        if at >= begin:
            yield at
        day += timedelta(days=1)


def stamp(as_of: int) -> str:
    """``2026-02-04T00-00-00-0800Z``: local time with its offset and the vendor's stray Z (Nightly Data Exports)."""
    when = datetime.fromtimestamp(as_of // MICROS, UTC).astimezone(ZoneInfo(ZONE))
    return when.strftime("%Y-%m-%dT%H-%M-%S%z") + "Z"
