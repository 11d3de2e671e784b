"""The fixture ``kit`` for every test of a plugin, found by pytest by itself where promptsync is installed.

Owns the fixture and nothing else: it is imported in every run of pytest, so that the kit is only imported when used.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from promptsync.testing import Kit


@pytest.fixture
def kit(tmp_path: Path) -> "Iterator[Kit]":
    """A fresh mirror for a plugin's test, see promptsync.testing.Kit."""
    from promptsync.testing import opened

    with opened(tmp_path) as made:
        yield made
