"""What an object store says of its objects: their list, even if keys have odd names, and the MD5 that can be relied on.

Owns which keys can be asked for through obstore, and what is done where one cannot: obstore refuses the whole list for
it. Then the store's own list is asked for (S3, Google), or the folders are listed one by one, each failing alone. Also
which answers mean an MD5 and which only look like one; they are asked for with a signed address, because obstore does
not hand out headers.

S3: an ETag of 32 hex digits is the MD5 of an object that was put in one part, unless it is encrypted by a key of AWS
KMS or of the customer (Amazon S3, Common Response Headers). Azure: ``Content-MD5`` (Get Blob Properties).
"""

import base64
import binascii
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, Literal

import aiohttp
import obstore
from obstore import exceptions as foreign
from obstore.store import AzureStore, GCSStore, S3Store

from promptsync.clock import micros_of
from promptsync.errors import Unavailable
from promptsync.places.object_xml import Entry, NotListed, list_by_xml
from promptsync.places.place import Item, Pass, PassedOver

_MD5: Final = re.compile(r'"?([0-9a-fA-F]{32})"?')
_VALID: Final = timedelta(minutes=5)
_ENCRYPTION: Final = "x-amz-server-side-encryption"
_PLAIN: Final = ("", "AES256")


def md5_of_etag(tag: str) -> str | None:
    """The 32 hex digits of an ETag that may be an MD5; None of one that is none, such as that of several parts.

    >>> md5_of_etag('"900150983CD24FB0D6963F7D28E17F72"'), md5_of_etag('"900150983cd24fb0d6963f7d28e17f72-3"')
    ('900150983cd24fb0d6963f7d28e17f72', None)
    """
    match = _MD5.fullmatch(tag)
    return match[1].lower() if match else None


def etag_is_md5(headers: Mapping[str, str]) -> bool:
    """Whether S3's headers of an object say that its ETag, in the form of an MD5, is one."""
    customer = any(name.lower().startswith(f"{_ENCRYPTION}-customer") for name in headers)
    return not customer and headers.get(_ENCRYPTION, "") in _PLAIN


def content_md5(headers: Mapping[str, str]) -> str | None:
    """The digest of a ``Content-MD5`` header (RFC 1864), hex."""
    try:
        digest = base64.b64decode(headers.get("Content-MD5", ""), validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == 16 else None


async def headers_of(store: S3Store | GCSStore | AzureStore, key: str, stall: float) -> Mapping[str, str]:
    """The headers that the store sends with an object; none where no address can be signed. Raises Unavailable."""
    may: Literal["GET", "HEAD"] = "GET" if isinstance(store, AzureStore) else "HEAD"  # Azure: to read, in either way
    try:
        address = await obstore.sign_async(store, may, key, _VALID)
    except (foreign.BaseError, ValueError, NotImplementedError):
        return {}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=stall)) as session,
            session.head(address, allow_redirects=False) as answer,
        ):
            return answer.headers if answer.status == 200 else {}
    except (aiohttp.ClientError, TimeoutError) as error:
        raise Unavailable(f"The store does not say what {key} is ({type(error).__name__}); try again later.") from None


Store = S3Store | GCSStore | AzureStore
MISSING: Final = (foreign.NotFoundError, foreign.PreconditionError, FileNotFoundError)
ODD: Final = "its name has an empty part, '.', '..' or a control sign; rename or delete it."
_PAGE: Final = 1000


async def list_objects(store: Store, stall: float, passed: Pass) -> AsyncGenerator[list[Item], None]:
    """Every object below the store's prefix, by pages. Raises obstore's errors, and Unavailable.

    ``stall``: seconds to wait for an answer to what is asked without obstore.
    """
    try:
        async for some in obstore.list(store, chunk_size=_PAGE):
            yield [item for item in map(_item, some) if item.key]
        return
    except foreign.InvalidPathError:
        pass
    except foreign.GenericError:
        await _find_why(store)
        if isinstance(store, AzureStore):
            raise
    async for page in _list_otherwise(store, stall, passed):
        yield page


async def _find_why(store: Store) -> None:
    """Ask for one object: listing reports every refusal as the same error, this one by its type."""
    with suppress(*MISSING):
        await obstore.head_async(store, "promptsync")


async def _list_otherwise(store: Store, stall: float, passed: Pass) -> AsyncIterator[list[Item]]:
    """What was listed before comes again: the same keys."""
    if not isinstance(store, AzureStore):
        try:
            async for page in list_by_xml(store, stall):
                yield _sound(page, passed)
            return
        except NotListed:
            pass
    folders = [""]
    while folders:
        prefix = folders.pop()
        try:
            found = await obstore.list_with_delimiter_async(store, prefix or None)
        except foreign.InvalidPathError:
            if not prefix:
                raise
            passed(PassedOver(f"{prefix}/", f"of one of the files in it, {ODD}"))
            continue
        folders += [folder for folder in found["common_prefixes"] if folder and folder != prefix]
        yield [item for item in map(_item, found["objects"]) if item.key]


def _sound(entries: list[Entry], passed: Pass) -> list[Item]:
    """The entries that can be asked for; of a marker of a folder nothing is said."""
    items = []
    for entry in entries:
        if _may_be_asked_for(entry.key):
            items.append(Item(entry.key, entry.tag or made_tag(entry.size, entry.modified), entry.size, entry.modified))
        elif entry.size or not entry.key.endswith("/"):
            passed(PassedOver(entry.key, ODD))
    return items


def _may_be_asked_for(key: str) -> bool:
    """What object_store's Path takes, and gives back unchanged."""
    return all(part not in ("", ".", "..") for part in key.split("/")) and not any(
        sign < " " or sign == "\x7f" for sign in key
    )


def _item(entry: Any) -> Item:
    modified = micros_of(entry["last_modified"])
    return Item(entry["path"], entry["e_tag"] or made_tag(entry["size"], modified), entry["size"], modified)


def made_tag(size: int | None, modified: int | None) -> str:
    """For a store without ETags: it cannot be asked for a version by this."""
    return f"{size}-{modified}"
