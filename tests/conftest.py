"""What tests begin with: examples without a deadline; logs as they come from the library, whatever a command run before
has set up; and, for those that ask for it, an empty mirror, made once and to be copied."""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import structlog
from hypothesis import settings

from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

_HERE = Path(__file__).parent
_STARTERS = frozenset({"subprocess", "multiprocessing", "playwright.sync_api"})

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts processes, which .ci/run leaves out on the newest Python; the slow ones first, so that none is
    left to the end of the run when the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    for item in items:
        if isinstance(item, pytest.Function) and _starts_processes(item):
            item.add_marker("process")


def _starts_processes(item: pytest.Function) -> bool:
    """Whether a test, or a fixture that it asks for, uses a module that processes are started with."""
    fixtures = (one.func for defs in item._fixtureinfo.name2fixturedefs.values() for one in defs)
    return any(_known_to(function) & _STARTERS for function in (item.function, *fixtures))


@cache
def _known_to(function: Callable[..., object]) -> set[str]:
    """The modules that a function's own uses, and those that these use if they are ours."""
    return _used(_named(getattr(inspect.unwrap(function), "__globals__", {})))


def _used(names: set[str]) -> set[str]:
    """The modules of these names, and what those of ours among them use."""
    found, left = set[str](), names
    while left:
        found |= left
        left = {used for name in left for used in _uses(name)} - found
    return found


@cache
def _uses(name: str) -> set[str]:
    module = sys.modules.get(name)
    return _named(vars(module)) if Path(getattr(module, "__file__", None) or "/").is_relative_to(_HERE) else set()


def _named(values: Mapping[str, object]) -> set[str]:
    return {v.__name__ if isinstance(v, ModuleType) else str(getattr(v, "__module__", "")) for v in values.values()}


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
