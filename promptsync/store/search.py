"""Keeping full-text search up to date, after the rows and in small pieces.

Owns entering rows into the FTS5 tables, which rows wait for it and how much is done at a time: one row more can make
FTS5 merge pages for tens of milliseconds, so it never happens in the transaction of a delivery or of a batch of them.
An entry is taken out by a trigger before its text changes (store/ddl.py), so an entered row is one whose id has a
document size; everything else is missing and entered here, by whoever wrote the rows or by catching up after a file.
If nearly everything is missing, the index is built anew beside the mirror (search_build.py).
Blocking, for a worker thread.
"""

import json
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from promptsync.merge.sql import names, quote
from promptsync.model import Key, Schema, Table
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane, Preempted

_BATCH, _SLICE, _SMALL = 20_000, 2_000, 100
_RANGE = 5_000
_MERGED = 16
"""Pages of the index that are rewritten in one transaction: some milliseconds."""


def enter(connection: sqlite3.Connection, table: Table, ids: Sequence[int]) -> None:
    """Enter those of these rows that are not entered."""
    sql = f"{_enter(table)} AND {quote(table.key[0])} IN (SELECT value FROM json_each(?))"
    connection.execute(sql, (json.dumps(ids),))


def missing(connection: sqlite3.Connection, table: Table, after: int, limit: int) -> list[int]:
    """Ids of rows that are not entered, ascending, greater than ``after``.

    Counted before they are compared: what is entered is a row, so a range with as many of both lacks none.
    """
    key, docsize = quote(table.key[0]), quote(f"{table.name}_fts_docsize")
    count = (
        f"WITH some AS (SELECT {key} AS id FROM {quote(table.name)} "
        f"WHERE {key} > :after ORDER BY {key} LIMIT {_RANGE}), "
        "this AS (SELECT max(id) AS last, count(*) AS rows FROM some) SELECT last, rows, "
        f"(SELECT count(*) FROM {docsize} WHERE id > :after AND id <= last) FROM this"
    )
    compare = (
        f"SELECT {key} FROM {quote(table.name)} WHERE {key} > :after AND {key} <= :last AND {_absent(table)} "
        f"ORDER BY {key}"
    )
    found: list[int] = []
    while len(found) < limit:
        last, rows, entered = connection.execute(count, {"after": after}).fetchone()
        if not rows:
            break
        if entered < rows:
            found += [row[0] for row in connection.execute(compare, {"after": after, "last": last})]
        after = last
    return found[:limit]


def lag(connection: sqlite3.Connection, schema: Schema) -> dict[str, int]:
    """How many rows of each searchable table are not entered."""
    return {
        table.name: _count(connection, table.name) - _count(connection, f"{table.name}_fts_docsize")
        for table in schema
        if table.search
    }


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {quote(table)}").fetchone()[0])


def _enter(table: Table) -> str:
    columns = names(table.search)
    return (
        f"INSERT INTO {quote(f'{table.name}_fts')} (rowid, {columns}) "
        f"SELECT {quote(table.key[0])}, {columns} FROM {quote(table.name)} WHERE {_absent(table)}"
    )


def _absent(table: Table) -> str:
    docsize = quote(f"{table.name}_fts_docsize")
    return f"NOT EXISTS (SELECT 1 FROM {docsize} d WHERE d.id = {quote(table.name)}.{quote(table.key[0])})"


def purge(mirror: Mirror, table: Table, progress: Callable[[int, int], None]) -> None:
    """Rewrite the index of a searchable table into one piece, some pages at a time: an entry that was taken out leaves
    its words behind in older pieces until they are merged with those that say so. One that is being built beside the
    mirror, which brings such words along, is waited for. Blocking, for a worker thread.

    ``progress``: gets how many steps are done, and 0, as nobody knows of how many.
    """
    fts = quote(f"{table.name}_fts")

    def step(connection: sqlite3.Connection, pages: int) -> bool:
        before = connection.total_changes
        connection.execute(f"INSERT INTO {fts} ({fts}, rank) VALUES ('merge', ?)", (pages,))
        return connection.total_changes - before > 1  # FTS5: fewer, and there was nothing more to do

    pages, done = -_MERGED, 0  # the first step says that all of it is to become one
    with mirror.indexing:
        while mirror.writer.run(partial(step, pages=pages), Lane.IDLE, durable=False):
            pages, done = _MERGED, done + 1
            progress(done, 0)


class SearchEntry:
    """Keeps the search of one mirror up to date."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._lock = threading.Lock()
        self._waiting: dict[str, set[int]] = defaultdict(set)

    def claimed(self, table: str, keys: Iterable[Key]) -> None:
        """Rows with these keys were claimed: if their table can be searched, they are entered soon."""
        if self._mirror.schema[table].search:
            with self._lock:
                self._waiting[table].update(int(key[0] or 0) for key in keys)

    def enter_claimed(self) -> int:
        """Enter what events claimed meanwhile; returns how many rows that were. After a kill ``enter_missing`` does."""
        with self._lock:
            waiting, self._waiting = self._waiting, defaultdict(set)
        for table, ids in waiting.items():
            self._enter(table, sorted(ids))
        return sum(map(len, waiting.values()))

    def enter_missing(self, table: str, progress: Callable[[str, int, int], None] = lambda *_: None) -> int:
        """Enter all rows of a table that are not in search yet; returns how many. ``progress``: (step, done, 0)."""
        declared = self._mirror.schema[table]
        if not declared.search:
            return 0
        with self._mirror.indexing:
            entered = self._build(declared, progress)
            return entered + self._enter_rest(declared, entered, progress)

    def _build(self, table: Table, progress: Callable[[str, int, int], None]) -> int:
        """Build the index anew if most rows are missing in it, and they are many; returns how many were entered."""
        with self._mirror.reading() as connection:
            rows, entered = _count(connection, table.name), _count(connection, f"{table.name}_fts_docsize")
        if rows - entered < max(1, entered):
            return 0
        from promptsync.store.search_build import WORTH, build

        if rows - entered < WORTH:
            return 0
        built = build(self._mirror, table, lambda done: progress("indexing", max(0, done - entered), 0))
        return rows - entered if built else 0

    def _enter_rest(self, table: Table, before: int, progress: Callable[[str, int, int], None]) -> int:
        after = entered = 0
        while True:
            with self._mirror.reading() as connection:
                if _count(connection, table.name) == _count(connection, f"{table.name}_fts_docsize"):
                    return entered
                ids = missing(connection, table, after, _BATCH)
            self._enter(table.name, ids)
            entered += len(ids)
            if ids:
                progress("indexing", before + entered, 0)
            if len(ids) < _BATCH:
                return entered
            after = ids[-1]

    def _enter(self, table: str, ids: Sequence[int]) -> None:
        for start in range(0, len(ids), _SLICE):
            some = ids[start : start + _SLICE]
            try:
                self._run(table, some, preemptible=True)
            except Preempted:  # a delivery came in between: again, in small pieces
                for first in range(0, len(some), _SMALL):
                    self._run(table, some[first : first + _SMALL], preemptible=False)

    def _run(self, table: str, ids: Sequence[int], *, preemptible: bool) -> None:
        declared = self._mirror.schema[table]
        self._mirror.writer.run(
            lambda connection: enter(connection, declared, ids),
            Lane.IDLE,
            durable=False,
            preemptible=preemptible,
        )
