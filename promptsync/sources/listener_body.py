"""Reading a delivery's body within its bounds, and deciding whether it is JSON.

Owns the deadline, the size limit while reading and the JSON check. Stores nothing, authenticates nobody.
"""

import asyncio
import json
from typing import Final, NoReturn

from aiohttp import ClientError, HttpVersion11, web

from promptsync.sources.listener_answers import INCOMPLETE, NOT_JSON, TOO_LARGE, TOO_SLOW, Refused

_BLANKS: Final = " \t\n\r"


async def read_body(request: web.Request, limit: int, deadline: float) -> bytes:
    """The whole raw body: at most ``limit`` bytes, within ``deadline`` seconds.

    Raises Refused: too large (seen as soon as it is), too slow, or not whole (bad framing, connection lost).
    """
    content = request.content
    try:
        if content.is_eof():  # it came together with its head: nothing to wait for
            body = content.read_nowait()
        else:
            async with asyncio.timeout(deadline):
                await _invite(request)
                body = await _read_on(request, limit)
    except TimeoutError:
        raise Refused(TOO_SLOW) from None
    except (web.RequestPayloadError, ConnectionError, ClientError):
        raise Refused(INCOMPLETE) from None
    if len(body) > limit:
        raise Refused(TOO_LARGE)
    return body


async def _invite(request: web.Request) -> None:
    """Asks for the body where the sender waits to be asked (RFC 9110, 10.1.1)."""
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def _read_on(request: web.Request, limit: int) -> bytes:
    body = bytearray()
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > limit:
            raise Refused(TOO_LARGE)
        await asyncio.sleep(0)  # others may have their turn, however small the chunks are
    if request.content_length not in (None, len(body)):
        raise Refused(INCOMPLETE)
    return bytes(body)


class JsonText:
    """Turns a body into its exact text after checking that it is strict JSON (RFC 8259) in UTF-8."""

    __slots__ = ("_raw_decode",)

    def __init__(self) -> None:
        self._raw_decode = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode

    def __call__(self, body: bytes) -> str:
        """The text of ``body``. Raises Refused for what is not JSON, nested too deeply, or has endless integers."""
        try:
            text = body.decode("utf-8")
            _, end = self._raw_decode(text, len(text) - len(text.lstrip(_BLANKS)))
        except (ValueError, RecursionError):
            raise Refused(NOT_JSON) from None
        if text[end:].strip(_BLANKS):
            raise Refused(NOT_JSON)
        return text


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
