"""The staging file: the rows of one file in a SQLite file of their own, before any of them is merged.

Owns how batches get there (Arrow straight into SQLite by ADBC, no Python object per cell) and that every key is there
only once. A snapshot's rows are numbered as the file has them; a change set's come in the order of their key. ADBC
carries its own SQLite library, so it only ever opens the staging file, and closes it before anything else opens it.

Afterwards the memory is given back, that of Arrow's pool and of the C library's arenas.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_sqlite import dbapi

from promptsync.errors import MirrorFull
from promptsync.merge.sql import names, quote
from promptsync.model import Kept, Table
from promptsync.store.connect import translate
from promptsync.store.memory import trim
from promptsync.store.swept import Swept
from promptsync.store.writer import Writer

WORTH = 10_000
"""The number of merged rows from which there is memory worth giving back."""


def give_back(rows: int) -> None:
    """Return what is not in use after work on that many rows, if it is worth some milliseconds."""
    if rows >= WORTH:
        trim()


_SQL_TYPES = {pa.int64(): "INTEGER", pa.float64(): "REAL", pa.binary(): "BLOB"}


class Staging:
    """Writes one staging file. Use as a context manager; closed when it ends. Raises MirrorFull if there is no room."""

    def __init__(self, path: Path, key: Sequence[str], *, numbered: bool = True) -> None:
        self.path = path
        self._key, self._numbered = key, numbered
        self._last: tuple[object, ...] | None = None
        self.rows = 0
        self.last_number = 0
        self.ascending = True  # whether keys only ever grow, so that none can stand twice
        self._open()

    def _open(self) -> None:
        """Make the file."""
        path = self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        discard(path)
        self._connection = dbapi.connect(str(path), autocommit=True)
        self._cursor = self._connection.cursor()
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "cache_size = -16384"):
            self._cursor.execute(f"PRAGMA {pragma}")

    def __enter__(self) -> "Staging":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._cursor.close()
        self._connection.close()
        if isinstance(error, dbapi.Error):
            raise MirrorFull(f"The staging file {self.path} cannot be written: {error}") from error

    def create(self, schema: pa.Schema) -> None:
        """Make the table, before the first batch and even if none comes: ``_n`` if numbered, key, values, ``_at``."""
        if self._numbered:
            self._cursor.execute(create_rows(schema))
        else:
            columns = ", ".join([*definitions(schema), f"PRIMARY KEY ({names(self._key)})"])
            self._cursor.execute(f"CREATE TABLE rows ({columns}) WITHOUT ROWID")

    def add(self, rows: pa.RecordBatch) -> None:
        """Append a batch (formats/csv/reader.py), or one in the order of its key (store/key_order.py)."""
        if rows.num_rows == 0:
            return
        if self._numbered:
            self.ascending = self.ascending and self._grows(rows)
            self.last_number = rows.column("_n")[-1].as_py()
        self._ingest(rows)
        self.rows += rows.num_rows

    def _ingest(self, rows: pa.RecordBatch) -> None:
        self._cursor.adbc_ingest("rows", rows, mode="append")

    def _grows(self, rows: pa.RecordBatch) -> bool:
        if len(self._key) > 1 or not pa.types.is_integer(rows.column(self._key[0]).type):
            return False
        keys = rows.column(self._key[0])
        first, before = keys[0].as_py(), self._last
        self._last = (keys[-1].as_py(),)
        steps = pc.all(pc.greater(keys.slice(1), keys.slice(0, len(keys) - 1))).as_py()
        return steps is not False and (before is None or (first,) > before)


@contextmanager
def attached(connection: sqlite3.Connection, path: Path, *, writable: bool, undo: bool = True) -> Iterator[None]:
    """Attach a closed staging file as ``staging`` and detach it again; what is not committed by then is undone.

    ``undo``: False if it need not be, since the file is of no use then. Raises MirrorFull, within, if there is no room
    for what is written to it.
    """
    attach(connection, path, writable=writable)
    if not undo:
        connection.execute("PRAGMA staging.journal_mode = OFF").fetchone()
    try:
        yield
    except sqlite3.Error as error:
        known = translate(error)
        if known is None:
            raise
        raise known from error
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("DETACH staging")


def attach(connection: sqlite3.Connection, path: Path, *, writable: bool) -> None:
    """Attach a closed staging file as ``staging``, in place of one that an interrupted merge left.

    Writes to it need not survive a power failure: a file whose merge was interrupted is staged again.
    """
    mode = "rw" if writable else "ro"
    _attach(connection, f"{path.absolute().as_uri()}?mode={mode}")
    if writable:
        connection.execute("PRAGMA staging.synchronous = OFF")


def attach_memory(connection: sqlite3.Connection) -> None:
    """Attach an empty ``staging`` in memory, in place of one that an interrupted merge left."""
    _attach(connection, ":memory:")


def _attach(connection: sqlite3.Connection, database: str) -> None:
    if any(name == "staging" for _, name, _ in connection.execute("PRAGMA database_list").fetchall()):
        connection.execute("DETACH staging")
    connection.execute("ATTACH ? AS staging", (database,))


def detach(connection: sqlite3.Connection, rows: int) -> None:
    """Detach a staging file of ``rows`` rows from the connection that writes; give back the memory it has filled."""
    connection.execute("DETACH staging")
    if rows >= WORTH:
        connection.execute("PRAGMA shrink_memory")


@contextmanager
def attached_to_writer(writer: Writer, path: Path | None, rows: int) -> Iterator[None]:
    """Attach a closed staging file of that many rows, or an empty one in memory, to the connection that writes.

    One at a time, whoever loads: the next one waits. Blocking: not for the event loop's thread.
    """
    with writer.staging:
        if path is None:
            writer.run(attach_memory, bare=True)
        else:
            writer.run(lambda connection: attach(connection, path, writable=False), bare=True)
        try:
            yield
        finally:
            writer.submit(lambda connection: detach(connection, rows), bare=True)


def index_keys(connection: sqlite3.Connection, key: Sequence[str]) -> None:
    """Make staged rows findable by key. The staging file is attached writable."""
    connection.execute(f"CREATE INDEX IF NOT EXISTS staging.rows_key ON rows ({names(key)})")


def next_numbers(connection: sqlite3.Connection, first: int, most: int) -> tuple[int, int, int]:
    """The lowest and the highest number, and how many there are, of the next ``most`` staged rows from ``first`` on:
    numbers may have gaps. (0, 0, 0) if there are none."""
    some = "SELECT _n FROM staging.rows WHERE _n >= ? ORDER BY _n LIMIT ?"
    found = connection.execute(f"SELECT min(_n), max(_n), count(*) FROM ({some})", (first, most)).fetchone()
    return found if found[2] else (0, 0, 0)


def fold_doubles(
    connection: sqlite3.Connection, key: Sequence[str], values: Sequence[str]
) -> list[tuple[int, tuple[object, ...]]]:
    """Leave one row per key: of the newest claims about it, every column takes its greater value on its own.

    ``values``: the columns to compare. Returns the number and key of every row that was folded into another. The
    staging file is attached writable, its keys are indexed.
    """
    keys, same = names(key), " AND ".join(f"r.{quote(column)} = d.{quote(column)}" for column in key)
    connection.execute("DROP TABLE IF EXISTS staging.doubled")
    connection.execute(f"CREATE TABLE staging.doubled (_n INTEGER PRIMARY KEY, _at INTEGER, {keys})")
    connection.execute(
        f"INSERT INTO staging.doubled SELECT min(_n), max(_at), {keys} FROM staging.rows "
        f"GROUP BY {keys} HAVING count(*) > 1"
    )
    found = connection.execute(
        f"SELECT r._n, {', '.join(f'r.{quote(column)}' for column in key)} FROM staging.doubled d "
        f"CROSS JOIN staging.rows r WHERE {same} AND r._n <> d._n ORDER BY r._n"
    ).fetchall()
    if found:
        greatest = ", ".join(f"max(r.{quote(column)})" for column in values)
        connection.execute(
            f"UPDATE staging.rows SET ({names((*values, '_at'))}) = (SELECT {greatest}, d._at FROM staging.doubled d "
            f"CROSS JOIN staging.rows r WHERE d._n = rows._n AND {same} AND r._at = d._at) "
            "WHERE _n IN (SELECT _n FROM staging.doubled)"
        )
        connection.executemany("DELETE FROM staging.rows WHERE _n = ?", [(number,) for number, *_ in found])
    return [(number, tuple(one)) for number, *one in found]


def without_swept(swept: Swept, table: Table, rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows of a file as they may be staged: without texts that have been swept."""
    found = swept.texts(table)
    if found is None or found[0].at not in rows.schema.names:
        return rows
    return blanked(*found, rows)


def blanked(kept: Kept, before: str, rows: pa.RecordBatch) -> pa.RecordBatch:
    """Rows without the texts that are kept no more, as they are older than then (ISO)."""
    times: pa.Array[pa.StringScalar] = rows.column(kept.at)
    old: Any = pc.fill_null(pc.less(times, pa.scalar(before)), pa.scalar(False))
    if not pc.any(old).as_py():
        return rows
    for name in set(kept.texts) & set(rows.schema.names):
        place = rows.schema.get_field_index(name)
        field = rows.schema.field(place)
        blanked = pc.if_else(old, pa.scalar(None, field.type), rows.column(place))
        rows = rows.set_column(place, field, blanked)
    return rows


def discard(path: Path) -> None:
    """Remove a staging file and the files that SQLite may have left beside it."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def definitions(schema: Iterable["pa.Field[Any]"]) -> list[str]:
    """The columns of a staged table."""
    return [f"{quote(field.name)} {_SQL_TYPES.get(field.type, 'TEXT')}" for field in schema]


def create_rows(schema: pa.Schema, table: str = "rows") -> str:
    """The statement that makes the table of a staged snapshot."""
    number, *columns = definitions(schema)
    return f"CREATE TABLE {table} ({', '.join([f'{number} PRIMARY KEY', *columns])})"
