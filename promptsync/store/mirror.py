"""The mirror: one SQLite database, its one writer, its readers.

Owns opening and closing in the right order, the layout each table really has, and the revision counter. What is
written, and by which rule, is decided elsewhere and handed to the writer as functions.
"""

import os
import secrets
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from zoneinfo import ZoneInfo

from promptsync.errors import PromptsyncError
from promptsync.merge.layout import Layout
from promptsync.merge.sql import quote
from promptsync.model import Role, Schema
from promptsync.store import day_count, marks
from promptsync.store.connect import WriteLock, leave_for_readers, open_reader, translate
from promptsync.store.erased import ErasedList, load_list
from promptsync.store.migrations import columns_of, migrate, tables_of
from promptsync.store.snapshots import AppliedSnapshots
from promptsync.store.swept import Swept
from promptsync.store.writer import Lane, Writer

_READERS = 2
"""Idle connections kept."""


class Mirror:
    """An open mirror. ``path``: the database file. ``zone``: by whose days rows are counted; None: as before, or UTC.

    Raises MirrorLocked if another process writes it.
    """

    def __init__(
        self,
        path: Path,
        schema: Schema,
        on_fatal: Callable[[Exception], None] | None = None,
        zone: ZoneInfo | None = None,
    ) -> None:
        self.path = path
        self.schema = schema
        self.snapshots = AppliedSnapshots()
        self.swept = Swept(schema)
        self.forgotten = ErasedList()
        self.indexing = threading.RLock()  # held while a full-text index is built beside the mirror
        self._layouts: dict[str, Layout] = {}
        self._revision = 0
        self._readers: deque[sqlite3.Connection] = deque()
        self._kept = _READERS
        self._lock = WriteLock(path)
        self._lock.acquire()
        with ExitStack() as undo:
            undo.callback(self._lock.release)
            self.writer = Writer(path, on_fatal, self._lock.keep, self.snapshots.forget_uncommitted)
            undo.callback(self.close)
            try:
                self.writer.run(self._prepare, bare=True)
                self.writer.run(lambda connection: day_count.keep(connection, schema, zone))
            except sqlite3.Error as error:
                raise translate(error) or PromptsyncError(f"{path} is not a mirror of promptsync: {error}.") from error
            undo.pop_all()

    @property
    def folder(self) -> Path:
        """Where the database, its staging files and the control socket live."""
        return self.path.parent

    def layout(self, table: str) -> Layout:
        """The units that a table is merged by. Raises KeyError."""
        return self._layouts[table]

    def relayout(self, connection: sqlite3.Connection, table: str) -> Layout:
        """A table's layout read again after a column was split off or added; ``adopt`` it once that has committed."""
        return layout_in(self.schema, table, columns_of(connection, table))

    def adopt(self, layout: Layout) -> None:
        """From now on merge the table by this layout."""
        self._layouts[layout.table.name] = layout

    def adopt_forgotten(self, connection: sqlite3.Connection) -> None:
        """From now on leave out whoever is on the list of erased people, as it has been committed."""
        self.forgotten = load_list(connection, self.path, self.forgotten.version + 1)

    def next_revision(self, connection: sqlite3.Connection) -> int:
        """A new revision, recorded in the same transaction as what it marks."""
        self._revision += 1
        marks.put(connection, "revision", str(self._revision))
        return self._revision

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection, one's own until it is given back: leave it with the pragmas that it came with.

        Opening one costs as much as merging a small file, so a few are kept. After an error none is.
        """
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = open_reader(self.path)
        with ExitStack() as undo:
            undo.callback(connection.close)
            yield connection
            if not connection.in_transaction and len(self._readers) < self._kept:
                undo.pop_all()
                self._readers.append(connection)

    @contextmanager
    def reading_apart(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection for statements that are not our own; closed afterwards."""
        with closing(open_reader(self.path)) as connection:
            yield connection

    def close(self) -> None:
        """Finish accepted work, close, leave what pure readers need. Calling it twice is harmless."""
        try:
            self.writer.close()
            self._kept = 0
            while self._readers:
                self._readers.pop().close()
            with suppress(OSError):  # a courtesy: there may be no room, or no folder any more
                if self.path.exists():
                    leave_for_readers(self.path)
        finally:
            self._lock.release()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        migrate(connection, self.schema)
        os.chmod(self.path, 0o640)  # noqa: PTH101  Path.chmod is the same call; the file is not opened
        columns = tables_of(connection)
        for table in self.schema:
            if table.role is Role.MIRROR:
                self._layouts[table.name] = layout_in(self.schema, table.name, columns[table.name])
        self.snapshots.load(connection)
        self.swept.load(connection)
        self.adopt_forgotten(connection)
        self._revision = int(marks.read(connection, "revision") or 0)


def layout_in(schema: Schema, name: str, columns: set[str]) -> Layout:
    """The layout of a table that has these columns in a mirror."""
    table = schema[name]
    declared = table.by_name
    versioned = sorted(c[5:-3] for c in columns if c.startswith("_col_") and c.endswith("_at"))
    split = tuple(column.name for column in table.columns if column.name in versioned)
    extra = tuple(column for column in versioned if column not in declared)
    return Layout(table, split, extra)


def split_column(connection: sqlite3.Connection, layout: Layout, column: str) -> None:
    """Version a declared column on its own from now on: a file of its table lacks it."""
    table, version = quote(layout.table.name), quote(f"_col_{column}_at")
    connection.execute(f"ALTER TABLE {table} ADD COLUMN {version} {layout.version_type}")


def add_column(connection: sqlite3.Connection, layout: Layout, column: str) -> None:
    """Add a column that the vendor's files have and the declaration has not."""
    table, version = quote(layout.table.name), quote(f"_col_{column}_at")
    connection.execute(f"ALTER TABLE {table} ADD COLUMN {quote(column)} TEXT")
    connection.execute(f"ALTER TABLE {table} ADD COLUMN {version} {layout.version_column}")


def block_seed(mirror: Mirror) -> int:
    """The seed that makes the digests of known blocks this mirror's own; chosen once."""

    def choose(connection: sqlite3.Connection) -> int:
        seed = marks.read(connection, "block_seed") or str(secrets.randbits(63))  # two loads may have begun at once
        marks.put(connection, "block_seed", seed)
        return int(seed)

    with mirror.reading() as connection:
        seed = marks.read(connection, "block_seed")
    return int(seed) if seed is not None else mirror.writer.run(choose, Lane.BULK)
