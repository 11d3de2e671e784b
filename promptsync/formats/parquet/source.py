"""The chosen columns of a parquet file as Arrow batches, in bounded memory.

Owns how the file is opened and read: by streams, page by page, every page's checksum verified where it has one. Knows
neither tables nor what a cell means; how much is read at once is said in parquet_portions.py.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from promptsync.errors import Held
from promptsync.formats.buffers import Ints
from promptsync.formats.limits import Limits, open_file
from promptsync.formats.parquet.pages import refuse_large_pages
from promptsync.formats.parquet.portions import Plan, Values
from promptsync.formats.parquet.proof import read_footer, translated, weigh
from promptsync.formats.parquet.types import Column

_BLOCKS = 4  # a batch decoded is about so many times Limits.block
_STREAM = 1 << 18
_STREAMS = 1 << 24  # all streams together


class ParquetSource:
    """One file. ``schema``: Arrow's, as the file has it. ``rows``: how many the footer counts.

    Raises Held: the reasons of ``prove_parquet``, and ``header`` for more columns, nested ones counted, than allowed.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self._path, self._limits = path, limits
        self._budget = limits.block * _BLOCKS
        self._open_files = ExitStack()
        with ExitStack() as opened, translated(path):
            self._file = opened.enter_context(open_file(path, limits))
            self._read_metadata()
            self._open_files = opened.pop_all()

    def _read_metadata(self) -> None:
        path, limits = self._path, self._limits
        self._footer = read_footer(path, self._file)
        with translated(path):
            self._metadata = pq.read_metadata(self._same)
            self.schema = self._metadata.schema.to_arrow_schema()
        if self._metadata.num_columns > limits.max_columns:
            count = self._metadata.num_columns
            raise Held("header", f"{path.name} has {count:,} columns, more than {limits.max_columns:,}.")
        weigh(path, os.fstat(self._file.fileno()).st_size, self._footer, limits)
        self.rows = self._metadata.num_rows

    @property
    def _same(self) -> str:
        """A path to the very file that was opened, whatever has its name now."""
        return f"/proc/self/fd/{self._file.fileno()}"

    def close(self) -> None:
        """Lets go of the file."""
        self._open_files.close()

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Their rows in the file's order, at most 65,536 at a time. Top-level columns, of which none stands twice.

        Raises Held ``damaged``, ``unsupported``, ``large_pages`` and ``too_large``.
        """
        with self._open_files, translated(self._path):
            refuse_large_pages(self._path.name, self._file, self._footer, frozenset(columns), self._limits)
            plan = Plan(self._footer, columns, self._budget)
            file = self._open(plan.leaves, plan.repeated)
            look = self._open(len(plan.varied), plan.varied)
            for groups, rows in plan.portions(partial(_values, look)):
                for batch in file.iter_batches(rows, groups, list(columns)):
                    yield from self._pieces(batch)

    def _open(self, leaves: int, with_dictionaries: Sequence[str]) -> pq.ParquetFile:
        file = pq.ParquetFile(
            self._same,
            metadata=self._metadata,
            read_dictionary=list(with_dictionaries),
            buffer_size=min(_STREAM, max(_STREAMS // max(leaves, 1), 1 << 14)),
            pre_buffer=False,
            coerce_int96_timestamp_unit="us",
            page_checksum_verification=True,
        )
        return self._open_files.enter_context(file)

    def _pieces(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The batch, cut where its dictionaries would make it too large once every cell is written out."""
        written = [column for column in batch.columns if pa.types.is_dictionary(column.type)]
        if sum(map(_longest, written)) * batch.num_rows <= self._budget:
            yield batch
            return
        ends = np.cumsum(sum(map(_lengths, written), np.zeros(batch.num_rows, np.int64)))
        start = 0
        while start < batch.num_rows:
            before = int(ends[start - 1]) if start else 0
            end = max(int(np.searchsorted(ends, before + self._budget, "right")), start + 1)
            yield batch.slice(start, end - start)
            start = end


def _values(look: pq.ParquetFile, group: int, columns: Sequence[str]) -> Values:
    """How long the values in dictionaries of these columns are, in one row group."""
    if not columns:
        return Values()
    first = next(look.iter_batches(1, [group], list(columns), use_threads=False), None)
    if first is None:
        return Values()
    dictionaries: list[Column] = first.columns
    return Values(sum(map(_average, dictionaries)), sum(map(_longest, dictionaries)))


def _average(column: Column) -> int:
    """Bytes of the values of a dictionary, on average."""
    lengths: Column = pc.binary_length(column.dictionary)
    return round(pc.mean(lengths).as_py() or 0)


def _longest(column: Column) -> int:
    """Bytes of the longest value of a dictionary."""
    lengths: Column = pc.binary_length(column.dictionary)
    return pc.max(lengths).as_py() or 0


def _lengths(column: Column) -> Ints:
    """Bytes of each row's value."""
    lengths: Column = pc.binary_length(column.dictionary)
    written: Ints = lengths.cast(pa.int64()).take(column.indices).fill_null(0).to_numpy()
    return written
