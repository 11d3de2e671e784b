"""The drop folder as it runs: a real watcher, real time, cancellation, and files that come while it is busy."""

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from drop_stage import Drop
from structlog.testing import capture_logs

from promptsync.drop import folder
from promptsync.drop.survey import Survey, survey
from promptsync.drop.watch import FolderWatch
from promptsync.errors import MirrorBroken

FAST: dict[str, Any] = {"settle": 0.15, "rescan": 30.0}  # so seldom that only the watcher can have woken it

pytestmark = pytest.mark.usefixtures("nothing_blocks")


@asynccontextmanager
async def running(drop: Drop) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(drop.source.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], bool], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


def slow(drop: Drop) -> tuple[threading.Event, threading.Event]:
    """Makes the intake say when it has begun, and wait until it may go on."""
    begun, go_on = threading.Event(), threading.Event()

    def meanwhile(_path: Path) -> None:
        begun.set()
        go_on.wait(5)

    drop.meanwhile = meanwhile
    return begun, go_on


async def watched(folder: Path) -> None:
    """Waits until a thread of this process watches ``folder`` itself."""

    def inodes() -> set[int]:
        found = set()
        for entry in Path("/proc/self/fdinfo").iterdir():
            try:
                lines = entry.read_text().splitlines()
            except OSError:
                continue
            found |= {int(line.split("ino:")[1].split()[0], 16) for line in lines if line.startswith("inotify")}
        return found

    await until(lambda: folder.exists() and folder.stat().st_ino in inodes())


async def test_files_from_before_the_start_are_found(tmp_path: Path) -> None:
    drop = Drop(tmp_path, **FAST)
    drop.put("old.csv")
    drop.put("sub/new.csv", age=0)
    async with running(drop):
        await until(lambda: drop.files() == {"done/old.csv", "done/sub/new.csv"})
    assert drop.names() == ["old.csv", "sub/new.csv"]


async def test_the_watcher_wakes_for_files_and_new_subfolders(tmp_path: Path) -> None:
    drop = Drop(tmp_path / "drop", **FAST)
    async with running(drop):
        await watched(drop.folder)
        path = drop.put("x.csv", "a", age=0)
        for _ in range(10):
            await asyncio.sleep(0.05)
            with path.open("a") as file:
                file.write("a")
        drop.put("sub/y.csv.part").rename(drop.folder / "sub/y.csv")
        await until(lambda: len(drop.taken) == 2)
        await asyncio.sleep(0.3)
        asked = drop.clock.asked
        await asyncio.sleep(0.3)
        assert drop.clock.asked == asked, "it sleeps when there is nothing to do"
    assert sorted(drop.taken) == [("sub/y.csv", b"x"), ("x.csv", b"a" * 11)]


async def test_without_notifications_the_rescan_finds_everything(tmp_path: Path, monkeypatch: Any) -> None:
    def no_watches(*_: Any, **__: Any) -> Iterator[None]:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr("promptsync.drop.watch.watch", no_watches)
    drop = Drop(tmp_path, settle=0.1, rescan=0.2)
    with capture_logs() as logs:
        async with running(drop):
            await asyncio.sleep(0.1)
            drop.put("x.csv", age=0)
            await until(lambda: drop.files() == {"done/x.csv"})
    assert [entry["event"] for entry in logs] == ["drop_watcher_failed"]


async def test_a_burst_is_taken_whole_and_once(tmp_path: Path) -> None:
    drop = Drop(tmp_path, **FAST)
    names = [f"s{number % 7}/{number}.csv" for number in range(500)]

    def burst() -> None:
        for name in names:
            drop.put(name, name, age=0)

    async with running(drop):
        await watched(tmp_path)
        await asyncio.to_thread(burst)
        await until(lambda: len(drop.taken) >= 500 and drop.source.waiting() == 0)
    assert sorted(drop.taken) == sorted((name, name.encode()) for name in names)
    assert drop.files() == {f"done/{name}" for name in names}


async def test_files_that_come_during_a_long_intake_are_not_missed(tmp_path: Path) -> None:
    drop = Drop(tmp_path, **FAST)
    drop.meanwhile = lambda path: (
        path.name == "a.csv" and drop.put("b.csv", age=0) and shutil.copy(path, tmp_path / "c")
    )
    drop.put("a.csv")
    async with running(drop):
        await until(lambda: drop.files() == {"done/a.csv", "done/b.csv", "done/c"})
    assert len(drop.taken) == 3


async def test_the_watcher_comes_back_after_a_name_it_cannot_read(tmp_path: Path) -> None:
    woken: list[int] = []
    watch = FolderWatch(tmp_path, lambda: woken.append(1), pause=0.1)
    with capture_logs() as logs:
        task = asyncio.create_task(watch.run())
        await watched(tmp_path)
        Path(os.fsdecode(bytes(tmp_path) + b"/\xff.csv")).write_text("x")
        await until(lambda: [entry["event"] for entry in logs] == ["drop_watcher_failed", "drop_watcher_restarted"])
        await until(lambda: len(woken) == 1)
        numbers = iter(range(1000))
        await until(lambda: bool((tmp_path / f"{next(numbers)}.csv").write_text("x")) and len(woken) > 1)
        task.cancel()
        await asyncio.wait([task])
    await until(lambda: not any(thread.name.startswith("drop-watch") for thread in threading.enumerate()))
    assert [entry["event"] for entry in logs] == ["drop_watcher_failed", "drop_watcher_restarted"]
    assert len(woken) > 1


async def test_moves_to_the_archive_wake_nobody(tmp_path: Path) -> None:
    woken: list[int] = []
    (tmp_path / "done").mkdir()
    (tmp_path / "x.csv").write_text("x")
    task = asyncio.create_task(FolderWatch(tmp_path, lambda: woken.append(1)).run())
    await watched(tmp_path)
    (tmp_path / "x.csv").rename(tmp_path / "done/x.csv")
    await asyncio.sleep(0.3)
    assert woken == []
    task.cancel()
    await asyncio.wait([task])


@pytest.mark.parametrize("looked_at", [True, False], ids=["later", "before it is looked at"])
async def test_a_folder_replaced_by_another_is_watched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked_at: bool
) -> None:
    drop = Drop(tmp_path / "drop", settle=0.1, rescan=0.2)
    looking, look = threading.Event(), threading.Event()

    def late(root: Path) -> Survey:
        looking.set()
        look.wait(120)
        return survey(root)

    monkeypatch.setattr(folder, "survey", late)
    async with running(drop):
        await until(looking.is_set)
        await watched(drop.folder)
        if looked_at:
            look.set()
        drop.folder.rename(tmp_path / "aside")
        look.set()
        await watched(drop.folder)
        drop.put("x.csv", "anew", age=0)
        await until(lambda: drop.files() == {"done/x.csv"})
    assert drop.taken == [("x.csv", b"anew")]
    assert list((tmp_path / "aside").rglob("*.csv")) == []


async def test_an_unreadable_folder_is_said_once_and_taken_up_again(tmp_path: Path) -> None:
    drop = Drop(tmp_path / "drop", settle=0.05, rescan=0.05)
    drop.folder.write_text("in the way")
    with capture_logs() as logs:
        async with running(drop):
            await asyncio.sleep(0.3)
            drop.folder.unlink()
            await until(drop.folder.is_dir)
            drop.put("x.csv")
            await until(lambda: drop.files() == {"done/x.csv"})
    assert [entry["event"] for entry in logs].count("drop_folder_unavailable") == 1


async def test_cancelling_lets_the_file_in_hand_be_finished(tmp_path: Path) -> None:
    drop = Drop(tmp_path, **FAST)
    begun, go_on = slow(drop)
    drop.put("a.csv")
    drop.put("b.csv")
    task = asyncio.create_task(drop.source.run())
    await until(begun.is_set)
    task.cancel()
    await asyncio.sleep(0.3)  # longer than the watcher takes to end
    assert not task.done()
    go_on.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert drop.files() == {"done/a.csv", "b.csv"}


async def test_cancelling_twice_interrupts_the_intake(tmp_path: Path) -> None:
    drop = Drop(tmp_path, **FAST)
    begun, go_on = slow(drop)
    drop.put("a.csv")
    task = asyncio.create_task(drop.source.run())
    await until(begun.is_set)
    with capture_logs() as logs:
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0.02)
        await asyncio.wait([task])
    assert (task.cancelled(), logs) == (True, [])
    go_on.set()
    assert drop.files() == {"a.csv"}


async def test_a_broken_mirror_ends_the_run(tmp_path: Path) -> None:
    drop = Drop(tmp_path, **FAST)
    drop.answer = MirrorBroken("The disk fails.")
    drop.put("a.csv")
    with pytest.raises(MirrorBroken):
        await asyncio.wait_for(drop.source.run(), 5)
