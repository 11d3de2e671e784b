"""Which warnings end a test: those that our own modules cause, and in .ci/run all of them."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

_FOREIGN = """
import warnings

def deprecated():
    warnings.warn("call something else", DeprecationWarning, stacklevel=2)

def wrapped():
    deprecated()
"""

_OURS = """
import foreign

def test_ours():
    foreign.deprecated()

def test_theirs():
    foreign.wrapped()

def test_left_to_the_collector():
    open("/dev/null")
"""

_INI = """
[pytest]
filterwarnings = default
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
pythonpath = ..
"""


@pytest.mark.parametrize(
    ("options", "failed"),
    [((), {"ours"}), (("-W", "error"), {"ours", "theirs", "left_to_the_collector"})],
    ids=["as anyone runs it", "as .ci/run does"],
)
def test_whose_warnings_are_errors(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], failed: set[str]
) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    ours = pytester.mkdir("ours")
    pytester.makepyfile(foreign=_FOREIGN)
    (ours / "conftest.py").write_text(Path(__file__).with_name("conftest.py").read_text())
    (ours / "test_it.py").write_text(_OURS)
    (ours / "pytest.ini").write_text(_INI)
    run = pytester.runpytest_subprocess("-rf", *options, str(ours))
    names = {line.split(" - ")[0].rpartition("test_")[2] for line in run.outlines if line.startswith("FAILED")}
    assert names == failed, run.stdout.str()
