"""DuckDB as an engine of the lake: one process, all cores, what does not fit into memory on the disk.

Owns the connection and how files become relations there. The only module that imports duckdb.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from promptsync.errors import Unavailable
from promptsync.lake import parquet
from promptsync.lake.engine import BUCKET, SHELF, SHELF_ROWS, ClaimFile, FoldWork, MadeFile, made_file
from promptsync.lake.fold_sql import DUCKDB, Fold, Relation
from promptsync.lake.shape import ORG, is_owned, shelf_of

if TYPE_CHECKING:
    from promptsync.lake.inputs import Input
    from promptsync.lake.parts import Decoded, Decoder


class DuckDBEngine:
    """Decodes and folds in this process. ``scratch``: a folder for what does not fit into memory."""

    at_once = 1

    def __init__(self, scratch: Path, threads: int | None = None) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        with _translated():
            self._connection = duckdb.connect(":memory:")
            self._connection.execute("SET temp_directory = ?", [str(scratch)])
            self._connection.execute("SET preserve_insertion_order = false")
            if threads:
                self._connection.execute("SET threads = ?", [threads])

    def decode(self, decoder: "Decoder", groups: "Sequence[Sequence[Input]]") -> "Iterator[list[Decoded]]":
        """One after the other."""
        return map(decoder.take, groups)

    def fold(self, work: FoldWork) -> list[MadeFile]:
        """The rows that the files make, as new files in the target."""
        work.target.mkdir(parents=True, exist_ok=True)
        inputs = [Relation(_relation(files), columns) for columns, files in work.local().items()]
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
        work.keeping.apply(work.table, work.target)
        paths = sorted(work.target.rglob("*.parquet"))
        return [made_file(work.table, path, str(path.relative_to(work.target))) for path in paths]

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _relation(files: Sequence[ClaimFile]) -> str:
    paths = ", ".join(_text(file.path) for file in files)
    return f"read_parquet([{paths}], hive_partitioning = false)"


def _text(path: parquet.Source) -> str:
    """A path as SQL text."""
    return "'" + str(path).replace("'", "''") + "'"


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        why = type(error).__name__
        raise Unavailable(f"DuckDB cannot go on ({why}); make room on the disk and run again.") from error
