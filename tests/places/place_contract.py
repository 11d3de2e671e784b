"""What every place must do, as tests. An adapter's test module subclasses PlaceContract and brings a ``stage``.

A stage is a real counterpart (a server, a folder) that files can be put to and taken from.
"""

import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from promptsync.errors import ConfigError, FileUnavailable, Unavailable
from promptsync.places.entries import printable
from promptsync.places.opening import open_place
from promptsync.places.place import Item, Pass, PassedOver, Place, PlaceSettings, ignore, public_name
from promptsync.places.safe_http import Gone

SECRET = "correct-horse-battery"
CONTENT = bytes(range(256)) * 5_000


class Stage(Protocol):
    """A counterpart. ``settings``: what opens it; ``unreachable``: nobody there; ``changes``: whether a place can
    delete and move there; ``states_md5``: whether it states that digest."""

    settings: PlaceSettings
    changes: bool
    states_md5: bool
    unreachable: PlaceSettings

    async def put(self, key: str, content: bytes) -> None: ...
    async def remove(self, key: str) -> None: ...
    async def spoil(self) -> set[str]:
        """Put entries there that cannot be listed, or not looked into; gives their keys."""
        ...


@asynccontextmanager
async def opened(settings: PlaceSettings) -> AsyncIterator[Place]:
    async with open_place(replace(settings, stall_seconds=5.0)) as place:
        yield place


async def whole(place: Place, item: Item, offset: int = 0) -> bytes:
    async with aclosing(place.read(item, offset)) as pieces:  # type: ignore[type-var]
        return b"".join([piece async for piece in pieces])


async def listed(place: Place, passed: Pass = ignore) -> list[Item]:
    async with aclosing(place.pages(passed)) as pages:  # type: ignore[type-var]
        return [item async for page in pages for item in page]


async def only(place: Place, key: str) -> Item:
    (item,) = [item for item in await listed(place) if item.key == key]
    return item


class PlaceContract:
    async def test_lists_nothing_where_nothing_is(self, stage: Stage) -> None:
        async with opened(stage.settings) as place:
            assert await listed(place) == []

    async def test_lists_files_in_folders_with_their_sizes(self, stage: Stage) -> None:
        await stage.put("org.csv.gz", b"one")
        await stage.put("1044/message 1044.csv.gz", CONTENT)
        async with opened(stage.settings) as place:
            items = {item.key: item for item in await listed(place)}
        assert {key: item.size for key, item in items.items()} == {
            "org.csv.gz": 3,
            "1044/message 1044.csv.gz": len(CONTENT),
        }
        assert items["1044/message 1044.csv.gz"].file_name == "message 1044.csv.gz"

    async def test_reads_the_bytes_from_any_offset(self, stage: Stage) -> None:
        await stage.put("a.csv.gz", CONTENT)
        async with opened(stage.settings) as place:
            item = await only(place, "a.csv.gz")
            assert await whole(place, item) == CONTENT
            assert await whole(place, item, 300_001) == CONTENT[300_001:]
            assert await whole(place, item, len(CONTENT)) == b""

    async def test_reads_an_empty_file(self, stage: Stage) -> None:
        await stage.put("empty.csv", b"")
        async with opened(stage.settings) as place:
            assert await whole(place, await only(place, "empty.csv")) == b""

    async def test_a_tag_changes_with_the_content_and_only_then(self, stage: Stage) -> None:
        await stage.put("a.csv.gz", b"first")
        async with opened(stage.settings) as place:
            before, again = await only(place, "a.csv.gz"), await only(place, "a.csv.gz")
            await stage.put("a.csv.gz", b"the second")
            after = await only(place, "a.csv.gz")
        assert before.tag == again.tag != after.tag

    async def test_what_went_between_listing_and_reading_is_gone(self, stage: Stage) -> None:
        await stage.put("a.csv.gz", b"first")
        async with opened(stage.settings) as place:
            item = await only(place, "a.csv.gz")
            await stage.remove("a.csv.gz")
            with pytest.raises(Gone):
                await whole(place, item)

    async def test_another_version_is_never_read_for_the_one_listed(self, stage: Stage) -> None:
        await stage.put("a.csv.gz", b"first")
        async with opened(stage.settings) as place:
            item = await only(place, "a.csv.gz")
            await stage.put("a.csv.gz", b"second, and longer")
            with pytest.raises(Gone):
                await whole(place, item)

    async def test_deletes_the_version_that_was_listed_and_no_other(self, stage: Stage) -> None:
        for key in ("a.parquet", "in a/folder/b.parquet", "c.parquet"):
            await stage.put(key, b"first")
        async with opened(stage.settings) as place:
            first, inner, third = [
                await only(place, key) for key in ("a.parquet", "in a/folder/b.parquet", "c.parquet")
            ]
            if not stage.changes:
                with pytest.raises(ConfigError):
                    await place.remove(first)
                return
            await stage.put("a.parquet", b"second, and longer")
            await stage.remove("c.parquet")
            for item in (first, third):
                with pytest.raises(Gone):
                    await place.remove(item)
            await place.remove(inner)
            assert [item.key for item in await listed(place)] == ["a.parquet"]
            await place.remove(await only(place, "a.parquet"))
            assert await listed(place) == []

    async def test_moves_the_version_that_was_listed_and_no_other(self, stage: Stage) -> None:
        await stage.put("a.parquet", b"first")
        await stage.put("in a/folder/b.parquet", CONTENT)
        async with opened(stage.settings) as place:
            first, inner = await only(place, "a.parquet"), await only(place, "in a/folder/b.parquet")
            if not stage.changes:
                with pytest.raises(ConfigError):
                    await place.move(first, "old")
                return
            await stage.put("a.parquet", b"second, and longer")
            with pytest.raises(Gone):
                await place.move(first, "old/loaded")
            await place.move(inner, "old/loaded")
            moved = "old/loaded/in a/folder/b.parquet"
            assert sorted(item.key for item in await listed(place)) == ["a.parquet", moved]
            assert await whole(place, await only(place, moved)) == CONTENT
            await stage.put("in a/folder/b.parquet", b"another")
            await place.move(await only(place, "in a/folder/b.parquet"), "old/loaded")
            assert await whole(place, await only(place, moved)) == b"another"

    async def test_stores_a_file_whole_in_place_of_what_was_there(self, stage: Stage, tmp_path: Path) -> None:
        large = CONTENT * 9  # more than one part of an object
        (tmp_path / "first").write_bytes(b"first")
        (tmp_path / "large").write_bytes(large)
        (tmp_path / "empty").write_bytes(b"")
        async with opened(stage.settings) as place:
            if not stage.changes:
                with pytest.raises(ConfigError):
                    await place.put("a.age", tmp_path / "first")
                return
            await place.put("a.age", tmp_path / "first")
            first = await only(place, "a.age")
            await place.put("a.age", tmp_path / "large")
            await place.put("in a/folder/b.age", tmp_path / "empty")
            await place.tidy("")
            second = await only(place, "a.age")
            assert (first.size, second.size) == (5, len(large)) and first.tag != second.tag
            assert await whole(place, second) == large
            assert await whole(place, await only(place, "in a/folder/b.age")) == b""
            assert len(await listed(place)) == 2

    async def test_what_cannot_be_read_leaves_what_was_there(self, stage: Stage, tmp_path: Path) -> None:
        await stage.put("a.age", b"first")
        async with opened(stage.settings) as place:
            with pytest.raises(FileUnavailable if stage.changes else ConfigError):
                await place.put("a.age", tmp_path / "not there")
            assert not stage.changes or await whole(place, await only(place, "a.age")) == b"first"
            assert len(await listed(place)) == 1

    async def test_an_md5_that_it_states_is_that_of_the_bytes(self, stage: Stage) -> None:
        await stage.put("a.parquet", CONTENT)
        async with opened(stage.settings) as place:
            item = await only(place, "a.parquet")
            for sure in (False, True):
                stated = await place.md5(item, sure=sure)
                assert stated == (hashlib.md5(CONTENT, usedforsecurity=False).hexdigest() if stage.states_md5 else None)

    async def test_what_cannot_be_listed_is_named_and_the_rest_is_listed(self, stage: Stage) -> None:
        for key in ("a.csv.gz", "in a/folder/b.csv.gz"):
            await stage.put(key, CONTENT)
        odd, passed = await stage.spoil(), list[PassedOver]()
        async with opened(stage.settings) as place:
            items = await listed(place, passed.append)
            assert {item.key: await whole(place, item) for item in items} == {
                "a.csv.gz": CONTENT,
                "in a/folder/b.csv.gz": CONTENT,
            }
        assert {entry.key for entry in passed} == odd
        assert len(passed) == len(odd)
        assert all(printable(entry.key) in entry.sentence() for entry in passed)

    async def test_says_that_it_cannot_be_reached(self, stage: Stage) -> None:
        with pytest.raises(Unavailable) as caught:
            async with opened(stage.unreachable) as place:
                await listed(place)
        assert SECRET not in str(caught.value)

    async def test_says_that_nothing_can_be_stored_there_now(self, stage: Stage, tmp_path: Path) -> None:
        (tmp_path / "one").write_bytes(b"one")
        with pytest.raises(Unavailable if stage.changes else ConfigError) as caught:
            async with opened(stage.unreachable) as place:
                await place.put("a.age", tmp_path / "one")
        assert SECRET not in str(caught.value)

    async def test_no_secret_is_in_its_name_or_repr(self, stage: Stage) -> None:
        assert SECRET not in public_name(stage.settings.location)
        assert SECRET not in repr(stage.settings)


class GuardedStage(Stage, Protocol):
    """A counterpart that can turn somebody away. ``refused``: what it turns away."""

    refused: PlaceSettings


class GuardedPlaceContract(PlaceContract):
    """What a place must do besides where the counterpart can turn somebody away."""

    async def test_says_that_it_refuses_us(self, stage: GuardedStage) -> None:
        with pytest.raises(ConfigError) as caught:
            async with opened(stage.refused) as place:
                await listed(place)
        assert SECRET not in str(caught.value)
