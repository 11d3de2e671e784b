"""The control socket: how commands reach the daemon that holds the mirror.

Owns both ends of it. One POST per operation (operations.py) on a Unix socket in the data folder; the answer is JSON
Lines: progress as it happens, last either ``result`` or ``error`` with the error's type. Health is served beside it.
"""

import asyncio
import io
import json
import os
import queue
import stat
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from promptsync import errors
from promptsync.daemon.operations import OPERATIONS, Emit
from promptsync.engine.engine import Engine

_ENGINE = web.AppKey("engine", Engine)
MAX_REQUEST = 64 << 20
"""Bytes of one request. What is larger comes in several."""

_LONGEST_PATH = 107  # bytes; unix(7): sun_path has 108 with the NUL that ends it
_MAX_SAID = 200


def socket_path(database: Path) -> Path:
    """Where the socket of the daemon that holds this mirror is."""
    return database.parent / "control.sock"


def build_control(engine: Engine) -> web.Application:
    """The daemon's end."""
    app = web.Application(client_max_size=MAX_REQUEST)
    app[_ENGINE] = engine
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


def daemon_runs(database: Path) -> bool:
    """Whether a daemon answers on the socket."""
    return socket_path(database).exists() and asyncio.run(daemon_answers(socket_path(database)))


def ask_daemon(database: Path, name: str, params: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    """Have the daemon run an operation. Raises the error that it raised, Unavailable if the daemon goes away."""
    return asyncio.run(_ask(socket_path(database), name, params, emit))


async def daemon_answers(path: Path) -> bool:
    """Whether a daemon takes connections on its socket."""
    try:
        _, writer = await asyncio.open_unix_connection(str(path))
    except OSError:
        return False
    writer.close()
    return True


async def _ask(path: Path, name: str, params: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    timeout = aiohttp.ClientTimeout(total=None)
    try:
        body = json.dumps(dict(params), ensure_ascii=False).encode()
    except UnicodeEncodeError:  # a path of bytes that are not UTF-8
        body = json.dumps(dict(params)).encode()
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)), timeout=timeout) as session,
            session.post(f"http://promptsync/operations/{name}", data=io.BytesIO(body)) as response,
        ):
            if response.status != 200:
                raise _refused(response.status, await response.text(errors="replace"))
            async for raw in _lines(response.content):
                line = json.loads(raw)
                if "result" in line:
                    return dict(line["result"])
                if "error" in line:
                    raise _error(line)
                emit(line)
    except (aiohttp.ClientError, OSError) as error:
        raise errors.Unavailable(f"The daemon cannot be reached ({error}); is it stopping? Try again.") from error
    except ValueError as error:
        raise errors.Unavailable(
            "The daemon's answer cannot be read; is it of another version? Restart it, then try again."
        ) from error
    raise errors.Unavailable("The daemon stopped before the work was done; start it again, it goes on by itself.")


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines, however long they are: aiohttp's own reading of lines ends at some size."""
    rest = bytearray()
    async for piece in content.iter_any():
        rest += piece
        *whole, left = rest.split(b"\n") if b"\n" in piece else [rest]
        for line in whole:
            yield bytes(line)
        rest = left


def _refused(status: int, said: str) -> errors.PromptsyncError:
    """What an answer without a result means."""
    if status == 404:
        return errors.Unavailable("The daemon does not know how to do that: it is of another version; restart it.")
    if status == 413:
        size = f"{MAX_REQUEST >> 20} MiB"
        return errors.ConfigError(f"That is more than the daemon takes at once ({size}); do it while it is stopped.")
    return errors.Unavailable(f"The daemon answers with status {status} ({said.strip()[:_MAX_SAID]}); try again.")


def _error(line: Mapping[str, str]) -> errors.PromptsyncError:
    kind = getattr(errors, line["type"], None)
    if not isinstance(kind, type) or not issubclass(kind, errors.PromptsyncError):
        kind = errors.PromptsyncError
    if issubclass(kind, errors.InputRefused):
        return kind("control", line["error"])
    return kind(line["error"])
