"""The webhook listener: HTTP in, deliveries handed to an intake, an answer only once they are durable.

Owns the order of the checks (path, method, length, Content-Encoding, authentication, body) and what is counted. Knows
neither store nor merge. Nothing that a sender can send gives a 500: whatever is not foreseen becomes a 503, logged
without the body.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

import structlog
from aiohttp import web
from multidict import CIMultiDictProxy, istr

from promptsync.errors import MirrorBroken, Unavailable, where_raised
from promptsync.model.delivery import Accept, Delivery
from promptsync.vendors import EVENT_TYPES, type_of_path
from promptsync.webhook import answers
from promptsync.webhook.answers import Refusal, Refused, protocol_logger
from promptsync.webhook.connection import Handle, Place, Room, Runner
from promptsync.webhook.request import LARGE, EveryPath, JsonText, event_path, large_json_text, read_body, types_agree
from promptsync.webhook.signature import Authenticator, signature_form

_CONTENT_ENCODING: Final = istr("Content-Encoding")
_EVENT_TYPE: Final = istr("Prompt-EventType")
_PARSED: Final = 4 << 10  # bytes of a body that may wait; 256 chunks at a time are parsed, in a few milliseconds
_BACKLOG: Final = 1_024
KEPT_HEADERS: Final = (_EVENT_TYPE, istr("Content-Type"), istr("User-Agent"))
"""Stored with a delivery; never one that could carry a credential."""


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """``path``: the configured base path. ``max_body``: bytes. ``body_deadline``: seconds for a whole body.

    ``all_bodies``: bytes of all the bodies under way at one time, what each usually has apart (connection.py).
    """

    path: str
    authenticator: Authenticator
    max_body: int = 16 << 20
    body_deadline: float = 10.0
    all_bodies: int = 64 << 20


@dataclass(slots=True)
class TooLarge:
    """Bodies refused for their size and not written down yet. ``count``: by event type, as ``stored_by_type``;
    ``largest``: bytes, one more than allowed where the size was not said; ``arrived``: set by each."""

    count: Counter[str] = field(default_factory=Counter)
    largest: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, kind: str, size: int) -> None:
        """One more."""
        self.count[kind] += 1
        self.largest = max(self.largest, size)
        self.arrived.set()


@dataclass(slots=True)
class ShutOut:
    """Deliveries refused otherwise and not written down yet. ``count``: by reason, finer than ``refused``; ``arrived``:
    set by each."""

    count: Counter[str] = field(default_factory=Counter)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, reason: str) -> None:
        """One more."""
        self.count[reason] += 1
        self.arrived.set()


@dataclass(slots=True)
class ListenerState:
    """What a listener has done so far, for metrics, and whether it is stopping. ``refused``: by reason.

    ``stored_by_type``: by event type; ``other`` for what the specification does not list, so that its keys are bounded.
    ``signatures``: by their form, of deliveries that were let in. ``signed``: while several secrets are accepted, by
    the place of each how many deliveries it has signed, and when the newest came (seconds since 1970). ``refused_at``:
    when (monotonic) the last one could not be stored, None once one could again.
    """

    stored: int = 0
    stored_by_type: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    signatures: Counter[str] = field(default_factory=Counter)
    signed: dict[int, tuple[int, float]] = field(default_factory=dict)
    stopping: bool = False
    refused_at: float | None = None
    too_large: TooLarge = field(default_factory=TooLarge)
    shut_out: ShutOut = field(default_factory=ShutOut)


STATE = web.AppKey("listener_state", ListenerState)
"""Where the application keeps its ``ListenerState``."""


def build_listener(settings: ListenerSettings, intake: Accept) -> web.Application:
    """The listener as an application; other routes (health) may be added to its router before it runs.

    Run it with ``listener_runner`` only: with aiohttp's own settings bodies are decompressed before they are verified.
    """
    state = ListenerState()
    app = web.Application()
    app[STATE] = state
    app[_LISTENER] = listener = _Listener(settings, intake, state)
    app.router.register_resource(EveryPath(listener.handle))
    return app


def replace_authenticator(app: web.Application, authenticator: Authenticator) -> None:
    """What the next delivery is asked for."""
    app[_LISTENER].authenticate_by(authenticator)


async def listen_on(runner: web.AppRunner, host: str, port: int, path: str) -> str:
    """Begin to listen; returns the address of deliveries. ``port``: 0 for any. Raises Unavailable."""
    try:
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
    except OSError as error:
        raise Unavailable(
            f"Cannot listen on {host}, port {port} ({error.strerror}): choose another webhook.port or end what uses it."
        ) from error
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{runner.addresses[0][1]}{path}"


def listener_runner(app: web.Application, shutdown_timeout: float = 15.0) -> web.AppRunner:
    """A runner with the limits of a public listener: 8 KiB of request line, 16 KiB a header, 75 s of idleness.

    ``shutdown_timeout``: seconds that ``cleanup`` gives to requests under way. Heads that aiohttp itself refuses
    (malformed, oversized) are answered 400 and counted as ``malformed``.
    """
    return Runner(
        app,
        app[_LISTENER].direct,
        auto_decompress=False,
        access_log=None,
        logger=protocol_logger(app[STATE].refused),
        shutdown_timeout=shutdown_timeout,
        keepalive_timeout=75.0,
        lingering_time=2.0,
        max_line_size=8_190,
        max_field_size=16_380,
        max_headers=100,
        read_bufsize=_PARSED,
    )


def stop_accepting(app: web.Application) -> None:
    """From now on deliveries are answered 503; those already with the intake are finished."""
    app[STATE].stopping = True


class _Listener:
    """Takes one request at a time through the checks; what it keeps between them is only counted."""

    __slots__ = ("_base", "_checking", "_intake", "_json_text", "_log", "_room", "_settings", "_state")

    def __init__(self, settings: ListenerSettings, intake: Accept, state: ListenerState) -> None:
        self._settings = settings
        self._intake = intake
        self._state = state
        self._base = settings.path.rstrip("/") + "/"
        self._json_text = JsonText()
        self._room = Room(max(settings.all_bodies, settings.max_body))
        self._checking = asyncio.Lock()
        self._log = structlog.get_logger("promptsync.listener")

    @property
    def direct(self) -> tuple[str, Handle]:
        """Below which path deliveries are sent, and what handles them."""
        return self._base, self.handle

    def authenticate_by(self, authenticator: Authenticator) -> None:
        """Ask for something else from now on."""
        if authenticator.secrets != self._settings.authenticator.secrets:
            self._state.signed.clear()
        self._settings = replace(self._settings, authenticator=authenticator)

    async def handle(self, request: web.Request) -> web.Response:
        """Answers any request, whatever its path and method, and counts it."""
        try:
            with self._room.place() as place:
                delivery = await self._checked(request, place)
                delivery_id = await self._store(delivery)
        except Refused as refused:
            if refused.refusal is answers.TOO_LARGE:
                kind = type_of_path(event_path(request.rel_url.raw_path, self._base) or "")
                more = self._settings.max_body + 1
                self._state.too_large.add(_counted_as(kind), max(request.content_length or 0, more))
            else:
                self._state.shut_out.add(refused.why)
            return self._refuse(refused.refusal)
        except Exception as error:  # noqa: BLE001 - the last resort: a sender never sees a 500
            self._log.error("request_failed", error=type(error).__name__, where=where_raised(error))
            self._state.shut_out.add(answers.UNEXPECTED.reason)
            return self._refuse(answers.UNEXPECTED)
        self._state.stored += 1
        self._state.stored_by_type[_counted_as(delivery.type)] += 1
        return cast("web.Response", answers.Stored(delivery_id))

    async def _checked(self, request: web.Request, place: Place) -> Delivery:
        """The delivery in a request that passes every check, in their order. Raises Refused by the first that fails."""
        settings, headers = self._settings, request.headers
        path = event_path(request.rel_url.raw_path, self._base)
        if path is None:
            raise Refused(answers.NOT_FOUND)
        if request.method != "POST":
            raise Refused(answers.WRONG_METHOD)
        if (request.content_length or 0) > settings.max_body:
            raise Refused(answers.TOO_LARGE)
        if not _plain(headers.getall(_CONTENT_ENCODING, ())):
            raise Refused(answers.ENCODED)
        body = await read_body(request, settings.max_body, settings.body_deadline, place)
        if len(body) > LARGE:
            async with self._checking:
                delivery, signer = await asyncio.to_thread(self._admitted, path, headers, body)
        else:
            delivery, signer = self._admitted(path, headers, body)
        if settings.authenticator.secrets:
            self._state.signatures[signature_form(headers)] += 1
        if signer is not None and len(settings.authenticator.secrets) > 1:
            self._state.signed[signer] = self._state.signed.get(signer, (0, 0.0))[0] + 1, time.time()
        return delivery

    def _admitted(self, path: str, headers: CIMultiDictProxy[str], body: bytes) -> tuple[Delivery, int | None]:
        """The delivery, if it is authenticated, of the type that its header says, and JSON; and by which secret it is
        signed. Blocks if it is large."""
        fault, signer = self._settings.authenticator.examine(headers, body)
        if fault is not None:
            raise Refused(answers.UNAUTHENTICATED, fault)
        if not types_agree(headers.getall(_EVENT_TYPE, ()), path):
            raise Refused(answers.TYPE_DISAGREES)
        text = large_json_text(body) if len(body) > LARGE else self._json_text(body)
        return Delivery(path, text, _kept(headers), type=type_of_path(path)), signer

    async def _store(self, delivery: Delivery) -> int:
        """The delivery's id once it is durable. Raises Refused when it cannot be made so."""
        if self._state.stopping:
            raise Refused(answers.STOPPING)
        try:
            delivery_id = await self._intake(delivery)
        except (Unavailable, MirrorBroken) as error:
            first, self._state.refused_at = self._state.refused_at is None, time.monotonic()
            if first:
                self._log.warning("deliveries_not_stored", error=type(error).__name__, reason=str(error))
            raise Refused(answers.UNAVAILABLE) from None
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise Refused(answers.STOPPING) from None
        if self._state.refused_at is not None:
            self._state.refused_at = None
            self._log.info("deliveries_stored_again")
        return delivery_id

    def _refuse(self, refusal: Refusal) -> web.Response:
        self._state.refused[refusal.reason] += 1
        return refusal.response()


_LISTENER = web.AppKey("listener", _Listener)


def _counted_as(kind: str) -> str:
    """A bounded name of an event type."""
    return kind if kind in EVENT_TYPES else "other"


def _plain(encodings: Sequence[str]) -> bool:
    """Whether a body is sent as it is."""
    return all(encoding.strip().lower() in ("", "identity") for encoding in encodings) if encodings else True


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth storing; bytes that are not UTF-8 are replaced."""
    kept = {}
    for name in KEPT_HEADERS:
        value = headers.get(name)
        if value is not None:
            if not value.isascii():
                value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            kept[str(name)] = value
    return kept
