"""Reading a delivery's body within its bounds.

Owns the deadline and the size limit while reading. Stores nothing, authenticates nobody.
"""

import asyncio

from aiohttp import ClientError, HttpVersion11, web

from promptsync.vendors.prompt.webhook.answers import INCOMPLETE, TOO_LARGE, TOO_SLOW, Refused
from promptsync.vendors.prompt.webhook.room import Place


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
