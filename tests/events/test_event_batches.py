"""One delivery that cannot be merged, among many that can."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from promptsync.errors import MirrorFull
from promptsync.events.apply import EventApplier
from promptsync.events.claims import Claims
from promptsync.events.fields import Fields
from promptsync.model.delivery import Delivery
from promptsync.plugins.declared import EventHandler
from promptsync.store.inbox import insert_event
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.events import HANDLERS

NOW = 1_770_192_000_000_000


def _text_for_a_number(body: Fields, claims: Claims) -> None:
    claims.row("contact", 99).told("name", claims.at, "written before the fault")
    claims.row("message", "no number").told("body", claims.at, "x")


def _too_large(body: Fields, claims: Claims) -> None:
    claims.row("contact", 99).told("name", claims.at, "written before the fault")
    claims.row("message", 1 << 63).told("body", claims.at, "x")


def _into_no_table(body: Fields, claims: Claims) -> None:
    claims.row("contact", 99).told("name", claims.at, "written before the fault")
    claims.row("no such table", 1).told("body", claims.at, "x")


def _stumble(body: Fields, claims: Claims) -> None:
    claims.row("contact", 99).told("name", claims.at, "written before the fault")
    raise ZeroDivisionError


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "mirror.db", declared_schema())
    yield mirror
    mirror.close()


def _store(mirror: Mirror, *types: str) -> None:
    for n, type_ in enumerate(types):
        message = {"id": n + 1, "content": f"text {n}", "status": "SENT"}
        body = json.dumps({"orgId": 1, "timestamp": NOW // 1000 + n, "message": message})
        mirror.writer.run(lambda c, t=type_, b=body, n=n: insert_event(c, Delivery(t, b), NOW + n))  # type: ignore[misc]


def _apply(mirror: Mirror, handlers: Mapping[str, EventHandler] = HANDLERS) -> None:
    applier = EventApplier(mirror, handlers)
    while mirror.writer.run(applier.apply_some):
        pass


@pytest.mark.parametrize("faulty", [_text_for_a_number, _too_large, _into_no_table, _stumble])
@pytest.mark.parametrize("place", [0, 2, 4])
def test_it_fails_alone_and_leaves_nothing(mirror: Mirror, faulty: EventHandler, place: int) -> None:
    types = ["message/status"] * 5
    types[place] = "faulty"
    _store(mirror, *types)
    _apply(mirror, {**HANDLERS, "faulty": faulty})
    others = [n + 1 for n in range(5) if n != place]
    with mirror.reading() as connection:
        states = connection.execute("SELECT id, state, attempts FROM sync_event ORDER BY id").fetchall()
        assert states == [(n + 1, "failed" if n == place else "applied", 1) for n in range(5)]
        assert [row[0] for row in connection.execute("SELECT id FROM message ORDER BY id")] == others
        assert [row[0] for row in connection.execute("SELECT message_id FROM message_status ORDER BY 1")] == others
        assert connection.execute("SELECT id FROM contact").fetchall() == []


def test_it_is_applied_once_it_can_be(mirror: Mirror) -> None:
    _store(mirror, "message/status")
    _apply(mirror, {**HANDLERS, "message/status": _stumble})
    with mirror.reading() as connection:
        assert connection.execute("SELECT error FROM sync_event").fetchone() == (
            "could not be read (ZeroDivisionError)",
        )
    mirror.writer.run(lambda connection: connection.execute("UPDATE sync_event SET state = 'pending'") and None)
    _apply(mirror)
    with mirror.reading() as connection:
        assert connection.execute("SELECT state, attempts, error FROM sync_event").fetchone() == ("applied", 2, None)
        assert connection.execute("SELECT id, content FROM message").fetchall() == [(1, "text 0")]


def test_no_room_is_said_to_be_no_room_and_nothing_fails_for_it(mirror: Mirror) -> None:
    _store(mirror, *["message/status"] * 400)
    pages = mirror.writer.run(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    mirror.writer.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone(), bare=True)
    with pytest.raises(MirrorFull):
        _apply(mirror)
    mirror.writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone(), bare=True)
    _apply(mirror)
    with mirror.reading() as connection:
        states = connection.execute("SELECT state, attempts, count(*) FROM sync_event GROUP BY 1, 2").fetchall()
    assert states == [("applied", 1, 400)]


def test_what_sqlite_has_undone_by_itself_is_reported_as_what_it_was(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk can end the whole transaction; then there is no savepoint left to release."""

    def undone(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("ROLLBACK")
        raise ZeroDivisionError

    _store(mirror, "message/status")
    applier = EventApplier(mirror, HANDLERS)
    monkeypatch.setattr(applier, "_merge", undone)
    with pytest.raises(ZeroDivisionError):
        mirror.writer.run(applier.apply_some)
    _apply(mirror)
    with mirror.reading() as connection:
        assert connection.execute("SELECT state FROM sync_event").fetchall() == [("applied",)]


def test_others_write_while_a_batch_is_read_and_what_they_have_applied_is_left(mirror: Mirror) -> None:
    """A handler that has the writer work for it would wait for itself if it were read on the writer's thread."""
    other = EventApplier(mirror, HANDLERS)

    def meanwhile(body: Fields, claims: Claims) -> None:
        mirror.writer.submit(other.apply_some).result(timeout=20)
        HANDLERS["message/added"](body, claims)

    _store(mirror, "message/added", "message/added")
    applier = EventApplier(mirror, {"message/added": meanwhile})
    assert applier.apply_next() == 2
    assert applier.apply_next() == 0
    with mirror.reading() as connection:
        assert connection.execute("SELECT state, attempts FROM sync_event").fetchall() == [("applied", 1)] * 2
