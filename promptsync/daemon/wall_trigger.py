"""When a schedule fires, on days that have an hour twice or lack one.

Owns the step from a schedule's wall clock times to instants. Pure. Each wall clock time is one instant: the first of
two where clocks go back; where they go forward, a time that does not exist comes as long after the change as it would
have without it. (APScheduler's own cron trigger repeats the doubled hour.)
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

from promptsync.config import Schedule

_MARGIN = timedelta(hours=3)
_TICK = timedelta(microseconds=1)


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
