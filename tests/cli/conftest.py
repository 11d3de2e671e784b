"""The command line over a real folder, in this process: what it says, where, and its exit code."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from promptsync.cli import main
from promptsync.config import Config, load_config
from promptsync.demo.exports import write_night
from promptsync.demo.nights import midnight_before
from promptsync.demo.world import World


def run(*args: object, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin, catch_exceptions=False)


@dataclass(frozen=True)
class Place:
    """A folder that ``init`` has made; commands run with its configuration."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "promptsync.toml"

    @property
    def config(self) -> Config:
        return load_config(self.file)

    @property
    def database(self) -> Path:
        return self.config.mirror.database

    def run(self, *args: object, stdin: str | None = None) -> Result:
        return run("--config", self.file, *args, stdin=stdin)

    def edit(self, pattern: str, text: str) -> None:
        content, count = re.subn(pattern, text, self.file.read_text(), flags=re.MULTILINE)
        assert count
        self.file.write_text(content)


@pytest.fixture(autouse=True)
def undisturbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a command sets for its whole process is set back."""
    monkeypatch.delenv("PROMPTSYNC_CONFIG", raising=False)
    umask = os.umask(0o022)
    yield
    os.umask(umask)
    structlog.reset_defaults()


@pytest.fixture
def make_place(tmp_path: Path) -> Any:
    def make(name: str = "account") -> Place:
        assert run("init", tmp_path / name).exit_code == 0
        place = Place(tmp_path / name)
        place.edit("^port = .*", "port = 0")
        return place

    return make


@pytest.fixture
def place(make_place: Any) -> Place:
    """A fresh folder; both ports are any free one."""
    made: Place = make_place()
    return made


@pytest.fixture(scope="session")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one night's exports of a small organisation."""
    folder = tmp_path_factory.mktemp("night")
    world = World(1, contacts=60, messages=300)
    write_night(world, folder, midnight_before(world.present))
    return folder
