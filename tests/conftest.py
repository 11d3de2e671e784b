"""What tests begin with: examples without a deadline; logs as they come from the library, whatever a command run before
has set up; and, for those that ask for it, an empty mirror, made once and to be copied."""

import gc
import os
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings

from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

_HERE = Path(__file__).parent

settings.register_profile("unhurried", settings(), deadline=None)  # a busy machine is no fault
settings.load_profile("unhurried")


def pytest_configure(config: pytest.Config) -> None:
    """Make warnings errors where our own modules cause them; what another package causes is only listed.

    A ResourceWarning hits the module in which the collector happens to run, so those are errors in .ci/run alone.
    """
    files = {path.stem for path in _HERE.rglob("*.py")}
    packages = {path.parent.name for path in _HERE.rglob("__init__.py")}
    ours = "|".join(sorted({"promptsync", r"promptsync_plugin_\w+", "tests"} | files | packages))
    config.addinivalue_line("filterwarnings", rf"error:::({ours})(\.|$)")
    config.addinivalue_line("filterwarnings", "default::ResourceWarning")
    config.addinivalue_line("filterwarnings", "error::pytest.PytestUnhandledThreadExceptionWarning")

    sqlite3.connect = _closed_for_datasette


class _Closed(sqlite3.Connection):
    """A connection that closes itself when nobody has it any more."""

    def __del__(self) -> None:
        self.close()


_connect = sqlite3.connect


def _closed_for_datasette(*args: Any, **options: Any) -> sqlite3.Connection:
    """Datasette leaves its connections to the collector, which is a ResourceWarning from Python 3.13 on.

    Only its own are closed for it; everybody else's still have to be.
    """
    if sys._getframe(1).f_globals["__name__"].startswith("datasette"):
        options |= {"factory": _Closed, "check_same_thread": False}  # any thread may be the one that collects
    return _connect(*args, **options)


def pytest_xdist_auto_num_workers() -> int:
    """Half as many processes more as there are cores: many tests wait for processes, servers and disks."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones first, so that none is left to the end of the run when the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_collection_finish() -> None:
    """What was collected stays to the end: the collector of cycles need not go through all of it again and again."""
    gc.collect()
    gc.freeze()


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
