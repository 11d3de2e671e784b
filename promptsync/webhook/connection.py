"""What connections may cost: one whatever comes over it, all together the memory of the bodies under way.

Owns the end of reading: after the first bytes that are no HTTP, nor what a body's framing allows, nothing more is read
and the connection ends; and so it does where the bytes that carry no body outweigh it (chunks of a byte, endless
extensions of chunks, blank lines). aiohttp's own protocol makes an error of each reading that follows a malformed one,
which keeps what was read until a late collection of reference cycles.

And it owns that others have their turn. What is parsed at a time is bounded, but where aiohttp's reader takes the last
of it, its protocol parses on within that very call, so that whoever reads without a pause (aiohttp itself, where a body
was refused unread) goes through all that has come, tens of thousands of chunks, before anything else happens.

aiohttp has no hook for it: its protocol is extended here, and tests/daemon shows with real processes that it holds.

Bodies are counted in bytes that have arrived, not that were announced. What a delivery usually takes is free, so that
no crowd of large ones keeps an ordinary one out; a large one that finds no room is to come again (503).
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from promptsync.webhook.answers import NO_ROOM, Refused

FREE: Final = 64 << 10
"""Bytes of each body that are not counted."""


class Room:
    """``most``: bytes that all bodies may take together, ``FREE`` of each apart."""

    __slots__ = ("left",)

    def __init__(self, most: int) -> None:
        self.left = most

    def place(self) -> "Place":
        """A place for one body, given back at the end of the block."""
        return Place(self)


class Place:
    """What one body takes."""

    __slots__ = ("_room", "_taken")

    def __init__(self, room: Room) -> None:
        self._room = room
        self._taken = 0

    def hold(self, size: int) -> None:
        """This many bytes of the body have arrived. Raises Refused if there is no room for them."""
        more = size - FREE - self._taken
        if more <= 0:
            return
        if more > self._room.left:
            raise Refused(NO_ROOM)
        self._room.left -= more
        self._taken += more

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._room.left += self._taken
        self._taken = 0


OVERHEAD: Final = 512 << 10
"""Bytes beside its body that a request may take; what one reading brings and waits to be parsed counts too."""

_BODY_SHARE: Final = 16  # and one byte more for this many of its body


class Connection(RequestHandler):
    """aiohttp's protocol, less what could grow."""

    __slots__ = ("_body", "_raw", "_refused", "_resuming")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._refused = False
        self._resuming: asyncio.Handle | None = None  # parsing goes on with the loop's next turn
        self._raw = 0  # bytes that came since the newest request began
        self._body: Any = None  # where its body is read from

    def data_received(self, data: bytes) -> None:
        """More bytes, as they come, or none to have parsed what waits. Nothing is done with them once refused."""
        if self._refused:
            return
        before = self._request_count
        super().data_received(data)
        self._raw += len(data)
        if self._request_count != before:
            self._begun()
        elif self._raw > OVERHEAD and self._outweighs():
            self._refuse()
            if self._current_request is None:
                self.force_close()
            else:
                self.close()  # once it is answered

    def _begun(self) -> None:
        """One request more, or an error in a request's place, is the last that waits."""
        if not self._messages:
            return
        message, body = self._messages[-1]
        if isinstance(message, _ErrInfo):
            message.exc.__traceback__ = message.exc.__context__ = message.exc.__cause__ = None  # they lead to the bytes
            self._refuse()
        self._raw, self._body = 0, body

    def _outweighs(self) -> bool:
        body = self._body.total_bytes if self._body is not None else 0
        return bool(self._raw > OVERHEAD + body + body // _BODY_SHARE)

    def _refuse(self) -> None:
        """Read no more. Whoever waits for the rest of a body hears of it."""
        self._refused = True
        self._lingering_time = 0.0
        if self.transport is not None:
            self.transport.pause_reading()
        if self._body is not None and not self._body.is_eof():
            self._body.set_exception(web.RequestPayloadError("what follows is no part of it"))

    def pause_reading(self) -> None:
        """The reader of a body has no room."""
        self._put_off()
        super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """The reader of a body has room again: what waits is parsed once others have had their turn."""
        if self._refused:
            return
        if not resume_parser:
            self._put_off()
            super().resume_reading(resume_parser=False)
        elif self._reading_paused and self._resuming is None:
            self._resuming = self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        self._resuming = None
        if self.transport is not None and not self._refused:
            super().resume_reading()

    def _put_off(self) -> None:
        if self._resuming is not None:
            self._resuming.cancel()
            self._resuming = None


Handle = Callable[[Any], Awaitable[web.StreamResponse]]


class _Server(web.Server):
    """aiohttp's server, with our connections. What is asked for below ``base`` is handled at once by ``handle``."""

    def __init__(self, server: web.Server, base: str, handle: Handle) -> None:
        self.__dict__.update(server.__dict__)
        routed = self.request_handler

        def directly(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
            return handle(request) if request.raw_path.startswith(base) else routed(request)

        self.request_handler = directly

    def __call__(self) -> RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """aiohttp's runner of an application, with our connections.

    ``direct``: a path, ending with a slash, and what handles all that is asked for below it, for which no route need be
    looked for; the routes that the application may have there come first all the same.
    """

    def __init__(self, app: web.Application, direct: tuple[str, Handle], **settings: Any) -> None:
        super().__init__(app, **settings)
        self._direct = direct

    async def _make_server(self) -> web.Server:
        server, (base, handle) = await super()._make_server(), self._direct
        below = any(resource.canonical.startswith(base) for resource in self.app.router.resources())
        return _Server(server, "\0" if below else base, handle)
