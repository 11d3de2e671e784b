"""A download is whole or not there: cut connections are resumed, wrong sizes and digests refused, bounds kept."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from file_server import FileServer, serve
from place_contract import CONTENT, listed, opened

from promptsync.errors import FileUnavailable, InputRefused, MirrorFull, PromptsyncError, Unavailable
from promptsync.places.download import Bounds, PartFile, download, with_retries
from promptsync.places.incoming import Incoming
from promptsync.places.patience import Patience
from promptsync.places.place import Item, PlaceSettings
from promptsync.places.safe_http import Gone

QUICK = Bounds(attempts=4, wait=0.001, stall=5.0, total=20.0)


class Script:
    """A place that plays a list of answers: bytes to send, an error to raise, seconds to be silent."""

    ranged = True
    settles = False

    def __init__(self, *answers: list[bytes | Exception | float]) -> None:
        self.answers = list(answers)
        self.offsets: list[int] = []
        self.asked: list[bool] = []
        self.stated: str | None = None
        self.unsure = False

    async def remove(self, item: Item) -> None: ...

    async def move(self, item: Item, folder: str) -> None: ...

    async def pages(self) -> AsyncIterator[list[Item]]:
        yield []

    async def md5(self, item: Item, *, sure: bool = False) -> str | None:
        self.asked.append(sure)
        return None if sure and self.unsure else self.stated

    async def read(self, item: Item, offset: int = 0) -> AsyncIterator[bytes]:
        self.offsets.append(offset)
        for step in self.answers.pop(0):
            if isinstance(step, Exception):
                raise step
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                yield step


ITEM = Item("a", "tag", size=6)


async def test_a_cut_connection_goes_on_where_it_was_cut(tmp_path: Path) -> None:
    place = Script([b"abc", Unavailable("cut")], [b"d"], [b"ef"])
    assert await download(place, ITEM, tmp_path / "d" / "a", QUICK) == 6
    assert (tmp_path / "d" / "a").read_bytes() == b"abcdef"
    assert place.offsets == [0, 3, 4]
    assert [path.name for path in (tmp_path / "d").iterdir()] == ["a"]


async def test_another_run_goes_on_too_but_not_where_parts_cannot_be_read(tmp_path: Path) -> None:
    for ranged, offset in ((True, 3), (False, 0)):
        (tmp_path / "a.part").write_bytes(b"abc")
        place = Script([b"abcdef"[offset:]])
        place.ranged = ranged
        assert await download(place, ITEM, tmp_path / "a", QUICK) == 6
        assert place.offsets == [offset]


async def test_a_real_server_that_cuts_is_resumed(tmp_path: Path) -> None:
    async with serve(FileServer()) as server:
        server.files["a.csv.gz"], server.cut_after = CONTENT, 500_000
        async with opened(PlaceSettings(f"{server.address}/out/")) as place:
            (item,) = await listed(place)
            await download(place, item, tmp_path / "a", QUICK)
        ranges = [headers.get("Range") for method, _, headers in server.asked if method == "GET"]
        assert all(headers["If-Range"] == item.tag for _, _, headers in server.asked if "Range" in headers)
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert ranges[0] is None
    assert len(ranges) > 2
    assert None not in ranges[2:]


VALIDATORS = [frozenset({"ETag", "Last-Modified"}), frozenset({"ETag"}), frozenset({"Last-Modified"}), frozenset()]


@pytest.mark.parametrize("says", VALIDATORS, ids=["both", "tag", "time", "nothing"])
@pytest.mark.parametrize("weighs", [True, False], ids=["weighs If-Range", "ignores it"])
@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "same"])
@pytest.mark.parametrize("lists_again", [True, False], ids=["another run", "same run"])
async def test_a_part_is_continued_in_the_version_it_began_with_or_not_at_all(
    tmp_path: Path, says: frozenset[str], weighs: bool, replaced: bool, lists_again: bool
) -> None:
    """Of the same size, or it would be seen at the end anyway."""
    first, second = CONTENT, CONTENT[::-1]
    async with serve(FileServer(says=says, weighs_conditions=weighs)) as server:
        server.files["a.csv.gz"], server.cut_after = first, 500_000
        async with opened(PlaceSettings(f"{server.address}/out/")) as place:
            (item,) = await listed(place)
            target = Incoming(tmp_path).target(("place", item.key), item)
            with pytest.raises(Unavailable):
                await download(place, item, target, replace(QUICK, attempts=1))
            begun = target.with_name(f"{target.name}.part").read_bytes()
            assert begun and first.startswith(begun)
            server.cut_after = None
            if replaced:
                server.files["a.csv.gz"], server.modified = second, "Thu, 05 Feb 2026 08:00:00 GMT"
            if lists_again:
                (item,) = await listed(place)
                target = Incoming(tmp_path).target(("place", item.key), item)
            try:
                await download(place, item, target, QUICK)
            except Gone:
                assert replaced and says and not lists_again
            else:
                whole = target.read_bytes()
                assert [whole == first, whole == second] == [not replaced, replaced]
        gets = [headers.get("Range") for method, _, headers in server.asked if method == "GET" and "If-" not in headers]
    if says and not replaced:
        assert gets[-1] == f"bytes={len(begun) - 1}-"


@pytest.mark.parametrize("stated", [len(CONTENT) - 1, len(CONTENT) + 1, 0])
async def test_a_file_of_another_size_than_listed_is_none(tmp_path: Path, stated: int) -> None:
    async with serve(FileServer()) as server:
        server.files["a.csv.gz"] = CONTENT
        async with opened(PlaceSettings(f"{server.address}/out/")) as place:
            (item,) = await listed(place)
            with pytest.raises(FileUnavailable):
                await download(place, item._replace(size=stated), tmp_path / "a", QUICK)
    assert not (tmp_path / "a").exists()


async def test_nothing_is_tried_again_once_the_patience_is_at_its_end() -> None:
    """It is one for all that is asked, and every good answer renews it."""
    now, tries = [0.0], list[float]()

    async def failing() -> None:
        tries.append(now[0])
        now[0] += 10.0
        raise Unavailable("no")

    async def good() -> int:
        return 1

    bounds = replace(QUICK, attempts=10, patience=Patience(35.0, lambda: now[0]))
    for expected in ([0.0, 10.0, 20.0, 30.0], [40.0]):
        with pytest.raises(Unavailable):
            await with_retries(failing, bounds)
        assert tries == expected
        tries.clear()
    assert await with_retries(good, bounds) == 1
    with pytest.raises(Unavailable):
        await with_retries(failing, bounds)
    assert tries == [50.0, 60.0, 70.0, 80.0]


@pytest.mark.parametrize(
    ("item", "answers", "kind"),
    [
        (ITEM, [[b"a"]] * 4, Unavailable),
        (ITEM, [[b"abcdefg"]] * 4, Unavailable),
        (ITEM, [[Unavailable("no")]] * 4, Unavailable),
        (ITEM, [[b"abc", InputRefused("x", "no")]], InputRefused),
        (ITEM, [[1.0]] * 4, Unavailable),
        (ITEM._replace(size=10**9), [], InputRefused),
        (ITEM._replace(size=None), [[b"x" * 20]], InputRefused),
        (ITEM._replace(sha256="0" * 64), [[b"abcdef"]] * 3, InputRefused),
    ],
    ids=["short", "long", "down", "refused", "silent", "too large", "too large, unsaid", "digest"],
)
async def test_nothing_wrong_ever_gets_its_name(
    tmp_path: Path, item: Item, answers: list[list[bytes | Exception | float]], kind: type[PromptsyncError]
) -> None:
    place = Script(*answers)
    with pytest.raises(kind):
        await download(place, item, tmp_path / "a", replace(QUICK, most=10, stall=0.02))
    assert not (tmp_path / "a").exists()
    assert place.answers == []


async def test_a_file_may_not_take_for_ever(tmp_path: Path) -> None:
    drip: list[bytes | Exception | float] = [step for _ in range(50) for step in (b"x", 0.01)]
    with pytest.raises(Unavailable, match="took more"):
        await download(Script(drip), ITEM._replace(size=50), tmp_path / "a", replace(QUICK, total=0.1))


async def test_the_right_digest_is_accepted(tmp_path: Path) -> None:
    item = ITEM._replace(sha256=hashlib.sha256(b"abcdef").hexdigest().upper())
    assert await download(Script([b"abcdef"]), item, tmp_path / "a", QUICK) == 6


async def test_it_begins_only_where_there_is_room(tmp_path: Path) -> None:
    place = Script()
    with pytest.raises(MirrorFull, match="make room"):
        await download(place, ITEM._replace(size=1 << 60), tmp_path / "a", replace(QUICK, most=1 << 61))
    assert place.offsets == []


def test_a_part_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"")
    (tmp_path / "a.part").symlink_to(tmp_path / "victim")
    with pytest.raises(Unavailable):
        PartFile(tmp_path / "a.part").append(b"x")
    assert (tmp_path / "victim").read_bytes() == b""
