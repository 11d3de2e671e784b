"""One user's files: others are refused before they leave any, root goes on as that user, a file of root's is named."""

import fcntl
import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
NOBODY = pwd.getpwnam("nobody").pw_uid
OTHER = pwd.getpwnam("games").pw_uid
_PROMPTSYNC = str(Path(sys.executable).with_name("promptsync"))


@pytest.fixture(autouse=True, scope="module")
def passable() -> Iterator[None]:
    """Python may lie where only its owner can pass; for as long as these tests run, everyone can."""
    above = {folder for path in (__file__, sys.prefix, sys.base_prefix) for folder in (Path(path), *Path(path).parents)}
    with (Path(tempfile.gettempdir()) / f"passable-{os.getuid()}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        closed = {folder: folder.stat().st_mode & 0o7777 for folder in above if not folder.stat().st_mode & 0o001}
        for folder, mode in closed.items():
            folder.chmod(mode | 0o001)
        yield
        for folder, mode in closed.items():
            folder.chmod(mode)


@pytest.fixture(autouse=True)
def readable() -> Iterator[None]:
    """What is written here is for others to read, whatever commands in this process have set."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def place() -> Iterator[Path]:
    """A configuration whose data folder is nobody's, with a mirror in it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "promptsync.toml").write_text(
            "[webhook]\nport = 0\nhost = '127.0.0.1'\nallow_unauthenticated = true\n"
        )
        folder.chmod(0o755)
        for made in ("data", "drop"):
            (folder / made).mkdir()
        Mirror(folder / "data/mirror.db", declared_schema()).close()
        _give(folder, NOBODY)
        yield folder


def _give(folder: Path, user: int) -> None:
    for path in (*folder.glob("d*"), *folder.glob("data/*")):
        os.chown(path, user, user)


def _run(place: Path, *words: str, user: int = 0) -> "subprocess.CompletedProcess[str]":
    given = {"user": user, "group": user, "extra_groups": []} if user else {}
    command = [_PROMPTSYNC, "--config", str(place / "promptsync.toml"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd="/", **given)  # type: ignore[call-overload]


def _owners(place: Path) -> set[int]:
    return {path.stat().st_uid for path in (place / "data").rglob("*")}


def _file(place: Path) -> Path:
    path = place / "org_2026-11-26T00-00-00-0800Z.csv"
    path.write_text("id,name\n1287,Green Valley\n")
    return path


def test_what_root_loads_leaves_every_file_to_the_owner(place: Path) -> None:
    done = _run(place, "load", str(_file(place)))
    assert done.returncode == 0, done.stderr
    assert _owners(place) == {NOBODY}
    again = _run(place, "load", str(_file(place)), user=NOBODY)
    assert again.returncode == 0, again.stderr


def test_anyone_else_is_refused_with_the_command_to_use_and_leaves_nothing(place: Path) -> None:
    before = sorted(place.rglob("*"))
    done = _run(place, "reset", "cio_subjects", "--yes", user=OTHER)
    assert done.returncode == 2
    assert "belongs to the user nobody" in done.stderr
    assert f"sudo -u nobody {_PROMPTSYNC} --config {place}/promptsync.toml reset cio_subjects --yes" in done.stderr
    assert sorted(place.rglob("*")) == before


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["-wal", "-shm", ".lock", ""])
def test_a_file_of_roots_is_named_with_what_gives_it_back(place: Path, suffix: str) -> None:
    """As the daemon is started again and again, and as ``doctor`` is asked why."""
    stranger = place / f"data/mirror.db{suffix}"
    os.chown(stranger, 0, 0)
    stranger.chmod(0o640)
    done = _run(place, "run", user=NOBODY)
    assert done.returncode == (3 if suffix else 2), done.stderr
    if suffix:
        assert f"{stranger} belongs to root" in done.stderr
        assert f"sudo chown nobody: {stranger}" in done.stderr
        assert f"sudo chown nobody: {stranger}" in _run(place, "doctor", user=NOBODY).stdout


def test_a_folder_that_one_may_not_enter_is_a_sentence(place: Path) -> None:
    """The working folder may be root's: the search goes on; the service's own folder is for its user."""
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    file = _file(closed)
    done = _run(place, "load", str(file), user=NOBODY)
    assert "should not have happened" not in done.stderr
    assert done.returncode in (1, 3)
    assert "let the user nobody read it" in done.stderr + done.stdout
    command = [_PROMPTSYNC, "--config", str(closed / "promptsync.toml"), "status"]
    there = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd="/",
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
    )
    assert there.returncode == 2
    assert "let the user nobody read it" in there.stderr
