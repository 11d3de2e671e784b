"""What is taken from the drop folder and where it ends: scan by scan, no call blocking the loop."""

import asyncio
import os
import stat
from pathlib import Path

import pytest
from drop_stage import DONE, Drop
from structlog.testing import capture_logs

from promptsync.clock import MICROS
from promptsync.drop.folder import DropFolder, DropSettings
from promptsync.drop.offers import Outcome
from promptsync.errors import InputRefused, MirrorBroken, Unavailable

pytestmark = pytest.mark.usefixtures("nothing_blocks")


async def test_the_folder_is_made_for_its_owner_and_group_only(drop: Drop) -> None:
    await drop.scan()
    assert stat.S_IMODE(drop.folder.stat().st_mode) == 0o750


async def test_a_file_is_handed_over_whole_and_moved_to_done_with_its_subfolder(drop: Drop) -> None:
    drop.put("a/b/x.csv", "whole")
    await drop.scan()
    await drop.scan(10)
    assert drop.taken == [("a/b/x.csv", b"whole")]
    assert drop.files() == {"done/a/b/x.csv"}
    assert stat.S_IMODE((drop.folder / "done/a").stat().st_mode) == 0o750


async def test_a_held_file_has_the_reason_beside_it(drop: Drop) -> None:
    drop.answer = Outcome("held", "It has too few rows.")
    drop.put("a/x.csv")
    await drop.scan()
    assert drop.files() == {"held/a/x.csv", "held/a/x.csv.reason.txt"}
    assert (drop.folder / "held/a/x.csv.reason.txt").read_text() == "It has too few rows.\n"


async def test_an_ignored_file_stays_and_is_offered_again_only_when_it_changes(drop: Drop) -> None:
    drop.answer = Outcome("ignored", "The name says nothing.")
    drop.put("x.csv")
    for _ in range(3):
        await drop.scan(100)
    assert (drop.names(), drop.source.waiting()) == (["x.csv"], 0)
    drop.put("x.csv", "more")
    await drop.scan()
    assert drop.source.waiting() == 1
    await drop.scan(2)
    assert drop.taken[1:] == [("x.csv", b"more")]


async def test_a_file_that_changes_while_its_turn_comes_waits_again(drop: Drop) -> None:
    def touch_others(path: Path) -> None:
        if path.name == "a.csv":
            drop.put("b.csv", "changed", age=0)
            (drop.folder / "c.csv").unlink()

    drop.meanwhile = touch_others
    for name in ("a.csv", "b.csv", "c.csv"):
        drop.put(name)
    await drop.scan()
    assert (drop.names(), drop.source.waiting()) == (["a.csv"], 1)
    await drop.scan(2)
    assert drop.taken[1:] == [("b.csv", b"changed")]


@pytest.mark.parametrize("answer", [Outcome("later", "No room."), Unavailable("No room.")])
async def test_later_is_offered_again_at_the_next_rescan(drop: Drop, answer: Outcome | BaseException) -> None:
    drop.answer = answer
    drop.put("x.csv")
    await drop.scan()
    await drop.scan(5)
    assert (len(drop.taken), drop.source.waiting()) == (1, 1)
    drop.answer = DONE
    await drop.scan(5)
    assert (len(drop.taken), drop.files()) == (2, {"done/x.csv"})


@pytest.mark.parametrize("error", [ValueError("secret content"), InputRefused("odd", "Odd."), asyncio.CancelledError()])
async def test_a_failing_intake_stops_no_other_file(drop: Drop, error: BaseException) -> None:
    drop.answer = error
    drop.put("a.csv")
    drop.put("b.csv")
    with capture_logs() as logs:
        await drop.scan()
        await drop.scan(10)
        await drop.scan(10)
    tried = 6 if isinstance(error, asyncio.CancelledError) else 4  # failures wait longer each time
    assert len(drop.taken) == tried
    assert len(logs) == 2
    assert "secret" not in str(logs)
    assert drop.files() == {"a.csv", "b.csv"}


async def test_a_broken_mirror_is_passed_on(drop: Drop) -> None:
    drop.answer = MirrorBroken("The disk fails.")
    drop.put("x.csv")
    with pytest.raises(MirrorBroken):
        await drop.scan()


async def test_a_file_in_pieces_is_taken_once_it_is_whole(drop: Drop) -> None:
    path = drop.put("x.csv", "", age=0)
    for piece in ("one,", "two,", "three"):
        await drop.scan(1.9)
        with path.open("a") as file:
            file.write(piece)
        os.utime(path, (drop.clock() / MICROS,) * 2)
    await drop.scan()
    assert drop.taken == []
    await drop.scan(2)
    assert drop.taken == [("x.csv", b"one,two,three")]


async def test_unfinished_names_wait_for_their_rename(drop: Drop) -> None:
    drop.put(".x.csv")
    drop.put("x.csv.part")
    drop.put(".git/x.csv")
    await drop.scan(60)
    assert (drop.taken, drop.source.waiting(), drop.source.refused()) == ([], 0, {})
    (drop.folder / "x.csv.part").rename(drop.folder / "x.csv")
    await drop.scan()
    assert drop.names() == ["x.csv"]


async def test_the_order_is_the_injected_one(tmp_path: Path) -> None:
    drop = Drop(tmp_path)
    drop.source = DropFolder(DropSettings(tmp_path), drop.take, drop.clock, lambda path: (path.name[1:],))
    for name in ("a3", "b1", "s/c2"):
        drop.put(name)
    await drop.scan()
    assert drop.names() == ["b1", "s/c2", "a3"]


async def test_nothing_archived_is_overwritten(drop: Drop) -> None:
    for content in ("1", "2", "3"):
        drop.put("x.csv", content)
        await drop.scan()
    assert [(drop.folder / "done" / name).read_text() for name in ("x.csv", "x.csv.1", "x.csv.2")] == ["1", "2", "3"]
    drop.answer = Outcome("held", "Why.")
    (drop.folder / "held").mkdir()
    (drop.folder / "held/x.csv.reason.txt").write_text("of another")
    for _ in range(2):
        drop.put("x.csv", "4")
        await drop.scan()
    held = {"x.csv.1", "x.csv.1.reason.txt", "x.csv.2", "x.csv.2.reason.txt", "x.csv.reason.txt"}
    assert {path.name for path in (drop.folder / "held").iterdir()} == held
    assert (drop.folder / "held/x.csv.reason.txt").read_text() == "of another"


async def test_a_folder_and_a_file_of_one_name_share_an_archive(drop: Drop) -> None:
    drop.put("sub")
    await drop.scan()
    drop.put("sub/x.csv")
    await drop.scan()
    assert drop.files() == {"done/sub", "done/sub.1/x.csv"}


async def test_a_file_that_changes_during_intake_is_offered_again(drop: Drop) -> None:
    def append(path: Path) -> None:
        with path.open("a") as file:
            file.write("+")

    drop.meanwhile = append
    drop.put("x.csv", "x")
    await drop.scan()
    assert drop.files() == {"x.csv"}
    drop.meanwhile = lambda path: None
    await drop.scan(2)
    assert drop.files() == {"x.csv"}, "seen changed only now"
    await drop.scan(2)
    assert (drop.taken[-1], drop.files()) == (("x.csv", b"x+"), {"done/x.csv"})


async def test_a_file_taken_away_during_intake_is_no_trouble(drop: Drop) -> None:
    drop.meanwhile = Path.unlink
    drop.put("x.csv")
    await drop.scan()
    assert (drop.source.refused(), drop.files()) == ({}, set())
    await drop.scan(10)
    assert drop.source.waiting() == 0


async def test_a_finished_file_that_cannot_be_moved_is_not_handed_over_again(drop: Drop, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    drop.folder.mkdir()
    (drop.folder / "done").symlink_to(elsewhere)
    drop.put("x.csv")
    for _ in range(3):
        await drop.scan(3600)
    assert (len(drop.taken), list(elsewhere.iterdir())) == (1, [])
    assert drop.source.refused().keys() == {"done", "x.csv"}
    assert drop.source.waiting() == 0
    (drop.folder / "done").unlink()
    await drop.scan(3600)
    assert (len(drop.taken), drop.files(), drop.source.refused()) == (1, {"done/x.csv"}, {})
