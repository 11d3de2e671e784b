"""The rows of small files, kept in memory until the connection that writes stages them.

Owns their form there: as in a staging file (staging.py), with the lists that the comparison fills.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from promptsync.merge.sql import names
from promptsync.store.staging import Staging, create_rows, definitions

Shape = tuple[str, ...]
"""The statements that make the tables of the staging."""


class MemoryTables:
    """The tables of a ``staging`` in memory, for one file after the other. ``shape``: what they are now."""

    def __init__(self) -> None:
        self._shape: Shape = ()

    def forget(self) -> None:
        """They are gone, or were undone."""
        self._shape = ()

    def fill(self, connection: sqlite3.Connection, shape: Shape, rows: Sequence[tuple[Any, ...]]) -> None:
        """Give them this shape, empty but for the first, which gets these rows."""
        if shape != self._shape:
            tables = connection.execute("SELECT name FROM staging.sqlite_master WHERE type = 'table'").fetchall()
            for statement in (*(f"DROP TABLE staging.{table}" for (table,) in tables), *shape):
                connection.execute(statement)
            self._shape = shape
        else:
            for table in ("rows", "delta", "gone"):
                connection.execute(f"DELETE FROM staging.{table}")
        if rows:
            slots = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO staging.rows VALUES ({slots})", rows)


def shape_in_order(fields: Iterable["pa.Field[Any]"], key: Sequence[str], make_delta: str) -> Shape:
    """Of rows that come in the order of their key, each key once."""
    columns = ", ".join([*definitions(fields), f"PRIMARY KEY ({names(key)})"])
    return f"CREATE TABLE staging.rows ({columns}) WITHOUT ROWID", make_delta, "CREATE TABLE staging.gone (key)"


class MemoryStaging(Staging):
    """Takes batches as any staging does. ``shape``: the statements that make its tables; ``tuples``: all rows."""

    def __init__(self, key: Sequence[str]) -> None:
        self.shape: Shape = ()
        self.tuples: list[tuple[Any, ...]] = []
        self._columns: list[str] = []
        super().__init__(Path(), key)

    def _open(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def create(self, schema: pa.Schema) -> None:
        """Say how it is made."""
        self._columns, key = schema.names, names(self._key)
        self.shape = (
            create_rows(schema, "staging.rows"),
            f"CREATE INDEX staging.rows_key ON rows ({key})",
            "CREATE TABLE staging.delta (_n INTEGER, kind INTEGER)",
            f"CREATE TABLE staging.gone ({key}, held INTEGER, absent INTEGER)",
        )

    def _ingest(self, rows: pa.RecordBatch) -> None:
        self.tuples += zip(*(column.to_pylist() for column in rows.columns), strict=True)

    def has_each_key_once(self) -> bool:
        """Whether no key stands twice."""
        if self.ascending:
            return True
        places = [self._columns.index(column) for column in self._key]
        return len({tuple(row[place] for place in places) for row in self.tuples}) == len(self.tuples)
