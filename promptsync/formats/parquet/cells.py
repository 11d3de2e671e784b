"""One column of a parquet file as one column's values.

Owns what each kind of column accepts of each type that parquet has, and how each type is written as text: text as it
is, numbers in decimal, times in ISO 8601, lists, structs and maps as JSON (json.py). Entire columns at once; only
values that cannot be cast together are read one by one. A cell that cannot be read is marked bad, never guessed and
never raised.
"""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as types

from promptsync.formats.buffers import Bools, mask_of
from promptsync.formats.cells import Typed, type_cells
from promptsync.formats.parquet.json import json_text
from promptsync.formats.parquet.times import times_of
from promptsync.formats.parquet.types import Column, is_bytes, is_text, plain, plain_type
from promptsync.formats.times import format_times
from promptsync.model import Kind


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


_UTC = ZoneInfo("UTC")
_TEXTS = (Kind.TEXT, Kind.JSON)
_LIMIT = float(1 << 63)


def can_be(found: pa.DataType, kind: Kind) -> bool:
    """Whether any value of an Arrow type can be a value of a kind. Everything can be text."""
    found = plain_type(found)
    if types.is_dictionary(found):
        return can_be(found.value_type, kind)
    if kind in _TEXTS or types.is_null(found) or is_text(found) or is_bytes(found):
        return True
    number = types.is_integer(found) or types.is_floating(found) or types.is_decimal(found)
    if kind is Kind.TIME:
        return number or types.is_timestamp(found) or types.is_date(found)
    return kind is not Kind.BLOB and (number or types.is_boolean(found))


def type_column(column: Column, kind: Kind, *, declared: bool = True) -> Typed:
    """Types a column of n cells, of a type that ``can_be`` of this kind.

    INTEGER: whole numbers of 64 bits, however written; NaN is null. REAL: finite numbers; NaN is null. BOOLEAN: also 0,
    1 and the words of cells.py, as 1 or 0. TIME: see times.py; text in UTC with milliseconds. TEXT and JSON:
    see text_of, where ``declared`` matters.
    """
    column = plain(column)
    if isinstance(column, pa.DictionaryArray):
        return _by_dictionary(column, kind, declared)
    if kind is Kind.TIME:
        times = times_of(column)
        return Typed(format_times(times.micros, times.valid), times.bad)
    if kind in _TEXTS:
        return text_of(column, declared=declared)
    if types.is_null(column.type):
        return Typed(column.cast(pa.float64() if kind is Kind.REAL else pa.int64()), np.zeros(len(column), bool))
    if is_text(column.type) or is_bytes(column.type):
        return type_cells(column.cast(pa.binary()), kind, _UTC)
    if types.is_decimal(column.type):
        return _decimals(column, kind)
    return _READERS[kind](column)


def _by_dictionary(column: Column, kind: Kind, declared: bool) -> Typed:
    """Each distinct value is typed once, unless there are more of them than cells."""
    if len(column.dictionary) > len(column):
        return type_column(column.dictionary_decode(), kind, declared=declared)
    distinct = type_column(column.dictionary, kind, declared=declared)
    values = distinct.values.take(column.indices)
    if not distinct.bad.any():
        return Typed(values, np.zeros(len(column), bool))
    there = mask_of(column.indices.is_valid())
    return Typed(values, there & distinct.bad[column.indices.fill_null(0).to_numpy()])


def _integers(column: Column) -> Typed:
    if types.is_floating(column.type):
        numbers = _floats(column)
        whole = (numbers == np.floor(numbers)) & (np.abs(numbers) < _LIMIT)
        bad = ~whole & ~np.isnan(numbers)
        return Typed(pa.array(np.where(whole, numbers, 0).astype(np.int64), mask=~whole), bad)
    if not types.is_uint64(column.type):
        return Typed(column.cast(pa.int64()), np.zeros(len(column), bool))
    too_large: Column = pc.greater(column, pa.scalar((1 << 63) - 1, pa.uint64()))
    bad = mask_of(too_large.fill_null(False))
    return Typed(_without(column, bad).cast(pa.int64()), bad)


def _reals(column: Column) -> Typed:
    if not types.is_floating(column.type):
        return Typed(column.cast(pa.float64(), safe=False), np.zeros(len(column), bool))
    numbers = _floats(column)
    bad = np.isinf(numbers)
    return Typed(pa.array(numbers, pa.float64(), mask=np.isnan(numbers) | bad), bad)


def _booleans(column: Column) -> Typed:
    if types.is_boolean(column.type):
        return Typed(column.cast(pa.int64()), np.zeros(len(column), bool))
    numbers = _integers(column)
    found = numbers.values.fill_null(0).to_numpy()
    bad = numbers.bad | ((found != 0) & (found != 1))
    return Typed(_without(numbers.values, bad), bad)


def _decimals(column: Column, kind: Kind) -> Typed:
    if kind is Kind.REAL:
        return _reals(column.cast(pa.float64()))
    try:
        whole = Typed(column.cast(pa.int64()), np.zeros(len(column), bool))
    except pa.ArrowInvalid:
        read = [_whole(cell) for cell in column.to_pylist()]
        bad = mask_of(column.is_valid()) & np.array([cell is None for cell in read], bool)
        whole = Typed(pa.array(read, pa.int64()), bad)
    if kind is Kind.INTEGER:
        return whole
    flags = _booleans(whole.values)
    return Typed(flags.values, flags.bad | whole.bad)


def _whole(cell: Decimal | None) -> int | None:
    if cell is None or cell != cell.to_integral_value() or not -(1 << 63) <= cell < 1 << 63:
        return None
    return int(cell)


def _floats(column: Column) -> Any:
    """As 64-bit floats, NaN where null."""
    return column.cast(pa.float64()).fill_null(math.nan).to_numpy()


def _without(column: Column, rows: Bools) -> Column:
    """The same with null in these rows."""
    if not rows.any():
        return column
    return pc.if_else(pa.array(rows), pa.scalar(None, column.type), column)


_READERS: dict[Kind, Callable[[Any], Typed]] = {
    Kind.INTEGER: _integers,
    Kind.REAL: _reals,
    Kind.BOOLEAN: _booleans,
}
