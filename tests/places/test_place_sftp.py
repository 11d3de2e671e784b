"""SFTP keeps the contract of places, played by a real sshd; the server must be the one that is known."""

import getpass
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote

import pytest
from place_contract import GuardedPlaceContract, listed, opened, whole
from test_place_folder import FolderStage

from promptsync.errors import ConfigError, InputRefused
from promptsync.places.place import PlaceSettings


@dataclass
class SftpStage(FolderStage):
    keys: Path = Path()
    port: int = 0
    refused: PlaceSettings = field(init=False)  # type: ignore[assignment]

    def __post_init__(self) -> None:
        address = f"sftp://{getpass.getuser()}@127.0.0.1:{self.port}{quote(str(self.root))}"
        key, known = (self.keys / "client").read_bytes(), self.keys / "known_hosts"
        self.settings = PlaceSettings(address, private_key=key, known_hosts=known)
        self.refused = replace(self.settings, private_key=(self.keys / "other").read_bytes())
        self.unreachable = replace(self.settings, location="sftp://ana@127.0.0.1:9/out")


@pytest.fixture
def stage(ssh: tuple[Path, int], tmp_path: Path) -> SftpStage:
    (tmp_path / "a place").mkdir()
    return SftpStage(tmp_path / "a place", keys=ssh[0], port=ssh[1])


class TestSftp(GuardedPlaceContract):
    pass


@pytest.mark.parametrize("known", ["known_others", "not there"])
async def test_an_unknown_server_is_told_nothing(stage: SftpStage, known: str) -> None:
    async with opened(replace(stage.settings, known_hosts=stage.keys / known)) as place:
        with pytest.raises(ConfigError, match=r"host key|to know"):
            await listed(place)


async def test_a_root_that_may_not_be_read_is_told_from_a_wrong_key(stage: SftpStage) -> None:
    stage.root.chmod(0)
    async with opened(stage.settings) as place:
        with pytest.raises(ConfigError, match="lets us in but not read this folder"):
            await listed(place)


async def test_a_file_that_may_not_be_read_is_refused_by_its_name(stage: SftpStage) -> None:
    await stage.put("in/a.csv", b"a")
    (stage.root / "in" / "a.csv").chmod(0)
    async with opened(stage.settings) as place:
        (item,) = await listed(place)
        with pytest.raises(InputRefused, match=r"in/a\.csv"):
            await whole(place, item)


async def test_it_connects_again_after_the_connection_is_lost(stage: SftpStage) -> None:
    await stage.put("a.csv.gz", b"a")
    async with opened(stage.settings) as place:
        before = await listed(place)
        place._connection.abort()  # type: ignore[attr-defined]
        await place._connection.wait_closed()  # type: ignore[attr-defined]
        assert await listed(place) == before
