"""Sizes, durations, zones, hosts and schedules as people write them."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.config.schedules import Schedule, parse_schedule
from promptsync.config.values import is_loopback, parse_duration, parse_host, parse_period, parse_size, parse_zone


@pytest.mark.parametrize(
    ("text", "size"),
    [("1 MiB", 1 << 20), ("64 GiB", 64 << 30), ("500 kB", 500_000), ("1.5kib", 1536), (4096, 4096), ("7 bytes", 7)],
)
def test_sizes(text: object, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "1 MiBB", "-1 MiB", "MiB", "0", 0, True, 1.5, "9999999 TiB", None, "\u0661 MiB"])
def test_sizes_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"must|unit"):
        parse_size(text)


@given(st.integers(1, 10**6), st.sampled_from(["s", "minutes", "hours", "days", "weeks"]))
def test_durations_add_up(count: int, unit: str) -> None:
    keyword = {"s": "seconds"}.get(unit, unit)
    expected = timedelta(**{keyword: count})
    if expected <= timedelta(days=36_525):
        assert parse_duration(f"{count} {unit}") == expected
    else:
        with pytest.raises(ValueError, match="hundred years"):
            parse_duration(f"{count} {unit}")


@pytest.mark.parametrize("text", ["", "15", "15 minuets", "0 days", "-1 s", 15, "1 month", "1e9 s", "9e99 s"])
def test_durations_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"must|unit"):
        parse_duration(text)


@pytest.mark.parametrize("text", ["Mars", "America", "/etc/passwd", "../x", "", 3])
def test_zones_refused(text: object) -> None:
    with pytest.raises(ValueError, match="zone"):
        parse_zone(text)


def test_hosts() -> None:
    assert parse_host("::1") == "::1"
    assert parse_host("mirror.example.org") == "mirror.example.org"
    for wrong in ("", "host:80", "[::1]", "a b", "-x"):
        with pytest.raises(ValueError, match="must be"):
            parse_host(wrong)
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost.")))
    assert not any(map(is_loopback, ("192.0.2.1", "::", "example.org", "localhost.example.org", "10.0.0.1")))


def next_after(schedule: Schedule, moment: datetime) -> datetime:
    found = schedule.trigger(UTC).get_next_fire_time(None, moment)
    assert isinstance(found, datetime)
    return found


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("0 3 * * 0", {6}),
        ("0 3 * * 7", {6}),
        ("0 3 * * sun", {6}),
        ("0 3 * * 1-5", {0, 1, 2, 3, 4}),
        ("0 3 * * 5-7", {4, 5, 6}),
        ("0 3 * * fri-sun", {4, 5, 6}),
        ("0 3 * * */2", {6, 1, 3, 5}),
        ("0 3 * * MON,3", {0, 2}),
        ("0 3 * * *", set(range(7))),
    ],
)
def test_days_of_the_week_are_crons(text: str, days: set[int]) -> None:
    schedule, moment, seen = parse_schedule(text), datetime(2026, 2, 1, tzinfo=UTC), set()
    for _ in range(7):
        moment = next_after(schedule, moment) + timedelta(minutes=1)
        seen.add(moment.weekday())
    assert seen == days


def test_a_schedule_is_in_its_zone() -> None:
    zone = ZoneInfo("America/Los_Angeles")
    found = parse_schedule("30 2 * * *").trigger(zone).get_next_fire_time(None, datetime(2026, 2, 1, tzinfo=UTC))
    assert found == datetime(2026, 2, 1, 2, 30, tzinfo=zone)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("30 2 * *", "five fields"),
        ("60 2 * * *", "minute"),
        ("0 24 * * *", "hour"),
        ("0 0 32 * *", "day"),
        ("0 0 * 13 *", "month"),
        ("0 0 * * 8", "day of the week"),
        ("0 0 * * mon-", "day of the week"),
        ("0 0 * * 5-2", "day of the week"),
        ("0 0 * * */0", "day of the week"),
        ("0 0 30 2 *", "never comes"),
        ("0 0 1 * 1", "both"),
        ("@daily", "five fields"),
        (3, "must be a schedule"),
    ],
)
def test_schedules_refused(text: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_schedule(text)


@pytest.mark.parametrize(
    ("text", "today", "first"),
    [
        ("1 month", "2026-03-31", "2026-02-28"),  # there is no 31st of February
        ("1 month", "2028-03-30", "2028-02-29"),
        ("12 months", "2028-02-29", "2027-02-28"),
        ("2 years", "2026-11-28", "2024-11-28"),
        ("24 Months", "2026-01-01", "2024-01-01"),
        ("1 day", "2026-03-01", "2026-02-28"),
        ("2 weeks", "2026-01-10", "2025-12-27"),
        ("100 years", "2026-01-10", "1926-01-10"),
    ],
)
def test_a_period_ends_on_a_day_of_the_calendar(text: str, today: str, first: str) -> None:
    assert parse_period(text).first_day(date.fromisoformat(today)) == date.fromisoformat(first)


@given(
    st.sampled_from(["1 day", "30 days", "3 weeks", "1 month", "24 months", "7 years"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["UTC", "America/Los_Angeles", "Asia/Beirut", "Pacific/Apia", "America/Sao_Paulo"]),
)
def test_nothing_is_old_before_its_period_is_over(text: str, now: datetime, zone: str) -> None:
    """Whatever the clocks do at midnight there: a later moment never keeps more."""
    period, at = parse_period(text), int(now.timestamp()) * 1_000_000
    since, later = (period.since(at + more * 1_000_000, ZoneInfo(zone)) for more in (0, 3_600))
    assert since is not None and later is not None
    assert since <= later
    local = datetime.fromtimestamp(since // 1_000_000, ZoneInfo(zone))
    assert local.hour <= 1 and local.date() >= period.first_day(now.astimezone(ZoneInfo(zone)).date())
    assert at - since > (period.days + 27 * period.months) * 86_400_000_000 - 3_600_000_000


@pytest.mark.parametrize("text", ["forever", "Forever "])
def test_what_is_kept_for_ever_is_never_old(text: str) -> None:
    assert parse_period(text).since(2**60, ZoneInfo("UTC")) is None


@pytest.mark.parametrize("wrong", ["30", "0 days", "1.5 days", "36 hours", "200 years", "", 30, None, "-1 days"])
def test_a_wrong_period_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"days|period"):
        parse_period(wrong)
