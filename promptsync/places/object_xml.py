"""The list that an object store itself gives, asked for without obstore: every key as it is, however odd.

Owns the question, signed with the identity that obstore has, and the reading of the answer. Amazon S3, ListObjectsV2;
Google Cloud Storage's XML API answers the same. Judges no key.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, unquote_plus, urlencode, urlsplit, urlunsplit
from xml.parsers import expat

import aiohttp
import obstore
from obstore import exceptions as foreign
from obstore.store import GCSStore, S3Store
from yarl import URL

from promptsync.clock import parse_iso
from promptsync.errors import Unavailable

_VALID: Final = timedelta(minutes=5)
_LONGEST: Final = 32 << 20


class NotListed(Exception):
    """The store cannot be asked in this way."""


@dataclass(frozen=True, slots=True)
class Entry:
    """``key``: below the store's prefix. ``modified``: microseconds."""

    key: str
    tag: str
    size: int
    modified: int | None


@dataclass(slots=True)
class Page:
    """One answer. ``entries``: element to text of each object; ``more``: the token of the next page."""

    entries: list[dict[str, str]] = field(default_factory=list)
    encoded: bool = False
    truncated: bool = False
    more: str | None = None


async def list_by_xml(store: S3Store | GCSStore, stall: float) -> AsyncIterator[list[Entry]]:
    """Every object below the store's prefix, by pages, markers of folders too. Raises NotListed, Unavailable."""
    prefix = f"{store.prefix.strip('/')}/" if store.prefix else ""
    question = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=stall)) as session:
        while True:
            page = read_page(await _ask(session, signed_question(store, question)))
            yield entries_of(page, prefix)
            if page.more is None:
                return
            question["continuation-token"] = page.more


def signed_question(store: S3Store | GCSStore, question: dict[str, str]) -> URL:
    """The signed address of a question to a store's bucket. Raises NotListed.

    obstore signs the addresses of objects only, by putting a key behind the address of the bucket: for a store whose
    bucket has the question in its address, it signs the question. What it adds lands in a parameter that is passed
    over (Amazon S3, Request parameters: those that begin with ``x-``).
    """
    try:
        bucket = urlsplit(obstore.sign(_bucket(store), "GET", "", _VALID))
        query = urlencode({**question, "x-id": ""}, quote_via=quote)
        asked = urlunsplit((bucket.scheme, bucket.netloc, bucket.path.rstrip("/"), query, ""))
        return URL(obstore.sign(_bucket(store, asked), "GET", "", _VALID), encoded=True)
    except (foreign.BaseError, ValueError, NotImplementedError):
        raise NotListed from None


def _bucket(store: S3Store | GCSStore, question: str | None = None) -> S3Store | GCSStore:
    """The same bucket with the same identity, without prefix; with ``question`` (an address) as where it is."""
    config: dict[str, Any] = dict(store.config)
    if isinstance(store, S3Store):
        asked = {} if question is None else {"endpoint": question, "virtual_hosted_style_request": True}
        return S3Store(**config | asked)
    return GCSStore(**config | ({} if question is None else {"base_url": question}))


async def _ask(session: aiohttp.ClientSession, address: URL) -> bytes:
    try:
        async with session.get(address, allow_redirects=False) as answer:
            if answer.status >= 500:
                raise Unavailable(f"The store cannot list its objects now (status {answer.status}); try again later.")
            if answer.status != 200:
                raise NotListed
            body = bytearray()
            async for piece in answer.content.iter_chunked(1 << 16):
                body += piece
                if len(body) > _LONGEST:
                    raise NotListed
            return bytes(body)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"The store does not list its objects ({type(error).__name__}); try again later.") from None


def read_page(body: bytes) -> Page:
    """What an answer says. Raises NotListed if it is none."""
    page, at, text = Page(), list[str](), list[str]()

    def begin(name: str, _attributes: object) -> None:
        if not at and name != "ListBucketResult":
            raise NotListed
        at.append(name)
        text.clear()
        if at[1:] == ["Contents"]:
            page.entries.append({})

    def end(name: str) -> None:
        match at[1:]:
            case ["Contents", field_]:
                page.entries[-1][field_] = "".join(text)
            case ["EncodingType"]:
                page.encoded = "".join(text) == "url"
            case ["IsTruncated"]:
                page.truncated = "".join(text) == "true"
            case ["NextContinuationToken"]:
                page.more = "".join(text)
        at.pop()

    def refuse(*_: object) -> None:
        raise NotListed

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text.append
    parser.StartDoctypeDeclHandler = refuse  # no entities: they can grow without bound
    try:
        parser.Parse(body, True)
    except expat.ExpatError:
        raise NotListed from None
    if page.truncated and page.more is None:
        raise NotListed
    return page


def entries_of(page: Page, prefix: str) -> list[Entry]:
    """The objects of a page. Raises NotListed if one of them makes no sense."""
    return [_entry(said, prefix, encoded=page.encoded) for said in page.entries]


def _entry(said: dict[str, str], prefix: str, *, encoded: bool) -> Entry:
    """An object as it is listed. Raises NotListed if it is not below the prefix, or says no size."""
    key = unquote_plus(said.get("Key", "")) if encoded else said.get("Key", "")
    if not key.startswith(prefix) or not said.get("Size", "").isdecimal():
        raise NotListed
    try:
        modified = parse_iso(said.get("LastModified", ""))
    except ValueError:
        modified = None
    return Entry(key[len(prefix) :], said.get("ETag", ""), int(said["Size"]), modified)
