"""Refused deliveries: on record by reason, and a problem with what to do, as long as it is one. Bodies over the limit:
a problem that names both settings, gone once as much is allowed."""

import asyncio
import hmac
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
from click.testing import CliRunner

from promptsync.cli import main
from promptsync.clock import MICROS, iso_millis
from promptsync.config import Config, load_config
from promptsync.daemon.daemon import Daemon, run_daemon
from promptsync.daemon.refused import RefusedKeeper
from promptsync.errors import Unavailable
from promptsync.status.problems import oversized_problem, refused_problem
from promptsync.store.refusals import note_oversized, note_refused, oversized, refused
from promptsync.webhook.listener import ListenerState

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


async def send_too_large(config: Config, *bodies: Any) -> None:
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
    await send_too_large(
        config, ("customer/optOut", b" " * 5000), ("customer/optOut", chunks()), ("no/such", b" " * 2000)
    )
    (said,) = await asyncio.to_thread(says, file, "status")
    assert "3 deliveries were refused" in said and "(customer/optOut, other; 1.0 KiB are allowed, 4.9 KiB" in said
    assert 'webhook.max_body to "1 MiB"' in said and "client_max_body_size" in said and "request_body" in said
    (found,) = await asyncio.to_thread(says, file, "doctor")
    assert found.endswith(said.strip(" -"))
    await send_too_large(config, ("message/added", b" " * 1025))
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
        await RefusedKeeper(state, Locked(), lambda: 0).write_too_large()  # type: ignore[arg-type]
    assert state.too_large.arrived.is_set() and state.too_large.count == {"a": 1}


HOUR = 3_600 * MICROS
ZONE = ZoneInfo("America/Los_Angeles")


def test_what_was_refused_is_counted_by_reason_for_an_hour(marks: sqlite3.Connection) -> None:
    """And a wrong path is a problem only as long as nothing gets through: others knock at an address too."""
    note_refused(marks, {"wrong_signature": 2, "path": 4}, NOW)
    note_refused(marks, {"wrong_signature": 5}, NOW + HOUR // 2)
    found = tuple(refused(marks, NOW + HOUR // 2))
    assert [(one.reason, one.count) for one in found] == [("wrong_signature", 7), ("path", 4)]
    said = refused_problem(found, None, ZONE)
    assert said and said.startswith(
        "11 deliveries were refused in the last hour: wrong signature (7), wrong path (4), newest 17:30; compare "
    )
    let_in = refused_problem(found, iso_millis(NOW + 1), ZONE)
    assert let_in and let_in.startswith("7 deliveries were refused in the last hour: wrong signature, newest 17:30;")
    assert [one.reason for one in refused(marks, NOW + HOUR + 61_000_000)] == ["wrong_signature"]
    assert refused_problem(tuple(refused(marks, NOW + 2 * HOUR)), None, ZONE) is None
    assert not tuple(refused(marks, NOW - HOUR)), "counted by a clock that was ahead"
    note_refused(marks, {"path": 1}, NOW + 2 * DAY)
    assert "wrong_signature" not in marks.execute("SELECT value FROM sync_state WHERE name = 'refused'").fetchone()[0]


SIGNED = """\
[webhook]
port = 0
path = "/hooks/prompt"
secrets = [{ file = "webhook.secret" }]
headers = { "X-Relay" = { file = "webhook.secret" } }
[browse]
anonymous = true
"""


def _signature(secret: bytes, body: bytes) -> str:
    return "sha1=" + hmac.new(secret, body, "sha1").hexdigest()


async def test_the_usual_mistakes_of_setting_up_are_said_in_words(tmp_path: Path, capfd: Any) -> None:
    """A secret entered wrong, none, a wrong address, a proxy that is not set up: by the daemon's own answers."""
    file = tmp_path / "promptsync.toml"
    file.write_text(SIGNED)
    (tmp_path / "webhook.secret").write_text("right")
    (tmp_path / "webhook.secret").chmod(0o600)
    config = load_config(file)
    body = b"{}"
    wrong, right = _signature(b"wrong", body), _signature(b"right", body)
    sent: list[tuple[str, dict[str, str], int]] = [
        *[("hooks/prompt/console/log", {"X-Hub-Signature": wrong, "X-Relay": "right"}, 401)] * 3,
        ("hooks/prompt/console/log", {"X-Relay": "right"}, 401),
        ("hooks/prompt/console/log", {"X-Hub-Signature": right}, 401),
        ("hooks/promt/console/log", {"X-Hub-Signature": right, "X-Relay": "right"}, 404),
    ]
    up: asyncio.Future[Daemon] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run_daemon(config, ready=up.set_result))
    daemon = await up
    base = daemon.address.removesuffix("hooks/prompt").rstrip("/")
    async with aiohttp.ClientSession() as session:
        for path, headers, status in sent:
            async with session.post(f"{base}/{path}", data=body, headers=headers) as response:
                assert response.status == status
    daemon.stopped.set()
    await task
    for command in ("status", "doctor"):
        found = await asyncio.to_thread(CliRunner().invoke, main, ["--config", str(file), command])
        (said,) = [line for line in found.output.splitlines() if "refused in the last hour" in line]
        assert "6 deliveries were refused" in said and found.exit_code == 1
        for words in ("wrong signature (3)", "no signature (1)", "wrong or missing header (1)", "wrong path (1)"):
            assert words in said
        assert "webhook.secrets" in said and "webhook.path" in said
        assert wrong not in said and "right" not in said
