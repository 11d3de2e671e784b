"""DuckDB as an engine of the lake: one process, all cores, what does not fit into memory on the disk.

Owns the connection and how files become relations there. The only module that imports duckdb.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from promptsync.errors import Unavailable
from promptsync.lake.engine import BUCKET, SHELF, SHELF_ROWS, FoldWork
from promptsync.lake.fold_sql import DUCKDB, Fold, Input
from promptsync.lake.shape import ORG, is_owned, shelf_of


class DuckDBEngine:
    """Folds in this process. ``scratch``: a folder for what does not fit into memory."""

    def __init__(self, scratch: Path, threads: int | None = None) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        with _translated():
            self._connection = duckdb.connect(":memory:")
            self._connection.execute("SET temp_directory = ?", [str(scratch)])
            self._connection.execute("SET preserve_insertion_order = false")
            if threads:
                self._connection.execute("SET threads = ?", [threads])

    def fold(self, work: FoldWork) -> None:
        """Write the rows that the files make into the target."""
        work.target.mkdir(parents=True, exist_ok=True)
        inputs = [Input(_relation(paths), columns) for columns, paths in work.shapes.items()]
        with _translated():
            if work.ends is not None:
                self._connection.register("ends", work.ends)
            rows = Fold(work.layout, DUCKDB).statement(inputs, "ends" if work.ends is not None else "")
            bucket = f"{ORG} % {work.buckets:d}" if is_owned(work.table) else "0"
            order = DUCKDB.name(shelf_of(work.table))
            place = f"row_number() OVER (PARTITION BY {BUCKET} ORDER BY {order}) - 1"
            self._connection.execute(
                f"COPY (SELECT *, ({place}) // {SHELF_ROWS} AS {SHELF} FROM "
                f"(SELECT *, CAST({bucket} AS INTEGER) AS {BUCKET} FROM ({rows}))) TO {_text(work.target)} "
                f"(FORMAT parquet, COMPRESSION zstd, PARTITION_BY ({BUCKET}, {SHELF}), FILENAME_PATTERN '{{uuid}}', "
                "OVERWRITE_OR_IGNORE)"
            )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _relation(paths: list[Path]) -> str:
    files = ", ".join(_text(path) for path in paths)
    return f"read_parquet([{files}], hive_partitioning = false)"


def _text(path: Path) -> str:
    """A path as SQL text."""
    return "'" + str(path).replace("'", "''") + "'"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        why = type(error).__name__
        raise Unavailable(f"DuckDB cannot go on ({why}); make room on the disk and run again.") from error
