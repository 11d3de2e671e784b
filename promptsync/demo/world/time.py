"""Time in the simulated world: the local midnights of its zone, and values that change. Pure."""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Generic, TypeVar
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


V = TypeVar("V")


class Timeline(Generic[V]):
    """A value that was first set at some instant and changed at later ones (microseconds)."""

    __slots__ = ("times", "values")

    def __init__(self, at: int, value: V) -> None:
        self.times = [at]
        self.values = [value]

    def set(self, at: int, value: V) -> None:
        """The value from ``at`` on. Raises ValueError unless it is later than every change before."""
        if at <= self.times[-1]:
            raise ValueError("a timeline goes forward")
        self.times.append(at)
        self.values.append(value)

    def at(self, when: int) -> V:
        """The value at an instant; the first one before there was any."""
        return self.values[max(bisect_right(self.times, when) - 1, 0)]

    def since(self, when: int) -> int:
        """When the value that held at ``when`` had been set."""
        return self.times[max(bisect_right(self.times, when) - 1, 0)]
