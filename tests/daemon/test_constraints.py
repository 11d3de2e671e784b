"""The versions that a service is installed with: each is pinned once for a Python, within what we say we run on.

That they are all that an installation brings along is seen in .ci/run, which makes one.
"""

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


def test_the_installation_uses_them() -> None:
    assert "pip install -c systemd/constraints.txt ." in (HERE / "promptsync" / "docs" / "service.md").read_text()


def test_every_bound_can_be_tried_by_itself() -> None:
    """.ci/run installs exactly the lower bounds, so each dependency needs one."""
    assert all(any(bound.operator == ">=" for bound in one.specifier) for one in declared())
