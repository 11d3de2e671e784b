"""The control socket: what stands in its way, and answers that are none."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cli_deliveries import line, write
from cli_place import Place

from promptsync.daemon.client import MAX_REQUEST, ask_daemon, socket_path
from promptsync.daemon.daemon import run_daemon
from promptsync.errors import ConfigError, PromptsyncError, Unavailable
from tests.daemons import running


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
async def test_what_is_in_its_place_is_named_and_left(place: Place, kind: str) -> None:
    path = socket_path(place.database)
    path.parent.mkdir(exist_ok=True)
    {"file": path.touch, "folder": path.mkdir, "link": lambda: path.symlink_to("/nowhere")}[kind]()
    with pytest.raises(Unavailable, match=r"is in the place of the control socket and is none; move it away"):
        await run_daemon(place.config)
    assert path.is_symlink() or path.exists()


async def test_a_leftover_is_replaced_and_taken_away(place: Place) -> None:
    path = socket_path(place.database)
    path.parent.mkdir(exist_ok=True)
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    async with running(place.config):
        assert path.is_socket()
    assert not path.exists()


async def test_a_path_that_no_socket_can_have(make_place: Callable[..., Place]) -> None:
    place = make_place("x" * 120)
    with pytest.raises(ConfigError, match=r"no socket's path has more than 107 bytes .* set mirror\.database\.$"):
        await run_daemon(place.config)
    assert place.run("status").exit_code == 1


@pytest.mark.slow
async def test_bodies_larger_than_a_request_are_imported(place: Place, tmp_path: Path) -> None:
    """In several requests, each of a few lines."""
    bodies = [{"orgId": 1, "message": {"id": n + 1, "content": "ü" * 1_200_000}} for n in range(10)]
    lines = write(tmp_path / "in.jsonl", *(line("message/added", body) for body in bodies))
    assert lines.stat().st_size > MAX_REQUEST
    async with running(place.config):
        result = await asyncio.to_thread(place.run, "events", "import", lines)
    assert (result.exit_code, result.stdout) == (0, "10 deliveries imported, 0 were there already.\n"), result.output


@asynccontextmanager
async def answering(path: Path, status: int, body: bytes) -> AsyncIterator[None]:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, body=body)

    app = web.Application()
    app.router.add_post("/operations/{name}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    try:
        yield
    finally:
        await runner.cleanup()


ANSWERS = {
    "unknown": (404, b"404: Not Found", Unavailable, "does not know how to do that"),
    "too large": (413, b"Maximum request body size exceeded", ConfigError, "more than the daemon takes at once"),
    "broken": (500, b"500 Internal Server Error\n", Unavailable, r"status 500 \(500 Internal Server Error\)"),
    "no JSON": (200, b"<html>\n", Unavailable, "cannot be read"),
    "no object": (200, b"[1]\n", Unavailable, "stopped before the work was done"),
    "nothing": (200, b"", Unavailable, "stopped before the work was done"),
    "an error": (200, b'{"error": "no", "type": "ConfigError"}\n', ConfigError, "^no$"),
    "an unknown error": (200, b'{"error": "no", "type": "os"}\n', PromptsyncError, "^no$"),
}


@pytest.mark.parametrize("kind", ANSWERS)
async def test_an_answer_without_a_result(tmp_path: Path, kind: str) -> None:
    status, body, error, sentence = ANSWERS[kind]
    async with answering(tmp_path / "control.sock", status, body):
        with pytest.raises(error, match=sentence):
            await asyncio.to_thread(ask_daemon, tmp_path / "mirror.db", "load", {}, lambda _: None)


async def test_a_result_however_long(tmp_path: Path) -> None:
    result = {"files": ["x" * 100] * 30_000}
    told: list[dict[str, Any]] = []
    body = json.dumps({"progress": ["merging", 1, 2]}) + "\n" + json.dumps({"result": result}) + "\n"
    async with answering(tmp_path / "control.sock", 200, body.encode()):
        asked = asyncio.to_thread(ask_daemon, tmp_path / "mirror.db", "load", {"paths": ["\udcff"]}, told.append)
        assert await asked == result
    assert told == [{"progress": ["merging", 1, 2]}]
