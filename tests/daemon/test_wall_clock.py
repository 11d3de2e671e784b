"""Nights are nights: one run each, also where clocks change; and what was missed is told from the record."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.clock import iso_millis, micros_of
from promptsync.config.schedules import parse_schedule
from promptsync.daemon.schedule import is_due
from promptsync.daemon.wall_clock import WallTrigger, next_fire

ZONE = ZoneInfo("America/Los_Angeles")


def fires(text: str, start: datetime, days: float, zone: ZoneInfo = ZONE) -> list[datetime]:
    found, end = [], start + timedelta(days=days)
    while (start := next_fire(parse_schedule(text), zone, start)) and start <= end:  # type: ignore[assignment]
        found.append(start)
    return found


def hours(instants: list[datetime]) -> list[str]:
    return [instant.astimezone(ZONE).strftime("%d %H:%M %Z") for instant in instants]


def test_a_night_without_half_past_two_runs_once() -> None:
    nights = fires("30 2 * * *", datetime(2026, 3, 7, tzinfo=ZONE), 3)
    assert hours(nights) == ["07 02:30 PST", "08 03:30 PDT", "09 02:30 PDT"]


def test_a_night_with_half_past_one_twice_runs_once() -> None:
    nights = fires("30 1 * * *", datetime(2026, 10, 31, tzinfo=ZONE), 3)
    assert hours(nights) == ["31 01:30 PDT", "01 01:30 PDT", "02 01:30 PST"]


def test_several_times_a_night_stay_in_order() -> None:
    assert hours(fires("30 2,3 * * *", datetime(2026, 3, 8, tzinfo=ZONE), 1)) == ["08 03:30 PDT"]
    assert hours(fires("0,30 2,3 * * *", datetime(2026, 3, 8, tzinfo=ZONE), 1)) == ["08 03:00 PDT", "08 03:30 PDT"]


def test_a_daemon_started_within_the_change_still_runs_that_night() -> None:
    after = datetime(2026, 3, 8, 3, 10, tzinfo=ZONE)
    assert hours(fires("30 2 * * *", after, 0.5)) == ["08 03:30 PDT"]


@given(
    start=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["America/Los_Angeles", "Europe/Rome", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]),
)
def test_every_date_has_one_run(start: datetime, hour: int, zone: str) -> None:
    place = ZoneInfo(zone)
    nights = fires(f"30 {hour} * * *", start.replace(tzinfo=UTC), 5, place)
    dates = [night.astimezone(place).date() for night in nights]
    assert len(set(dates)) == len(dates) >= 4
    assert dates[-1] - dates[0] == timedelta(days=len(dates) - 1)


def test_apscheduler_gets_the_next_one_from_now_or_after_the_last() -> None:
    trigger, now = WallTrigger(parse_schedule("30 2 * * *"), ZONE), datetime(2026, 2, 4, 2, 30, tzinfo=ZONE)
    assert trigger.get_next_fire_time(None, now) == now
    assert trigger.get_next_fire_time(now, now) == now + timedelta(days=1)


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (None, "2026-02-04T12:00", True),
        ("2026-02-04T02:30", "2026-02-05T02:29", False),
        ("2026-02-04T02:30", "2026-02-05T02:30", True),
        ("2026-02-01T02:30", "2026-02-20T17:00", True),
        ("2026-02-04T02:31", "2026-02-04T23:59", False),
        ("2026-11-01T01:31", "2026-11-01T23:59", False),
    ],
)
def test_a_missed_run_is_told_by_the_last_good_one(last: str | None, now: str, due: bool) -> None:
    trigger = WallTrigger(parse_schedule("30 2 * * *"), ZONE)
    if last and last.startswith("2026-11"):
        trigger = WallTrigger(parse_schedule("30 1 * * *"), ZONE)

    def at(text: str) -> int:
        return micros_of(datetime.fromisoformat(text).replace(tzinfo=ZONE))

    assert is_due(trigger, iso_millis(at(last)) if last else None, at(now)) is due
