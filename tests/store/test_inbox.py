"""Every delivery is on disk before it is answered, in an order that stays."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from promptsync.clock import iso_micros
from promptsync.errors import MirrorFull
from promptsync.model.delivery import Delivery
from promptsync.store.connect import open_reader
from promptsync.store.inbox import Inbox, import_event, insert_event, pending
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

NOW = 1_770_192_000_000_000


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "mirror.db", declared_schema())
    yield mirror
    mirror.close()


def body(n: int) -> str:
    return json.dumps({"orgId": 1, "n": n})


async def test_whoever_is_told_an_id_can_see_that_delivery_from_outside(mirror: Mirror) -> None:
    inbox = Inbox(mirror, lambda: NOW)
    outside = open_reader(mirror.path)
    for n in range(5):
        id_ = await inbox.store(Delivery("message/added", body(n)))
        assert outside.execute("SELECT body FROM sync_event WHERE id = ?", (id_,)).fetchone() == (body(n),)
    outside.close()


async def test_a_hundred_at_once_share_a_few_commits_and_keep_their_order(mirror: Mirror) -> None:
    commits: list[None] = []
    inbox = Inbox(mirror, lambda: NOW, lambda: commits.append(None))
    ids = await asyncio.gather(*(inbox.store(Delivery("message/added", body(n))) for n in range(100)))
    assert ids == sorted(ids)
    assert len(commits) <= 5
    events = mirror.writer.run(lambda connection: pending(connection, 200))
    assert [event.body for event in events] == [body(n) for n in range(100)]


async def test_times_of_receipt_only_grow_though_the_clock_stands_or_is_set_back(mirror: Mirror) -> None:
    inbox = Inbox(mirror, iter([NOW, NOW, NOW - 5_000_000, NOW + 10]).__next__)
    for n in range(4):
        await inbox.store(Delivery("message/added", body(n)))
    events = mirror.writer.run(lambda connection: pending(connection, 10))
    assert [event.received_at - NOW for event in events] == [0, 1, 2, 10]
    later = Inbox(mirror, lambda: NOW)
    await later.store(Delivery("message/added", body(4)))
    events = mirror.writer.run(lambda connection: pending(connection, 10))
    assert events[-1].received_at == NOW + 11


async def test_one_that_cannot_be_stored_is_told_so_and_the_next_is_stored(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox(mirror, lambda: NOW)
    limit = _pages(mirror, lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    _pages(mirror, lambda connection: connection.execute(f"PRAGMA max_page_count = {limit}"))
    with pytest.raises(MirrorFull):
        await inbox.store(Delivery("message/added", "x" * 1_000_000))
    _pages(mirror, lambda connection: connection.execute("PRAGMA max_page_count = 1000000"))
    await inbox.store(Delivery("message/added", body(1)))
    events = mirror.writer.run(lambda connection: pending(connection, 10))
    assert [event.body for event in events] == [body(1)]


def test_an_imported_line_is_taken_once_and_keeps_its_time(mirror: Mirror) -> None:
    line = Delivery("contactAction/spring", body(1), received_at=NOW, type="contactAction")
    assert mirror.writer.run(lambda connection: import_event(connection, line))
    assert not mirror.writer.run(lambda connection: import_event(connection, line))
    with mirror.reading() as connection:
        rows = connection.execute("SELECT type, path, received_at FROM sync_event").fetchall()
    assert rows == [("contactAction", "contactAction/spring", iso_micros(NOW))]


def test_identical_bodies_are_two_deliveries(mirror: Mirror) -> None:
    for n in range(2):
        mirror.writer.run(lambda c, n=n: insert_event(c, Delivery("broadcast/state", body(1)), NOW + n))  # type: ignore[misc]
    assert len(mirror.writer.run(lambda connection: pending(connection, 10))) == 2


def _pages(mirror: Mirror, work: Callable[[sqlite3.Connection], object]) -> object:
    return mirror.writer.run(work, bare=True)
