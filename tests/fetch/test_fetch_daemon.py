"""The daemon fetches by the clock, catches up once at start, takes orders meanwhile and stops at once."""

import asyncio
import threading
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]
from click.testing import CliRunner
from fetch_home import QUICK, Home, rows

from promptsync.cli import main
from promptsync.clock import MICROS
from promptsync.daemon.client import ask_daemon
from promptsync.daemon.daemon import Daemon
from promptsync.daemon.schedule import Later, Schedule, Task
from promptsync.errors import Unavailable
from tests.daemons import running
from tests.places.file_server import FileServer, serve


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr("promptsync.fetch.run.settings_of", lambda _: QUICK)
    return Home(tmp_path)


async def until(daemon: Daemon, sql: str, wanted: list[tuple[object, ...]]) -> None:
    for _ in range(200):
        if await asyncio.to_thread(rows, daemon.engine, sql) == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(rows(daemon.engine, sql))


RUNS = "SELECT outcome, count(*) FROM sync_run WHERE task LIKE 'fetch %' GROUP BY 1"


async def test_what_was_missed_is_caught_up_once_at_start(home: Home) -> None:
    home.night(4)
    home.night(10)
    async with running(home.config, clock=lambda: home.now) as daemon:
        await until(daemon, RUNS, [("done", 1)])
        assert rows(daemon.engine, "SELECT count(*) FROM sync_file WHERE state = 'merged'") == [(4,)]
    async with running(home.config, clock=lambda: home.now) as daemon:  # nothing was due in between
        await asyncio.sleep(0.2)
        assert rows(daemon.engine, RUNS) == [("done", 1)]
    home.now += 3 * 86_400 * MICROS
    async with running(home.config, clock=lambda: home.now) as daemon:
        await until(daemon, RUNS, [("done", 2)])


async def test_an_order_by_hand_is_done_by_the_daemon_that_holds_the_mirror(home: Home) -> None:
    async with running(home.config, clock=lambda: home.now) as daemon:
        await until(daemon, RUNS, [("done", 1)])
        home.night(9)
        told: list[object] = []
        database = home.config.mirror.database
        result = await asyncio.to_thread(ask_daemon, database, "fetch", {"sources": [], "since": None}, told.append)
        assert result["sources"][0]["loaded"] == 2
        assert told
        assert rows(daemon.engine, RUNS) == [("done", 2)]


async def test_a_place_that_the_daemon_does_not_know_yet_asks_for_a_restart(home: Home) -> None:
    async with running(home.config, clock=lambda: home.now) as daemon:
        await until(daemon, RUNS, [("done", 1)])
        home.file.write_text(f'{home.file.read_text()}\n[[customerio]]\nlocation = "added"\n')
        command = ["--config", str(home.file), "fetch", "added"]
        result = await asyncio.to_thread(CliRunner().invoke, main, command)
    assert result.exit_code == 2 and "earlier configuration: restart it" in result.stderr


async def test_it_stops_at_once_in_the_middle_of_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptsync.fetch.run.settings_of", lambda _: QUICK)
    async with serve(FileServer()) as server:
        home = Home(tmp_path, f"{server.address}/out/")
        path = home.night(4)[0]
        server.files[path.name] = path.read_bytes()
        server.silent = True
        async with running(home.config, clock=lambda: home.now):
            for _ in range(200):
                if any(method == "GET" and name.endswith(".gz") for method, name, _ in server.asked):
                    break
                await asyncio.sleep(0.02)
            started = time.monotonic()
        assert time.monotonic() - started < 4


async def test_a_run_is_made_again_soon_when_that_may_help(home: Home) -> None:
    with home.engine() as engine:
        schedule, calls = Schedule(engine.mirror, engine.clock), []

        async def run() -> str | Later:
            calls.append(len(calls))
            if len(calls) == 1:
                raise Unavailable("not now")
            return Later("late") if len(calls) == 2 else "done"

        task = Task("fetch x", IntervalTrigger(days=1), run, catch_up=True, again=timedelta(milliseconds=20))
        schedule.add(task)
        schedule.add(replace(task, name="other", catch_up=False))
        assert schedule.missed() == ["fetch x"]
        schedule.start(schedule.missed())
        for _ in range(100):
            if len(calls) == 3:
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        schedule.close()
        assert calls == [0, 1, 2]
        found = await asyncio.to_thread(rows, engine, "SELECT outcome, message FROM sync_run ORDER BY id")
        assert found == [("problem", "not now"), ("done", "late"), ("done", "done")]


async def test_a_run_that_takes_long_to_be_recorded_is_made_again_too(home: Home) -> None:
    """The writer is busy for longer than until the next run."""
    with home.engine() as engine:
        schedule, calls, free = Schedule(engine.mirror, engine.clock), list[int](), threading.Event()

        async def run() -> str:
            calls.append(len(calls))
            if len(calls) == 1:
                engine.mirror.writer.submit(lambda _: free.wait(30) and None)
                raise Unavailable("not now")
            return "done"

        schedule.add(Task("fetch x", IntervalTrigger(days=1), run, catch_up=True, again=timedelta(milliseconds=1)))
        schedule.start(["fetch x"])
        async with asyncio.timeout(60):
            while not calls:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.2)
            free.set()
            while len(calls) < 2:
                await asyncio.sleep(0.01)
        schedule.close()
        assert calls == [0, 1]


async def test_a_run_on_record_from_a_clock_that_was_ahead_keeps_none_waiting(home: Home) -> None:
    with home.engine() as engine:
        schedule = Schedule(engine.mirror, engine.clock)

        async def run() -> str:
            return "done"

        schedule.add(Task("fetch x", IntervalTrigger(days=1), run, catch_up=True))
        await schedule.run_now(Task("fetch x", IntervalTrigger(days=1), run))
        assert schedule.missed() == []
        home.now += 3650 * 86_400 * MICROS
        await schedule.run_now(Task("fetch x", IntervalTrigger(days=1), run))
        home.now -= 3650 * 86_400 * MICROS
        assert schedule.missed() == []
        home.now += 86_401 * MICROS
        assert schedule.missed() == ["fetch x"]


async def test_a_run_never_overlaps_itself(home: Home) -> None:
    with home.engine() as engine:
        schedule, entered = Schedule(engine.mirror, engine.clock), []

        async def run() -> str:
            entered.append(1)
            await asyncio.sleep(0.05)
            return "done"

        task = Task("fetch x", IntervalTrigger(days=1), run)
        await asyncio.gather(*(schedule.run_now(task) for _ in range(3)))
        assert len(entered) == 1
