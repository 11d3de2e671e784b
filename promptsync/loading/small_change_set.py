"""A small change set among others: read as any, merged within a transaction that it shares.

Owns what of it is done on the writer. Whatever is doubtful about it (a bad row, a new column, hundreds of unknown
ones, merged before) is left to change_set.py.
"""

import sqlite3

from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.loading.change_set import NUMBER, ChangeSetLoad
from promptsync.loading.small_files import SMALL_ROWS, LoadAlone, SmallFile
from promptsync.merge.claim_sql import ChangeSetStatements, change_set_statements
from promptsync.merge.layout import Layout
from promptsync.store import ledger
from promptsync.store.columns import is_prepared, spelling
from promptsync.store.compare import find_claims
from promptsync.store.key_order import KeyOrder
from promptsync.store.memory_staging import shape_in_order


class SmallChangeSet(SmallFile, ChangeSetLoad):
    """One of them."""

    _layout: Layout
    _statements: ChangeSetStatements

    def _read(self) -> None:
        name = self._state()
        self._proof = self._prove()
        settings, table = self._settings, self._mirror.schema[name.table]
        layout = self._layout = self._mirror.layout(table.name)
        left_out = settings.leave_out.get(table.name, frozenset())
        with ChangeSetReader(self._request.path, table, name, settings.limits, left_out) as reader:
            spelled = spelling(layout, reader.unknown)
            if reader.total > SMALL_ROWS or not is_prepared(layout, spelled.values(), reader.lacks):
                raise LoadAlone
            self._refuse_unordered(reader, table)
            columns = [spelled.get(column, column) for column in reader.schema.names]
            with KeyOrder(self._request.path, layout.key) as ordered:
                for batch in reader:
                    self._take(batch, table.name, columns, ordered)
                self._decide(self._report.rows)
                if self._report.rejected:
                    raise LoadAlone
                batches = list(ordered)
        self.rows = [row for batch in batches for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)]
        self._statements = change_set_statements(layout, frozenset(layout.values) & frozenset(columns))
        if self._statements.parts:
            raise LoadAlone
        fields = zip(reader.schema, columns, strict=True)
        staged = [field.with_name(column) for field, column in fields if column != NUMBER]
        self.shape = shape_in_order(staged, layout.key, self._statements.make_delta)

    def _merge_within(self, connection: sqlite3.Connection) -> None:
        statements = self._statements
        if self._layout != self._mirror.layout(self._layout.table.name):
            raise LoadAlone
        found = find_claims(connection, statements)
        file_id = self._open_within(connection)
        if found.writes:
            bounds = {"rev": self._mirror.next_revision(connection), "first": 1, "last": found.writes}
            connection.execute(statements.merge_slice, bounds)
        ledger.close_file(connection, file_id, self._counts(found))
