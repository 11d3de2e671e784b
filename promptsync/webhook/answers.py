"""What the listener says: its answers to senders, and its log about failures, which repeats nothing of what was sent.

Owns every status, its body and its headers, ready as bytes, and the reasons that refusals are counted by; also the
logger that aiohttp's protocol writes to. A message of a foreign exception can quote a request's header or body, so it
is never logged: its type and the line that raised it are. Decides nothing.
"""

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from typing import Final

import structlog
from aiohttp import HttpVersion11, web
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict, CIMultiDictProxy

from promptsync.errors import where_raised


def protocol_logger(refused: Counter[str]) -> logging.Logger:
    """A logger for one listener; heads that aiohttp refused are counted in ``refused`` as ``malformed``."""
    logger = logging.Logger("promptsync.listener.protocol", logging.DEBUG)
    logger.addHandler(_ProtocolHandler(refused))
    return logger


class _ProtocolHandler(logging.Handler):
    def __init__(self, refused: Counter[str]) -> None:
        super().__init__()
        self._refused = refused
        self._log = structlog.get_logger("promptsync.listener")

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._refused["malformed"] += 1
        elif error is not None:
            self._log.error("connection_failed", error=type(error).__name__, where=where_raised(error))
        elif record.levelno >= logging.ERROR:
            self._log.error("connection_failed", error="", where=f"{record.filename}:{record.lineno}")


_HEADERS: Final = CIMultiDictProxy(CIMultiDict({"Content-Type": "application/json", "Server": "promptsync"}))


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not stored. ``reason`` is a short stable class name, used for counting."""

    reason: str
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = field(default=())
    closes: bool = False

    def response(self) -> web.Response:
        """A fresh response; the connection ends after it when the rest of the request was left unread."""
        response = json_response(self.body, self.status)
        response.headers.extend(self.headers)
        if self.closes:
            response.force_close()
        return response


class Refused(Exception):
    """Ends the handling of a request with ``refusal``. ``why``: its reason in more detail, which the sender never
    hears."""

    def __init__(self, refusal: Refusal, why: str | None = None) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal
        self.why = why or refusal.reason


_RETRY: Final = (("Retry-After", "5"),)

NOT_FOUND: Final = Refusal("path", 404, b'{"error": "no deliveries are taken at this path"}')
WRONG_METHOD: Final = Refusal("method", 405, b'{"error": "deliveries are sent with POST"}', (("Allow", "POST"),))
TOO_LARGE: Final = Refusal("too_large", 413, b'{"error": "the body is too large"}', closes=True)
ENCODED: Final = Refusal(
    "content_encoding", 415, b'{"error": "send the body without Content-Encoding"}', (("Accept-Encoding", "identity"),)
)
UNAUTHENTICATED: Final = Refusal("authentication", 401, b'{"error": "wrong or missing authentication"}')
NOT_JSON: Final = Refusal("not_json", 400, b'{"error": "the body is not JSON"}')
TYPE_DISAGREES: Final = Refusal("event_type", 400, b'{"error": "Prompt-EventType and the path disagree"}')
INCOMPLETE: Final = Refusal("incomplete", 400, b'{"error": "the body did not arrive whole"}', closes=True)
TOO_SLOW: Final = Refusal("too_slow", 408, b'{"error": "the body came too slowly"}', closes=True)
STOPPING: Final = Refusal("stopping", 503, b'{"error": "stopping, try again"}', _RETRY, closes=True)
UNAVAILABLE: Final = Refusal("unavailable", 503, b'{"error": "cannot be stored now, try again"}', _RETRY)
NO_ROOM: Final = Refusal("no_room", 503, b'{"error": "too many large bodies at once, try again"}', _RETRY, closes=True)
UNEXPECTED: Final = Refusal("unexpected", 503, b'{"error": "cannot be stored now, try again"}', _RETRY)


class Stored:
    """The answer to a delivery that is durable, as aiohttp's protocol takes a response.

    On a connection that stays open its bytes are written as they are, without a response's headers being gathered and
    put together anew; otherwise (HTTP/1.0, ``Connection: close``) it is an ordinary one.
    """

    __slots__ = ("_body", "_ordinary", "keep_alive")

    def __init__(self, delivery_id: int) -> None:
        self._body = b'{"stored": %d}' % delivery_id
        self._ordinary: web.Response | None = None
        self.keep_alive: bool | None = True

    async def prepare(self, request: web.BaseRequest) -> None:
        """Begin the answer."""
        if request.keep_alive and request.version == HttpVersion11:
            await request.writer.write(_READY % (_date(int(time.time())), len(self._body), self._body))
            return
        self._ordinary = json_response(self._body, 200)
        await self._ordinary.prepare(request)
        self.keep_alive = self._ordinary.keep_alive

    async def write_eof(self) -> None:
        """End it."""
        if self._ordinary is not None:
            await self._ordinary.write_eof()


_READY: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: promptsync\r\nDate: %b\r\nContent-Length: %d\r\n"
    b"\r\n%b"
)


@lru_cache(1)
def _date(second: int) -> bytes:
    """A second since 1970 as HTTP writes it (RFC 9110, 5.6.7)."""
    return formatdate(second, usegmt=True).encode()


def json_response(body: bytes, status: int) -> web.Response:
    """A response of JSON that is already encoded."""
    return web.Response(body=body, status=status, headers=_HEADERS)
