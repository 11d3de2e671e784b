"""Web servers as places: a page or JSON list that names the files, or addresses made from a pattern.

Owns what counts as a file of the list (links below the list's own folder or, from JSON, wherever allowed_hosts lets
them lead), subfolders of index pages, and the request for a part of a file. Where a request may go is judged by
safe_url.py, each time.
"""

import asyncio
import base64
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from aiohttp import ClientResponse

from promptsync.errors import ConfigError, InputRefused, Unavailable
from promptsync.sources.places.place import Expected, Item, PlaceSettings
from promptsync.sources.places.web_listing import Link, http_time, read_listing
from promptsync.sources.safe_http import Gone, SafeClient, SafeSettings, raise_for_status, read_bounded
from promptsync.sources.safe_url import origin

_CHUNK: Final = 1 << 18
_LONGEST_LIST: Final = 32 << 20
_DEEPEST: Final = 3
_MOST_PAGES: Final = 500
_AT_ONCE: Final = 8
_PARTS: Final = ("{table}", "{org}", "{date}")


class WebPlace:
    """Files of a web server. ``url``: of the list, or the pattern."""

    ranged = True
    settles = True

    def __init__(self, client: SafeClient, url: str, settings: PlaceSettings) -> None:
        self._client = client
        self._url = url
        self._settings = settings
        self._targets: dict[str, str] = {}

    async def pages(self) -> AsyncIterator[list[Item]]:
        """What the list names, subfolders of index pages included; of a pattern, the addresses that exist."""
        self._targets.clear()
        if is_pattern(self._url):
            asked = [self._probe(wanted.name, self._filled(wanted)) for wanted in self._settings.expected]
        else:
            asked = [self._complete(link, url) for link, url in await self._links()]
        yield [item for item in await _some_at_once(asked) if item is not None]

    async def read(self, item: Item, offset: int = 0) -> AsyncIterator[bytes]:
        """The file's bytes, as they were stored; Gone too if it was replaced since it was listed."""
        url = self._targets[item.key]
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if offset and item.tag.startswith('"'):
            headers["If-Range"] = item.tag
        async with self._client.request("GET", url, headers=headers) as response:
            if response.status == 416 and item.size == offset:
                return
            raise_for_status(response)
            if _changed(response, item):
                raise Gone(f"{item.key} has changed since it was listed.")
            skip = _to_skip(response, offset)
            async for piece in response.content.iter_chunked(_CHUNK):
                if skip < len(piece):
                    yield piece[skip:]
                skip = max(skip - len(piece), 0)

    async def md5(self, item: Item, *, sure: bool = False) -> str | None:
        """None: what a list states beside a name, if it is a digest, is its SHA-256."""
        return None

    async def remove(self, item: Item) -> None:
        """Refused: a web server only hands out."""
        raise ConfigError(f"{item.key} cannot be deleted: a web server only hands out files.")

    async def move(self, item: Item, folder: str) -> None:
        """Refused: a web server only hands out."""
        raise ConfigError(f"{item.key} cannot be moved to {folder}: a web server only hands out files.")

    async def _links(self) -> list[tuple[Link, str]]:
        """Links to files, each with its whole address."""
        found: list[tuple[Link, str]] = []
        pages, seen = [(self._url, 0)], {self._url}
        while pages:
            page, depth = pages.pop()
            for link, url in await self._page(page):
                if url in seen:
                    continue
                seen.add(url)
                if not url.endswith("/"):
                    found.append((link, url))
                elif depth < _DEEPEST:
                    pages.append((url, depth + 1))
            if len(seen) > _MOST_PAGES * 1000 or len(pages) > _MOST_PAGES:
                raise InputRefused("too_many", "The list of files has too many pages.")
        return found

    async def _page(self, url: str) -> list[tuple[Link, str]]:
        async with self._client.request("GET", url) as response:
            _explained(response)
            body = await read_bounded(response, _LONGEST_LIST)
            kind, base = response.content_type, str(response.url)
        is_json = "json" in kind or body.lstrip()[:1] in (b"[", b"{")
        found = [(link, _whole(base, link.target)) for link in read_listing(body, kind)]
        return [(link, target) for link, target in found if target and (is_json or _is_below(target, base))]

    async def _complete(self, link: Link, url: str) -> Item | None:
        """An item of what the list says; what it leaves out is asked for, if the name could matter."""
        key = _key(url, self._url)
        name = link.name if link.name and link.name != key.rsplit("/", 1)[-1] else None
        if link.tag is None and link.modified is None:
            if not (name or key).endswith((".csv", ".csv.gz", ".parquet")):
                return Item(key, "", name=name)
            asked = await self._probe(name, url)
            return None if asked is None else asked._replace(sha256=link.sha256)
        self._targets[key] = url
        tag = link.tag or f"{link.size}-{link.modified}"
        return Item(key, tag, link.size, link.modified, link.sha256, name)

    async def _probe(self, name: str | None, url: str) -> Item | None:
        """What the server says of an address; None if there is nothing."""
        async with self._client.request("HEAD", url) as response:
            if response.status in (404, 410):
                return None
            if response.status not in (405, 501):
                _explained(response)
            length = response.headers.get("Content-Length", "") if response.status < 300 else ""
            modified = http_time(response.headers.get("Last-Modified"))
            size = int(length) if length.isascii() and length.isdigit() else None
            tag = response.headers.get("ETag") or f"{size}-{modified}"
        key = _key(url, self._url)
        self._targets[key] = url
        return Item(key, tag, size, modified, name=name)

    def _filled(self, wanted: Expected) -> str:
        values = dict(zip(_PARTS, (wanted.table, wanted.org, wanted.date), strict=True))
        url = self._url
        for part, value in values.items():
            url = url.replace(part, quote(value, safe=""))
        return url


@asynccontextmanager
async def open_web(settings: PlaceSettings) -> AsyncIterator[WebPlace]:
    """The place that an ``https://`` location names. ``password``: with a user in the location for HTTP Basic
    authentication, else a bearer token. Raises ConfigError."""
    parts = urlsplit(settings.location)
    url = urlunsplit((parts.scheme, parts.netloc.rsplit("@", 1)[-1], parts.path or "/", parts.query, ""))
    client = SafeClient(
        SafeSettings(
            base_url=url,
            allowed_hosts=settings.allowed_hosts,
            credentials=_credentials(parts.username, settings.password),
            stall_seconds=settings.stall_seconds,
        )
    )
    async with client:
        yield WebPlace(client, url, settings)


async def _some_at_once(asked: list[Coroutine[Any, Any, Item | None]]) -> list[Item | None]:
    """Answers in the order of the questions; the first error ends all of them."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(question: Coroutine[Any, Any, Item | None]) -> Item | None:
        async with gate:
            return await question

    tasks = [asyncio.ensure_future(one(question)) for question in asked]
    try:
        return list(await asyncio.gather(*tasks))
    finally:  # nothing is left to do where all were answered
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for question in asked:
            question.close()


def is_pattern(location: str) -> bool:
    """Whether a location holds ``{table}``, ``{org}`` or ``{date}``."""
    return any(part in location for part in _PARTS)


def _credentials(user: str | None, password: str | None) -> dict[str, str]:
    if password is None:
        return {}
    if user is None:
        return {"Authorization": f"Bearer {password}"}
    pair = f"{unquote(user)}:{password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _explained(response: ClientResponse) -> None:
    try:
        raise_for_status(response)
    except Gone:
        raise ConfigError(f"{response.url.host} has no list of files there; check the location.") from None


def _whole(base: str, target: str) -> str | None:
    """The whole address of a link, without its fragment; None if it is none of the web."""
    try:
        parts = urlsplit(urljoin(base, target))
    except ValueError:
        return None
    return urlunsplit((*parts[:4], "")) if parts.scheme in ("http", "https") else None


def _is_below(url: str, base: str) -> bool:
    """Whether a link of an index page leads further down, not to its parent, its sorted self or elsewhere."""
    parts, top = urlsplit(url), urlsplit(base)
    folder = top.path.rsplit("/", 1)[0] + "/"
    same = (parts.scheme, parts.netloc) == (top.scheme, top.netloc)
    return same and parts.path.startswith(folder) and parts.path != folder and ".." not in unquote(parts.path)


def _key(url: str, base: str) -> str:
    """What an address is called in the ledger: its path below the list's folder; never its query, which may be a
    signature."""
    parts, top = urlsplit(url), urlsplit(base)
    folder = top.path.rsplit("/", 1)[0] + "/"
    if origin(url) == origin(base) and parts.path.startswith(folder) and not is_pattern(base):
        return unquote(parts.path[len(folder) :])
    return unquote(parts.path.lstrip("/"))


def _changed(response: ClientResponse, item: Item) -> bool:
    tag = response.headers.get("ETag")
    return item.tag.startswith('"') and tag is not None and tag != item.tag


def _to_skip(response: ClientResponse, offset: int) -> int:
    """How many bytes come before ``offset``: none if the server honoured the range, else all of them."""
    if response.status != 206:
        return offset
    stated = response.headers.get("Content-Range", "")
    if not stated.startswith(f"bytes {offset}-"):
        raise Unavailable(f"{response.url.host} sends another part than was asked for; try again later.")
    return 0
