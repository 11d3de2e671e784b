"""What can be asked of an export API: request, list, link, regenerate, browse, download.

Owns which status means what. A download grows in a part file, as any does (places/download.py), but is never resumed: a
link is good for a while only. Links go through safe_http.py, without our credentials. Knows neither jobs nor rows; what
bodies look like is read in answers.py. No link and no key ever appears in a log or an error.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urljoin

from promptsync.clock import Clock
from promptsync.errors import ConfigError, InputRefused, MirrorFull, PromptsyncError, Unavailable
from promptsync.places.download import PartFile
from promptsync.places.safe_http import SafeClient, SafeSettings
from promptsync.places.web_answers import first_bytes, is_page
from promptsync.vendors.qlara import answers
from promptsync.vendors.qlara.answers import Entry
from promptsync.vendors.qlara.call import Access, Caller, Pause, Reply, RetryPolicy
from promptsync.vendors.qlara.profile import KindProfile, VendorProfile

_MOST_PAGES = 50
_MOST_BROWSED = 10_000
_CHUNK = 1 << 18
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LINK_GONE = frozenset({400, 401, 403, 404, 410})
_AGAIN = frozenset({202, 204, 408, 409, 423, 425, 429, *range(500, 600)})
_NOT_YET = frozenset({202, 204, 404, 409, 423, 425})


class Refused(PromptsyncError):
    """The vendor says no, and will say so again."""


class LinkExpired(PromptsyncError):
    """The download link is not good any more: it must be regenerated."""


class NotReady(PromptsyncError):
    """There is no link yet."""


class PageInstead(Unavailable):
    """A page comes in place of the export: of an error, as a rule, that passes."""


@dataclass(frozen=True, slots=True)
class JobList:
    """What the vendor lists. ``skew``: its clock less ours, microseconds."""

    entries: tuple[Entry, ...]
    skew: int


class ExportClient:
    """Use as an async context manager."""

    def __init__(self, profile: VendorProfile, access: Access, policy: RetryPolicy, clock: Clock, pause: Pause) -> None:
        self.profile = profile
        self.policy = policy
        self._pause = pause
        self._api = Caller(access, profile.key_header, policy, clock, pause)
        self._patience = policy.patience.another()
        self._files = SafeClient(SafeSettings(access.base_url, access.allowed_hosts, links_only=True))

    async def __aenter__(self) -> "ExportClient":
        await self._api.__aenter__()
        await self._files.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._files.__aexit__(kind, error, at)
        await self._api.__aexit__(kind, error, at)

    async def request(self, kind: KindProfile, params: Mapping[str, object]) -> str | None:
        """Request an export; its id, if the answer says it. Raises Refused, AnswerLost, Unavailable, ConfigError."""
        reply = await self._api.post(kind.path, {kind.fields[name]: value for name, value in params.items()})
        if reply.status >= 300:
            raise _refused(reply)
        return answers.job_id(answers.read_json(reply.body), self.profile)

    async def listing(self, seek: frozenset[str] = frozenset()) -> JobList:
        """The vendor's jobs, page after page until all of ``seek`` have been seen, or all there are if it is empty."""
        found: dict[str, Entry] = {}
        skew = 0
        for page in range(_MOST_PAGES):
            reply = await self._get(self.profile.jobs_path, {"page": page, "limit": self.profile.page_limit})
            skew = reply.skew if page == 0 else skew
            objects = answers.entries(answers.read_json(reply.body), self.profile.list_names)
            read = [answers.read_entry(one, self.profile) for one in objects]
            new = {entry.id: entry for entry in read if entry is not None and entry.id not in found}
            found.update(new)
            if not new or (seek and seek <= found.keys()):
                break
        return JobList(tuple(found.values()), skew)

    async def link(self, vendor_id: str) -> str:
        """The download link. Raises LinkExpired, NotReady, Refused, Unavailable. Never store or log it."""
        path = self._job_path(vendor_id)
        reply = await self._api.get(path)
        if reply.status in _REDIRECTS and (target := reply.headers.get("Location")):
            return urljoin(self._api.url(path), target)
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
        """Have an expired link made anew, which takes its time. Raises Refused, AnswerLost, Unavailable."""
        reply = await self._api.post(self._job_path(vendor_id))
        if reply.status >= 300:
            raise _refused(reply)

    async def browse(self, query: Mapping[str, str]) -> AsyncIterator[list[dict[str, Any]]]:
        """Pages of rows without an export, as the vendor orders them. Raises Refused, Unavailable."""
        limit = self.profile.browse_limit
        for page in range(_MOST_BROWSED):
            reply = await self._get(self.profile.browse_path, {**query, "page": page, "limit": limit})
            rows = answers.entries(answers.read_json(reply.body), self.profile.browse_names)
            if rows:
                yield rows
            if len(rows) < limit:
                return

    async def download(self, link: str, target: Path, progress: Callable[[int, int], None] = lambda *_: None) -> bool:
        """Fetch a file to ``target``, whole or not at all; ``progress`` gets bytes done and in total (0: unknown).

        Returns whether the transfer vouches for its length. Raises LinkExpired; InputRefused for a link that may not
        be followed or more bytes than allowed; Unavailable after several tries, PageInstead if there was a page each
        time; MirrorFull.
        """
        attempt = 0
        self._patience.begin()
        while True:
            try:
                async with asyncio.timeout(self.policy.download_seconds):
                    return await self._fetch(link, target, progress)
            except TimeoutError:
                problem = Unavailable("The download takes too long; try again later.")
            except MirrorFull:
                raise
            except Unavailable as error:
                problem = error
            attempt += 1
            wait = self.policy.backoff(attempt - 1)
            if attempt >= self.policy.tries or wait > self._patience.left:
                raise problem from None
            await self._pause(wait)

    async def _fetch(self, link: str, target: Path, progress: Callable[[int, int], None]) -> bool:
        async with self._files.request("GET", link) as response:
            if response.status in _LINK_GONE:
                raise LinkExpired("The download link is not good any more.")
            if response.status == 429:
                await self._pause(min(self._api.wait_of(response.headers) or 0.0, self.policy.longest_wait))
            if response.status in _AGAIN:
                raise Unavailable(f"The download host answers with status {response.status}; try again later.")
            if response.status != 200:
                raise InputRefused("status", f"The download host answers with status {response.status}.")
            head = await first_bytes(response.content)
            if is_page(response.content_type, head):
                raise PageInstead("The download host answers with a page in place of the export; try again later.")
            total = response.content_length
            part = PartFile(target.with_name(f"{target.name}.part"))
            part.restart()
            with ExitStack() as undo:
                undo.callback(part.restart)
                part.append(head)
                async for piece in response.content.iter_chunked(_CHUNK):
                    self._patience.renew()
                    if part.size + len(piece) > self.policy.most_bytes:
                        raise InputRefused("too_large", f"The download has more than {self.policy.most_bytes:,} bytes.")
                    part.append(piece)
                    progress(part.size, total or 0)
                    await self._pause(0.0)
                part.finish(target)
                undo.pop_all()
            self._patience.renew()
            return total is not None or "chunked" in response.headers.get("Transfer-Encoding", "").lower()

    async def _get(self, path: str, query: Mapping[str, object]) -> Reply:
        reply = await self._api.get(path, query)
        if reply.status >= 300:
            raise _refused(reply)
        return reply

    def _job_path(self, vendor_id: str) -> str:
        return f"{self.profile.jobs_path}/{quote(vendor_id, safe='')}"


def _refused(reply: Reply) -> PromptsyncError:
    said = answers.message_of(reply.body)
    if reply.status in (401, 403):
        return ConfigError(f"The vendor refuses the key (status {reply.status}); check qlara.api_key.")
    if reply.status < 400:
        return Refused(f"The vendor's API redirects (status {reply.status}); check qlara.base_url.")
    return Refused(f"The vendor refuses (status {reply.status}{': ' + said if said else ''}).")
