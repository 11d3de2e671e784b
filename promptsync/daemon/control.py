"""The daemon's end of the control socket, on which commands reach the daemon that holds the mirror.

Owns the socket's file and what is served there. One POST per operation (operations.py) on a Unix socket in the data
folder; the answer is JSON Lines: progress as it happens, last either ``result`` or ``error`` with the error's type.
Health is served beside it. The other end is client.py.
"""

import asyncio
import json
import os
import queue
import stat
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from promptsync import errors
from promptsync.daemon.client import MAX_REQUEST
from promptsync.daemon.operations import OPERATIONS
from promptsync.engine.engine import Engine
from promptsync.webhook.listener import ListenerState

_ENGINE = web.AppKey("engine", Engine)
_LONGEST_PATH = 107  # bytes; unix(7): sun_path has 108 with the NUL that ends it


def build_control(engine: Engine, listener: ListenerState) -> web.Application:
    """The daemon's end. ``listener``: what it has done so far, of which commands ask by whom deliveries are signed."""
    app = web.Application(client_max_size=MAX_REQUEST)
    app[_ENGINE] = engine

    async def signed(_request: web.Request) -> web.Response:
        accepted = enumerate(engine.config.webhook.secrets)  # named: the file may have them in other places by now
        return web.json_response({str(one): listener.signed.get(place, (0, 0.0)) for place, one in accepted})

    app.router.add_get("/signed", signed)
    app.router.add_post("/operations/{name}", _operate)
    return app


async def start_control(app: web.Application, path: Path) -> web.AppRunner:
    """Listen on the socket: the owner and the group may use it. A leftover of a killed daemon is replaced.

    Raises ConfigError if no socket can have that path, Unavailable if there cannot be one now.
    """
    await asyncio.to_thread(_clear, path)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5.0)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(path)).start()
        await asyncio.to_thread(path.chmod, 0o660)
    except OSError as error:
        await runner.cleanup()
        raise errors.Unavailable(
            f"The control socket {path} cannot be made ({os.strerror(error.errno or 0)}); see to it that its folder is "
            "writable, then start again."
        ) from error
    return runner


def remove_socket(path: Path) -> None:
    """After the control application has ended: another socket there now is left alone."""
    with suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()


def _clear(path: Path) -> None:
    length = len(os.fsencode(path))
    if length > _LONGEST_PATH:
        raise errors.ConfigError(
            f"The control socket beside the mirror would be {path}, and no socket's path has more than {_LONGEST_PATH} "
            f"bytes (that one has {length}): move the mirror to a folder with a shorter name and set mirror.database."
        )
    try:
        there = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(there.st_mode):
        raise errors.Unavailable(
            f"{path} is in the place of the control socket and is none; move it away, then start again."
        )
    path.unlink()


async def _operate(request: web.Request) -> web.StreamResponse:
    operation = OPERATIONS.get(request.match_info["name"])
    if operation is None:
        raise web.HTTPNotFound
    params = await request.json()
    response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
    await response.prepare(request)
    lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
    progress: deque[dict[str, Any]] = deque(maxlen=1)  # the newest: a command that does not read must not fill memory

    def emit(line: dict[str, Any]) -> None:
        (progress.append if "progress" in line else lines.put)(line)

    def run() -> None:
        try:
            lines.put({"result": operation(request.app[_ENGINE], params, emit)})
        except errors.PromptsyncError as error:
            lines.put({"error": str(error), "type": type(error).__name__})
        except Exception as error:  # noqa: BLE001  the command gets it; the daemon goes on
            lines.put({"error": f"{type(error).__name__}: {error}", "type": "PromptsyncError"})
        finally:
            lines.put(None)

    work = asyncio.create_task(asyncio.to_thread(run))
    while True:
        try:
            line = lines.get_nowait()
        except queue.Empty:
            if progress:
                await _send(response, progress.pop())
            await asyncio.sleep(0.02)
            continue
        if line is None:
            break
        await _send(response, line)
    await work
    return response


async def _send(response: web.StreamResponse, line: dict[str, Any]) -> None:
    try:
        await response.write(json.dumps(line, default=str).encode() + b"\n")
    except ConnectionError:
        return  # the command has gone; the operation goes on
