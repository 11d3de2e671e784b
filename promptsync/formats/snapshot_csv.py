"""A proven nightly snapshot file as typed Arrow batches, rows that cannot be read set apart.

Owns the reading of one file (Nightly Data Exports, Data Schema): block by block, in bounded memory. Does not prove the
file (proof.py), does not judge how many bad rows are too many, writes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

import pyarrow as pa

from promptsync.errors import Held
from promptsync.formats.buffers import Cells
from promptsync.formats.csv_block import Parsed, parse_block
from promptsync.formats.dialect import opened, strange_separator
from promptsync.formats.foreign import foreign
from promptsync.formats.header import Header, known_names, read_header
from promptsync.formats.limits import Limits
from promptsync.formats.names import FileName
from promptsync.formats.quoting import strictly
from promptsync.formats.records import Block, blocks, cells_of, first_record, line_ends, split
from promptsync.formats.rejects import BadRow, bad_rows
from promptsync.formats.row_typing import RowTyping
from promptsync.formats.stream import RawStream
from promptsync.model import Kind, Table

__all__ = ["BadRow", "Batch", "SnapshotReader"]

ARROW: dict[Kind, pa.DataType] = {Kind.INTEGER: pa.int64(), Kind.BOOLEAN: pa.int64(), Kind.REAL: pa.float64()}
"""Kind to the type of its column in a batch; text otherwise."""


@dataclass(frozen=True, slots=True)
class Batch:
    """``rows``: schema ``SnapshotReader.schema``. ``rejects``: the other records. Both in the file's order.

    ``not_shown``: how many more records are bad than ``rejects`` holds. ``keyless``: of a parquet file, how many of all
    bad ones have no readable key.
    """

    rows: pa.RecordBatch
    rejects: list[BadRow]
    not_shown: int = 0
    keyless: int = 0


class SnapshotReader:
    """Iterates once over the batches of a file, which states ``stated.table`` at ``stated.as_of``.

    ``source``: the file, or the pieces of it that are to be read: its header, then whole records (numbers and lines of
    records then count these alone).

    ``schema``: ``_n`` (number of the record from 1, rejected ones counted, header and empty lines not), key columns,
    value columns that the file has, ``_at`` (observed at, microseconds since the epoch, 0 to 2**52 - 1).
    ``dialect``: how the file is written. ``unknown``: columns that are not declared, name in the batches to the
    vendor's name. ``lacks``: declared ones that the file, and so the batches, do not have. ``records``, ``rejected``:
    how many so far; ``ahead``: how many of them claim to have changed hours after the file was made.

    Raises Held: ``header``, ``empty``, ``too_long``, ``last_record_cut``, ``quoting``, and the reasons of stream.py.
    """

    def __init__(
        self,
        source: Path | Iterable[bytes],
        table: Table,
        stated: FileName,
        zone: ZoneInfo,
        limits: Limits,
    ) -> None:
        self._limits = limits
        pieces = RawStream(source, limits) if isinstance(source, Path) else source
        text, self.dialect = opened(pieces, known_names(table))
        cut = blocks(
            text,
            limits.max_record,
            limits.block,
            self.dialect.delimiter,
            self.dialect.line,
            keep_cut=limits.accept,
        )
        self._blocks = cut if limits.accept else strictly(cut, self.dialect.delimiter)
        self._header, self._first = self._open(table)
        self._typing = RowTyping(table, self._header, stated, zone, self.dialect.delimiter)
        self.unknown, self.lacks = self._header.unknown, self._header.lacks
        self.records = self.rejected = self.ahead = 0
        typed = [(field.name, ARROW.get(field.kind, pa.string())) for field in self._header.fields]
        self.schema = pa.schema([("_n", pa.int64()), *typed, ("_at", pa.int64())])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the file. Reading to the end does so too."""
        self._blocks.close()

    def __iter__(self) -> Iterator[Batch]:
        first, self._first = self._first, Block(b"", 0)
        if first.data:
            yield self._batch(first)
        for block in self._blocks:
            yield self._batch(block)

    def _open(self, table: Table) -> tuple[Header, Block]:
        """The header, and what follows it in the first block."""
        delimiter = self.dialect.delimiter
        try:
            block = next(self._blocks)
            if name := foreign(block.data):
                raise Held("header", f"The file is no CSV file: it is {name}.")
            record, end = first_record(block.data, delimiter)
            if not record:
                raise Held("empty", "The file holds nothing but empty lines.")
            if record.count(delimiter) >= self._limits.max_columns:  # not even cut into cells
                raise Held("header", f"The header has more than {self._limits.max_columns:,} columns.")
            header = self._read_header(cells_of(record, delimiter), record, table)
        except StopIteration:
            raise Held("empty", "The file holds nothing.") from None
        except Held:
            self.close()
            raise
        return header, Block(block.data[end:], block.line + line_ends(block.data[:end]), block.tidy)

    def _read_header(self, cells: list[bytes], record: bytes, table: Table) -> Header:
        try:
            return read_header(cells, table, self._limits.max_columns)
        except Held as held:
            name = strange_separator(record, known_names(table))
            if name is None:
                raise
            raise Held("header", f"The file is separated by {name}: have it written with commas.") from held

    def _batch(self, block: Block) -> Batch:
        if not self._limits.accept and not block.data.endswith((b"\n", b"\r")):
            self._refuse_cut_record(block)
        parsed = parse_block(block, self._header.width, self.dialect.delimiter)
        if len(block.data) > self._limits.max_cell:
            self._refuse_long_cells(parsed.columns)
        for position in self._header.blank:
            self._refuse_unnamed(parsed, position, block)
        typed = self._typing.run(parsed.columns)
        numbers = pa.array(parsed.index + (self.records + 1), pa.int64())
        columns = [numbers, *typed.arrays, pa.array(typed.observed, pa.int64())]
        rows = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        rejects = bad_rows(block, parsed, typed, self._typing, self.records)
        if typed.problems:
            rows = rows.filter(pa.array(~typed.bad))
        self.records += parsed.total
        self.rejected += len(rejects)
        self.ahead += typed.ahead
        return Batch(rows, rejects)

    def _refuse_cut_record(self, block: Block) -> None:
        """A last record that lacks its line end and cells too was cut, however well its container ends."""
        records = split(block, self.dialect.delimiter)
        if len(records) and records.cells[-1] < self._header.width:
            raise Held(
                "last_record_cut",
                f"The file ends within the record at line {records.line(len(records) - 1):,}: it has "
                f"{int(records.cells[-1]):,} of {self._header.width:,} cells and no line end.",
            )

    def _refuse_unnamed(self, parsed: Parsed, position: int, block: Block) -> None:
        """A last column without a name is nothing but a delimiter too many, unless there is something in it."""
        cells = parsed.columns[position]
        if cells.null_count == len(cells):
            return
        filled = [row for row, cell in enumerate(cells.to_pylist()) if cell and cell.strip(b" ")]
        if filled:
            line = parsed.located(block, self.dialect.delimiter).line(int(parsed.index[filled[0]]))
            raise Held("header", f"The header has a column without a name, and line {line:,} has a cell in it.")

    def _refuse_long_cells(self, columns: list[pa.BinaryArray]) -> None:
        for column in columns:
            if int(Cells.of(column).lengths.max(initial=0)) > self._limits.max_cell:
                raise Held("too_long", f"A cell is longer than {self._limits.max_cell:,} bytes.")
