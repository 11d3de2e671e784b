"""Listing an object store, whatever its keys are called.

Owns which keys can be asked for through obstore, and what is done where one cannot: obstore refuses the whole list for
it. Then the store's own list is asked for (S3, Google), or the folders are listed one by one, each failing alone.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any, Final

import obstore
from obstore import exceptions as foreign
from obstore.store import AzureStore, GCSStore, S3Store

from promptsync.clock import micros_of
from promptsync.places.object_xml import Entry, NotListed, list_by_xml
from promptsync.places.place import Item, Pass, PassedOver

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
