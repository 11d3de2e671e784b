"""Web servers as places: a page or JSON list that names the files, or addresses made from a pattern.

Owns what counts as a file of the list (links below the list's own folder or, from JSON, wherever allowed_hosts lets
them lead), subfolders of index pages, and the request for a part of a file. Where a request may go is judged by
safe_url.py, each time.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

from aiohttp import ClientResponse

from promptsync.errors import ConfigError, FileUnavailable, InputRefused, Unavailable
from promptsync.places.place import (
    PATTERN_PARTS,
    Expected,
    Item,
    NotContinued,
    Pass,
    PassedOver,
    PlaceSettings,
    ignore,
    is_pattern,
)
from promptsync.places.safe_http import Gone, SafeClient, SafeSettings, raise_for_status, read_bounded
from promptsync.places.safe_url import origin
from promptsync.places.web_answers import (
    AGAIN,
    ENOUGH,
    Version,
    ask_each,
    differs,
    first_bytes,
    headers_for_rest,
    is_page,
    is_same,
    version_listed,
    version_of,
)
from promptsync.places.web_listing import Link, read_listing

_CHUNK: Final = 1 << 18
_LONGEST_LIST: Final = 32 << 20
_DEEPEST: Final = 3
_MOST_PAGES: Final = 500
_NOTHING: Final = (404, 410)


class WebPlace:
    """Files of a web server. ``url``: of the list, or the pattern."""

    ranged = True
    settles = True

    def __init__(self, client: SafeClient, url: str, settings: PlaceSettings) -> None:
        self._client = client
        self._url = url
        self._settings = settings
        self._targets: dict[str, str] = {}
        self._versions: dict[str, Version] = {}  # of what was asked for last

    async def pages(self, passed: Pass = ignore) -> AsyncIterator[list[Item]]:
        """What the list names, subfolders of index pages included; of a pattern, the addresses that exist."""
        self._targets.clear()
        if is_pattern(self._url):
            yield await self._guessed()
            return
        found = {_key(url, self._url): (link, url) for link, url in await self._links(passed)}
        items = [item for key, (link, url) in found.items() if (item := self._known(key, link, url))]
        yield items
        asked = found.keys() - {item.key for item in items}
        yield await ask_each({key: partial(self._probe, key, *found[key]) for key in sorted(asked)}, passed)

    async def read(self, item: Item, offset: int = 0) -> AsyncIterator[bytes]:
        """The file's bytes, as they were stored; Gone too if it was replaced since it was listed."""
        url, known = self._targets[item.key], self._versions.get(item.key, version_listed(item))
        headers = headers_for_rest(known, offset) if offset else {}
        async with self._client.request("GET", url, headers=headers) as response:
            offered = version_of(response.status, response.headers)
            if offset and not (_begins_at(response, offset - 1) and is_same(known, offered)):
                raise NotContinued(f"{item.key} cannot be continued; it is fetched from its beginning.")
            _refuse(response, item.key)
            if differs(known, offered):
                raise Gone(f"{item.key} has changed since it was listed.")
            self._versions[item.key] = offered
            head = await first_bytes(response.content, 1 if offset else ENOUGH)
            if not offset:
                if is_page(response.content_type, head):
                    raise _page_of(response, item.key)
                yield head
            async for piece in response.content.iter_chunked(_CHUNK):
                yield piece

    async def md5(self, item: Item, *, sure: bool = False) -> str | None:
        """None: what a list states beside a name, if it is a digest, is its SHA-256."""
        return None

    async def remove(self, item: Item) -> None:
        """Refused: a web server only hands out."""
        raise ConfigError(f"{item.key} cannot be deleted: a web server only hands out files.")

    async def move(self, item: Item, folder: str) -> None:
        """Refused: a web server only hands out."""
        raise ConfigError(f"{item.key} cannot be moved to {folder}: a web server only hands out files.")

    async def put(self, key: str, source: Path) -> None:
        """Refused: a web server only hands out."""
        raise ConfigError(f"{key} cannot be stored at {self._settings.location}: a web server only hands out files.")

    async def tidy(self, prefix: str) -> None:
        """Nothing: nothing is stored."""

    async def _links(self, passed: Pass) -> list[tuple[Link, str]]:
        """Links to files, each with its whole address."""
        found: list[tuple[Link, str]] = []
        pages, seen = [(self._url, 0)], {self._url}
        while pages:
            page, depth = pages.pop()
            for link, url in await (self._page_below(page, passed) if depth else self._page(page)):
                if url in seen:
                    continue
                seen.add(url)
                if not url.endswith("/"):
                    found.append((link, url))
                elif depth < _DEEPEST:
                    pages.append((url, depth + 1))
                else:
                    passed(PassedOver(_key(url, self._url), f"it is more than {_DEEPEST} folders deep."))
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

    async def _page_below(self, url: str, passed: Pass) -> list[tuple[Link, str]]:
        """A page of a subfolder: what is wrong with it is its own, once the second answer says so too."""
        try:
            try:
                return await self._page(url)
            except Unavailable:
                await asyncio.sleep(AGAIN)
                return await self._page(url)
        except (Gone, ConfigError, InputRefused, Unavailable) as error:
            passed(PassedOver(_key(url, self._url), f"it cannot be listed: {error}"))
            return []

    async def _guessed(self) -> list[Item]:
        """What exists of a pattern. Of an address that is refused it is not known whether there is anything; where
        others are answered it is taken for none, as stores that hide what they lack answer so."""
        urls = [(self._filled(wanted), wanted.name) for wanted in self._settings.expected]
        asked = {_key(url, self._url): (Link(url, name), url) for url, name in urls}
        return await ask_each({key: partial(self._probe, key, *one) for key, one in asked.items()}, ignore)

    def _known(self, key: str, link: Link, url: str) -> Item | None:
        """An item of what the list alone says; None if more has to be asked for."""
        name = _other_name(key, link)
        if link.tag is not None or link.modified is not None:
            self._targets[key] = url
            return Item(key, link.tag or f"{link.size}-{link.modified}", link.size, link.modified, link.sha256, name)
        if (name or key).endswith((".csv", ".csv.gz", ".parquet")):
            return None
        return Item(key, "", name=name)

    async def _probe(self, key: str, link: Link, url: str) -> Item | None:
        """What the server says of an address; None if there is nothing."""
        offered = await self._offered(key, url)
        if offered is None:
            return None
        self._targets[key], self._versions[key] = url, offered
        size = offered.size if link.size is None else link.size
        tag = offered.tag or f"{offered.size}-{offered.modified}"
        return Item(key, tag, size, offered.modified, link.sha256, _other_name(key, link))

    async def _offered(self, key: str, url: str) -> Version | None:
        """The version at an address. A server may refuse to be asked without sending the file (HEAD), or answer that
        with a page, or as if it were empty: then a few bytes are asked for."""
        async with self._client.request("HEAD", url) as response:
            if response.status in _NOTHING:
                return None
            offered = version_of(response.status, response.headers)
            if response.status < 300 and offered.size != 0 and "html" not in response.content_type:
                return offered
        async with self._client.request("GET", url, headers={"Range": f"bytes=0-{ENOUGH - 1}"}) as response:
            if response.status in _NOTHING:
                return None
            if response.status == 416:
                return version_of(206, response.headers)  # it is empty: "bytes */0"
            _refuse(response, key)
            if is_page(response.content_type, await first_bytes(response.content)):
                raise _page_of(response, key)
            return version_of(response.status, response.headers)

    def _filled(self, wanted: Expected) -> str:
        values = dict(zip(PATTERN_PARTS, (wanted.table, wanted.org, wanted.date), strict=True))
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
    if _same_origin(url, base) and parts.path.startswith(folder) and not is_pattern(base):
        return unquote(parts.path[len(folder) :])
    return unquote(parts.path.lstrip("/"))


def _same_origin(url: str, base: str) -> bool:
    try:
        return origin(url) == origin(base)
    except InputRefused:
        return False  # it will be refused when it is asked


def _other_name(key: str, link: Link) -> str | None:
    """The file name that a link states, if its key does not end with it."""
    return link.name if link.name and link.name != key.rsplit("/", 1)[-1] else None


def _refuse(response: ClientResponse, key: str) -> None:
    """As raise_for_status; a refusal names what was refused."""
    if response.status in (401, 403):
        says = f"{response.url.host} refuses {key} (status {response.status}); check the credentials for it."
        raise ConfigError(says)
    raise_for_status(response)


def _page_of(response: ClientResponse, key: str) -> FileUnavailable:
    return FileUnavailable(f"{response.url.host} answers with a page in place of {key}; try again later.")


def _begins_at(response: ClientResponse, offset: int) -> bool:
    """Whether the server honoured a range."""
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {offset}-")
