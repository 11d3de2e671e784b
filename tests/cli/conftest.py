"""What the tests of the command line share: folders, a night's files, and a process left as it was."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from cli_place import Place, run

from promptsync.demo.prompt.snapshot import write_night
from promptsync.demo.world.time import midnight_before
from promptsync.demo.world.world import World


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a command sets for its whole process is set back."""
    monkeypatch.delenv("PROMPTSYNC_CONFIG", raising=False)
    umask = os.umask(0o022)
    yield
    os.umask(umask)
    structlog.reset_defaults()


@pytest.fixture
def make_place(tmp_path: Path) -> Callable[..., Place]:
    def make(name: str = "account") -> Place:
        assert run("init", tmp_path / name).exit_code == 0
        place = Place(tmp_path / name)
        place.edit("^port = .*", "port = 0")
        place.edit("^timezone = .*", 'timezone = "America/Los_Angeles"')  # else it is this machine's
        return place

    return make


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    """A fresh folder; both ports are any free one."""
    return make_place()


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one night's exports of a small organisation."""
    folder = tmp_path_factory.mktemp("night")
    world = World(1, contacts=60, messages=300)
    write_night(world, folder, midnight_before(world.present))
    return folder
