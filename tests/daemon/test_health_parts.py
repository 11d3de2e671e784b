"""Health when part of what it looks at is gone: the rest is said, and nothing is called well that is not."""

import asyncio
import json
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from promptsync.clock import parse_iso
from promptsync.config import load_config
from promptsync.daemon.health import Health, health_routes
from promptsync.drop.folder import DropFolder, DropSettings
from promptsync.drop.intake import DropIntake
from promptsync.engine.engine import Engine
from promptsync.status.problems import NOTHING_YET
from promptsync.store.pulse import Pulse
from promptsync.webhook.listener import STATE, ListenerState


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "promptsync.toml").write_text(
        '[mirror]\ndatabase = "data/m.db"\n[webhook]\nallow_unauthenticated = true\n'
    )
    engine = Engine(load_config(tmp_path / "promptsync.toml"))
    yield engine
    engine.close()


@pytest.fixture
def health(engine: Engine) -> Health:
    listener = web.Application()
    listener[STATE] = ListenerState()
    listener[STATE].refused["path"] = 7
    folder = DropFolder(DropSettings(engine.config.drop.folder), DropIntake(engine), engine.clock)
    return Health(engine, listener, folder, CollectorRegistry())


async def asked(health: Health, path: str) -> tuple[int, str]:
    app = web.Application()
    app.add_routes(health_routes(health))
    async with TestClient(TestServer(app)) as client, client.get(path) as response:
        return response.status, await response.text()


async def test_without_its_folder_it_is_not_ready_and_counts_what_it_can(engine: Engine, health: Health) -> None:
    shutil.rmtree(engine.mirror.folder)
    status, said = await asked(health, "/-/ready")
    assert status == 503 and any("data folder" in reason for reason in json.loads(said)["reasons"])
    status, text = await asked(health, "/-/metrics")
    found = {sample.name: sample for family in text_string_to_metric_families(text) for sample in family.samples}
    assert status == 200 and found["promptsync_readable"].value == 0
    assert found["promptsync_deliveries_total"].value == 7 and found["promptsync_writer_waiting"].value == 0
    problems = health.problems()
    assert any("cannot be read" in problem for problem in problems)
    assert any("not ready" in problem for problem in problems)


async def test_with_all_of_it_it_is_ready_and_says_that_all_could_be_read(health: Health) -> None:
    assert await asked(health, "/-/ready") == (200, '{"ready": true, "reasons": [], "notes": []}\n')
    assert "promptsync_readable 1.0" in (await asked(health, "/-/metrics"))[1]


async def test_a_wal_that_was_deleted_is_a_problem_though_it_is_ready(engine: Engine, health: Health) -> None:
    engine.mirror.path.with_name("m.db-wal").unlink()
    tick = threading.Event()
    while not engine.mirror.writer.wal_lost:
        tick.wait(0.01)
    status, said = await asked(health, "/-/ready")
    assert status == 200 and json.loads(said)["notes"]
    assert any("m.db-wal" in problem and "restart" in problem for problem in health.problems())


def test_what_was_found_stands_in_the_mirror_for_pages(engine: Engine, health: Health) -> None:
    """But for what a page sees itself, and what ends with the first file."""
    engine.mirror.path.with_name("m.db-wal").unlink()
    tick = threading.Event()
    while not engine.mirror.writer.wal_lost:
        tick.wait(0.01)
    found = health.problems()
    with engine.mirror.reading() as connection:
        (text,) = connection.execute("SELECT value FROM sync_state WHERE name = 'status'").fetchone()
    kept = json.loads(text)
    assert kept.keys() == {"at", "problems", "places"}
    assert {*health.status().problems} < {*found}
    assert [NOTHING_YET, *kept["problems"]] == found and kept["problems"]
    assert parse_iso(kept["at"]) <= engine.clock()


def test_a_mirror_that_cannot_be_written_keeps_nobody_from_hearing(engine: Engine, health: Health) -> None:
    engine.mirror.writer.close()
    assert health.problems()


async def test_a_mirror_that_cannot_be_read_is_not_ready(engine: Engine, health: Health) -> None:
    engine.mirror.path.rename(engine.mirror.folder / "elsewhere.db")
    status, said = await asked(health, "/-/ready")
    assert status == 503 and any("cannot be read" in reason for reason in json.loads(said)["reasons"])


async def test_a_disk_that_does_not_answer_is_heard_of_though_every_thread_waits_for_it(tmp_path: Path) -> None:
    """A named pipe that nobody writes to keeps whoever opens it, as a dead network file system does."""
    path, waiting = tmp_path / "mirror.db", threading.Event()
    os.mkfifo(path)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(1))
    busy = loop.run_in_executor(None, waiting.wait)
    pulse = Pulse(path, seconds=0.2)
    try:
        assert (
            await asyncio.gather(pulse.trouble(), pulse.trouble())
            == ["the mirror has not answered a question for 0 seconds"] * 2
        )
    finally:
        waiting.set()
        writer = os.open(path, os.O_RDWR)  # from now on whoever opens it goes on, and finds no database
        await busy
    while "has not answered" in (said := str(await pulse.trouble())):  # the same question is still waited for
        pass
    os.close(writer)
    assert "cannot be read" in said
