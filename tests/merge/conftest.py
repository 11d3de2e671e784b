"""Every test begins with a copy of an empty mirror."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .driver import Driver


@pytest.fixture
def driver(empty: Path, tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(tmp_path, empty)
    yield driver
    driver.close()


@pytest.fixture
def drivers(empty: Path, tmp_path: Path) -> Iterator[Callable[[], Driver]]:
    """As many mirrors as a test compares."""
    made: list[Driver] = []

    def make() -> Driver:
        made.append(Driver(tmp_path / str(len(made)), empty))
        return made[-1]

    yield make
    for driver in made:
        driver.close()
