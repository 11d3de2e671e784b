"""What SQLite leaves of rows that were deleted, in free pages, in search and in its log, is written over."""

import json
import re
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from promptsync.store import erasing
from promptsync.store.mirror import Mirror
from promptsync.store.search import enter
from promptsync.vendors import declared_schema

WORD = b"canaryword"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    made = Mirror(tmp_path / "mirror.db", declared_schema())
    yield made
    made.close()


def fill(mirror: Mirror, count: int) -> None:
    rows = [(n, f"{WORD.decode()} {n} " + "x" * 900) for n in range(count)]
    sql = "INSERT INTO message (id, org_id, content) VALUES (?, 1, ?)"
    mirror.writer.run(lambda connection: connection.executemany(sql, rows) and None)


def in_file(mirror: Mirror) -> bool:
    """In the database itself, once its log is copied back."""
    assert mirror.writer.run(mirror.writer.log.truncate, bare=True)
    return WORD in mirror.path.read_bytes()


def test_pages_that_were_freed_before_are_written_over(mirror: Mirror) -> None:
    """By another program, which leaves what it frees as it was."""
    mirror.writer.run(lambda connection: connection.execute("PRAGMA secure_delete = FAST") and None, bare=True)
    fill(mirror, 400)
    mirror.writer.run(lambda connection: connection.execute("DELETE FROM message") and None)
    assert in_file(mirror)
    number = 0
    while mirror.writer.run(partial(erasing.fill_free_pages, number=number)):
        number += 1
    while mirror.writer.run(erasing.empty_filled):
        pass
    assert number > 1 and not in_file(mirror)
    with mirror.reading() as connection:
        assert connection.execute("SELECT count(*) FROM sync_state WHERE name LIKE 'wiped%'").fetchone() == (0,)


def test_pages_that_become_free_are_written_over_at_once(mirror: Mirror) -> None:
    fill(mirror, 400)
    mirror.writer.run(lambda connection: connection.execute("DELETE FROM message") and None)
    assert not in_file(mirror)


def test_search_forgets_what_was_deleted(mirror: Mirror) -> None:
    table = mirror.schema["message"]
    for first in range(0, 300, 50):  # as segments of their own
        rows = [(n, WORD.decode() if n == 77 else f"word{n}") for n in range(first, first + 50)]
        sql = "INSERT INTO message (id, org_id, content) VALUES (?, 1, ?)"
        mirror.writer.run(lambda connection, rows=rows, sql=sql: connection.executemany(sql, rows) and None)
        ids = [n for n, _ in rows]
        mirror.writer.run(lambda connection, ids=ids: enter(connection, table, ids))
    assert mirror.writer.run(lambda connection: erasing.delete_rows(connection, table, [(77,)])) == 1
    assert in_file(mirror)
    first = True
    while mirror.writer.run(partial(erasing.merge_search, table=table, pages=2, first=first)):
        first = False
    assert not in_file(mirror)
    with mirror.reading() as connection:
        found = connection.execute("SELECT rowid FROM message_fts WHERE message_fts MATCH 'word*'").fetchall()
    assert len(found) == 299


def test_only_what_people_say_is_blanked_in_records(mirror: Mirror) -> None:

    def write(connection: sqlite3.Connection) -> None:
        execute = connection.execute
        execute("INSERT INTO sync_file (id, name, path, error) VALUES (1, 'canaryword.csv', '/x', 'ask canaryword.')")
        execute("INSERT INTO sync_state VALUES ('mark', 'canaryword')")

    mirror.writer.run(write)
    with mirror.reading() as connection:
        cells = list(erasing.texts_with(connection, mirror.schema, re.compile(WORD)))
    mirror.writer.run(lambda connection: erasing.blank(connection, cells))
    with mirror.reading() as connection:
        assert connection.execute("SELECT name, path, error FROM sync_file").fetchone() == ("....csv", "/x", "ask ....")
        assert connection.execute("SELECT value FROM sync_state WHERE name = 'mark'").fetchone() == ("canaryword",)


def test_only_the_persons_changes_leave_the_queue(mirror: Mirror) -> None:
    rows = [("a", 1, "contact", [7]), ("a", 2, "message", [7]), ("b", 1, "contact", [8])]

    def write(connection: sqlite3.Connection) -> int:
        connection.execute('CREATE TABLE sync_change (observer TEXT, seq INTEGER, "table" TEXT, key TEXT, rev INTEGER)')
        values = [(observer, seq, table, json.dumps(key)) for observer, seq, table, key in rows]
        connection.executemany("INSERT INTO sync_change VALUES (?, ?, ?, ?, 1)", values)
        return erasing.delete_changes(connection, {"contact": [(7,)]})

    assert mirror.writer.run(write) == 1
    with mirror.reading() as connection:
        assert connection.execute("SELECT observer, seq FROM sync_change").fetchall() == [("a", 2), ("b", 1)]
