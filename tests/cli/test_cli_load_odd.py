"""Loading what is not all files that can be read: each odd entry is named, and everything else is loaded."""

import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli_place import Place, run

from promptsync.engine.engine import Engine
from promptsync.errors import MirrorFull
from promptsync.loading.files import FileLoader, LoadRequest

NOBODY = 65534


def export(folder: Path, org: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"contact_{org}_2026-02-04T00-00-00-0800Z.csv"
    path.write_text(f"id,phone\n{org},+13125550001\n")
    return path


def loaded(place: Place, *args: object, code: int) -> dict[str, tuple[str, str | None]]:
    """Name to state and sentence."""
    result = place.run("load", *args, "--json")
    assert result.exit_code == code, result.output
    return {file["name"]: (file["state"], file["error"]) for file in json.loads(result.stdout)}


def too_deep(folder: Path) -> Path:
    """A folder whose path is longer than the system takes (PATH_MAX)."""
    folder.mkdir()
    opened, path = os.open(folder, os.O_RDONLY), folder
    while len(str(path)) < 4096:
        os.mkdir("d" * 200, dir_fd=opened)
        inner = os.open("d" * 200, os.O_RDONLY, dir_fd=opened)
        os.close(opened)
        opened, path = inner, path / ("d" * 200)
    os.close(opened)
    return path


def test_each_odd_entry_is_named_and_the_rest_is_loaded(place: Place, tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "in", export(tmp_path / "elsewhere", 9)
    good = [export(folder, 1), export(folder / "sub", 2)]
    (folder / "dead.csv").symlink_to(folder / "gone.csv")
    (folder / "loop.csv").symlink_to(folder / "loop.csv")
    (folder / "away.csv").symlink_to(elsewhere)
    (folder / "latest.csv").symlink_to(good[1])
    (folder / "up").symlink_to(folder)
    os.mkfifo(folder / "pipe.csv.gz")
    export(folder / "x.csv.gz", 3)
    export(folder / ".hidden", 4)
    export(folder / "\N{FAMILY}\u200d", 5)
    Path(os.fsdecode(bytes(folder) + b"/\xff.csv")).write_text("x")
    (folder / "\x1b[31m.csv").write_text("x")
    (folder / "people_v5_7_1.parquet").touch()
    deep = too_deep(folder / "d")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(folder / "socket"))
    found = loaded(place, folder, code=1)
    merged = {name for name, (state, _) in found.items() if state == "merged"}
    assert merged == {f"contact_{org}_2026-02-04T00-00-00-0800Z.csv" for org in (1, 2, 5)}
    said = {name.removeprefix(f"{folder}/"): found[name] for name in found.keys() - merged}
    assert said.pop(str(deep).removeprefix(f"{folder}/")) == (
        "failed",
        "It cannot be looked at: File name too long.",
    )
    assert {name: state for name, (state, _) in said.items()} == {
        "dead.csv": "failed",
        "loop.csv": "failed",
        "away.csv": "ignored",
        "pipe.csv.gz": "ignored",
        "x.csv.gz": "ignored",
        "\\xff.csv": "ignored",
        "\\x1b[31m.csv": "ignored",
        "socket": "ignored",
    }
    words = place.run("load", folder)
    assert words.exit_code == 1
    assert f"{folder}/pipe.csv.gz: It is a pipe, not a file.\n" in words.stderr
    assert all(name in words.stderr for name in said), "and on a terminal nothing but letters"
    assert "\x1b" not in words.output
    assert place.rows("SELECT count(*) FROM sync_file WHERE state NOT IN ('merged', 'unchanged')") == [(0,)], (
        "status is about files"
    )
    shutil.rmtree(folder / "d" / ("d" * 200))  # no path that long could be removed by its name


@contextmanager
def as_anyone(folder: Path) -> Iterator[None]:
    """As a user to whom a mode means something, who owns all of ``folder``."""
    me = os.geteuid()
    if me == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, -1)
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(me)


@pytest.mark.parametrize("odd", ["file", "folder", "folder of which only names can be read"])
def test_what_cannot_be_read_is_named_and_the_rest_is_loaded(odd: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        assert run("init", Path(name) / "account").exit_code == 0
        place = Place(Path(name) / "account")
        closed = export(folder / "a", 1) if odd == "file" else export(folder / "lost+found", 1).parent
        export(folder, 2)
        loaded(place, export(Path(name), 7), code=0)
        with as_anyone(Path(name)):
            closed.chmod(0o600 if odd == "folder of which only names can be read" else 0)
            found = loaded(place, folder, code=1)
            closed.chmod(0o700)
        assert found.pop("contact_2_2026-02-04T00-00-00-0800Z.csv") == ("merged", None)
        ((what, (state, error)),) = found.items()
        assert (what, state) == (closed.name if odd == "file" else str(closed), "failed")
        assert error is not None
        assert error.startswith(closed.name if odd == "file" else "The folder")
        assert "cannot be read: Permission denied (let the user " in error


def test_what_is_given_itself_and_cannot_be_loaded(place: Place, tmp_path: Path) -> None:
    dead, pipe, good = tmp_path / "dead.csv", tmp_path / "contact_1_2026-02-04T00-00-00-0800Z.csv", export(tmp_path, 2)
    dead.symlink_to("gone")
    os.mkfifo(pipe)
    found = loaded(place, dead, pipe, good, code=1)
    assert found == {
        str(dead): ("failed", "It is a link to what is not there."),
        str(pipe): ("ignored", "It is a pipe, not a file."),
        good.name: ("merged", None),
    }
    missing = place.run("load", good, os.fsdecode(b"/no\xff"), good / "below")
    assert missing.exit_code == 2
    assert missing.stderr == f"promptsync: There is no file or folder /no\\xff, {good}/below; check the spelling.\n"


def test_a_file_that_goes_before_its_turn_ends_nothing(place: Place, tmp_path: Path) -> None:
    requests = [LoadRequest(export(tmp_path, org), "load") for org in (1, 2, 3)]
    with Engine(place.config) as engine:
        requests[1].path.unlink()
        first, second, third = engine.load(requests)
    assert (first.state, second.state, third.state) == ("merged", "failed", "merged")
    assert second.error == f"{requests[1].path.name} cannot be read: No such file or directory."


def test_a_fault_at_one_file_ends_nothing_and_a_full_disk_all(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, load = [export(tmp_path, org) for org in (1, 2, 3)], FileLoader.load
    error: Exception = ValueError("of what was in the file")

    def fail(self: FileLoader, request: LoadRequest, *rest: object) -> object:
        if request.path == files[1]:
            raise error
        return load(self, request, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(FileLoader, "load", fail)
    found = loaded(place, tmp_path, code=1)
    assert [found[file.name][0] for file in files] == ["merged", "failed", "merged"]
    assert "ValueError in test_cli_load_odd.py:" in (found[files[1].name][1] or "")
    assert "of what was" not in str(found)
    error = MirrorFull("Make room.")
    assert place.run("load", tmp_path).exit_code == 3
