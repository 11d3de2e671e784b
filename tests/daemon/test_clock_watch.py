"""When a clock counts as set, and when a task's next run is, whatever the clock said before."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from apscheduler.job import Job  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from promptsync.clock import CLOCKS_DIFFER, MICROS, iso_millis, micros_of
from promptsync.config.schedules import parse_schedule
from promptsync.daemon.schedule import Every, Schedule, Task, is_due
from promptsync.daemon.wall_clock import BOUND, ClockWatch, Reading, WallTrigger, moved
from promptsync.errors import Unavailable
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

NOW = datetime(2026, 2, 4, 8, tzinfo=UTC)
SPANS = st.integers(-10 * 365 * 86_400, 10 * 365 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
TRIGGERS = st.sampled_from(
    [Every(timedelta(seconds=1)), Every(timedelta(hours=6)), WallTrigger(parse_schedule("30 2 * * *"), UTC)]
)


@given(passed=st.integers(0, 10**15), by=st.integers(-(10**15), 10**15))
def test_a_clock_is_set_if_it_moved_otherwise_than_time_did(passed: int, by: int) -> None:
    before = Reading(micros_of(NOW), 17)
    assert moved(before, Reading(before.wall + passed + by, 17 + passed)) == (by if abs(by) > BOUND else 0)


@given(TRIGGERS, SPANS)
def test_however_many_runs_a_clock_passed_over_one_is_made(trigger: Every | WallTrigger, missed: timedelta) -> None:
    job = Job(BackgroundScheduler(), trigger=trigger)
    job.next_run_time = NOW - abs(missed)
    runs = job._get_run_times(NOW)
    assert 1 <= len(runs) <= 2  # the one missed and, at most, one of this very moment; they count as one
    assert trigger.get_next_fire_time(runs[-1], NOW) > NOW


@given(TRIGGERS, SPANS)
def test_a_last_run_by_a_clock_that_was_ahead_counts_as_none(trigger: Every | WallTrigger, ahead: timedelta) -> None:
    last, now = NOW + ahead, micros_of(NOW)
    if micros_of(last) > now + CLOCKS_DIFFER:
        assert is_due(trigger, iso_millis(micros_of(last)), now)
    elif last >= NOW:
        assert not is_due(trigger, iso_millis(micros_of(last)), now)
    else:
        assert is_due(trigger, iso_millis(micros_of(last)), now) is (trigger.get_next_fire_time(last, last) <= NOW)


async def test_a_run_that_is_to_be_made_again_soon_is_so_by_the_clock_as_it_is(
    empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one failed while the clock was ten years ahead."""

    class Ahead(datetime):
        @classmethod
        def now(cls, zone: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(zone) + timedelta(days=3_650)

    (tmp_path / "mirror.db").write_bytes(empty.read_bytes())
    mirror = Mirror(tmp_path / "mirror.db", declared_schema())
    schedule, runs, again = Schedule(mirror, lambda: micros_of(NOW)), [0], asyncio.Event()

    async def run() -> str:
        runs[0] += 1
        if runs[0] == 1:
            raise Unavailable("not now")
        again.set()
        return "done"

    task = Task("x", Every(timedelta(days=1)), run, again=timedelta(milliseconds=50))
    schedule.add(task)
    schedule.start()
    with monkeypatch.context() as clock:
        clock.setattr("promptsync.daemon.schedule.datetime", Ahead)
        await schedule.run_now(task)
    await asyncio.sleep(0.2)
    assert runs == [1]
    schedule.compute_anew()
    await asyncio.wait_for(again.wait(), 30)
    schedule.close()
    mirror.close()


def test_an_interval_has_a_length() -> None:
    with pytest.raises(ValueError, match="never ends"):
        Every(timedelta())


async def test_each_setting_of_the_clock_is_reported_once() -> None:
    walls = iter([0, 1, 2, 3_603, 3_604, 5, 6, 7, 8])
    readings, told = iter(range(9)), asyncio.Event()
    calls: list[int] = []

    def wall() -> int:
        return next(walls) * MICROS

    def steady() -> int:
        at = next(readings)
        if at == 7:
            told.set()
        return at * MICROS

    watch = asyncio.create_task(ClockWatch(lambda: calls.append(1), wall, steady, every=0).run())
    with capture_logs() as lines:
        await told.wait()
        watch.cancel()
    assert [line["seconds"] for line in lines] == [3_600, -3_600]
    assert len(calls) == 2


async def test_clocks_that_part_slowly_are_noticed_in_the_end() -> None:
    ticks: Iterator[int] = iter(range(1_000))
    done = asyncio.Event()

    def wall() -> int:
        return next(ticks) * 2 * MICROS

    def steady(at: Iterator[int] = iter(range(1_000))) -> int:  # noqa: B008  of this test alone
        return next(at) * MICROS

    watch = asyncio.create_task(ClockWatch(done.set, wall, steady, every=0).run())
    await done.wait()
    watch.cancel()
    assert next(ticks) == BOUND // MICROS + 2
