"""Emptying a table that change sets fill, so that its history can come again.

Owns the order of it. That files of the table were merged is forgotten first, so that a reset which is killed can be
done again and never leaves a file counted as merged whose rows are gone. What a place has given is not fetched again.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from promptsync.merge.sql import names, quote
from promptsync.store import ledger
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Slices


@dataclass(frozen=True, slots=True)
class Reset:
    """What came of it. ``rows``: deleted; ``files``: whose merging was forgotten."""

    table: str
    rows: int
    files: int


def reset_table(mirror: Mirror, table: str, progress: Callable[[str, int, int], None]) -> Reset:
    """Delete its rows, a slice at a time. ``progress``: gets (step, done, total). Blocking: for a worker thread."""
    files = mirror.writer.run(lambda connection: ledger.forget_merged(connection, table))
    with mirror.reading() as connection:
        total: int = connection.execute(f"SELECT count(*) FROM {quote(table)}").fetchone()[0]
    key = names(mirror.schema[table].key)
    some = f"SELECT {key} FROM {quote(table)} ORDER BY {key} LIMIT ?"

    def work(connection: sqlite3.Connection, first: int, last: int) -> None:
        connection.execute(f"DELETE FROM {quote(table)} WHERE ({key}) IN ({some})", (last - first + 1,))

    Slices(mirror.writer).run(work, total, lambda done, of: progress("deleting", done, of))
    return Reset(table, total, files)
