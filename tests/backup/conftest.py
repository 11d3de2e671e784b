"""A machine whose mirror is backed up to a folder."""

from pathlib import Path

import pytest
from backup_home import Home

from promptsync.demo.prompt.snapshot import write_night
from promptsync.demo.world.time import midnight_before
from promptsync.demo.world.world import World


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "machine", tmp_path / "place")


@pytest.fixture(scope="session")
def nights(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The files of two nights of a small organisation."""
    folder = tmp_path_factory.mktemp("nights")
    world = World(1, contacts=12, messages=30)
    at = midnight_before(world.present)
    for day in (1, 0):
        (folder / str(day)).mkdir()
        write_night(world, folder / str(day), at - day * 86_400 * 1_000_000)
    return sorted(folder.glob("*/*.csv.gz"), key=lambda path: (-int(path.parent.name), path.name))


@pytest.fixture(scope="session")
def phrase_place(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A machine with a backup that a passphrase opens, "correct horse", and a segment after it. Not to be changed."""
    folder = tmp_path_factory.mktemp("phrase")
    settings = {"recipient": None, "identity": None, "passphrase": {"file": "phrase"}}
    home = Home(folder / "machine", folder / "place", settings)
    (home.folder / "phrase").write_text("correct horse\n")
    home.receive(1)
    home.backup()
    home.receive(2)
    home.ship()
    return home
