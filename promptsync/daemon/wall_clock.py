"""The wall clock of a running daemon: the instants at which schedules fire by it, and whether it was set meanwhile.

Owns the step from a schedule's wall clock times to instants, which is pure: each wall clock time is one instant, the
first of two where clocks go back; where they go forward, a time that does not exist comes as long after the change as
it would have without it. (APScheduler's own cron trigger repeats the doubled hour.) Owns the comparison of the wall
clock with the monotonic one, which cannot be set; what is to be done about a difference is handed in. Nothing here
asks what time it should be: that is for NTP.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

import structlog
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

from promptsync.clock import MICROS, Clock, iso_millis, system_clock
from promptsync.config import Schedule

_MARGIN = timedelta(hours=3)
_TICK = timedelta(microseconds=1)
BOUND: Final = 30 * MICROS
"""A difference that is no matter of clocks that are slewed, or of a busy machine."""
_EVERY_SECONDS: Final = 5.0


class WallTrigger(BaseTrigger):  # type: ignore[misc]
    """A trigger for APScheduler: ``schedule`` by the wall clocks of ``zone``."""

    def __init__(self, schedule: Schedule, zone: tzinfo) -> None:
        self._schedule = schedule
        self._zone = zone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The first instant after the previous one that is not past. APScheduler calls this.

        So a clock that was set ahead, or a machine that slept, leaves one run to be made, not one for each night.
        """
        before = (now - _TICK).astimezone(UTC)
        return next_fire(self._schedule, self._zone, max(previous_fire_time or before, before))

    def __str__(self) -> str:
        return f"{self._schedule} ({self._zone})"


def next_fire(schedule: Schedule, zone: tzinfo, after: datetime) -> datetime | None:
    """The first instant (UTC) of a schedule that is later than ``after``; None if there is none."""
    after = after.astimezone(UTC)
    best: datetime | None = None
    for wall in _wall_times(schedule, _wall(after, zone) - _MARGIN):
        if best is not None and wall > _wall(best, zone) + _MARGIN:
            break
        instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if instant > after and (best is None or instant < best):
            best = instant
    return best


def _wall(instant: datetime, zone: tzinfo) -> datetime:
    """What the wall clock shows, marked UTC so that it can be counted with."""
    return instant.astimezone(zone).replace(tzinfo=UTC, fold=0)


def _wall_times(schedule: Schedule, start: datetime) -> Iterator[datetime]:
    trigger = schedule.trigger(UTC)
    wall = trigger.get_next_fire_time(None, start)
    while wall is not None:
        yield wall
        wall = trigger.get_next_fire_time(wall, wall + _TICK)


_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one moment, in microseconds. ``wall``: since 1970, UTC; ``steady``: since any moment."""

    wall: int
    steady: int


def moved(before: Reading, now: Reading, bound: int = BOUND) -> int:
    """By how much the wall clock was set between two readings, in microseconds, negative if back; 0 within ``bound``.

    A machine that slept looks like one whose clock was set ahead: its monotonic clock slept too.
    """
    difference = (now.wall - before.wall) - (now.steady - before.steady)
    return difference if abs(difference) > bound else 0


def monotonic_clock() -> int:
    """The machine's monotonic clock in microseconds."""
    return time.monotonic_ns() // 1000


class ClockWatch:
    """Calls ``on_set``, on the loop, each time the wall clock was set, after a line in the log."""

    def __init__(
        self,
        on_set: Callable[[], None],
        wall: Clock = system_clock,
        steady: Clock = monotonic_clock,
        every: float = _EVERY_SECONDS,
    ) -> None:
        self._on_set = on_set
        self._wall = wall
        self._steady = steady
        self._every = every

    async def run(self) -> None:
        """Compare until cancelled. Small differences add up until they are beyond the bound."""
        before = self._read()
        while True:
            await asyncio.sleep(self._every)
            now = self._read()
            if by := moved(before, now):
                _log.warning("clock_set", seconds=round(by / MICROS), now=iso_millis(now.wall), schedules="anew")
                before = now
                self._on_set()

    def _read(self) -> Reading:
        return Reading(self._wall(), self._steady())
