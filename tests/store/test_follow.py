"""Which line of the ledger follows a file that is moved: that of the content that was loaded, however clocks ran."""

import sqlite3

import pytest

from promptsync.store import ledger

EARLY, LATE = "2026-02-04T08:00:00.000Z", "2026-02-05T08:00:00.000Z"


@pytest.mark.parametrize("first", [EARLY, LATE])
def test_only_the_content_that_was_loaded_follows(connection: sqlite3.Connection, first: str) -> None:
    """The line taken up again may be older or newer than another at its path, by its number and by the clock."""

    def opened(content: str, at: str, state: str = "held", path: str = "/drop/x.csv") -> int:
        row = {"name": "x.csv", "path": path, "size": 1, "sha256": content, "state": state}
        return ledger.open_file(connection, row | {"seen_at": at, "error": f"Look at {path}."})

    one = opened("one", first)
    two = opened("two", EARLY)
    assert opened("one", EARLY) == one
    ledger.follow(connection, one, "/drop/x.csv", "/drop/held/x.csv", lambda error: error.replace("drop", "drop/held"))
    lines = connection.execute("SELECT id, path, error FROM sync_file ORDER BY id").fetchall()
    assert lines == [
        (one, "/drop/held/x.csv", "Look at /drop/held/x.csv."),
        (two, "/drop/x.csv", lines[1][2]),
    ]


def test_what_was_merged_of_the_same_content_there_follows_too(connection: sqlite3.Connection) -> None:
    row = {"name": "x.csv", "path": "/drop/x.csv", "size": 1, "sha256": "one", "seen_at": LATE}
    elsewhere = ledger.open_file(connection, row | {"state": "merged", "path": "/elsewhere/x.csv"})
    merged = ledger.insert(connection, "sync_file", row | {"state": "merged"})
    known = ledger.open_file(connection, row | {"state": "unchanged", "seen_at": EARLY})
    assert known not in (merged, elsewhere)
    ledger.follow(connection, known, "/drop/x.csv", "/drop/done/x.csv", str)
    followed = connection.execute("SELECT id FROM sync_file WHERE path = '/drop/done/x.csv' ORDER BY 1").fetchall()
    assert followed == [(merged,), (known,)]
