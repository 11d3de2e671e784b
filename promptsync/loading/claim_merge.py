"""Merging one staged change set or export into the mirror, in slices between which other work goes on.

Owns the order of the steps: compare on a read-only connection, write what is new or wins in the order of the key, then
one transaction for the ledger. Into an empty table the staged one can be copied in bulk. After a kill, doing it all
again ends in the same rows.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import replace

from promptsync.store.compare import ClaimDelta, StagedClaims, compare_claims
from promptsync.store.initial_load import build_indexes, copy_into
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Progress, Slices
from promptsync.store.staging import attached, attached_to_writer

Finish = Callable[[sqlite3.Connection, ClaimDelta], None]
"""What is written with the last rows: what became of the file."""


class ClaimMerge:
    """One staged file on its way into the mirror. Blocking: not for the event loop's thread."""

    def __init__(self, mirror: Mirror, staged: StagedClaims, progress: Progress) -> None:
        self._mirror, self._staged, self._progress = mirror, staged, progress
        self._table = staged.statements.layout.table

    def compare(self) -> ClaimDelta:
        """Find what is new or wins, without writing to the mirror."""
        if self._staged.initial:
            return ClaimDelta(self._staged.rows)
        self._progress("comparing", 0, self._staged.rows)
        return compare_claims(self._mirror, self._staged)

    def apply(self, found: ClaimDelta, finish: Finish) -> None:
        """Merge it; ``finish`` is in the last transaction."""
        writer, staged = self._mirror.writer, self._staged
        if found.writes is None:
            self._index()
            with attached_to_writer(writer, staged.path, staged.rows):
                if self._copy_into(found, finish):
                    return
            self._staged = replace(staged, initial=False)
            found = self.compare()
        with attached_to_writer(writer, staged.path, staged.rows):
            self._slices(found)
            writer.run(lambda connection: finish(connection, found))

    def _index(self) -> None:
        self._progress("indexing the table", 0, self._staged.rows)
        with self._mirror.reading() as connection, attached(connection, self._staged.path, writable=True, undo=False):
            build_indexes(connection, self._table)

    def _copy_into(self, found: ClaimDelta, finish: Finish) -> bool:
        """Try the short way into an empty table. False: a delivery came in between; nothing was done."""
        self._progress("taking over", 0, self._staged.rows)
        return copy_into(self._mirror.writer, self._table, lambda connection: finish(connection, found))

    def _slices(self, found: ClaimDelta) -> None:
        writer, sql = self._mirror.writer, self._staged.statements
        statements = (*sql.parts_of_slice, sql.merge_slice)
        slices = Slices(writer, weight=len(statements))
        if sql.parts and found.writes:
            slices.prepare(statements, {})

        def work(connection: sqlite3.Connection, first: int, last: int) -> None:
            revision = self._mirror.next_revision(connection)
            for statement in statements:
                connection.execute(statement, {"rev": revision, "first": first, "last": last})

        slices.run(work, found.writes or 0, lambda done, total: self._progress("merging", done, total))
