"""An empty mirror, made once; every test begins with a copy of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from promptsync.model import declared_schema
from promptsync.store.mirror import Mirror

from .change_driver import Driver


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "mirror.db"
    Mirror(path, declared_schema()).close()
    return path


@pytest.fixture
def driver(empty: Path, tmp_path: Path) -> Iterator[Driver]:
    driver = Driver(tmp_path / "mirror", empty)
    yield driver
    driver.close()
