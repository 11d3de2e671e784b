"""The commands' end of the control socket (control.py): is there a daemon, and having it do something.

Owns the request and what its answer means. Imports no engine, and an event loop and HTTP only once there is somebody
to ask.
"""

import io
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptsync import errors

if TYPE_CHECKING:
    from aiohttp import StreamReader

Emit = Callable[[dict[str, Any]], None]
"""Takes what an operation reports while it works."""

MAX_REQUEST = 64 << 20
"""Bytes of one request. What is larger comes in several."""

_MAX_SAID = 200
_SECONDS = 5.0


def socket_path(database: Path) -> Path:
    """Where the socket of the daemon that holds this mirror is."""
    return database.parent / "control.sock"


def daemon_runs(database: Path) -> bool:
    """Whether a daemon takes connections on its socket. Blocking, if ever, for seconds."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_SECONDS)
        try:
            asking.connect(str(socket_path(database)))
        except OSError:
            return False
    return True


def ask_daemon(database: Path, name: str, params: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    """Have the daemon run an operation. Raises the error that it raised, Unavailable if the daemon goes away."""
    import asyncio

    return asyncio.run(_ask(socket_path(database), name, params, emit))


async def _ask(path: Path, name: str, params: Mapping[str, Any], emit: Emit) -> dict[str, Any]:
    import aiohttp

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


async def _lines(content: "StreamReader") -> AsyncIterator[bytes]:
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
