"""What is said of problems, once each, and the pings that a real receiver gets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]
from structlog.testing import capture_logs

from promptsync.config import load_config
from promptsync.config.secret import Secret
from promptsync.daemon.alerts import Alerts, keyed, ping_url
from promptsync.daemon.schedule import Schedule, Task
from promptsync.engine.engine import Engine

TOKEN = "c2a8f0e1-token"


@dataclass
class PingReceiver:
    port: int = 0
    asked: list[str] = field(default_factory=list)
    status: int = 200
    seconds: float = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["PingReceiver"]:
        async def handle(request: web.Request) -> web.Response:
            self.asked.append(f"{request.method} {request.path_qs}")
            await asyncio.sleep(self.seconds)
            return web.Response(status=self.status, headers={"Location": "/elsewhere"})

        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            await runner.cleanup()

    def secret(self, folder: Path) -> Secret:
        (folder / "ping.url").write_text(f"http://127.0.0.1:{self.port}/{TOKEN}\n")
        return Secret("file", "ping.url", folder)


def said(lines: list[dict[str, object]]) -> list[tuple[object, object]]:
    return [(line["event"], line.get("problem", line.get("error"))) for line in lines]


async def test_the_look_at_the_start_says_nothing_yet() -> None:
    alerts = Alerts(lambda: ["a.csv is held (1 row); load it."], None)
    with capture_logs() as lines:
        await alerts.check()
        assert not lines
        await alerts.check()
        await alerts.check()
    assert said(lines) == [("problem", "a.csv is held (1 row); load it.")]


async def test_a_problem_is_said_once_and_so_is_its_end() -> None:
    problems: list[str] = []
    alerts = Alerts(lambda: problems, None)
    with capture_logs() as lines:
        await alerts.check()
        problems[:] = ["1 deliveries failed: look.", "a.csv is held (1 row); load it."]
        await alerts.check()
        problems[:] = ["1,002 deliveries failed: look.", "a.csv is held (1 row); load it."]
        await alerts.check()
        problems[:] = ["1,002 deliveries failed: look.", "b.csv is held (1 row); load it."]
        await alerts.check()
        problems.clear()
        await alerts.check()
        await alerts.check()
    assert sorted(map(str, said(lines))) == sorted(
        map(
            str,
            [
                ("problem", "1 deliveries failed: look."),
                ("problem", "a.csv is held (1 row); load it."),
                ("problem", "b.csv is held (1 row); load it."),
                ("problem_gone", "a.csv is held (1 row); load it."),
                ("problem_gone", "1,002 deliveries failed: look."),
                ("problem_gone", "b.csv is held (1 row); load it."),
            ],
        )
    )
    assert {line["log_level"] for line in lines} == {"warning"}


async def test_a_good_state_pings_the_address_and_problems_its_fail(tmp_path: Path) -> None:
    problems: list[str] = []
    async with PingReceiver().running() as receiver:
        alerts = Alerts(lambda: problems, receiver.secret(tmp_path))
        with capture_logs() as lines:
            await alerts.check()
            problems.append("stale")
            await alerts.check()
            await alerts.check()
            problems.clear()
            await alerts.check()
    assert receiver.asked == [f"GET /{TOKEN}", f"GET /{TOKEN}/fail", f"GET /{TOKEN}/fail", f"GET /{TOKEN}"]
    assert said(lines) == [("problem", "stale"), ("problem_gone", "stale")]


async def test_a_ping_that_fails_is_said_once_without_its_address(tmp_path: Path) -> None:
    async with PingReceiver(status=302).running() as receiver:
        alerts = Alerts(list, receiver.secret(tmp_path), seconds=0.2)
        with capture_logs() as lines:
            await alerts.check()
            await alerts.check()
            receiver.status, receiver.seconds = 200, 1.0
            await alerts.check()
            receiver.seconds = 0.0
            await alerts.check()
            await alerts.check()
    assert receiver.asked == [f"GET /{TOKEN}"] * 5
    assert said(lines) == [
        ("ping_failed", "it answers with status 302"),
        ("ping_failed", "TimeoutError"),
        ("ping_works_again", None),
    ]
    assert TOKEN not in str(lines)


@pytest.mark.parametrize("address", [f"http://127.0.0.1:9/{TOKEN}", f"no address {TOKEN}", f"http://[{TOKEN}", "é"])
async def test_an_address_that_leads_nowhere_disturbs_nothing(tmp_path: Path, address: str) -> None:
    (tmp_path / "ping.url").write_text(address)
    with capture_logs() as lines:
        await Alerts(list, Secret("file", "ping.url", tmp_path)).check()
        await Alerts(list, Secret("file", "missing", tmp_path)).check()
    assert [line["event"] for line in lines] == ["ping_failed", "ping_failed"]
    assert TOKEN not in str(lines)


async def test_the_schedule_runs_the_check_and_keeps_no_record_of_it(tmp_path: Path) -> None:
    (tmp_path / "promptsync.toml").write_text("[webhook]\nallow_unauthenticated = true\n")
    engine = await asyncio.to_thread(Engine, load_config(tmp_path / "promptsync.toml"))
    schedule, looked = Schedule(engine.mirror, engine.clock), asyncio.Event()
    loop = asyncio.get_running_loop()

    def problems() -> list[str]:
        loop.call_soon_threadsafe(looked.set)
        return ["stale"]

    task = Alerts(problems, None).task()
    assert task.trigger.interval.total_seconds() == 300
    schedule.add(Task(task.name, IntervalTrigger(seconds=0.02), task.run))
    schedule.start()
    async with asyncio.timeout(120):
        await looked.wait()
    schedule.close()
    with engine.mirror.reading() as connection:
        assert connection.execute("SELECT count(*) FROM sync_run").fetchone() == (0,)
    await asyncio.to_thread(engine.close)


def test_keys_and_addresses() -> None:
    assert list(keyed(["12 files of x cannot be fetched"])) == ["files of x cannot be fetched"]
    assert ping_url("https://hc.example/a?x=1", failing=True) == "https://hc.example/a/fail?x=1"
    assert ping_url("https://hc.example/a?x=1", failing=False) == "https://hc.example/a?x=1"
