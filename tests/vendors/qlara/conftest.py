"""Fixtures: a stage with a fresh mirror and a server on a good day, and the same for commands."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from export_desk import Desk
from export_stage import FAST, KEY, LIMITS, Stage, World, serving
from faulty_qlara import FaultyQlara

from promptsync.vendors.qlara.source import QlaraExports


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    world = World()

    def browse(query: object) -> list[dict[str, object]]:
        assert isinstance(query, dict)
        return [one for one in world.messages if one.get("channel") == query["channel"]]

    with serving(FaultyQlara(world.rows, browse=browse, key=KEY)) as server:
        one = Stage(tmp_path, server, world)
        yield one
        one.close()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(QlaraExports.__init__, "__defaults__", (FAST, LIMITS))
    world = World()
    umask = os.umask(0o022)
    with serving(FaultyQlara(world.rows, browse=lambda _: world.messages, key=KEY)) as server:
        yield Desk(tmp_path, server, world)
    os.umask(umask)
    structlog.reset_defaults()
