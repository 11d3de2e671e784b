"""Entering rows into full-text search, after they were written and in small pieces.

Owns which rows wait for it and how much is done at a time: one row more can make FTS5 merge pages for tens of
milliseconds, so it never happens in the transaction of a delivery or of a batch of them. Blocking, for a worker thread.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence

from promptsync.events.merge_claims import Merged
from promptsync.store import search
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane, Preempted

_SLICE = 2_000
_SMALL = 100


class SearchEntry:
    """Keeps the search of one mirror up to date."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._lock = threading.Lock()
        self._waiting: dict[str, set[int]] = defaultdict(set)

    def claimed(self, merged: Merged) -> None:
        """Events claimed these rows: those that can be searched are entered soon."""
        for (table, _), rows in merged.rows.items():
            if self._mirror.schema[table].search:
                with self._lock:
                    self._waiting[table].update(int(row.key[0] or 0) for row in rows)

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
        after = entered = 0
        while declared.search:
            with self._mirror.reading() as connection:
                ids = search.missing(connection, declared, after, 10 * _SLICE)
            if not ids:
                break
            self._enter(table, ids)
            after, entered = ids[-1], entered + len(ids)
            progress("indexing", entered, 0)
        return entered

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
            lambda connection: search.enter(connection, declared, ids),
            Lane.IDLE,
            durable=False,
            preemptible=preemptible,
        )
