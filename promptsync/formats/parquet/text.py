"""Columns of parquet as text.

Owns how each type is written: text as it is, numbers in decimal, times in ISO 8601, lists, structs and maps as JSON
(parquet_json.py). Text that is none is marked bad.
"""

import numpy as np
import pyarrow as pa
import pyarrow.types as types

from promptsync.formats.cells import Typed
from promptsync.formats.parquet.json import json_text
from promptsync.formats.parquet.times import times_of
from promptsync.formats.parquet.types import Column, is_bytes, is_text
from promptsync.formats.times import format_times


def text_of(column: Column, *, declared: bool = True) -> Typed:
    """Writes a column of any type as text.

    Text, and bytes of any length, must be UTF-8 without NUL, else they are bad. In a column that is not ``declared``
    they are not: such cells, and bytes of a fixed length, are written as hexadecimal digits.
    """
    found = column.type
    good = np.zeros(len(column), bool)
    if types.is_fixed_size_binary(found) and not declared:
        return Typed(pa.array([cell and cell.hex() for cell in column.to_pylist()], pa.string()), good)
    if is_text(found) or is_bytes(found):
        return _texts(column.cast(pa.binary()), declared)
    if types.is_nested(found):
        return Typed(json_text(column), good)
    if types.is_timestamp(found):
        times = times_of(column)
        return Typed(format_times(times.micros, times.valid), times.bad)
    if types.is_floating(found):
        numbers = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
        return Typed(pa.array(numbers, mask=np.isnan(numbers)).cast(pa.string()), good)
    if types.is_duration(found):
        return Typed(column.cast(pa.int64()).cast(pa.string()), good)
    return Typed(column.cast(pa.string()), good)


def _texts(cells: Column, declared: bool) -> Typed:
    try:
        values = cells.cast(pa.string())
    except pa.ArrowInvalid:
        return _singly(cells, declared)
    return Typed(values, np.zeros(len(cells), bool)) if not _has_nul(cells) else _singly(cells, declared)


def _has_nul(cells: Column) -> bool:
    _, offset_buffer, data_buffer = cells.buffers()
    if offset_buffer is None or data_buffer is None:
        return False
    offsets = np.frombuffer(memoryview(offset_buffer), np.int32)
    run = np.frombuffer(memoryview(data_buffer), np.uint8)[offsets[cells.offset] : offsets[cells.offset + len(cells)]]
    return len(run) > 0 and int(run.min()) == 0


def _singly(cells: Column, declared: bool) -> Typed:
    """Cell by cell: taken when some are no text."""
    read = [_decoded(cell) for cell in cells.to_pylist()]
    bad = np.array([text is None for text in read], bool) & cells.is_valid().to_numpy(zero_copy_only=False)
    if declared or not bad.any():
        return Typed(pa.array(read, pa.string()), bad)
    kept = [cells[row].as_py().hex() if bad[row] else text for row, text in enumerate(read)]
    return Typed(pa.array(kept, pa.string()), np.zeros(len(cells), bool))


def _decoded(cell: bytes | None) -> str | None:
    if cell is None or b"\0" in cell:
        return None
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return None
