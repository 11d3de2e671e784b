"""Schedules: five cron fields, read as cron reads them.

Owns the check of a schedule and the trigger made from it. Pure. APScheduler counts the days of the week from Monday,
cron from Sunday; here the fifth field means what crontab(5) says, so it is rewritten into names before APScheduler
sees it.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

_FIELDS = ("minute", "hour", "day", "month", "day of the week")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DAY_PART = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/(\d{1,2}))?", re.ASCII)
_ANY_TIME = datetime(2024, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A valid schedule; ``text`` is its five fields as they were written."""

    text: str

    def trigger(self, zone: tzinfo) -> "CronTrigger":
        """The trigger that fires at this schedule's times in ``zone``."""
        return _trigger(self.text, zone)

    def __str__(self) -> str:
        return self.text


def parse_schedule(value: object) -> Schedule:
    """The schedule spelled ``"30 2 * * *"``. Raises ValueError saying which field is wrong, or that it never comes."""
    if isinstance(value, Schedule):
        return value
    if not isinstance(value, str):
        raise ValueError('must be a schedule such as "30 2 * * *" (minute, hour, day, month, day of the week)')
    fields = value.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"must have five fields ({', '.join(_FIELDS)}), it has {len(fields)}")
    if fields[2] != "*" and fields[4] != "*":
        raise ValueError("gives both a day of the month and a day of the week, give one of them")
    _check_fields(fields)
    if _trigger(value, UTC).get_next_fire_time(None, _ANY_TIME) is None:
        raise ValueError("names a day that never comes")
    return Schedule(" ".join(fields))


def _check_fields(fields: list[str]) -> None:
    """Raises ValueError naming the first field that cannot be read."""
    for place, (field, name) in enumerate(zip(fields, _FIELDS, strict=True)):
        alone = ["*"] * len(_FIELDS)
        alone[place] = field
        try:
            _trigger(" ".join(alone), UTC)
        except ValueError:
            raise ValueError(f"has a {name} that cannot be read: '{field}'") from None


def _trigger(text: str, zone: tzinfo) -> "CronTrigger":
    from apscheduler.triggers.cron import CronTrigger

    fields = text.split()
    return CronTrigger.from_crontab(" ".join((*fields[:4], _week_days(fields[4]))), timezone=zone)


def _week_days(field: str) -> str:
    """The fifth field with days as names, which mean the same to both: ``"1-5"`` becomes ``"mon,tue,wed,thu,fri"``."""
    if field == "*":
        return field
    days: set[int] = set()
    for part in field.lower().split(","):
        match = _DAY_PART.fullmatch(part)
        if match is None:
            raise ValueError(field)
        first = 0 if match[1] is None else _day(match[1])
        last = 6 if match[1] is None or (match[3] and not match[2]) else _day(match[2] or match[1])
        last += 7 if last < first and last == 0 else 0
        step = int(match[3] or 1)
        if step < 1 or last < first:
            raise ValueError(field)
        days.update(day % 7 for day in range(first, last + 1, step))
    return ",".join(_DAYS[day] for day in sorted(days))


def _day(text: str) -> int:
    """0 (Sunday) to 7 (Sunday again)."""
    if text in _DAYS:
        return _DAYS.index(text)
    if text in tuple("01234567"):
        return int(text)
    raise ValueError(text)


Cron = Annotated[Schedule, BeforeValidator(parse_schedule)]
