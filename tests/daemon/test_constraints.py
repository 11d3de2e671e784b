"""The versions that a service is installed with: each is pinned once for a Python, within what we say we run on.

That they are all that an installation brings along is seen in .ci/run, which makes one.
"""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parents[2]


def declared() -> list[Requirement]:
    """What promptsync itself asks for."""
    return [*map(Requirement, tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["dependencies"])]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_package_is_pinned_once_and_within_its_bounds(python: str) -> None:
    there = {**default_environment(), "python_version": python, "python_full_version": f"{python}.0"}
    lines = (HERE / "systemd" / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    applied = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(there)]
    pinned = {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in applied}
    assert len(pinned) == len(applied)
    wrong = [str(one) for one in declared() if not one.specifier.contains(pinned[canonicalize_name(one.name)])]
    assert wrong == [], "make systemd/constraints.txt anew, with the command in its first lines"


def test_the_lock_has_the_same_pins_each_with_its_hashes() -> None:
    """Beside what it is built with."""
    locked = [entry.split() for entry in re.split(r"\n(?=[a-z])", (HERE / "systemd" / "lock.txt").read_text())[1:]]
    assert all(any(word.startswith("--hash=sha256:") for word in entry) for entry in locked)
    pins = {" ".join(word for word in entry if word != "\\" and not word.startswith("--hash")) for entry in locked}
    wanted = (HERE / "systemd" / "constraints.txt").read_text().splitlines()
    missing = {line for line in wanted if not line.startswith("#")} - pins
    assert missing == set(), "make systemd/lock.txt anew, with the command in its first lines"


def test_the_installation_uses_it() -> None:
    said = (HERE / "promptsync" / "docs" / "service.md").read_text()
    for command in ("--require-hashes -r systemd/lock.txt", "--no-deps --no-build-isolation ."):
        assert command in said and command in (HERE / ".ci" / "run").read_text()


def test_every_bound_can_be_tried_by_itself() -> None:
    """.ci/run installs exactly the lower bounds, so each dependency needs one."""
    assert all(any(bound.operator == ">=" for bound in one.specifier) for one in declared())
