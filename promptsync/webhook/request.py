"""What a request says: the event type that its path names, and its body, read within its bounds and checked.

Owns the aiohttp resource that leads to one handler without matching a pattern, so that the handler alone decides what a
path means and counts what it refuses; routes with a path of their own (health) are found before it. Also what is stored
as ``Delivery.path``, and whether ``Prompt-EventType`` agrees with it. Event Endpoint specification: ``{baseUrl}/
{eventTypePath}``; a type the specification does not know is a delivery too.

Owns the body's deadline, its size limit and the check that it is JSON. A small one is parsed where it came, in
microseconds. Python's parser keeps the interpreter to itself from a body's first byte to its last, a second for the
largest, on whatever thread it runs; SQLite's does not, and it makes no objects. So a large body is left to SQLite on a
thread, one at a time. Stores nothing, authenticates nobody.
"""

import asyncio
import json
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec
from aiohttp import ClientError, HttpVersion11, web
from aiohttp.typedefs import Handler
from aiohttp.web_urldispatcher import ResourceRoute, UrlMappingMatchInfo
from yarl import URL

from promptsync.store.reading import is_json
from promptsync.vendors import type_of_path
from promptsync.webhook.answers import INCOMPLETE, NOT_JSON, TOO_LARGE, TOO_SLOW, Refused
from promptsync.webhook.connection import Place

MAX_EVENT_PATH = 200
"""Characters of an event type's path."""
LARGE: Final = 256 << 10
"""Bytes. What is longer is looked at on a thread."""
_BLANKS: Final = " \t\n\r"
DEEPEST: Final = 500
"""How deep objects and arrays may be nested. How deep a parser gets is different from one Python to the next."""


def event_path(raw_path: str, base: str) -> str | None:
    """The event type's path in ``raw_path`` (still percent-encoded) below ``base``, which ends with a slash.

    Slashes around it are dropped: a base URL entered with a trailing slash, or a path sent with one, means the same.
    None: another path, none at all, longer than ``MAX_EVENT_PATH``, control characters, or bytes that are not UTF-8.
    """
    path = raw_path
    if "%" in path or not path.isascii():
        try:
            path = unquote_to_bytes(path.encode("utf-8", "surrogateescape")).decode("utf-8")
        except UnicodeError:
            return None
    if not path.startswith(base):
        return None
    below = path[len(base) :].strip("/")
    if not below or len(below) > MAX_EVENT_PATH or (base == "/" and below.startswith("-/")):
        return None
    return below if below.isprintable() or not _has_controls(below) else None


def types_agree(values: Sequence[str], path: str) -> bool:
    """Whether every ``Prompt-EventType`` sent names the type of ``path``; with none there is nothing to disagree.

    Below ``contactAction`` both the type and the whole path, suffix included, are right.
    """
    if len(values) == 1 and values[0] == path:
        return True
    kind = type_of_path(path)
    return all(value in (path, kind) for value in values)


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text)


class EveryPath(web.AbstractResource):
    """Leads every request to ``handler``; ``Expect: 100-continue`` is left to it too."""

    def __init__(self, handler: Handler) -> None:
        super().__init__()
        self._route = ResourceRoute("*", handler, self, expect_handler=_expect_later)

    @property
    def canonical(self) -> str:
        return "/"

    def url_for(self, **_parts: str) -> URL:
        return URL("/")

    async def resolve(self, _request: web.Request) -> tuple[UrlMappingMatchInfo, set[str]]:
        """Matches, whatever the request is."""
        return UrlMappingMatchInfo({}, self._route), set()

    def add_prefix(self, prefix: str) -> None:
        """Refused: the listener is no sub-application."""
        raise NotImplementedError(prefix)

    def get_info(self) -> Any:
        return {"path": self.canonical}

    def raw_match(self, path: str) -> bool:
        return path == self.canonical

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[web.AbstractRoute]:
        yield self._route


async def _expect_later(_request: web.Request) -> None:
    """Leaves ``Expect: 100-continue`` unanswered until the checks that need no body have passed."""


class JsonText:
    """Turns a body into its exact text after checking that it is strict JSON (RFC 8259) in UTF-8.

    msgspec knows most bodies for JSON in half the time; what it does not take, such as half of a surrogate pair or a
    number beyond all bounds, Python decides.
    """

    __slots__ = ("_long_decode", "_quick_decode", "_raw_decode")

    def __init__(self) -> None:
        self._quick_decode = msgspec.json.Decoder().decode
        self._raw_decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode
        self._long_decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=len).raw_decode

    def __call__(self, body: bytes) -> str:
        """The text of ``body``. Raises Refused for what is not JSON, or nested deeper than ``DEEPEST``."""
        try:
            text = body.decode("utf-8")
            try:
                value = self._quick_decode(body)
            except (msgspec.DecodeError, RecursionError):
                value = self._decode(text)
        except (ValueError, RecursionError):
            raise Refused(NOT_JSON) from None
        if text.count("[") + text.count("{") > DEEPEST and _too_deep(value):
            raise Refused(NOT_JSON)
        return text

    def _decode(self, text: str) -> object:
        begin = len(text) - len(text.lstrip(_BLANKS))
        try:
            value, end = self._raw_decode(text, begin)
        except (json.JSONDecodeError, _NoConstant):
            raise
        except ValueError:  # a whole number of more digits than Python takes
            value, end = self._long_decode(text, begin)
        if text[end:].strip(_BLANKS):
            raise ValueError("more than one value")
        return value


def _too_deep(value: object) -> bool:
    """Whether objects and arrays are nested more than ``DEEPEST`` deep."""
    level = [value]
    for _ in range(DEEPEST):
        parts = (
            outer.values() if isinstance(outer, dict) else outer for outer in level if isinstance(outer, dict | list)
        )
        level = [inner for part in parts for inner in part if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def large_json_text(body: bytes) -> str:
    """The same for a large body, holding the interpreter for no more than a copy. Blocking."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(NOT_JSON) from None
    if "\0" in text or text.startswith("\ufeff"):  # the one ends a text for SQLite, the other may be passed over
        raise Refused(NOT_JSON)
    if not is_json(text):
        raise Refused(NOT_JSON)
    return text


class _NoConstant(ValueError):
    """NaN and the like, which Python reads and JSON has not."""


def _refuse_constant(name: str) -> int:
    raise _NoConstant(name)


async def read_body(request: web.Request, limit: int, deadline: float, place: Place) -> bytes:
    """The whole raw body: at most ``limit`` bytes, within ``deadline`` seconds. ``place``: where it is held.

    Raises Refused: too large (seen as soon as it is), too slow, not whole (bad framing, connection lost), or no room.
    """
    content = request.content
    try:
        if content.is_eof():  # it came together with its head: nothing to wait for
            body = content.read_nowait()
        else:
            async with asyncio.timeout(deadline):
                await _invite(request)
                body = await _read_on(request, limit, place)
    except TimeoutError:
        raise Refused(TOO_SLOW) from None
    except (web.RequestPayloadError, ConnectionError, ClientError):
        raise Refused(INCOMPLETE) from None
    if len(body) > limit:
        raise Refused(TOO_LARGE)
    place.hold(len(body))
    return body


async def _invite(request: web.Request) -> None:
    """Asks for the body where the sender waits to be asked (RFC 9110, 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def _read_on(request: web.Request, limit: int, place: Place) -> bytes:
    body = bytearray()
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > limit:
            raise Refused(TOO_LARGE)
        place.hold(len(body))
        await asyncio.sleep(0)  # others may have their turn, however small the chunks are
    if request.content_length not in (None, len(body)):
        raise Refused(INCOMPLETE)
    return bytes(body)
