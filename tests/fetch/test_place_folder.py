"""A folder keeps the contract of places, and gives nothing from outside it."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from place_contract import PlaceContract, listed, opened, whole

from promptsync.errors import InputRefused
from promptsync.sources.places.place import Item, PlaceSettings


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


class TestFolder(PlaceContract):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> FolderStage:
        (tmp_path / "place").mkdir()
        return FolderStage(tmp_path / "place")


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
