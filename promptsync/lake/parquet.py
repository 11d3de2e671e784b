"""The lake's own Parquet files: parts of claims, and the files of its tables.

Owns every call of pyarrow's reader and writer in a lake. The footer is read before pyarrow sees a file, which ends the
process where one is damaged. What vendors send is read elsewhere (formats/parquet).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from promptsync.formats.parquet.proof import read_footer, translated
from promptsync.lake.storage import Stored

Source = Path | Stored
"""Where a file is. Of one in an object store only the columns that are asked for are fetched."""

_BATCH = 50_000


def shape_of(path: Source) -> tuple[tuple[str, ...], int]:
    """The names of a file's columns, and how many rows it has. Raises Held ``damaged``, as all of these do."""
    with _opened(path) as file:
        return tuple(file.schema_arrow.names), file.metadata.num_rows


def read(path: Source, columns: Sequence[str] | None = None) -> pa.Table:
    """These columns of a file, or all."""
    with _opened(path) as file:
        return file.read(columns=None if columns is None else list(columns))


def read_rows(path: Source, batch: int) -> Iterator[dict[str, Any]]:
    """The rows of a file, ``batch`` of them in memory together."""
    with _opened(path) as file:
        for some in file.iter_batches(batch):
            yield from some.to_pylist()


def content_of(rows: pa.Table) -> bytes:
    """The bytes of a file of these rows."""
    found = pa.BufferOutputStream()
    pq.write_table(rows, found, compression="zstd")
    return found.getvalue().to_pybytes()


def read_batches(path: Source, columns: Sequence[str] | None = None, size: int = _BATCH) -> Iterator[pa.RecordBatch]:
    """The same, ``size`` rows together."""
    with _opened(path) as file:
        yield from file.iter_batches(size, columns=None if columns is None else list(columns))


def values_in(path: Source, column: str) -> set[Any]:
    """The values of one column, each once."""
    return set(read(path, [column]).column(column).unique().to_pylist())


@contextmanager
def _opened(path: Source) -> Iterator[pq.ParquetFile]:
    named = Path(path.name) if isinstance(path, Stored) else path
    with translated(named), path.open("rb") as file:
        read_footer(named, file)
        file.seek(0)
        with pq.ParquetFile(file if isinstance(path, Stored) else path) as opened:
            yield opened


class PartWriter:
    """A file with the columns of its first batch. Use as a context manager; without a batch there is no file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer: pq.ParquetWriter | None = None
        self.columns: tuple[str, ...] = ()
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """One more batch."""
        if self._writer is None:
            self.columns = tuple(batch.schema.names)
            self._writer = pq.ParquetWriter(self.path, batch.schema, compression="zstd")
        self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def close(self) -> None:
        """Finish the file."""
        if self._writer is not None:
            self._writer.close()

    def __enter__(self) -> "PartWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
