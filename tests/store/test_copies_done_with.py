"""Which copies of fetched files are deleted: never one that a person or a reject still needs."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from promptsync.store import ledger
from promptsync.store.place_ledger import done_with

COPY = Path("/held/contact.csv.gz")
OLD, NEW = "2026-02-04T08:00:00.000Z", "2026-02-05T08:00:00.000Z"


def file(connection: sqlite3.Connection, rejects: int = 0, **more: Any) -> None:
    row = {"path": "/elsewhere", "table": "contact", "org_id": 1, "as_of": OLD, "state": "merged", **more}
    number = ledger.insert(connection, "sync_file", row)
    for line in range(rejects):
        ledger.insert(connection, "sync_reject", {"class": "bad_time", "file_id": number, "line": line})


@pytest.mark.parametrize(
    ("rejects", "state", "newer", "done"),
    [
        (0, "merged", None, True),
        (0, "unchanged", None, True),
        (0, "held", None, False),
        (0, "failed", {"as_of": NEW}, False),
        (1, "merged", None, False),
        (1, "merged", {"as_of": NEW}, True),
        (1, "merged", {"as_of": OLD}, False),
        (1, "merged", {"as_of": NEW, "org_id": 2}, False),
        (1, "merged", {"as_of": NEW, "table": "message"}, False),
        (1, "merged", {"as_of": NEW, "state": "held"}, False),
    ],
)
def test_a_copy(
    connection: sqlite3.Connection, rejects: int, state: str, newer: dict[str, Any] | None, done: bool
) -> None:
    file(connection, rejects, path=str(COPY), state=state)
    if newer is not None:
        file(connection, **newer)
    assert done_with(connection, [COPY, Path("/held/never seen")]) == [COPY] * done


def test_the_newest_line_of_a_copy_counts(connection: sqlite3.Connection) -> None:
    file(connection, path=str(COPY), state="held")
    file(connection, path=str(COPY), state="merged")
    assert done_with(connection, [COPY]) == [COPY]
