"""What tests begin with: logs as they come from the library, whatever a command run before has set up; and, for those
that ask for it, an empty mirror, made once and to be copied."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from promptsync.model import declared_schema
from promptsync.store.mirror import Mirror


@pytest.fixture(autouse=True)
def plain_logs() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("empty") / "mirror.db"
    Mirror(path, declared_schema()).close()
    return path
