"""Turns a block of complete CSV records into columns of cells, with Arrow's reader.

Owns the call of that reader and the handling of records with the wrong number of cells. Cells stay bytes here.
"""

from dataclasses import dataclass
from typing import IO, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv

from promptsync.errors import Held
from promptsync.formats.buffers import Ints
from promptsync.formats.csv.records import COMMA, Block, Records, cells_within, split

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Parsed:
    """``columns``: the cells by position, blank ones null. ``index``: which record of the block each row is, from 0.

    ``total``: records in the block. ``records``: where they are, if they had to be located.
    """

    columns: list[pa.BinaryArray]
    index: Ints
    total: int
    records: Records | None = None

    def located(self, block: Block, delimiter: bytes = COMMA) -> Records:
        """Where the block's records are. Raises Held ``quoting`` if the two readings of the block differ."""
        records = self.records or split(block, delimiter)
        if len(records) != self.total:
            raise _quoting(block)
        return records


def parse_block(block: Block, width: int, delimiter: bytes = COMMA) -> Parsed:
    """Reads a block; records that do not have ``width`` cells, and those whose quotes are out of place, are left out.

    Raises Held ``quoting``.
    """
    records = None if block.tidy else split(block, delimiter)
    if records is not None and records.strange.any():
        return _parse_right_ones(block, records, width, delimiter)
    try:
        columns = _read(block.data, width, delimiter)
    except pa.ArrowInvalid:
        return _parse_right_ones(block, records or split(block, delimiter), width, delimiter)
    return Parsed(columns, np.arange(len(columns[0])), len(columns[0]), records)


def longest_cell(records: Records, index: int, delimiter: bytes = COMMA) -> tuple[int, int] | None:
    """Position and bytes of the longest cell of a record, quotes resolved. None if it is not cut into cells."""
    data, best = records.block.data, None
    start, end = int(records.starts[index]), int(records.ends[index])
    for position, cell in enumerate(cells_within(data, start, end, delimiter)):
        first, last = cell.span()
        length = last - first
        if data[first : first + 1] == b'"':
            length -= 2 + data.count(b'""', first + 1, last - 1)
        if best is None or length > best[1]:
            best = position, length
    return best


def _parse_right_ones(block: Block, records: Records, width: int, delimiter: bytes) -> Parsed:
    """Arrow can leave records out too, but cannot hand over one that is not UTF-8, nor say where it was."""
    right = (records.cells == width) & ~records.strange
    try:
        columns = _read(records.only(right), width, delimiter)
    except pa.ArrowInvalid as error:
        raise _quoting(block) from error
    index = np.flatnonzero(right)
    if len(columns[0]) != len(index):
        raise _quoting(block)
    return Parsed(columns, index, len(records), records)


def _read(data: bytes, width: int, delimiter: bytes) -> list[pa.BinaryArray]:
    if not data:
        return [pa.array([], pa.binary())] * width
    if data.startswith(_BOM):
        data = b"\n" + data  # else Arrow would drop it from the first cell
    names = [str(position) for position in range(width)]
    table = pyarrow.csv.read_csv(
        cast("IO[Any]", pa.BufferReader(data)),
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=len(data) + 1, column_names=names),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True, delimiter=delimiter.decode("ascii")),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    return [cast("pa.BinaryArray", column.combine_chunks()) for column in table.columns]


def _quoting(block: Block) -> Held:
    return Held("quoting", f"The records from line {block.line:,} on cannot be told apart: a quote is out of place.")
