"""A folder keeps the contract of places, and gives nothing from outside it."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from place_contract import PlaceContract, listed, opened, whole
from rights import no_rights_of_root

from promptsync.errors import ConfigError, InputRefused
from promptsync.places.place import Item, PlaceSettings


@dataclass
class FolderStage:
    root: Path
    changes: bool = True
    states_md5: bool = False
    settings: PlaceSettings = field(init=False)
    unreachable: PlaceSettings = field(init=False)

    def __post_init__(self) -> None:
        self.settings = PlaceSettings(str(self.root))
        self.unreachable = PlaceSettings(str(self.root / "not mounted"))

    async def put(self, key: str, content: bytes) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    async def remove(self, key: str) -> None:
        (self.root / key).unlink()

    async def spoil(self) -> set[str]:
        """A folder that is closed, as lost+found is, one that is too deep, and names that cannot be written down."""
        deep = "/".join(["d"] * 65)
        for key in ("lost+found/inner.csv", f"{deep}/x.csv", "in a/tab\there.csv", "in a/del\x7f.csv", "bad\udcff.csv"):
            await self.put(key, b"x")
        (self.root / "lost+found").chmod(0)
        return {"lost+found/", f"{deep}/", "in a/tab\there.csv", "in a/del\x7f.csv", "bad\udcff.csv"}


class TestFolder(PlaceContract):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> Iterator[FolderStage]:
        (tmp_path / "place").mkdir()
        with no_rights_of_root():
            yield FolderStage(tmp_path / "place")


@pytest.mark.parametrize("what", ["closed", "a file"])
async def test_a_root_that_cannot_be_read_is_a_wrong_location(tmp_path: Path, what: str) -> None:
    root = tmp_path / "place"
    if what == "closed":
        root.mkdir(0)
    else:
        root.write_text("x")
    with no_rights_of_root():
        async with opened(PlaceSettings(str(root))) as place:
            with pytest.raises(ConfigError, match=r"may not be read|is no folder") as caught:
                await listed(place)
    assert str(root) in str(caught.value)


async def test_a_file_that_may_not_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a")
    (tmp_path / "a.csv").chmod(0)
    with no_rights_of_root():
        async with opened(PlaceSettings(str(tmp_path))) as place:
            (item,) = await listed(place)
            with pytest.raises(InputRefused, match=r"a\.csv may not be read"):
                await whole(place, item)


async def test_links_pipes_and_hidden_files_are_not_listed(tmp_path: Path) -> None:
    root = tmp_path / "place"
    (root / "in").mkdir(parents=True)
    (tmp_path / "secret").write_text("outside")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / ".part").write_text("half")
    os.mkfifo(root / "pipe")
    Path(os.fsdecode(os.fsencode(root) + b"/bad\xff")).write_text("no name")
    (root / "in" / "a.csv").write_text("a")
    async with opened(PlaceSettings(str(root))) as place:
        assert [item.key for item in await listed(place)] == ["in/a.csv"]


@pytest.mark.parametrize("key", ["../secret", "/etc/passwd", "in/../../secret", "", "in//a"])
async def test_a_key_never_leads_out(tmp_path: Path, key: str) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "secret").write_text("outside")
    async with opened(PlaceSettings(str(tmp_path / "place"))) as place:
        with pytest.raises(InputRefused):
            await whole(place, Item(key, "tag"))
