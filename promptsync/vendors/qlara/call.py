"""One call to an export API, tried until it is answered or patience ends.

Owns retries, back-off, waiting as the vendor asks (429), and the key, which goes to the configured origin alone: no
redirect is ever followed with it. What an answer means is not decided here.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import aiohttp
from yarl import URL

from promptsync.clock import MICROS, Clock
from promptsync.errors import ConfigError, InputRefused, Unavailable
from promptsync.places.patience import Patience, backoff
from promptsync.places.web_answers import ENOUGH, is_page
from promptsync.vendors.qlara import answers

_MOST_ANSWER = 16 << 20
_CHUNK = 1 << 18
_MOST_SKEW = 86_400 * MICROS
"""A clock that is further away than this is none to go by."""
_TRY_AGAIN = frozenset({408, *range(500, 600)})
Pause = Callable[[float], Awaitable[None]]
"""Waits this many seconds; raises Unavailable when we are stopping."""


class AnswerLost(Unavailable):
    """A request may or may not have been carried out."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long. Seconds; ``poll``: first and longest pause between looks; ``longest_wait``: that a 429
    may ask for; ``patience``: of whoever waits for it all."""

    poll: tuple[float, float] = (5.0, 10.0)
    tries: int = 5
    first_backoff: float = 1.0
    longest_backoff: float = 30.0
    longest_wait: float = 900.0
    answer_seconds: float = 60.0
    download_seconds: float = 7200.0
    most_bytes: int = 16 << 30
    patience: Patience = field(default_factory=Patience)

    def backoff(self, attempt: int) -> float:
        """Seconds to wait after a failed attempt, the first being 0."""
        return backoff(attempt, self.first_backoff, self.longest_backoff)


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API is. ``key``: its key, for that origin only; ``allowed_hosts``: download hosts beside its own."""

    base_url: str
    key: bytes = field(repr=False)
    allowed_hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, whole. ``skew``: the server's clock less ours in microseconds, 0 if unknown, within two seconds or
    beyond a day."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    skew: int = 0


class Caller:
    """Use as an async context manager."""

    def __init__(self, access: Access, key_header: str, policy: RetryPolicy, clock: Clock, pause: Pause) -> None:
        self._access = access
        self._policy = policy
        self._clock = clock
        self._pause = pause
        self._patience = policy.patience.another()
        self._headers = {key_header: _printable(access.key), "Accept": "application/json"}

    async def __aenter__(self) -> "Caller":
        timeout = aiohttp.ClientTimeout(total=self._policy.answer_seconds)
        self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._session.close()

    def url(self, path: str) -> str:
        """The whole address of a path, already encoded."""
        return self._access.base_url.rstrip("/") + path

    def wait_of(self, headers: Mapping[str, str], body: bytes = b"") -> float | None:
        """Seconds that an answer asks to wait."""
        return answers.retry_after(headers, body, self._clock())

    async def get(self, path: str, query: Mapping[str, object] | None = None) -> Reply:
        """Ask something, again and again while there is no answer. Raises Unavailable after several tries."""
        return await self._call("GET", path, once=False, params={k: str(v) for k, v in (query or {}).items()})

    async def post(self, path: str, body: Mapping[str, object] | None = None) -> Reply:
        """Have something done, once; only 429 and a failed connection are tried again, as nothing was done then.

        Raises AnswerLost if it may have been done, else Unavailable.
        """
        reply = await self._call("POST", path, once=True, json=dict(body) if body is not None else None)
        if reply.status in _TRY_AGAIN or _is_page(reply):
            raise AnswerLost(f"The vendor's API answers with {_said(reply)}; try again later.")
        return reply

    async def _call(self, method: str, path: str, *, once: bool, **more: Any) -> Reply:
        problem = Unavailable("The vendor's API does not answer; try again later.")
        self._patience.begin()
        for attempt in range(self._policy.tries):
            wait = self._policy.backoff(attempt)
            try:
                reply = await self._once(method, path, more)
            except aiohttp.ClientConnectorError as error:
                problem = Unavailable(f"The vendor's API cannot be reached ({type(error).__name__}); try again later.")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                problem = AnswerLost(f"The vendor's API does not answer ({type(error).__name__}); try again later.")
                if once:
                    raise problem from None
            else:
                failed = reply.status in _TRY_AGAIN or _is_page(reply)
                if not failed:
                    self._patience.renew()
                if reply.status != 429 and (once or not failed):
                    return reply
                problem = Unavailable(f"The vendor's API answers with {_said(reply)}; try again later.")
                wait = max(wait, self._asked(reply)) if reply.status == 429 else wait
            if attempt + 1 == self._policy.tries or wait > self._patience.left:
                break
            await self._pause(wait)
        raise problem from None

    def _asked(self, reply: Reply) -> float:
        asked = self.wait_of(reply.headers, reply.body) or 0.0
        if asked > self._policy.longest_wait:
            raise Unavailable(f"The vendor's API asks to wait {asked:,.0f} seconds; try again later.")
        return asked

    async def _once(self, method: str, path: str, more: Mapping[str, Any]) -> Reply:
        url = URL(self.url(path), encoded=True)
        async with self._session.request(method, url, headers=self._headers, allow_redirects=False, **more) as response:
            body = bytearray()
            async for piece in response.content.iter_chunked(_CHUNK):
                body += piece
                if len(body) > _MOST_ANSWER:
                    raise InputRefused("too_large", f"The vendor's API answers with more than {_MOST_ANSWER:,} bytes.")
            return Reply(response.status, response.headers.copy(), bytes(body), self._skew(response.headers))

    def _skew(self, headers: Mapping[str, str]) -> int:
        theirs = answers.server_time(headers)
        skew = 0 if theirs is None else theirs - self._clock()
        return skew if 2 * MICROS < abs(skew) < _MOST_SKEW else 0


def _is_page(reply: Reply) -> bool:
    """Whether a page came in the place of an answer, as when a proxy or a maintenance page steps in between."""
    return reply.status < 300 and is_page("", reply.body[:ENOUGH])


def _said(reply: Reply) -> str:
    return "a page, not with data" if _is_page(reply) else f"status {reply.status}"


def _printable(key: bytes) -> str:
    if not key.isascii() or not key.decode().isprintable():
        raise ConfigError("The key of the export API holds signs that no key has; check it.")
    return key.decode()
