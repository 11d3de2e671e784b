"""Merging one staged change set into the mirror, in slices between which other work goes on.

Owns the order of the steps: compare on a read-only connection, write what is new or wins in the order of the key, then
one transaction for the ledger. Into an empty table the staged one is copied as a whole. After a kill, doing it all
again ends in the same rows.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from promptsync.loading.snapshot_merge import Progress
from promptsync.store import ledger
from promptsync.store.compare import Found, StagedChanges, compare_changes
from promptsync.store.initial_load import build_indexes, take_over
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Slices
from promptsync.store.staging import attach, attached, let_go


class ChangeSetMerge:
    """One staged change set on its way into the mirror. Blocking: not for the event loop's thread."""

    def __init__(self, mirror: Mirror, staged: StagedChanges, progress: Progress) -> None:
        self._mirror, self._staged, self._progress = mirror, staged, progress
        self._table = staged.statements.layout.table

    def compare(self) -> Found:
        """Find what is new or wins, without writing to the mirror."""
        if self._staged.whole:
            return Found(self._staged.rows)
        self._progress("comparing", 0, self._staged.rows)
        return compare_changes(self._mirror, self._staged)

    def apply(self, found: Found, file_id: int, counts: Callable[[Found], Mapping[str, Any]]) -> None:
        """Merge it. ``counts``: what the ledger's row of the file says once this has committed."""
        if found.writes is None:
            self._index()
            if self._attached(lambda: self._take_over(found, file_id, counts)):
                return
            self._staged = replace(self._staged, whole=False)
            found = self.compare()
        self._attached(lambda: self._slices(found, file_id, counts))

    def _attached(self, work: Callable[[], bool]) -> bool:
        writer = self._mirror.writer
        writer.run(lambda connection: attach(connection, self._staged.path, writable=False), bare=True)
        try:
            return work()
        finally:
            writer.run(lambda connection: let_go(connection, self._staged.rows), bare=True)

    def _index(self) -> None:
        self._progress("indexing the table", 0, self._staged.rows)
        with self._mirror.reading() as connection, attached(connection, self._staged.path, writable=True, undo=False):
            build_indexes(connection, self._table)

    def _take_over(self, found: Found, file_id: int, counts: Callable[[Found], Mapping[str, Any]]) -> bool:
        """Try the short way into an empty table. False: a delivery came in between; nothing was done."""
        self._progress("taking over", 0, self._staged.rows)
        return take_over(
            self._mirror.writer,
            self._table,
            lambda connection: ledger.close_file(connection, file_id, counts(found)),
        )

    def _slices(self, found: Found, file_id: int, counts: Callable[[Found], Mapping[str, Any]]) -> bool:
        writer, sql = self._mirror.writer, self._staged.statements.merge_slice

        def work(connection: sqlite3.Connection, first: int, last: int) -> None:
            revision = self._mirror.next_revision(connection)
            connection.execute(sql, {"rev": revision, "first": first, "last": last})

        Slices(writer).run(work, found.writes or 0, lambda done, total: self._progress("merging", done, total))
        writer.run(lambda connection: ledger.close_file(connection, file_id, counts(found)))
        return True
