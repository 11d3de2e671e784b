"""A file that is swapped for a link between being found in the drop folder and being opened is not read."""

from datetime import date
from pathlib import Path

import pytest

from promptsync.config import Config
from promptsync.demo.exports import write_night
from promptsync.demo.nights import midnight
from promptsync.demo.world import World
from promptsync.engine import Engine
from promptsync.errors import Unavailable
from promptsync.ingest.file_report import DROP
from promptsync.ingest.files import LoadRequest


def test_a_link_is_followed_by_hand_and_never_in_the_drop_folder(tmp_path: Path) -> None:
    outside, dropped = tmp_path / "outside", tmp_path / "drop"
    outside.mkdir()
    dropped.mkdir()
    (night,) = write_night(World(1, contacts=5, messages=5), outside, midnight(date(2026, 2, 4)), ("contact",))
    link = dropped / night.name
    link.symlink_to(night)
    with Engine(Config.read({}, tmp_path)) as engine:
        with pytest.raises(Unavailable, match="cannot be read"):
            engine.load_file(LoadRequest(link, DROP))
        assert engine.load_file(LoadRequest(link, "load")).state == "merged"
