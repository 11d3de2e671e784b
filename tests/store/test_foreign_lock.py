"""Another program holds SQLite's write lock: who waits, for how long, and who is named."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.errors import MirrorLocked
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import Inbox
from promptsync.store.lanes import Lane, Lanes, Queued
from promptsync.store.lock_holders import other_writer, pids_with
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Writer
from promptsync.vendors import declared_schema

_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path) -> "Iterator[subprocess.Popen[str]]":
    """Another process has begun to write and does not finish."""
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "held\n"
        yield other
        other.kill()


@pytest.fixture
def mirror(empty: Path, tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(Path(shutil.copy(empty, tmp_path / "mirror.db")), declared_schema())
    yield mirror
    mirror.close()


async def test_those_that_wait_are_answered_together_and_the_program_is_named(mirror: Mirror) -> None:
    """Those that came while the first one waited do not begin to wait when it has given up."""
    inbox = Inbox(mirror, lambda: 1_770_192_000_000_000)
    with held(mirror.path) as other:
        first = asyncio.create_task(inbox.store(Delivery("message/added", "0")))
        while not mirror.writer.locked_for:
            await asyncio.sleep(0.01)
        late = [asyncio.create_task(inbox.store(Delivery("message/added", str(n)))) for n in range(5)]
        with pytest.raises(MirrorLocked, match=rf"python[0-9.]*, process {other.pid},"):
            await first
        await asyncio.sleep(0)
        assert all(isinstance(task.exception(), MirrorLocked) for task in late if task.done())
        assert all(task.done() for task in late)
    kept = await inbox.store(Delivery("message/added", "after"))
    with mirror.reading() as connection:
        assert connection.execute("SELECT id, body FROM sync_event").fetchall() == [(kept, "after")]


def test_no_other_work_makes_a_delivery_wait_for_its_own_patience(mirror: Mirror) -> None:
    """Bulk work is patient; the delivery behind it is answered while that still waits, and it is done in the end."""
    writer = mirror.writer
    with held(mirror.path) as other:
        bulk = [writer.submit(lambda _: "done", lane) for lane in (Lane.APPLY, Lane.BULK, Lane.IDLE)]
        while not writer.locked_for:
            assert not any(one.done() for one in bulk)
        with pytest.raises(MirrorLocked):
            writer.run(lambda _: None, Lane.DELIVERY)
        assert not any(one.done() for one in bulk)
        other.kill()
        assert [one.result(30) for one in bulk] == ["done"] * 3
    assert writer.locked_for == 0.0


def test_it_is_seen_though_nothing_is_to_be_written_and_seen_to_end(mirror: Mirror) -> None:
    def within(seconds: float, *, locked: bool) -> bool:
        until = time.monotonic() + seconds
        while (mirror.writer.locked_for > 0.0) is not locked and time.monotonic() < until:
            threading.Event().wait(0.01)
        return (mirror.writer.locked_for > 0.0) is locked

    assert mirror.writer.locked_for == 0.0
    with held(mirror.path):
        assert within(30, locked=True)
    assert within(30, locked=False)


def test_whoever_gives_up_meanwhile_is_not_served(mirror: Mirror) -> None:
    ran: list[int] = []
    with held(mirror.path):
        given_up = mirror.writer.submit(lambda _: ran.append(1))
        while not mirror.writer.locked_for:
            pass
        assert given_up.cancel()
    mirror.writer.run(lambda _: ran.append(2))
    assert ran == [2]


def test_closing_does_not_wait_for_the_program(empty: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(empty, tmp_path / "mirror.db"))
    writer = Writer(path)
    with held(path):
        left = writer.submit(lambda connection: connection.execute("DELETE FROM sync_state"))
        writer.close()
        with pytest.raises(MirrorLocked):
            left.result(0)


SECONDS = st.integers(0, 80).map(lambda tenths: tenths / 10)


@given(
    waiting=st.lists(st.tuples(st.sampled_from(Lane), SECONDS), max_size=8),
    since=SECONDS,
    now=SECONDS,
    hurried=st.booleans(),
)
def test_who_has_waited_long_enough(waiting: list[tuple[Lane, float]], since: float, now: float, hurried: bool) -> None:
    """A wait counts from when the lock was found taken. One delivery's end is that of all; else each has its own."""
    lanes = Lanes()
    for lane, asked in waiting:
        lanes.put(Queued(lambda _: None, Future(), lane, True, False, False, lambda _: None, asked))
    taken = [(task.lane, task.asked) for task in lanes.overdue(now, since, hurried=hurried)]
    left = []
    while (task := lanes.take()) is not None:
        left.append((task.lane, task.asked))
    assert sorted(taken + left) == sorted(waiting)
    senders = [now - max(asked, since) > 1 for lane, asked in waiting if lane is Lane.DELIVERY]
    assert sum(lane is Lane.DELIVERY for lane, _ in taken) == (len(senders) if any(senders) else 0)
    others = [(lane, asked) for lane, asked in waiting if lane is not Lane.DELIVERY]
    patience = 1 if hurried else 5
    assert sorted(t for t in taken if t[0] is not Lane.DELIVERY) == sorted(
        (lane, asked) for lane, asked in others if now - max(asked, since) > patience
    )


def test_the_holder_is_read_from_what_the_kernel_says(mirror: Mirror) -> None:
    assert other_writer(mirror.path) is None
    with held(mirror.path) as other:
        line = next(
            line
            for line in Path("/proc/locks").read_text().splitlines()
            if line.split()[4] == str(other.pid) and line.endswith(" 120 120")
        )
        found = other_writer(mirror.path)
        assert found is not None and found.pid == other.pid
    mirror.writer.run(lambda _: _not_named(mirror.path))
    file = line.split()[5]
    for said, expected in {
        line: {other.pid},
        line.replace(" 120 120", " 119 122"): {other.pid},
        line.replace(" 120 120", " 0 EOF"): {other.pid},
        line.replace(" 120 120", " 121 121"): set(),
        line.replace(" 120 120", " 0 119"): set(),
        line.replace("WRITE", "READ"): set(),
        line.replace(": POSIX", ": -> POSIX"): set(),  # one that waits for it
        line.replace(f" {other.pid} ", " 0 "): set(),  # of another container
        line.replace(f" {other.pid} ", " -1 "): set(),  # an open file's, no process's
        "nonsense": set(),
    }.items():
        assert pids_with(said, "WRITE", file, (120, 120)) == expected, said
    assert other_writer(mirror.path.with_name("no-mirror.db")) is None


def _not_named(path: Path) -> None:
    """While this process writes itself."""
    assert other_writer(path) is None


def test_a_reader_holds_nothing(mirror: Mirror) -> None:
    reader = sqlite3.connect(mirror.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM sync_event").fetchone()
    mirror.writer.run(lambda connection: connection.execute("INSERT INTO sync_state VALUES ('a', 'b')"), Lane.DELIVERY)
    assert mirror.writer.locked_for == 0.0
    reader.close()
