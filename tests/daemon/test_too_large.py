"""Bodies over the limit: a problem that names both settings, kept on record, gone once as much is allowed."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from click.testing import CliRunner

from promptsync.cli import main
from promptsync.clock import MICROS
from promptsync.config import Config, load_config
from promptsync.daemon.daemon import Daemon, run_daemon
from promptsync.daemon.tasks import write_down_too_large
from promptsync.errors import Unavailable
from promptsync.status.status import oversized_problem
from promptsync.store.deliveries import note_oversized, oversized
from promptsync.vendors.prompt.webhook.listener import ListenerState

TEXT = """\
[webhook]
port = 0
allow_unauthenticated = true
max_body = "1KiB"
[browse]
anonymous = true
"""
DAY = 86_400 * MICROS
NOW = 20_000 * DAY


def says(config_file: Path, *command: str) -> list[str]:
    """Sentences of ``status`` or ``doctor`` about what was refused."""
    found = CliRunner().invoke(main, ["--config", str(config_file), *command]).output
    return [line for line in found.splitlines() if "max_body" in line]


async def refused(config: Config, *bodies: Any) -> None:
    """A daemon that is sent bodies which are too large; until they are on disk."""
    up: asyncio.Future[Daemon] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run_daemon(config, ready=up.set_result))
    daemon = await up

    def written() -> int:
        with daemon.engine.mirror.reading() as connection:
            found = oversized(connection, daemon.engine.clock())
        return found.total if found else 0

    before = await asyncio.to_thread(written)
    async with aiohttp.ClientSession() as session:
        for kind, body in bodies:
            async with session.post(f"{daemon.address}/{kind}", data=body) as response:
                assert response.status == 413
    async with asyncio.timeout(120):
        while await asyncio.to_thread(written) < before + len(bodies):
            await asyncio.sleep(0.02)
    daemon.stopped.set()
    await task


async def chunks() -> Any:
    for _ in range(3):
        yield b" " * 1000


async def test_a_body_that_is_too_large_is_a_problem_until_as_much_is_allowed(tmp_path: Path) -> None:
    file = tmp_path / "promptsync.toml"
    file.write_text(TEXT)
    config = load_config(file)
    await refused(config, ("customer/optOut", b" " * 5000), ("customer/optOut", chunks()), ("no/such", b" " * 2000))
    (said,) = await asyncio.to_thread(says, file, "status")
    assert "3 deliveries were refused" in said and "(customer/optOut, other; 1.0 KiB are allowed, 4.9 KiB" in said
    assert 'webhook.max_body to "1 MiB"' in said and "client_max_body_size" in said and "request_body" in said
    (found,) = await asyncio.to_thread(says, file, "doctor")
    assert found.endswith(said.strip(" -"))
    await refused(config, ("message/added", b" " * 1025))
    assert "4 deliveries were refused" in (await asyncio.to_thread(says, file, "status"))[0]
    file.write_text(TEXT.replace("1KiB", "1 MiB"))
    assert await asyncio.to_thread(says, file, "status") == []


@pytest.fixture
def marks() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE sync_state (name TEXT PRIMARY KEY, value TEXT)")
        yield connection


def test_what_was_long_ago_is_history_also_by_a_clock_that_was_ahead(marks: sqlite3.Connection) -> None:
    note_oversized(marks, {"a": 2}, 10, NOW)
    note_oversized(marks, {"a": 1, "b": 1}, 9, NOW + 6 * DAY)
    found = oversized(marks, NOW + 13 * DAY)
    assert found and (dict(found.count), found.largest) == ({"a": 3, "b": 1}, 10)
    assert oversized(marks, NOW + 13 * DAY + 1000) is None
    note_oversized(marks, {"b": 1}, 8, NOW + 3_650 * DAY)
    assert oversized(marks, NOW + 14 * DAY) is None
    note_oversized(marks, {"b": 1}, 7, NOW + 14 * DAY)
    found = oversized(marks, NOW + 14 * DAY)
    assert found and (found.total, found.largest) == (1, 7)


def test_one_is_said_of_one(marks: sqlite3.Connection) -> None:
    note_oversized(marks, {"a": 1}, 20 << 20, NOW)
    said = oversized_problem(oversized(marks, NOW), 16 << 20)
    assert said and said.startswith("1 delivery was refused, as it is larger") and '"20 MiB"' in said
    assert oversized_problem(oversized(marks, NOW), 20 << 20) is None
    assert oversized_problem(None, 1) is None


async def test_what_cannot_be_written_down_now_is_written_later() -> None:
    state = ListenerState()
    state.too_large.add("a", 7)

    class Writer:
        def run(self, *_: object) -> None:
            raise Unavailable("locked")

    class Locked:
        writer = Writer()

    with pytest.raises(Unavailable):
        await write_down_too_large(state, Locked(), lambda: 0)  # type: ignore[arg-type]
    assert state.too_large.arrived.is_set() and state.too_large.count == {"a": 1}
