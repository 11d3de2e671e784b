"""Killed at every step: making a backup leaves nothing half done, and a restore goes on to the same end."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from backup_home import Home, rows

from promptsync.errors import ConfigError

CALLS = ("rename", "replace", "fsync", "unlink", "open", "mkdir")
"""Of the module ``os``, by which files of ours change; pathlib and shutil go through them."""

ALONE = {f"mirror.db{end}" for end in ("", "-wal", "-shm", ".lock")}


class Killed(BaseException):
    """As if the process had ended here: nothing catches it but what runs whatever happens."""


@contextmanager
def killed_at(number: int) -> Iterator[Callable[[], int]]:
    """The call with that number ends all; gives how many were made."""
    count = 0

    def faulty(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                raise Killed
            return real(*args, **kwargs)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, faulty(getattr(os, name)))
        yield lambda: count


def every_kill(work: Callable[[], object], check: Callable[[], None]) -> int:
    """Kill the work at each call in turn, until it runs through; returns how many kills that were."""
    number = 0
    while True:
        number += 1
        try:
            with killed_at(number):
                work()
        except (Killed, BaseExceptionGroup):
            check()
        else:
            return number - 1


def test_a_restore_killed_at_any_step_ends_the_same(home: Home, tmp_path: Path) -> None:
    """And what was in the way is never lost."""
    home.receive(*range(6))
    home.backup()
    home.receive(*range(6, 9))
    home.ship()
    found = Home(tmp_path / "found", home.place)
    found.receive(100)
    before = found.rows()
    kills = 0

    def again() -> None:
        nonlocal kills
        kills += 1
        seen = [
            path for path in found.database.parent.glob("mirror.db*") if path.suffix == ".db" or "before-" in path.name
        ]
        assert seen  # it is here or aside

    every_kill(lambda: found.restore(replace=True), again)
    assert kills > 10
    assert found.rows() == home.rows()
    asides = [path for path in found.database.parent.glob("*before-*") if not path.name.endswith(("-wal", "-shm"))]
    assert before in [rows(path) for path in asides]
    for path in found.database.parent.glob("*before-*"):
        path.unlink()
    left = {path.name for path in found.database.parent.iterdir()}
    assert left == ALONE


def test_a_restore_killed_once_at_each_step_goes_on(home: Home, tmp_path: Path) -> None:
    """A fresh machine for each kill: the second call alone ends it."""
    home.receive(*range(6))
    home.backup()
    home.receive(*range(6, 9))
    home.ship()
    wanted = home.rows()
    resumed = 0
    for number in range(1, 1000, 4):
        found = Home(tmp_path / f"found{number}", home.place)
        try:
            with killed_at(number):
                found.restore()
        except (Killed, BaseExceptionGroup):
            with suppress(ConfigError):  # it was at its end: the mirror is in the way
                resumed += found.restore().resumed
            assert found.rows() == wanted
        else:
            break
    assert resumed > 3


def test_a_backup_killed_at_any_step_leaves_nothing_half_done(home: Home) -> None:
    home.receive(*range(3))
    home.backup()
    home.ship()

    def check() -> None:
        for path in home.backups:
            assert path.stat().st_size > 10_000
        assert not list(home.database.parent.glob("backup-work-*/copy.db"))

    kills = every_kill(home.backup, check)
    assert kills > 5
    assert {path.name.split("-")[0] for path in home.place.iterdir()} == {"mirror", "received"}
    assert {path.name for path in home.database.parent.iterdir()} == ALONE


def test_a_delivery_is_shipped_however_often_that_is_killed(home: Home, tmp_path: Path) -> None:
    home.receive(1)
    home.backup()
    with home.engine():
        home.receive(2, 3)
        kills = every_kill(home.ship, lambda: None)
    assert kills > 5
    found = Home(tmp_path / "found", home.place)
    assert found.restore().deliveries == 2
    assert found.rows() == home.rows()


KILLER = """
import os, signal, sys
name, number = sys.argv[1], int(sys.argv[2])
real = getattr(os, name)

def last(*args, **kwargs):
    global number
    number -= 1
    if not number:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **kwargs)

setattr(os, name, last)
from promptsync.cli import main
main(sys.argv[3:])
"""


@pytest.mark.parametrize(("command", "call", "number"), [("backup", "rename", 1), ("restore", "replace", 3)])
def test_a_process_that_is_really_killed(home: Home, tmp_path: Path, command: str, call: str, number: int) -> None:
    """By SIGKILL, so that nothing is cleared up; what it left is gone after the next run."""
    home.receive(*range(5))
    home.backup()
    machine = home if command == "backup" else Home(tmp_path / "found", home.place)
    arguments = ["--config", str(machine.write_config()), command, *(["latest"] if command == "restore" else [])]
    killed = subprocess.run([sys.executable, "-c", KILLER, call, str(number), *arguments], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    left = [path for path in machine.database.parent.iterdir() if path.is_dir()]
    assert left or list(home.place.glob(".*.partial"))
    machine.backup() if command == "backup" else machine.restore()
    assert machine.rows() == home.rows()
    assert {path.name for path in machine.database.parent.iterdir()} == ALONE
    assert not list(home.place.glob(".*"))
