"""The first snapshot of a table: staged in the mirror's own form, taken over as a whole.

Owns the short way for a table that is still empty. The staging file gets the very table and, off the writer, the very
indexes of the mirror, so that SQLite can copy both record by record without looking into them. The copy is one
transaction that gives way to a delivery; then, or if the table is no longer empty, the staged rows are merged in slices
like any others, through a view that shows them as ``rows``.
"""

import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from promptsync.merge.layout import Layout
from promptsync.merge.sql import names, quote
from promptsync.merge.version import PER_MICRO
from promptsync.store import changes
from promptsync.store.mirror import Mirror
from promptsync.store.staging import Staging
from promptsync.store.writer import Lane

PAGE = 16_384  # read from end to end by whoever indexes and copies it: a quarter less time than with 4,096


class Disordered(Exception):
    """The file is not sorted by its key, so a key may stand twice: stage it like any other."""


class WholeStaging(Staging):
    """Stages rows as the mirror will have them. Raises Disordered."""

    def __init__(self, path: Path, layout: Layout, org: int, mirror: Mirror) -> None:
        self._layout = layout
        self._org = org
        with mirror.reading() as connection:
            self._table_sql = connection.execute(
                "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (layout.table.name,)
            ).fetchone()[0]
        self._revision = mirror.writer.run(mirror.next_revision, Lane.BULK, durable=False)
        super().__init__(path, layout.key)
        self._cursor.execute(f"PRAGMA page_size = {PAGE}")

    def create(self, schema: pa.Schema) -> None:
        """Make the mirror's table, and a view of it that looks like any staged rows."""
        self._cursor.execute(self._table_sql)
        columns = [name for name in schema.names if name not in ("_n", "_at")]
        self._cursor.execute(
            f"CREATE VIEW rows AS SELECT {quote(self._layout.key[0])} AS _n, {names(columns)}, "
            f"_snap_at / {PER_MICRO} AS _at FROM {quote(self._layout.table.name)}"
        )

    def _ingest(self, rows: pa.RecordBatch) -> None:
        if not self.ascending:
            raise Disordered
        count = rows.num_rows
        versions = pc.multiply(rows.column("_at"), PER_MICRO)
        columns = {name: rows.column(name) for name in rows.schema.names if name not in ("_n", "_at")}
        for unit in self._layout.units:
            if unit.split:
                columns[unit.at] = versions if unit.name in columns else pa.repeat(0, count)
        columns |= {name: pa.repeat(self._org, count) for name in self._layout.owner}
        columns |= {"_snap_at": versions, "_in_snapshot": pa.repeat(1, count), "_rev": pa.repeat(self._revision, count)}
        batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
        self._cursor.adbc_ingest(self._layout.table.name, batch, mode="append")


def may_take_over(mirror: Mirror, layout: Layout, org: int) -> bool:
    """Whether a snapshot would be the first thing ever in its table, and nobody wants to be told of each row."""
    table = layout.table
    if not table.blockwise or mirror.snapshots.newest(table.name, org) is not None:
        return False
    with mirror.reading() as connection:
        if changes.is_watched(connection, table.name):
            return False
        return not connection.execute(f"SELECT EXISTS (SELECT 1 FROM {quote(table.name)})").fetchone()[0]


def build_indexes(connection: sqlite3.Connection, table: str) -> None:
    """Give the staged table the indexes that the mirror's has. The staging file is attached writable."""
    connection.execute("PRAGMA temp_store = FILE")
    connection.execute("PRAGMA threads = 2")
    indexes = connection.execute(
        "SELECT sql FROM main.sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (table,)
    )
    for (sql,) in indexes.fetchall():
        connection.execute("CREATE INDEX staging." + sql.removeprefix("CREATE INDEX "))
    connection.execute("PRAGMA threads = 0")
    connection.execute("PRAGMA temp_store = MEMORY")


def take_over(connection: sqlite3.Connection, table: str) -> None:
    """Copy the staged table into the mirror's empty one, inside the caller's transaction.

    Triggers would make SQLite look at each row; they only concern later changes, so they are put back afterwards.
    Raises sqlite3.IntegrityError if the table is no longer empty and has some of the keys.
    """
    triggers = connection.execute(
        "SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table,)
    ).fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {quote(name)}")
    connection.execute(f"INSERT INTO main.{quote(table)} SELECT * FROM staging.{quote(table)}")
    for _, sql in triggers:
        connection.execute(sql)
