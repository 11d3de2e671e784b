"""Turns one column's cells into one column's values.

Owns what each kind of column accepts in a CSV cell. Vectorised on the buffers where cells look as usual; the others
are read once per distinct value. A cell that cannot be read is marked bad, never guessed and never raised.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from promptsync.formats.buffers import Bools, Cells, integers
from promptsync.formats.times import Times, format_times, parse_times
from promptsync.model import Kind

_ZERO = ord("0")
_SURE_DIGITS = 18  # any number of this many digits fits in 64 bits
_INTEGER = re.compile(rb"[+-]?[0-9]{1,19}")
_REAL = re.compile(rb"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_DECIMAL_COMMA = re.compile(rb"[+-]?[0-9]*,[0-9]+")
_THOUSANDS = re.compile(rb"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
_BOOLEANS = {b"true": 1, b"t": 1, b"1": 1, b"yes": 1, b"false": 0, b"f": 0, b"0": 0, b"no": 0}


@dataclass(frozen=True, slots=True)
class Typed:
    """``values``: int64, float64 or string, null where blank or bad. ``bad``: rows whose cell cannot be read."""

    values: "pa.Array[Any]"
    bad: Bools


def is_boolean(cell: bytes) -> bool:
    """Whether a cell is one of the words for true or false."""
    return cell.strip(b" ").lower() in _BOOLEANS


REASONS = {
    Kind.INTEGER: ("bad_number", "is no whole number"),
    Kind.REAL: ("bad_number", "is no number"),
    Kind.BOOLEAN: ("bad_boolean", "is neither true nor false"),
    Kind.TIME: ("bad_time", "is no time"),
    Kind.TEXT: ("bad_utf8", "is no text in UTF-8"),
    Kind.JSON: ("bad_utf8", "is no text in UTF-8"),
}
"""Kind to the class of its rejects and their sentence."""


def type_cells(cells: pa.BinaryArray, kind: Kind, zone: ZoneInfo) -> Typed:
    """Types a column of n cells; blank ones are null.

    INTEGER: decimal digits with or without sign, 64 bits. REAL: decimal, finite, with a point or a comma; not 1,234,
    which may be a thousand. BOOLEAN: true, false, t, f, yes, no,
    1, 0 in any case, as 1 or 0. TEXT and JSON: UTF-8 without NUL, untouched. TIME: see times.py; text in UTC with
    milliseconds. Spaces around numbers, booleans and times are ignored. Raises ValueError for BLOB, which no CSV has.
    """
    if kind is Kind.TIME:
        return type_times(cells, parse_times(cells, zone))
    if kind is Kind.BLOB:
        raise ValueError("a CSV file has no column of bytes")
    return _READERS[kind](Cells.of(cells))


def type_times(cells: pa.BinaryArray, times: Times) -> Typed:
    """The text of times already parsed from ``cells``, whose own text is kept if it is canonical."""
    if times.canonical and not times.bad.any():
        return Typed(Cells.of(cells).array.cast(pa.string()), times.bad)
    return Typed(format_times(times.micros, times.valid), times.bad)


def _integers(cells: Cells) -> Typed:
    odd = cells.rows_with(cells.run - np.uint8(_ZERO) > 9) | (cells.lengths > _SURE_DIGITS)
    if not odd.any():
        return Typed(cells.array.cast(pa.string()).cast(pa.int64()), odd)
    usual = np.flatnonzero(~odd & (cells.lengths > 0))
    values = np.zeros(len(cells), np.int64)
    values[usual] = cells.array.take(usual).cast(pa.string()).cast(pa.int64()).to_numpy()
    bad, blank = _singly(cells, odd, _integer, values)
    return Typed(integers(values, (cells.lengths > 0) & ~bad & ~blank), bad)


def _integer(cell: bytes) -> int | None:
    if _INTEGER.fullmatch(cell) is None:
        return None
    number = int(cell)
    return number if -(1 << 63) <= number < 1 << 63 else None


def _reals(cells: Cells) -> Typed:
    values = np.zeros(len(cells), np.float64)
    bad, blank = _singly(cells, cells.lengths > 0, _real, values)
    return Typed(pa.array(values, pa.float64(), mask=bad | blank | (cells.lengths == 0)), bad)


def _real(cell: bytes) -> float | None:
    if _DECIMAL_COMMA.fullmatch(cell) and not _THOUSANDS.fullmatch(cell):
        cell = cell.replace(b",", b".")
    if _REAL.fullmatch(cell) is None:
        return None
    number = float(cell)
    return number if math.isfinite(number) else None


def _booleans(cells: Cells) -> Typed:
    encoded = cells.array.dictionary_encode()
    known = cast("list[bytes]", encoded.dictionary.to_pylist())
    read = [_BOOLEANS.get(cell.strip(b" ").lower()) for cell in known]
    values = pa.array(read, pa.int64()).take(encoded.indices)
    bad = np.zeros(len(cells), bool)
    wrong = [code for code, cell in enumerate(known) if read[code] is None and cell.strip(b" ")]
    if wrong:
        bad = np.isin(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), wrong)
    return Typed(values, bad)


def _texts(cells: Cells) -> Typed:
    bad = cells.rows_with(cells.run == 0)
    try:
        values = cells.array.cast(pa.string())
    except pa.ArrowInvalid:
        for row in np.flatnonzero(cells.rows_with(cells.run > 127)).tolist():
            bad[row] |= not _is_utf8(cells.value(row))
        values = pa.array(cells.array.to_pylist(), pa.binary(), mask=bad).cast(pa.string())
        return Typed(values, bad)
    if bad.any():
        values = pa.array(values.to_pylist(), pa.string(), mask=bad)
    return Typed(values, bad)


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True


def _singly(cells: Cells, rows: Bools, read: Callable[[bytes], float | None], values: Any) -> tuple[Bools, Bools]:
    """Reads each distinct cell of ``rows`` into ``values``. Returns which rows are bad, and which hold only spaces."""
    bad, blank = np.zeros(len(cells), bool), np.zeros(len(cells), bool)
    for cell, where in cells.distinct(np.flatnonzero(rows)):
        stripped = cell.strip(b" ")
        value = read(stripped)
        if value is not None:
            values[where] = value
        elif stripped:
            bad[where] = True
        else:
            blank[where] = True
    return bad, blank


_READERS: dict[Kind, Callable[[Cells], Typed]] = {
    Kind.INTEGER: _integers,
    Kind.REAL: _reals,
    Kind.BOOLEAN: _booleans,
    Kind.TEXT: _texts,
    Kind.JSON: _texts,
}
