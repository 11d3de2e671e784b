"""Tasks that are replaced or removed while a run of them is under way, or waits to be made again."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from promptsync.clock import system_clock
from promptsync.daemon.schedule import Every, Later, Schedule, Task
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema


@pytest.fixture
async def schedule(empty: Path, tmp_path: Path) -> AsyncIterator[Schedule]:
    (tmp_path / "mirror.db").write_bytes(empty.read_bytes())
    mirror = Mirror(tmp_path / "mirror.db", declared_schema())
    schedule = Schedule(mirror, system_clock)
    yield schedule
    schedule.close()
    mirror.close()


class Runs:
    """What has been run, in order; the first run of each task waits until it ``may_end``, and asks for another."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.may_end = asyncio.Event()

    def task(self, name: str, version: str = "") -> Task:
        async def run() -> str | Later:
            self.made.append(f"{name}{version}")
            if self.made.count(f"{name}{version}") > 1:
                return "done"
            await self.may_end.wait()
            return Later("not all of it")

        return Task(name, Every(timedelta(days=1)), run, again=timedelta())

    async def until(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.made) < count:
                await asyncio.sleep(0.01)


async def test_a_run_under_way_brings_no_task_back(schedule: Schedule) -> None:
    runs = Runs()
    for name in ("removed", "replaced"):
        schedule.add(runs.task(name))
    schedule.start(["removed", "replaced"])
    await runs.until(2)
    for name in ("removed", "replaced"):
        schedule.remove(name)
    schedule.add(runs.task("replaced", " by another"))
    runs.may_end.set()
    await runs.until(4)
    assert runs.made == ["removed", "replaced", "replaced by another", "replaced by another"]


async def test_another_task_of_that_name_puts_nothing_off(schedule: Schedule) -> None:
    """Neither its next run by the clock nor one that waits to be made again; another trigger counts from now."""
    runs = Runs()
    task = replace(runs.task("place"), again=timedelta(hours=1))
    assert schedule.add(task)
    schedule.start(["place"])
    runs.may_end.set()
    async with asyncio.timeout(60):
        while len(due := next_runs(schedule)) < 2 or not runs.made:
            await asyncio.sleep(0.01)
    another = runs.task("place", " by another")
    assert not schedule.add(another)
    schedule.run_soon(["place"])
    assert next_runs(schedule) == due
    assert all(job.args == (another,) for job in schedule._scheduler.get_jobs())
    assert schedule.add(replace(another, trigger=Every(timedelta(days=2))))
    later = next_runs(schedule)
    assert later.pop("place") > due.pop("place") and later == due


def next_runs(schedule: Schedule) -> dict[str, datetime]:
    return {job.id: job.next_run_time for job in schedule._scheduler.get_jobs()}
