"""The chosen columns of a parquet file as Arrow batches, in bounded memory.

Owns how the file is opened and read: by streams, page by page, every page's checksum verified where it has one; how
much is decoded at once, so that memory stays flat for row groups of any kind; and the walk from one page's header to
the next (Apache Parquet format, PageHeader): a page is decompressed at once, one of each column at a time, so their
sizes are the least memory that reading takes. The sizes come from the footer (ColumnMetaData) and from what is known of
dictionaries, where a few bytes of the file can stand for many. Knows neither tables nor what a cell means.
"""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from promptsync.errors import Held
from promptsync.formats.buffers import Ints
from promptsync.formats.limits import Limits, open_file
from promptsync.formats.parquet.footer import Chunk, Damaged, Footer, Group, Page, parse_page
from promptsync.formats.parquet.proof import read_footer, translated, weigh
from promptsync.formats.parquet.types import Column

_MOST_ROWS = 1 << 16
_CELL = 8  # bytes that a cell takes at least, once decoded
_WORST = 8  # a batch of only the longest values may be this many times the usual size
_REPEATED = 4  # bytes a value: a column that takes less in the file has each value there once for many rows
_DICTIONARY = 1 << 25  # bytes that all values of such a column may be, in one row group
_HEAVY = 1 << 10  # bytes a value: pages of such a column can be too large for a look at its dictionary


@dataclass(frozen=True, slots=True)
class Values:
    """Bytes of the values in dictionaries, of several columns together: as they are on average, and the longest."""

    average: int = 0
    longest: int = 0


@dataclass(slots=True)
class _Group:
    """``size``: bytes of its pages. ``ordinary``: columns of which a look tells. ``longest``: of the others' values."""

    size: int
    rows: int
    ordinary: list[str]
    longest: int = 0


class ReadPlan:
    """What is to be read of a file. ``budget``: bytes that a batch is to be about, once decoded.

    Of the top-level columns of text that have dictionaries, ``repeated`` are read with them, so that each value is
    decoded once: the whole dictionary is then in memory. ``varied`` are read as they come. ``leaves``: how many
    primitive columns there are to read.
    """

    def __init__(self, footer: Footer, columns: Collection[str], budget: int) -> None:
        self._budget = budget
        self._columns = frozenset(columns)
        self.leaves = 0
        self._light: dict[str, bool] = {}
        self._groups = [self._group(group) for group in footer.groups]
        self.repeated = tuple(path for path, is_light in self._light.items() if is_light)
        self.varied = tuple(path for path, is_light in self._light.items() if not is_light)

    def portions(self, look: Callable[[int, Sequence[str]], Values]) -> Iterator[tuple[list[int], int]]:
        """Row groups that are read together, small ones are, and by how many rows at a time.

        ``look``: from the number of a row group and columns of it to the values in their dictionaries.
        """
        together: list[int] = []
        size = 0
        for number, group in enumerate(self._groups):
            if together and size + group.size > self._budget:
                yield together, self._rows(together, look)
                together, size = [], 0
            together.append(number)
            size += group.size
        if together:
            yield together, self._rows(together, look)

    def _group(self, group: Group) -> _Group:
        chunks = [chunk for chunk in group.chunks if {chunk.path, chunk.path.partition(".")[0]} & self._columns]
        self.leaves = max(self.leaves, len(chunks))
        found = _Group(sum(chunk.raw for chunk in chunks), group.rows, [])
        for chunk in chunks:
            if chunk.path not in self._columns or not chunk.text or not chunk.dictionary:
                continue
            size = chunk.raw / max(chunk.values, 1)
            light = size < _REPEATED and chunk.raw <= _DICTIONARY
            self._light[chunk.path] = light and self._light.get(chunk.path, True)
            if size > _HEAVY:
                found.longest += chunk.dictionary
            elif not light:
                found.ordinary.append(chunk.path)
        return found

    def _rows(self, together: list[int], look: Callable[[int, Sequence[str]], Values]) -> int:
        groups = [self._groups[number] for number in together]
        first = groups[0]
        values = look(together[0], [path for path in first.ordinary if path in self.varied])
        row = sum(group.size for group in groups) // max(sum(group.rows for group in groups), 1)
        worst = (values.longest + first.longest) // _WORST
        return min(max(self._budget // max(row, self.leaves * _CELL, values.average, worst, 1), 1), _MOST_ROWS)


_SMALL = 4 << 20  # bytes of all pages of a column that need not be checked one by one
_HEADER = 1 << 8
_MOST_HEADER = 16 << 20


def refuse_large_pages(name: str, file: BinaryIO, footer: Footer, columns: Collection[str], limits: Limits) -> None:
    """``columns``: top-level ones that are to be read. Raises Held ``large_pages``; Damaged for what is no page."""
    for group in footer.groups:
        chunks = [chunk for chunk in group.chunks if chunk.path.partition(".")[0] in columns]
        if sum(map(_at_most, chunks)) <= limits.max_at_once:
            continue
        sizes = {chunk.path: _largest(file, chunk) for chunk in chunks}
        if sum(sizes.values()) > limits.max_at_once:
            column, size = max(sizes.items(), key=lambda entry: entry[1])
            raise Held(
                "large_pages",
                f"{name} has to be read in pieces of {sum(sizes.values()) >> 20:,} MiB, more than "
                f"{limits.max_at_once >> 20:,}: one page of the column {column} takes {size >> 20:,}. "
                "leave_out can leave a column out.",
            )


def _at_most(chunk: Chunk) -> int:
    """Upper bound of the memory that decoding this column takes, in bytes."""
    return chunk.raw + chunk.packed * chunk.compressed


def _largest(file: BinaryIO, chunk: Chunk) -> int:
    """Bytes that the largest page of a column takes in memory, as stored and decompressed, with its dictionary."""
    if _at_most(chunk) <= _SMALL:
        return _at_most(chunk)
    at, end, sizes = chunk.start, chunk.start + chunk.packed, [0]
    while at < end:
        page = _page(file, at)
        sizes.append(page.raw + page.packed * chunk.compressed)
        at += page.header + page.packed
    return max(sizes) if not chunk.dictionary else sizes[1] + max(sizes[2:], default=0)


def _page(file: BinaryIO, at: int) -> Page:
    size = _HEADER
    while True:
        file.seek(at)
        data = file.read(size)
        try:
            return parse_page(data)
        except (IndexError, Damaged) as error:
            if len(data) < size or size >= _MOST_HEADER:
                raise Damaged("no header of a page") from error
            size *= 8


_BLOCKS = 4  # a decoded batch is about this many times Limits.block
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
        """A path to the very file that was opened, even if its name now belongs to another."""
        return f"/proc/self/fd/{self._file.fileno()}"

    def close(self) -> None:
        """Closes the file."""
        self._open_files.close()

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Their rows in the file's order, at most 65,536 at a time. Top-level columns, of which none stands twice.

        Raises Held ``damaged``, ``unsupported``, ``large_pages`` and ``too_large``.
        """
        with self._open_files, translated(self._path):
            refuse_large_pages(self._path.name, self._file, self._footer, frozenset(columns), self._limits)
            plan = ReadPlan(self._footer, columns, self._budget)
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
