"""The index of a whole table that is built beside the mirror is the one that entering its rows would have made."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.model import Table
from promptsync.store import search_build
from promptsync.store.mirror import Mirror
from promptsync.store.search import SearchEntry, enter, lag
from promptsync.store.search_build import build
from promptsync.store.writer import Preempted
from promptsync.vendors import declared_schema

WORDS = ("bus", "tuesday", "volunteers", "stop")
IDS = st.integers(1, 30)
TEXTS = st.one_of(st.none(), st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join))
CHANGES = st.lists(st.tuples(st.sampled_from(["write", "delete", "enter"]), IDS, TEXTS), max_size=6)
MESSAGE = declared_schema()["message"]


@contextmanager
def _mirror(path: Path) -> Iterator[Mirror]:
    mirror = Mirror(path, declared_schema())
    try:
        yield mirror
    finally:
        mirror.close()


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    with _mirror(tmp_path_factory.mktemp("build") / "mirror.db") as mirror:
        yield mirror


def _change(mirror: Mirror, what: str, number: int, text: str | None) -> None:
    def change(connection: sqlite3.Connection) -> None:
        if what == "enter":
            enter(connection, MESSAGE, [number])
        elif what == "delete":
            connection.execute("DELETE FROM message WHERE id = ?", (number,))
        else:
            sql = "INSERT INTO message (id, content) VALUES (?, ?) "
            connection.execute(f"{sql} ON CONFLICT (id) DO UPDATE SET content = excluded.content", (number, text))

    mirror.writer.run(change)


def _fill(mirror: Mirror, rows: int) -> None:
    sql = (
        "WITH RECURSIVE n AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM n LIMIT ?) "
        "INSERT INTO message (id, content) SELECT id, 'word' || (id % 5000) || ' said ' || id FROM n"
    )
    mirror.writer.run(lambda connection: connection.execute(sql, (rows,)))


def _assert_whole(mirror: Mirror) -> None:
    """All rows are entered, and the index says what they say: SQLite compares the two word by word."""
    mirror.writer.run(
        lambda connection: connection.execute(
            "INSERT INTO message_fts (message_fts, rank) VALUES ('integrity-check', 1)"
        )
    )
    with mirror.reading() as connection:
        assert lag(connection, mirror.schema)["message"] == 0
        rows = connection.execute("SELECT id, content FROM message").fetchall()
        for word in WORDS:
            found = connection.execute("SELECT rowid FROM message_fts WHERE message_fts MATCH ?", (word,))
            assert {row[0] for row in found} == {id_ for id_, text in rows if word in (text or "").split()}


@settings(max_examples=40, deadline=None)
@given(before=CHANGES, rows=st.dictionaries(IDS, TEXTS), meanwhile=st.lists(CHANGES, max_size=4), after=CHANGES)
def test_whatever_changes_meanwhile(
    before: list[Any],
    rows: dict[int, str | None],
    meanwhile: list[list[Any]],
    after: list[Any],
    mirror: Mirror,
) -> None:
    mirror.writer.run(lambda connection: connection.execute("DELETE FROM message"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(search_build, "_FIRST", 8)
        patched.setattr(search_build, "_SOME", 3)
        for change in before:
            _change(mirror, *change)
        for number, text in rows.items():
            _change(mirror, "write", number, text)
        steps = iter(meanwhile)

        def change_some(_: int) -> None:
            for change in next(steps, ()):
                _change(mirror, *change)

        assert build(mirror, MESSAGE, change_some)
        for change in after:
            _change(mirror, *change)
        SearchEntry(mirror).enter_missing("message")
        _assert_whole(mirror)


def test_many_rows_become_one_segment_and_later_ones_leave_it_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_build, "_FIRST", 9_000)
    monkeypatch.setattr(search_build, "_SOME", 2_000)
    with _mirror(tmp_path / "mirror.db") as mirror:
        _fill(mirror, 21_000)
        told: list[int] = []
        assert SearchEntry(mirror).enter_missing("message", lambda _, done, __: told.append(done)) == 21_000
        assert told == sorted(told) and told[-1] == 21_000
        with mirror.reading() as connection:
            segments = connection.execute("SELECT count(DISTINCT segid) FROM message_fts_idx").fetchone()[0]
        assert segments == 1
        written = [_written_by_entering(mirror, number) for number in range(30_000, 30_070)]
        _assert_whole(mirror)
    with _mirror(tmp_path / "empty.db") as mirror:  # the new ones are merged among themselves
        assert written == [_written_by_entering(mirror, number) for number in range(30_000, 30_070)]


def _written_by_entering(mirror: Mirror, number: int) -> int:
    def enter_one(connection: sqlite3.Connection) -> int:
        text = " ".join(f"new{number}x{word}" for word in range(500))
        connection.execute("INSERT INTO message (id, content) VALUES (?, ?)", (number, text))
        before = connection.total_changes
        enter(connection, MESSAGE, [number])
        return connection.total_changes - before

    return mirror.writer.run(enter_one)


def test_where_it_gives_way_to_deliveries_all_is_entered_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _mirror(tmp_path / "mirror.db") as mirror:
        _fill(mirror, 21_000)
        tries: list[None] = []

        real = search_build._take_over

        def take_over(connection: sqlite3.Connection, table: Table) -> None:
            real(connection, table)
            tries.append(None)
            raise Preempted  # as the writer raises once it has undone it

        monkeypatch.setattr(search_build, "_take_over", take_over)
        assert SearchEntry(mirror).enter_missing("message") == 21_000
        assert tries
        _assert_whole(mirror)
        _assert_nothing_left(mirror)


def test_stopped_on_the_way_it_leaves_everything_as_it_was(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(_: int) -> None:
        raise Stopped

    with _mirror(tmp_path / "mirror.db") as mirror:
        for number, word in enumerate(WORDS, 1):
            _change(mirror, "write", number, word)
        _change(mirror, "enter", 1, None)
        with pytest.raises(Stopped):
            build(mirror, MESSAGE, stop)
        with mirror.reading() as connection:
            assert lag(connection, mirror.schema)["message"] == len(WORDS) - 1
        _assert_nothing_left(mirror)
        SearchEntry(mirror).enter_missing("message")
        _assert_whole(mirror)


def _assert_nothing_left(mirror: Mirror) -> None:
    assert not list((mirror.folder / "staging").iterdir())
    assert not mirror.writer.run(
        lambda connection: connection.execute("SELECT name FROM sqlite_temp_master").fetchall()
    )
