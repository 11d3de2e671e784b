"""Files that somebody is still writing: their end is waited for, and what was taken too early is taken up again."""

import os
import shutil
from pathlib import Path

import pytest
from drop_stage import DONE, Drop
from structlog.testing import capture_logs

from promptsync.clock import MICROS
from promptsync.drop.offers import Outcome
from promptsync.errors import Unavailable

HELD = Outcome("held", "Its end is missing.")

pytestmark = pytest.mark.usefixtures("nothing_blocks")


@pytest.fixture
def drop(tmp_path: Path) -> Drop:
    return Drop(tmp_path / "drop", patience=600, plain=30)


def cut(path: Path) -> str | None:
    """The end of these files is a full stop."""
    return None if path.read_text().endswith(".") else "Its end is not there yet."


def write(drop: Drop, path: Path, text: str) -> None:
    """Goes on writing to a file, now."""
    with path.open("a") as file:
        file.write(text)
    os.utime(path, (drop.clock() / MICROS,) * 2)


async def rest(drop: Drop, seconds: float, every: float = 10) -> None:
    """Time passes; the folder is looked at as often as it is in a daemon."""
    for _ in range(round(seconds / every)):
        await drop.scan(every)


async def test_an_end_is_waited_for_while_other_files_are_taken(drop: Drop) -> None:
    drop.missing = cut
    path = drop.put("x.csv.gz", "half", age=0)
    with capture_logs() as logs:
        await drop.scan()
        await rest(drop, 300)
        drop.put("y.csv.gz", "whole.")
        await drop.scan()
    assert (drop.names(), drop.source.waiting()) == (["y.csv.gz"], 1)
    assert drop.looked == ["x.csv.gz", "y.csv.gz"], "an unchanged file is looked at once"
    assert [entry["event"] for entry in logs] == ["drop_unfinished"]
    write(drop, path, " and half.")
    await rest(drop, 20)
    assert drop.taken[1:] == [("x.csv.gz", b"half and half.")]
    assert drop.files() == {"done/x.csv.gz", "done/y.csv.gz"}


async def test_an_end_that_does_not_come_is_given_up_after_patience_at_rest(drop: Drop) -> None:
    drop.missing, drop.answer = cut, HELD
    path = drop.put("x.csv.gz", "half", age=0)
    await drop.scan()
    for _ in range(3):
        await rest(drop, 590)
        write(drop, path, "+")
        await drop.scan()
    await rest(drop, 590)
    assert drop.taken == []
    await rest(drop, 20)
    assert drop.files() == {"held/x.csv.gz", "held/x.csv.gz.reason.txt"}


async def test_a_file_that_came_by_a_rename_is_not_waited_for_longer_than_it_has_rested(drop: Drop) -> None:
    drop.missing, drop.answer = cut, HELD
    drop.put("x.csv.gz", "half", age=599)
    drop.put("y.csv.gz", "half", age=601)
    await drop.scan()
    assert drop.names() == ["y.csv.gz"]
    await drop.scan(2)
    assert drop.names() == ["y.csv.gz", "x.csv.gz"]


async def test_a_file_in_pieces_is_looked_at_ever_more_seldom(drop: Drop) -> None:
    drop.missing = cut
    path = drop.put("x.csv.gz", "", age=0)
    await drop.scan()
    for _ in range(100):
        write(drop, path, "piece")
        await rest(drop, 3, every=1)
    assert len(drop.looked) == 1, "each look reads all of it"
    write(drop, path, ".")
    await rest(drop, 80)
    assert drop.files() == {"done/x.csv.gz"}


async def test_a_whole_file_that_has_to_wait_is_not_looked_at_again(drop: Drop) -> None:
    drop.missing, drop.answer = cut, Unavailable("No room.")
    drop.put("x.csv.gz", "whole.")
    await rest(drop, 100)
    assert (len(drop.taken), drop.looked) == (10, ["x.csv.gz"])


async def test_a_format_without_an_end_rests_longer(drop: Drop) -> None:
    for name in ("x.csv", "x.csv.gz", "x.parquet"):
        drop.put(name, "whole.", age=0)
    await drop.scan()
    await drop.scan(2)
    assert drop.names() == ["x.csv.gz", "x.parquet"]
    write(drop, drop.folder / "x.csv", "more.")
    await drop.scan(27)
    await drop.scan(29)
    assert drop.names() == ["x.csv.gz", "x.parquet"]
    await drop.scan(1)
    assert drop.taken[2:] == [("x.csv", b"whole.more.")]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_held_file_that_changes_is_taken_up_again_with_a_reason_anew(drop: Drop, restarted: bool) -> None:
    drop.answer = HELD
    path = drop.put("a/x.csv.gz", "half")
    with path.open("a") as writer:
        await drop.scan()
        assert drop.files() == {"held/a/x.csv.gz", "held/a/x.csv.gz.reason.txt"}
        if restarted:
            drop = again(drop)
        drop.answer = Outcome("held", "Still too short.")
        await rest(drop, 60)
        assert len(drop.names()) == (0 if restarted else 1), "it has not changed"
        writer.write(" and half")
        writer.flush()
        drop.clock.forward(1)
        await rest(drop, 40)
    assert drop.taken[-1] == ("a/x.csv.gz", b"half and half")
    assert (drop.folder / "held/a/x.csv.gz.reason.txt").read_text() == "Still too short.\n"
    assert drop.files() == {"held/a/x.csv.gz", "held/a/x.csv.gz.reason.txt"}


def again(drop: Drop) -> Drop:
    """The same folder after a restart."""
    return Drop(drop.folder, drop.clock, patience=600, plain=30)


async def test_what_changed_while_nobody_looked_is_taken_up_at_the_start(drop: Drop) -> None:
    drop.answer = HELD
    for name in ("x.csv.gz", "y.csv.gz"):
        drop.put(name, "half")
    await drop.scan()
    drop.put("y.csv.gz", "other half")
    await drop.scan()
    (drop.folder / "held/x.csv.gz").write_text("put right")
    (drop.folder / "held/y.csv.gz.1").write_text("put right too")
    drop = again(drop)
    drop.clock.forward(1)
    await rest(drop, 40)
    assert sorted(drop.taken) == [("x.csv.gz", b"put right"), ("y.csv.gz", b"put right too")]
    held = {"held/y.csv.gz", "held/y.csv.gz.reason.txt"}
    assert drop.files() == held | {"done/x.csv.gz", "done/y.csv.gz"}


async def test_a_better_copy_put_in_place_of_a_held_one_is_taken_up(drop: Drop, tmp_path: Path) -> None:
    drop.answer = HELD
    drop.put("x.csv.gz", "half")
    await drop.scan()
    drop.answer = DONE
    better = drop.put("../better", "whole.", age=9999)
    better.rename(drop.folder / "held/x.csv.gz")
    await rest(drop, 20)
    assert (drop.taken[-1], drop.files()) == (("x.csv.gz", b"whole."), {"done/x.csv.gz"})


async def test_a_done_file_that_grows_is_taken_up_again(drop: Drop) -> None:
    path = drop.put("x.csv", "900 rows")
    with path.open("a") as writer:
        await drop.scan()
        assert drop.files() == {"done/x.csv"}
        await rest(drop, 600)
        writer.write(" and 100")
        writer.flush()
        os.utime(writer.fileno(), (drop.clock() / MICROS,) * 2)
        await rest(drop, 20)
    assert drop.files() == {"x.csv"}, "it rests again before it is taken"
    await rest(drop, 40)
    assert drop.taken == [("x.csv", b"900 rows"), ("x.csv", b"900 rows and 100")]
    assert drop.files() == {"done/x.csv"}


async def test_a_done_file_that_shrinks_is_replaced_or_goes_is_left_alone(drop: Drop) -> None:
    for name in ("cut.csv", "gone.csv", "other.csv", "touched.csv"):
        drop.put(name, "whole")
    await drop.scan()
    done = drop.folder / "done"
    (done / "cut.csv").write_text("")
    (done / "gone.csv").unlink()
    (done / "other.csv").unlink()
    (done / "other.csv").write_text("of another program")
    (done / "touched.csv").touch()
    await rest(drop, 200)
    assert len(drop.taken) == 4


async def test_one_whose_name_is_taken_waits_until_it_is_free(drop: Drop) -> None:
    drop.answer = HELD
    drop.put("x.csv.gz", "first")
    await drop.scan()
    drop.answer = Outcome("later", "Not now.")
    drop.put("x.csv.gz", "second")
    (drop.folder / "held/x.csv.gz").write_text("first, put right")
    await rest(drop, 50)
    assert drop.files() == {"x.csv.gz", "held/x.csv.gz", "held/x.csv.gz.reason.txt"}
    drop.answer = DONE
    await rest(drop, 50)
    assert {content for _, content in drop.taken} == {b"first", b"second", b"first, put right"}
    assert drop.files() == {"done/x.csv.gz", "done/x.csv.gz.1"}


async def test_a_reason_goes_with_the_file_that_somebody_takes_away(drop: Drop) -> None:
    drop.answer = HELD
    drop.put("x.csv.gz")
    await drop.scan()
    (drop.folder / "held/x.csv.gz").rename(drop.folder / "x.csv.gz")
    drop.answer = Outcome("held", "Something else.")
    await rest(drop, 20)
    assert (drop.folder / "held/x.csv.gz.reason.txt").read_text() == "Something else.\n"
    assert drop.files() == {"held/x.csv.gz", "held/x.csv.gz.reason.txt"}


async def test_one_that_cannot_be_moved_back_is_named_once(drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    drop.answer = HELD
    drop.put("x.csv.gz")
    await drop.scan()
    (drop.folder / "held/x.csv.gz").write_text("put right")

    def refuse(*_names: object, **_folders: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr("os.link", refuse)
        patched.setattr("os.rename", refuse)
        await rest(drop, 30)
    assert [entry["file"] for entry in logs] == ["held/x.csv.gz"]
    assert drop.files() == {"held/x.csv.gz", "held/x.csv.gz.reason.txt"}
    with monkeypatch.context() as patched:
        patched.setattr("os.link", refuse)
        await rest(drop, 30)
    assert drop.taken[-1] == ("x.csv.gz", b"put right"), "there are file systems without hard links"


async def test_only_what_is_in_the_archive_is_moved_back(drop: Drop, tmp_path: Path) -> None:
    drop.answer = HELD
    drop.put("x.csv.gz", "half")
    await drop.scan()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.csv.gz").write_text("secret")
    shutil.rmtree(drop.folder / "held")
    (drop.folder / "held").symlink_to(outside)
    await rest(drop, 60)
    assert len(drop.taken) == 1 and (outside / "x.csv.gz").exists()
