"""Object stores as places: S3 and what speaks like it, Google Cloud Storage, Azure Blob Storage, through obstore.

Owns the translation between the configuration's keys and each store's, and of obstore's errors, by their type: their
texts quote requests and answers and are never passed on. Retries are not made here but around the whole step. No store
deletes or copies a certain version through obstore: it is looked at just before.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import obstore
from obstore import exceptions as foreign
from obstore.store import AzureStore, GCSStore, S3Store

from promptsync.clock import MICROS, micros_of
from promptsync.errors import ConfigError, FileUnavailable, InputRefused, Unavailable
from promptsync.places.object_listing import (
    MISSING,
    ODD,
    Store,
    content_md5,
    etag_is_md5,
    headers_of,
    list_objects,
    made_tag,
    md5_of_etag,
)
from promptsync.places.place import Item, Pass, PlaceSettings, ignore, public_name
from promptsync.places.safe_http import Gone

if TYPE_CHECKING:
    from obstore import GetOptions, ObjectMeta

_CHUNK: Final = 1 << 20
_PART: Final = 8 << 20
_PARTS_AT_ONCE: Final = 2
_MOST_PARTS: Final = 9_000  # of 10,000 that S3 takes
_REFUSED: Final = (
    foreign.PermissionDeniedError,
    foreign.UnauthenticatedError,
    foreign.UnknownConfigurationKeyError,
    PermissionError,
)


class ObjectPlace:
    """Objects below a prefix. A tag is the store's ETag: reading asks for that version and no other."""

    ranged = True
    settles = False

    def __init__(self, store: Store, name: str, stall: float = 60.0) -> None:
        self._store = store
        self._name = name
        self._stall = stall

    async def pages(self, passed: Pass = ignore) -> AsyncIterator[list[Item]]:
        """Every object below the prefix; markers of folders (empty, ending in a slash) are none."""
        with translated(self._name, missing=ConfigError(f"{self._name} does not exist; check its name.")):
            async with aclosing(list_objects(self._store, self._stall, passed)) as pages:
                async for page in pages:
                    yield page

    async def read(self, item: Item, offset: int = 0) -> AsyncIterator[bytes]:
        """The object's bytes; Gone too if it was replaced since it was listed."""
        if item.size is not None and offset >= item.size:
            return
        options: GetOptions = {"if_match": _quoted(item.tag)} if item.tag != made_tag(item.size, item.modified) else {}
        if offset:
            options["range"] = {"offset": offset}
        gone = Gone(f"{item.key} is not at {self._name} any more, or has changed.")
        with translated(self._name, gone, f" for {item.key}"):
            answer = await obstore.get_async(self._store, item.key, options=options)
            if "if_match" not in options and not _is(item, answer.meta):
                raise Gone(f"{item.key} has changed since it was listed.")
            async for piece in answer.stream(min_chunk_size=_CHUNK):
                yield bytes(piece)

    async def md5(self, item: Item, *, sure: bool = False) -> str | None:
        """Of S3 what the ETag says, if it can be one (``sure``: if it is one); of Azure what it keeps; else None."""
        if isinstance(self._store, AzureStore):
            return content_md5(await headers_of(self._store, item.key, self._stall))
        stated = md5_of_etag(item.tag) if isinstance(self._store, S3Store) else None
        if stated and sure and not etag_is_md5(await headers_of(self._store, item.key, self._stall)):
            return None
        return stated

    async def remove(self, item: Item) -> None:
        """Delete the object."""
        with self._reaching(item):
            await self._look(item)
            await obstore.delete_async(self._store, item.key)

    async def move(self, item: Item, folder: str) -> None:
        """Copy the object within the store, then delete it."""
        with self._reaching(item):
            await self._look(item)
            await obstore.copy_async(self._store, item.key, f"{folder}/{item.key}")
            copied = await obstore.head_async(self._store, f"{folder}/{item.key}")
            if item.size is not None and copied["size"] != item.size:
                raise Unavailable(f"{self._name} did not copy the whole of {item.key}; it was left where it is.")
            await self._look(item)
            await obstore.delete_async(self._store, item.key)

    async def put(self, key: str, source: Path) -> None:
        """Store a file as an object, a large one in parts: it is there once the last part is.

        Parts that a killed put has left are seen by no listing of ours; a lifecycle rule of the store removes them.
        """
        try:
            parts_of = max(_PART, -(-(await asyncio.to_thread(source.stat)).st_size // _MOST_PARTS))
        except OSError as error:
            raise FileUnavailable(f"{source} cannot be read ({error.strerror}).") from error
        missing = ConfigError(f"{self._name} does not exist; check its name.")
        with translated(self._name, missing, f" for storing {key}"):
            await obstore.put_async(self._store, key, source, chunk_size=parts_of, max_concurrency=_PARTS_AT_ONCE)

    async def tidy(self, prefix: str) -> None:
        """Nothing: parts of an object are no object."""

    async def _look(self, item: Item) -> None:
        """Raises Gone unless this version is there."""
        found = await obstore.head_async(self._store, item.key)
        if not _is(item, found):
            raise Gone(f"{item.key} has changed since it was loaded.")

    def _reaching(self, item: Item) -> AbstractContextManager[None]:
        return translated(self._name, Gone(f"{item.key} is not at {self._name} any more."), f" for {item.key}")


def open_objects(settings: PlaceSettings) -> ObjectPlace:
    """The place that an ``s3://``, ``gs://`` or ``az://`` location names. Raises ConfigError.

    ``access_key`` and ``secret_key``: of S3 the pair, of Azure the account and its key. ``private_key``: of Google the
    service account's key file (JSON). Without them the machine's own identity is used, as each vendor defines it.
    """
    return ObjectPlace(object_store(settings), public_name(settings.location), settings.stall_seconds)


def object_store(settings: PlaceSettings) -> Store:
    """The store of such a place, below its prefix. Raises ConfigError."""
    parts = urlsplit(settings.location)
    prefix = parts.path.strip("/") or None
    makers: dict[str, Callable[[PlaceSettings, str, str | None], Store]] = {"s3": _s3, "gs": _gcs, "az": _azure}
    name = public_name(settings.location)
    try:
        return makers[parts.scheme](settings, parts.netloc, prefix)
    except (foreign.BaseError, ValueError, TypeError):
        raise ConfigError(f"{name} cannot be opened with these keys; check endpoint, region and keys.") from None


def _s3(settings: PlaceSettings, bucket: str, prefix: str | None) -> S3Store:
    config: dict[str, Any] = _given(
        endpoint=settings.endpoint,
        region=settings.region or ("us-east-1" if settings.endpoint else None),
        access_key_id=settings.access_key,
        secret_access_key=settings.secret_key,
    )
    return S3Store(bucket, prefix=prefix, **config, **_transport(settings))


def _gcs(settings: PlaceSettings, bucket: str, prefix: str | None) -> GCSStore:
    key = settings.private_key.decode() if settings.private_key else None
    config: dict[str, Any] = _given(service_account_key=key, base_url=settings.endpoint)
    return GCSStore(bucket, prefix=prefix, **config, **_transport(settings))


def _azure(settings: PlaceSettings, container: str, prefix: str | None) -> AzureStore:
    config: dict[str, Any] = _given(
        account_name=settings.access_key, account_key=settings.secret_key, endpoint=settings.endpoint
    )
    return AzureStore(container, prefix=prefix, **config, **_transport(settings))


def _transport(settings: PlaceSettings) -> dict[str, Any]:
    return {
        "client_options": {
            "allow_http": (settings.endpoint or "").startswith("http://"),
            "connect_timeout": timedelta(seconds=15),
            "read_timeout": timedelta(seconds=settings.stall_seconds),
            "timeout": timedelta(hours=6),
        },
        "retry_config": {"max_retries": 0},
    }


def _given(**values: str | None) -> dict[str, str]:
    return {name: value for name, value in values.items() if value is not None}


def _is(item: Item, found: "ObjectMeta") -> bool:
    """Whether what a store says of an object is the version that was listed. A header gives the time in seconds."""
    if item.tag != made_tag(item.size, item.modified):
        return _quoted(found["e_tag"] or "") == _quoted(item.tag)
    return found["size"] == item.size and micros_of(found["last_modified"]) // MICROS == (item.modified or 0) // MICROS


def _quoted(tag: str) -> str:
    """An ETag as a request holds it (RFC 9110, 8.8.3); Azure lists them without quotes."""
    return tag if tag.endswith('"') else f'"{tag}"'


@contextmanager
def translated(name: str, missing: Exception, item: str = "") -> Iterator[None]:
    """A store's errors, by their type. ``item``: words for what was asked for, if it was not the place as a whole."""
    try:
        yield
    except MISSING:
        raise missing from None
    except foreign.InvalidPathError:
        raise InputRefused("listing", f"{name} cannot be listed: of one of the objects at its top, {ODD}") from None
    except _REFUSED:
        raise ConfigError(f"{name} refuses the keys{item}; check them and what they may do.") from None
    except (foreign.BaseError, OSError) as error:
        raise Unavailable(
            f"{name} does not exist, or cannot be reached ({type(error).__name__}); try again later."
        ) from None
