"""What lies where the lake takes its inputs from: deliveries, files put there, and the configured places.

Owns the listing of all of these and the copying of one input to this machine. An input is known by its name, which is
its address below the lake, or the place's name and its key there, and by its tag, which changes with its content.
"""

import asyncio
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptsync.errors import ConfigError, InputRefused
from promptsync.fetch.sources import Source, place_settings
from promptsync.lake.storage import DELIVERIES, INCOMING, Storage
from promptsync.loading.kinds import FileKinds
from promptsync.loading.report import Recognised
from promptsync.places.opening import open_place
from promptsync.places.place import Item, Place, PlaceSettings, is_pattern
from promptsync.places.safe_http import Gone
from promptsync.plugins.declared import AtPlace

_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Input:
    """One file. ``found``: what its name says; None of deliveries."""

    name: str
    item: Item
    place: PlaceSettings
    found: Recognised | None

    @property
    def tag(self) -> str:
        """Changes with its content."""
        return self.item.tag


def inputs_of(storage: Storage, sources: Iterable[Source], kinds: FileKinds) -> list[Input]:
    """Everything there is. Raises ConfigError, Unavailable."""
    found = [Input(f"{DELIVERIES}/{i.key}", i, p, None) for i, p in _listed(storage.below(DELIVERIES))]
    for item, place in _listed(storage.below(INCOMING)):
        if kinds.mark(item.file_name) is None:
            found.append(Input(f"{INCOMING}/{item.key}", item, place, kinds.recognise(item.file_name)))
    for source in sources:
        found += _of_source(source, kinds)
    return found


def copy(some: Sequence[Input], folder: Path) -> list[Path]:
    """Inputs on this machine, each in a folder of its own, with the time that it has where it lies, by which a plugin
    may go. Raises Unavailable."""
    paths = [folder / str(number) / one.item.file_name for number, one in enumerate(some)]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    asyncio.run(_copy(some, paths))
    return paths


def remove(some: Sequence[Input]) -> None:
    """Delete inputs where they lie. One that is not there any more, or has changed, is left alone."""
    asyncio.run(_remove(some))


def _of_source(source: Source, kinds: FileKinds) -> list[Input]:
    kind = kinds.in_section(source.section)
    if is_pattern(source.config.location) or kind.at_place is None:
        raise ConfigError(f"{source.name} is a pattern, which a lake cannot list: name a folder or a bucket instead.")
    at, found = kind.at_place(source.config), []
    for item, place in _listed(place_settings(source.config)):
        if kinds.mark(item.file_name) is not None or (item.size == 0 and not kind.empty):
            continue
        recognised = _recognised(at, kinds.recognise(item.file_name), item.file_name)
        if recognised.stated is None or recognised.stated.table not in at.skip:
            found.append(Input(f"{source.name.rstrip('/')}/{item.key}", item, place, recognised))
    return found


def _recognised(at: AtPlace, found: Recognised, file_name: str) -> Recognised:
    """What a name states at this place, which may have spellings of its own."""
    try:
        stated = at.recognise(file_name)
    except InputRefused as refused:
        return Recognised(found.rank, found.kind, refused=refused)
    return Recognised(found.rank, found.kind, stated, refused=found.refused) if stated else found


def _listed(settings: PlaceSettings) -> list[tuple[Item, PlaceSettings]]:
    async def items() -> list[Item]:
        async with open_place(settings) as place:
            return [item async for page in place.pages() for item in page]

    return [(item, settings) for item in asyncio.run(items())]


async def _copy(some: Sequence[Input], paths: Sequence[Path]) -> None:
    turn = asyncio.Semaphore(_AT_ONCE)

    async def read(place: Place, one: Input, path: Path) -> None:
        async with turn:
            with path.open("wb") as file:
                async for piece in place.read(one.item):
                    file.write(piece)
            if one.item.modified is not None:
                os.utime(path, ns=(one.item.modified * 1_000,) * 2)

    of_place: dict[PlaceSettings, list[tuple[Input, Path]]] = {}
    for one, path in zip(some, paths, strict=True):
        of_place.setdefault(one.place, []).append((one, path))
    for settings, pairs in of_place.items():
        async with open_place(settings) as place:
            await asyncio.gather(*(read(place, one, path) for one, path in pairs))


async def _remove(some: Sequence[Input]) -> None:
    for settings in dict.fromkeys(one.place for one in some):
        async with open_place(settings) as place:
            for one in some:
                if one.place == settings:
                    with suppress(Gone):
                        await place.remove(one.item)
