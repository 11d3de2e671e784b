"""Every test begins with a copy of an empty mirror."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from .change_driver import Driver


@pytest.fixture
def driver(empty: Path, tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(tmp_path / "mirror", empty)
    yield driver
    driver.close()
