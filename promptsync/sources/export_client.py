"""Talking to an export API: request, list, link, regenerate, browse, download.

Owns how long it is tried and who gets the key: the API's own origin and nobody else, no redirect followed with it.
Links go through safe_http.py, without our credentials. Knows neither jobs nor rows; what answers look like is read in
export_answers.py. No link and no key ever appears in a log or an error.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from urllib.parse import quote, urljoin

import aiohttp
from yarl import URL

from promptsync.clock import MICROS, Clock
from promptsync.errors import ConfigError, InputRefused, MirrorFull, PromptsyncError, Unavailable
from promptsync.sources import export_answers as answers
from promptsync.sources.export_answers import Entry
from promptsync.sources.export_profile import KindProfile, VendorProfile
from promptsync.sources.safe_http import SafeClient, SafeSettings

_MOST_ANSWER = 16 << 20
_MOST_PAGES = 50
_CHUNK = 1 << 18
_LINK_GONE = frozenset({400, 401, 403, 404, 410})
_NOT_YET = frozenset({202, 204, 404, 409, 423, 425})


class Refused(PromptsyncError):
    """The vendor says no, and will say so again."""


class AnswerLost(Unavailable):
    """A request may or may not have reached the vendor."""


class LinkExpired(PromptsyncError):
    """The download link is not good any more: it must be regenerated."""


class NotReady(PromptsyncError):
    """There is no link yet."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Patience. Seconds; ``poll``: first and longest pause between looks; ``longest_wait``: that a 429 may ask for."""

    poll: tuple[float, float] = (5.0, 10.0)
    tries: int = 6
    first_backoff: float = 1.0
    longest_backoff: float = 30.0
    longest_wait: float = 900.0
    answer_seconds: float = 60.0
    download_seconds: float = 7200.0
    most_bytes: int = 16 << 30


@dataclass(frozen=True, slots=True)
class Access:
    """Where the API is. ``key``: its key, for that origin only; ``allowed_hosts``: download hosts beside its own."""

    base_url: str
    key: bytes = field(repr=False)
    allowed_hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Listing:
    """What the vendor lists. ``skew``: its clock less ours, microseconds; 0 if it does not say or they nearly agree."""

    entries: tuple[Entry, ...]
    skew: int


@dataclass(frozen=True, slots=True)
class _Reply:
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def backoff(attempt: int, pace: Pace) -> float:
    """Seconds to wait after a failed attempt, the first being 0: doubling up to a bound."""
    return min(pace.first_backoff * 2.0 ** min(attempt, 30), pace.longest_backoff)


class ExportClient:
    """Use as an async context manager. ``pause`` waits so many seconds, and raises Unavailable when we are stopping."""

    def __init__(
        self, profile: VendorProfile, access: Access, pace: Pace, clock: Clock, pause: Callable[[float], Awaitable[None]]
    ) -> None:
        self.profile = profile
        self.pace = pace
        self._access = access
        self._clock = clock
        self._pause = pause
        self._headers = {profile.key_header: _printable(access.key), "Accept": "application/json"}
        self._files = SafeClient(SafeSettings(access.base_url, access.allowed_hosts))

    async def __aenter__(self) -> "ExportClient":
        timeout = aiohttp.ClientTimeout(total=self.pace.answer_seconds)
        self._api = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
        await self._files.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._files.__aexit__(kind, error, at)
        await self._api.close()

    async def request(self, kind: KindProfile, params: Mapping[str, object]) -> str | None:
        """Request an export; its id, if the answer says it. Raises Refused, AnswerLost, Unavailable."""
        body = {kind.fields[name]: value for name, value in params.items()}
        reply = await self._send("POST", kind.path, json=body)
        if reply.status >= 300:
            raise _refused(reply)
        return answers.job_id(answers.read_json(reply.body), self.profile)

    async def listing(self, seek: frozenset[str] = frozenset()) -> Listing:
        """The vendor's jobs, page after page until all of ``seek`` have been seen, or all there are if it is empty."""
        found: dict[str, Entry] = {}
        skew = 0
        for page in range(_MOST_PAGES):
            query = {"page": page, "limit": self.profile.page_limit}
            reply = await self._get(self.profile.jobs_path, query)
            skew = self._skew(reply) if page == 0 else skew
            objects = answers.entries(answers.read_json(reply.body), self.profile.list_names)
            read = [answers.read_entry(one, self.profile) for one in objects]
            new = {entry.id: entry for entry in read if entry is not None and entry.id not in found}
            found = {**found, **new}
            if not new or (seek and seek <= found.keys()):
                break
        return Listing(tuple(found.values()), skew)

    async def link(self, vendor_id: str) -> str:
        """The download link. Raises LinkExpired, NotReady, Refused, Unavailable. Never store or log it."""
        reply = await self._call("GET", self._job_path(vendor_id))
        if reply.status in (301, 302, 303, 307, 308) and (target := reply.headers.get("Location")):
            return urljoin(self._url(self._job_path(vendor_id)), target)
        if reply.status == 400:
            raise LinkExpired("The download link has expired.")
        if reply.status in _NOT_YET:
            raise NotReady("The export cannot be downloaded yet.")
        if reply.status >= 300:
            raise _refused(reply)
        link = answers.read_link(reply.body, self.profile)
        if link is None:
            raise NotReady("The vendor's answer holds no download link.")
        return link

    async def regenerate(self, vendor_id: str) -> None:
        """Have an expired link made anew, which takes its time. Raises Refused, Unavailable."""
        reply = await self._send("POST", self._job_path(vendor_id))
        if reply.status >= 300:
            raise _refused(reply)

    async def browse(self, query: Mapping[str, str]) -> AsyncIterator[list[dict[str, Any]]]:
        """Pages of rows without an export, newest as the vendor orders them. Raises Refused, Unavailable."""
        limit = self.profile.browse_limit
        for page in range(10_000):
            reply = await self._get(self.profile.browse_path, {**query, "page": page, "limit": limit})
            rows = answers.entries(answers.read_json(reply.body), self.profile.browse_names)
            if rows:
                yield rows
            if len(rows) < limit:
                return

    async def download(self, link: str, target: Path, told: Callable[[int, int], None] = lambda *_: None) -> bool:
        """Fetch a file to ``target``, whole or not at all; ``told`` of bytes done and in total (0: unknown).

        Returns whether its length was vouched for by the transfer. Raises LinkExpired; InputRefused for a link that
        may not be followed or more bytes than allowed; Unavailable after several tries; MirrorFull.
        """
        attempt = 0
        while True:
            try:
                async with asyncio.timeout(self.pace.download_seconds):
                    return await self._fetch(link, target, told)
            except TimeoutError:
                error = Unavailable("The download takes too long; try again later.")
            except MirrorFull:
                raise
            except Unavailable as problem:
                error = problem
            attempt += 1
            if attempt >= self.pace.tries:
                raise error
            await self._pause(backoff(attempt - 1, self.pace))

    async def _fetch(self, link: str, target: Path, told: Callable[[int, int], None]) -> bool:
        async with self._files.request("GET", link) as response:
            if response.status in _LINK_GONE:
                raise LinkExpired("The download link is not good any more.")
            if response.status == 429 or response.status >= 500:
                if response.status == 429:
                    await self._pause(self._wait_of(_Reply(429, response.headers, b"")) or 0.0)
                raise Unavailable(f"The download host answers with status {response.status}; try again later.")
            if response.status != 200:
                raise InputRefused("status", f"The download host answers with status {response.status}.")
            total = response.content_length or 0
            done = 0
            with _Part(target) as part:
                async for piece in response.content.iter_chunked(_CHUNK):
                    done += len(piece)
                    if done > self.pace.most_bytes:
                        raise InputRefused("too_large", f"The download has more than {self.pace.most_bytes:,} bytes.")
                    part.write(piece)
                    told(done, total)
                    await self._pause(0.0)
            chunked = "chunked" in response.headers.get("Transfer-Encoding", "").lower()
            return chunked or response.content_length is not None

    async def _get(self, path: str, query: Mapping[str, Any]) -> _Reply:
        reply = await self._call("GET", path, params={name: str(value) for name, value in query.items()})
        if reply.status >= 300:
            raise _refused(reply)
        return reply

    async def _send(self, method: str, path: str, **more: Any) -> _Reply:
        """A request that must not be repeated blindly. Raises AnswerLost if it may have been carried out."""
        reply = await self._call(method, path, once=True, **more)
        if reply.status >= 500 or reply.status == 408:
            raise AnswerLost(f"The vendor answers with status {reply.status}; try again later.")
        return reply

    async def _call(self, method: str, path: str, *, once: bool = False, **more: Any) -> _Reply:
        """One answer that is not 429, nor (unless ``once``) 5xx. Raises Unavailable after several tries."""
        problem: Unavailable = Unavailable("The vendor's API does not answer; try again later.")
        for attempt in range(self.pace.tries):
            wait = backoff(attempt, self.pace)
            try:
                reply = await self._once(method, path, more)
            except aiohttp.ClientConnectorError as error:
                problem = Unavailable(f"The vendor's API cannot be reached ({type(error).__name__}); try again later.")
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                problem = AnswerLost(f"The vendor's API does not answer ({type(error).__name__}); try again later.")
                if once:
                    raise problem from None
            else:
                if reply.status != 429 and (once or reply.status not in (408, *range(500, 600))):
                    return reply
                problem = Unavailable(f"The vendor's API answers with status {reply.status}; try again later.")
                asked = self._wait_of(reply)
                if asked is not None and asked > self.pace.longest_wait:
                    raise Unavailable(f"The vendor's API asks to wait {asked:,.0f} seconds; try again later.")
                wait = wait if asked is None else asked
            if attempt + 1 < self.pace.tries:
                await self._pause(wait)
        raise problem from None

    async def _once(self, method: str, path: str, more: Mapping[str, Any]) -> _Reply:
        url = URL(self._url(path), encoded=True)
        async with self._api.request(method, url, headers=self._headers, allow_redirects=False, **more) as response:
            body = bytearray()
            async for piece in response.content.iter_chunked(_CHUNK):
                body += piece
                if len(body) > _MOST_ANSWER:
                    raise InputRefused("too_large", "The vendor's API answers with more than 16 MiB.")
            return _Reply(response.status, response.headers.copy(), bytes(body))

    def _wait_of(self, reply: _Reply) -> float | None:
        return answers.retry_after(reply.headers, reply.body, self._clock())

    def _skew(self, reply: _Reply) -> int:
        theirs = answers.server_time(reply.headers)
        skew = 0 if theirs is None else theirs - self._clock()
        return skew if abs(skew) > 2 * MICROS else 0

    def _job_path(self, vendor_id: str) -> str:
        return f"{self.profile.jobs_path}/{quote(vendor_id, safe='')}"

    def _url(self, path: str) -> str:
        return self._access.base_url.rstrip("/") + path


class _Part:
    """A file that appears under its name only when it is whole and on disk. Raises MirrorFull."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(target.name + ".part")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "_Part":
        try:
            self._file = self._part.open("wb")
        except OSError as error:
            raise self._full(error) from error
        return self

    def write(self, piece: bytes) -> None:
        assert self._file is not None  # noqa: S101  opened on entry
        try:
            self._file.write(piece)
        except OSError as error:
            raise self._full(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._file is not None  # noqa: S101  opened on entry
        try:
            with self._file as file:
                file.flush()
                os.fsync(file.fileno())
            if kind is None:
                self._part.replace(self._target)
            else:
                self._part.unlink(missing_ok=True)
        except OSError as problem:
            if kind is None:
                raise self._full(problem) from problem

    def _full(self, error: OSError) -> MirrorFull:
        return MirrorFull(f"The download cannot be written to {self._part.parent} ({error.strerror}); make room.")


def _refused(reply: _Reply) -> PromptsyncError:
    said = answers.message_of(reply.body)
    if reply.status in (401, 403):
        return ConfigError(f"The vendor refuses the key (status {reply.status}); check qlara.api_key.")
    if reply.status < 400:
        return Refused(f"The vendor's API redirects (status {reply.status}); check qlara.base_url.")
    return Refused(f"The vendor refuses (status {reply.status}{', ' + said if said else ''}).")


def _printable(key: bytes) -> str:
    if not key.isascii() or not key.decode().isprintable():
        raise ConfigError("The key of the export API holds signs that no key has; check qlara.api_key.")
    return key.decode()
