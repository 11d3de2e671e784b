"""The initial load of a table: the file is staged in the mirror's own form and copied in at once.

Owns the short way for a table that is still empty. The staging file gets the same table as the mirror and, off the
writer, the same indexes, so that SQLite can copy both record by record without decoding them. The copy is one
transaction that gives way to a delivery; in that case, or if the table is no longer empty, the staged rows are merged
in slices like any others, through a view that shows them as ``rows``.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from promptsync.merge.claim_sql import ChangeSetStatements
from promptsync.merge.layout import Layout
from promptsync.merge.sql import quote
from promptsync.merge.version import PER_MICRO
from promptsync.model import Table
from promptsync.store import changes, day_count, ddl, swept
from promptsync.store.mirror import Mirror
from promptsync.store.staged_days import StagedDays
from promptsync.store.staging import Staging
from promptsync.store.writer import Lane, Preempted, Writer

_PAGE = 16_384  # indexing and copying read it from end to end: a quarter less time than with 4,096
_AT, _NUMBER = "_at", "_n"


class Disordered(Exception):
    """The file is not sorted by its key, so a key may occur twice: stage it like any other."""


class Form(ABC):
    """How a staged row looks in the mirror's table, and how it is read back from there."""

    numbered: bool

    @abstractmethod
    def marks(self, rows: pa.RecordBatch) -> dict[str, "pa.Array[Any]"]:
        """The columns that the mirror's rows have beside key and values."""

    @abstractmethod
    def staged(self) -> dict[str, str]:
        """The columns that staged rows have beside key and values, as SQL over the mirror's."""

    def days(self, connection: sqlite3.Connection) -> StagedDays | None:
        """What counts the rows by day, if that is done of the table."""
        return None


@dataclass(frozen=True, slots=True)
class SnapshotForm(Form):
    """The form of a snapshot that will be the newest of its organization, sorted by its one integer key."""

    layout: Layout
    org: int
    numbered = True

    def marks(self, rows: pa.RecordBatch) -> dict[str, "pa.Array[Any]"]:
        """As Form has it: what a merge of the same rows would write."""
        count, versions = rows.num_rows, pc.multiply(rows.column(_AT), PER_MICRO)
        split = [unit for unit in self.layout.units if unit.split]
        found = {unit.at: versions if unit.name in rows.schema.names else pa.repeat(0, count) for unit in split}
        found |= {name: pa.repeat(self.org, count) for name in self.layout.owner}
        return found | {"_snap_at": versions, "_in_snapshot": pa.repeat(1, count)}

    def staged(self) -> dict[str, str]:
        """As Form has it."""
        return {_NUMBER: quote(self.layout.key[0]), _AT: f"_snap_at / {PER_MICRO}"}

    def days(self, connection: sqlite3.Connection) -> StagedDays | None:
        """As Form has it."""
        counted = self.layout.table.counted
        return StagedDays(counted, self.org, day_count.kept_offsets(connection)) if counted else None


@dataclass(frozen=True, slots=True)
class ChangeSetForm(Form):
    """The form of a change set, sorted by its key, each key once."""

    statements: ChangeSetStatements
    numbered = False

    def marks(self, rows: pa.RecordBatch) -> dict[str, "pa.Array[Any]"]:
        """As Form has it: what a merge of the same rows would write."""
        none = pa.repeat(pa.scalar(b""), rows.num_rows)
        return {name: rows.column(_AT) if mark else none for name, mark in self.statements.marks_of_new.items()}

    def staged(self) -> dict[str, str]:
        """As Form has it."""
        return {_AT: quote(self.statements.row_at)}


class InitialStaging(Staging):
    """Stages rows as the mirror will have them. Raises Disordered if a snapshot is not sorted by its key."""

    def __init__(self, path: Path, layout: Layout, mirror: Mirror, form: Form) -> None:
        self._table, self._form = layout.table.name, form
        with mirror.reading() as connection:
            self._table_sql = connection.execute(
                "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?", (self._table,)
            ).fetchone()[0]
            self._days = form.days(connection)
        self._revision = mirror.writer.run(mirror.next_revision, Lane.BULK, durable=False)
        super().__init__(path, layout.key, numbered=form.numbered)
        self._cursor.execute(f"PRAGMA page_size = {_PAGE}")

    def create(self, schema: pa.Schema) -> None:
        """Make the mirror's table, its columns in the mirror's order, and a view of it that looks like staged rows."""
        self._cursor.execute(self._table_sql)
        columns = {name: quote(name) for name in schema.names} | self._form.staged()
        shown = ", ".join(f"{value} AS {quote(name)}" for name, value in columns.items())
        self._cursor.execute(f"CREATE VIEW rows AS SELECT {shown} FROM {quote(self._table)}")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if self._days and error is None:
                self._days.write(self._cursor)
        finally:
            super().__exit__(kind, error, at)

    def _ingest(self, rows: pa.RecordBatch) -> None:
        if not self.ascending:
            raise Disordered
        columns = {name: rows.column(name) for name in rows.schema.names if name not in (_AT, _NUMBER)}
        columns |= self._form.marks(rows) | {"_rev": pa.repeat(self._revision, rows.num_rows)}
        batch = pa.RecordBatch.from_arrays(list(columns.values()), list(columns))
        self._cursor.adbc_ingest(self._table, batch, mode="append")
        if self._days:
            self._days.add(rows)


def is_untouched(mirror: Mirror, table: str) -> bool:
    """Whether a table has no rows, and no observer follows them."""
    with mirror.reading() as connection:
        return not changes.is_watched(connection, table) and is_empty(connection, table)


def is_empty(connection: sqlite3.Connection, table: str) -> bool:
    """Whether a table of the mirror has no rows."""
    return not connection.execute(f"SELECT EXISTS (SELECT 1 FROM main.{quote(table)})").fetchone()[0]


def has_more_rows(connection: sqlite3.Connection, table: str, rows: int) -> bool:
    """Whether a table of the mirror has more than this number of rows."""
    sql = f"SELECT count(*) FROM (SELECT 1 FROM main.{quote(table)} LIMIT ?)"
    return int(connection.execute(sql, (rows + 1,)).fetchone()[0]) > rows


def build_indexes(connection: sqlite3.Connection, table: Table) -> None:
    """Give the staged table the indexes that are declared for the mirror's. The staging file is attached writable."""
    connection.execute("PRAGMA temp_store = FILE")
    connection.execute("PRAGMA threads = 2")
    for index in table.all_indexes:
        connection.execute(ddl.create_index(index, table, "staging"))
    connection.execute("PRAGMA threads = 0")
    connection.execute("PRAGMA temp_store = MEMORY")


def copy_into(
    writer: Writer,
    table: Table,
    finish: Callable[[sqlite3.Connection], None],
    committed: Callable[[None], None] = lambda _: None,
) -> bool:
    """Copy the staged table, attached to the connection that writes, into the mirror's empty one, and ``finish`` in the
    same transaction. False: the table has changed, or a delivery came in between; nothing was done."""

    def copy(connection: sqlite3.Connection) -> None:
        _copy(connection, table)
        finish(connection)

    try:
        writer.run(copy, preemptible=True, committed=committed)
    except (Preempted, _Changed, sqlite3.IntegrityError):  # the last: it has rows by now, with some of the keys
        return False
    return True


class _Changed(Exception):
    """The mirror's table has changed since the staged one was made."""


def _copy(connection: sqlite3.Connection, table: Table) -> None:
    """SQLite copies record by record if both tables have the same columns in the same order and the same indexes, and
    the mirror's has no triggers. Its own only concern later changes and are made again afterwards; the days that these
    rows belong to were counted when they were staged."""
    known = ddl.triggers(table).keys() | day_count.triggers(table).keys() | swept.triggers(table).keys()
    if _columns(connection, "main", table) != _columns(connection, "staging", table):
        raise _Changed
    triggers = _triggers(connection, table)
    if not triggers.keys() <= known:
        raise _Changed  # an observer follows each row
    for name in triggers:
        connection.execute(f"DROP TRIGGER {quote(name)}")
    connection.execute(f"INSERT INTO main.{quote(table.name)} SELECT * FROM staging.{quote(table.name)}")
    if table.counted:
        counts = quote(table.counted.into)
        connection.execute(f"INSERT INTO main.{counts} SELECT * FROM staging.{counts}")
    for sql in triggers.values():
        connection.execute(sql)


def _columns(connection: sqlite3.Connection, database: str, table: Table) -> Sequence[tuple[str, str]]:
    return connection.execute("SELECT name, type FROM pragma_table_info(?, ?)", (table.name, database)).fetchall()


def _triggers(connection: sqlite3.Connection, table: Table) -> dict[str, str]:
    sql = "SELECT name, sql FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
    return dict(connection.execute(sql, (table.name,)).fetchall())
