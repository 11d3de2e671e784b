"""What tests of the drop folder begin with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx
from drop_stage import Drop


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    return Drop(tmp_path / "drop")


@pytest.fixture
def nothing_blocks() -> Iterator[None]:
    """What blocks the event loop within the room fails."""
    with blockbuster_ctx("promptsync.drop"):
        yield
