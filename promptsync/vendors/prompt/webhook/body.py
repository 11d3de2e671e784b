"""A delivery's body: read within its bounds, then looked at whether it is JSON, without stopping anyone else.

Owns the deadline, the size limit and that check. A small body is parsed where it came, in microseconds. Python's parser
keeps the interpreter to itself from a body's first byte to its last, a second for the largest, on whatever thread it
runs; SQLite's does not, and it makes no objects. So a large body is left to SQLite on a thread, one at a time. Stores
nothing, authenticates nobody.
"""

import asyncio
import json
from typing import Final

from aiohttp import ClientError, HttpVersion11, web

from promptsync.store.reading import is_json
from promptsync.vendors.prompt.webhook.answers import INCOMPLETE, NOT_JSON, TOO_LARGE, TOO_SLOW, Refused
from promptsync.vendors.prompt.webhook.connection import Place

LARGE: Final = 256 << 10
"""Bytes. What is longer is looked at on a thread."""

_BLANKS: Final = " \t\n\r"
DEEPEST: Final = 500
"""How deep objects and arrays may be nested. How deep a parser gets is different from one Python to the next."""


class JsonText:
    """Turns a body into its exact text after checking that it is strict JSON (RFC 8259) in UTF-8."""

    __slots__ = ("_long_decode", "_raw_decode")

    def __init__(self) -> None:
        self._raw_decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode
        self._long_decode = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=len).raw_decode

    def __call__(self, body: bytes) -> str:
        """The text of ``body``. Raises Refused for what is not JSON, or nested deeper than ``DEEPEST``."""
        try:
            text = body.decode("utf-8")
            begin = len(text) - len(text.lstrip(_BLANKS))
            try:
                value, end = self._raw_decode(text, begin)
            except (json.JSONDecodeError, _NoConstant):
                raise
            except ValueError:  # a whole number of more digits than Python takes
                value, end = self._long_decode(text, begin)
        except (ValueError, RecursionError):
            raise Refused(NOT_JSON) from None
        if text[end:].strip(_BLANKS) or (text.count("[") + text.count("{") > DEEPEST and _too_deep(value)):
            raise Refused(NOT_JSON)
        return text


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
