"""The rows of a small snapshot, kept in memory until the connection that writes stages them.

Owns their form there: as in a staging file (staging.py), with the lists that the comparison fills.
"""

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from promptsync.merge.sql import names
from promptsync.store.staging import Staging, create_rows


class MemoryStaging(Staging):
    """Takes batches as any staging does. ``shape``: the statements that make its tables; ``tuples``: all rows."""

    def __init__(self, key: Sequence[str]) -> None:
        self.shape: tuple[str, ...] = ()
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
