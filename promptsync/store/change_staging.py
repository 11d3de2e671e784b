"""The staging file of a change set: its rows by key, in the order of the mirror's own table.

Owns its two forms. Into a table with rows it is merged from a table ``rows``; for one that is still empty the rows are
staged in the very table of the mirror, indexes included, to be taken over as a whole (whole.py). A view then shows them
as ``rows``, in case something came in between.
"""

from pathlib import Path

import pyarrow as pa

from promptsync.merge.change_sql import ChangeStatements
from promptsync.merge.layout import Layout
from promptsync.merge.sql import names, quote
from promptsync.store import changes
from promptsync.store.initial_load import PAGE
from promptsync.store.mirror import Mirror
from promptsync.store.staging import Staging, definitions
from promptsync.store.writer import Lane

VERSION = "_at"


class ChangeStaging(Staging):
    """Takes rows sorted by key, each key once, without their numbers in the file."""

    def __init__(self, path: Path, layout: Layout) -> None:
        self._layout = layout
        super().__init__(path, layout.key)

    def create(self, schema: pa.Schema) -> None:
        """Make the table: key, values, ``_at``."""
        columns = [*definitions(schema), f"PRIMARY KEY ({names(self._layout.key)})"]
        self._cursor.execute(f"CREATE TABLE rows ({', '.join(columns)}) WITHOUT ROWID")

    def add(self, rows: pa.RecordBatch) -> None:
        """Append a batch."""
        if rows.num_rows:
            self._ingest(rows)
            self.rows += rows.num_rows


class WholeChangeStaging(ChangeStaging):
    """The same in the form of the mirror's table."""

    def __init__(self, path: Path, layout: Layout, mirror: Mirror, statements: ChangeStatements) -> None:
        self._own, self._marks = statements.row_at, statements.marks_of_new
        with mirror.reading() as connection:
            self._table_sql = connection.execute(
                "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (layout.table.name,)
            ).fetchone()[0]
        self._revision = mirror.writer.run(mirror.next_revision, Lane.BULK, durable=False)
        super().__init__(path, layout)
        self._cursor.execute(f"PRAGMA page_size = {PAGE}")

    def create(self, schema: pa.Schema) -> None:
        """Make the mirror's table, and the view of it."""
        self._cursor.execute(self._table_sql)
        own = quote(self._own)
        columns = [name for name in schema.names if name != VERSION]
        self._cursor.execute(
            f"CREATE VIEW rows AS SELECT {names(columns)}, {own} AS {VERSION} FROM {quote(self._layout.table.name)}"
        )

    def _ingest(self, rows: pa.RecordBatch) -> None:
        count, versions = rows.num_rows, rows.column(VERSION)
        columns = {name: rows.column(name) for name in rows.schema.names if name != VERSION}
        columns |= {name: versions if mark else pa.repeat(pa.scalar(b""), count) for name, mark in self._marks.items()}
        columns["_rev"] = pa.repeat(self._revision, count)
        batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
        self._cursor.adbc_ingest(self._layout.table.name, batch, mode="append")


def is_untouched(mirror: Mirror, table: str) -> bool:
    """Whether a table has no rows, and nobody wants to be told of each that comes."""
    with mirror.reading() as connection:
        if changes.is_watched(connection, table):
            return False
        return not connection.execute(f"SELECT EXISTS (SELECT 1 FROM {quote(table)})").fetchone()[0]
