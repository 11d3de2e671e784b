"""Files that are deleted, moved or replaced below a mirror that is open: nothing is answered that the next start would
not find, and nothing of the old mirror gets into another."""

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from promptsync.errors import MirrorBroken, MirrorLocked
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import Inbox, insert_event
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane
from promptsync.vendors import declared_schema

NOW = 1_770_192_000_000_000


class Open:
    """A mirror that is open, and what it said when it broke."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken = threading.Event()
        self.mirror = Mirror(path, declared_schema(), lambda _: self.broken.set())

    def beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def put(self, body: str) -> None:
        """As a delivery is put."""
        self.mirror.writer.run(lambda c: insert_event(c, Delivery("message/added", body), NOW), Lane.DELIVERY)


@pytest.fixture
def opened(empty: Path, tmp_path: Path) -> Iterator[Open]:
    (tmp_path / "data").mkdir()
    path = shutil.copy(empty, tmp_path / "data/mirror.db")
    opened = Open(path)
    opened.put("before")
    yield opened
    opened.mirror.close()


def bodies(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [row[0] for row in connection.execute("SELECT body FROM sync_event ORDER BY id")]


def deleted(opened: Open) -> None:
    for path in opened.path.parent.glob("mirror.db*"):
        path.unlink()


def folder_deleted(opened: Open) -> None:
    shutil.rmtree(opened.path.parent)


def moved_away(opened: Open) -> None:
    opened.path.rename(opened.path.with_name("elsewhere.db"))


def backup(opened: Open) -> Path:
    other = opened.path.with_name("backup.db")
    with closing(sqlite3.connect(opened.path)) as connection, closing(sqlite3.connect(other)) as copy:
        connection.backup(copy)
    return other


def replaced(opened: Open) -> None:
    backup(opened).rename(opened.path)


def shm_deleted(opened: Open) -> None:
    opened.beside("-shm").unlink()


def wal_replaced(opened: Open) -> None:
    other = opened.path.with_name("other")
    other.write_bytes(b"not ours" * 1000)
    other.rename(opened.beside("-wal"))


WAYS = [deleted, folder_deleted, moved_away, replaced, shm_deleted, wal_replaced]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
async def test_a_delivery_into_another_file_than_the_one_at_the_path_is_not_answered(
    opened: Open, way: Callable[[Open], None]
) -> None:
    inbox = Inbox(opened.mirror, lambda: NOW)
    way(opened)
    for _ in range(2):
        with pytest.raises(MirrorBroken, match="start promptsync again"):
            await inbox.store(Delivery("message/added", "after"))
    assert opened.broken.is_set()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_it_is_noticed_without_a_delivery(opened: Open, way: Callable[[Open], None]) -> None:
    way(opened)
    assert opened.broken.wait(30)


def test_a_mirror_that_was_moved_away_is_whole_where_it_is(opened: Open) -> None:
    """Part of it was only in the -wal, which stayed."""
    opened.put("late")
    moved_away(opened)
    with pytest.raises(MirrorBroken):
        opened.put("refused")
    opened.mirror.close()
    assert bodies(opened.path.with_name("elsewhere.db")) == ["before", "late", "refused"]
    assert not opened.beside("-wal").exists()


@pytest.mark.parametrize("reader", [False, True])
def test_nothing_of_the_old_mirror_is_replayed_onto_the_one_in_its_place(opened: Open, reader: bool) -> None:
    """Not even if somebody still reads the old one, so that its -wal cannot be emptied."""
    other = backup(opened)
    with closing(sqlite3.connect(opened.path)) as outside:
        if reader:
            outside.execute("BEGIN")
            outside.execute("SELECT count(*) FROM sync_event").fetchall()
        opened.put("late")
        other.rename(opened.path)
        with pytest.raises(MirrorBroken):
            opened.put("lost")
        opened.mirror.close()
    for _ in range(2):  # what is replayed shows when it has been closed again
        assert bodies(opened.path) == ["before"]


_STORE = """
import sys
from pathlib import Path
from promptsync.vendors import declared_schema
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import insert_event
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane
mirror = Mirror(Path(sys.argv[1]), declared_schema())
for body in sys.stdin:
    mirror.writer.run(lambda c: insert_event(c, Delivery("message/added", body.strip()), 1), Lane.DELIVERY)
    print(body.strip(), flush=True)
"""


@pytest.mark.parametrize("reader", [False, True])
def test_without_its_wal_it_goes_on_and_a_kill_loses_nothing(empty: Path, tmp_path: Path, reader: bool) -> None:
    """``reader``: somebody opens the mirror meanwhile, and so makes another, empty -wal."""
    path = Path(shutil.copy(empty, tmp_path / "mirror.db"))
    command = [sys.executable, "-c", _STORE, str(path)]
    answered = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        for n in range(4):
            process.stdin.write(f"{n}\n")
            process.stdin.flush()
            answered.append(process.stdout.readline().strip())
            if n == 1:
                tmp_path.joinpath("mirror.db-wal").unlink()
            if n == 2 and reader:
                with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as outside:
                    assert outside.execute("SELECT count(*) FROM sync_event").fetchone() == (3,)
        process.send_signal(signal.SIGKILL)
    assert answered == ["0", "1", "2", "3"] == bodies(path)


_TRY = """
import sys
from pathlib import Path
from promptsync.errors import MirrorLocked
from promptsync.store.connect import WriteLock
try:
    lock = WriteLock(Path(sys.argv[1]))
    lock.acquire()
    print("got it", flush=True)
    sys.stdin.read()
except MirrorLocked:
    print("locked")
"""


def test_a_lock_file_that_was_deleted_is_made_again_and_keeps_others_out(opened: Open) -> None:
    opened.beside(".lock").unlink()
    while not opened.beside(".lock").exists():
        opened.put("more")
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", _TRY, str(opened.path)], capture_output=True, text=True, timeout=60
        )
        assert (done.stdout, done.stderr) == ("locked\n", "")
    with pytest.raises(MirrorLocked):
        Mirror(opened.path, declared_schema())
    assert not opened.broken.is_set()


def test_whoever_took_the_lock_meanwhile_keeps_it_and_this_one_ends(opened: Open) -> None:
    taken = opened.mirror.writer.submit(lambda _: _take_the_lock(opened))
    with taken.result() as other:
        assert opened.broken.wait(30)
        other.communicate("", timeout=30)


def _take_the_lock(opened: Open) -> "subprocess.Popen[str]":
    """On the writer's thread, so that it does not look meanwhile."""
    opened.beside(".lock").unlink()
    command = [sys.executable, "-c", _TRY, str(opened.path)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "got it\n"
    return other
