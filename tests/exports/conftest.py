"""Fixtures: a stage with a fresh mirror and a server in a good mood."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from export_stage import KEY, Stage, World, serving

from promptsync.demo.qlara_server import QlaraServer


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    world = World()

    def browse(query: object) -> list[dict[str, object]]:
        assert isinstance(query, dict)
        return [one for one in world.messages if one.get("channel") == query["channel"]]

    with serving(QlaraServer(world.rows, browse, key=KEY)) as server:
        one = Stage(tmp_path, server, world)
        yield one
        one.close()
