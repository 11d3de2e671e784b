"""Columns of parquet that are times: microseconds since the epoch, from any type that the file gives them.

Owns the meaning of timestamps, dates and bare numbers as times (Apache Parquet format, Logical types; Customer.io
writes 0 for none). Text is read by times.py.
"""

from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as types

from promptsync.formats.buffers import Bools, Ints, mask_of
from promptsync.formats.cells import type_cells
from promptsync.formats.csv.time_spelling import DAY, MAX_MICROS, MIN_MICROS
from promptsync.formats.parquet.types import Column, is_bytes, is_text
from promptsync.formats.times import Times, parse_times
from promptsync.model import Kind

_UTC = ZoneInfo("UTC")
_PER_UNIT = {"s": 1_000_000.0, "ms": 1000.0, "us": 1.0, "ns": 0.001}
_FIRST_MILLI, _FIRST_MICRO, _FIRST_NANO = 10**11, 10**14, 10**17  # 1973 each; in the unit before, the year 5138


def times_of(column: Column) -> Times:
    """Reads a column of times; 0 is none.

    Timestamps count in their unit, in UTC if they have no zone; dates as their midnight in UTC; bare numbers as
    seconds, milliseconds, microseconds or nanoseconds by their magnitude; text as in times.py, or as such a number.
    Values outside the years 1 to 9999 are bad.
    """
    if isinstance(column, pa.DictionaryArray):
        column = column.dictionary_decode()
    found = column.type
    if is_text(found) or is_bytes(found):
        return _texts(column.cast(pa.binary()))
    valid = mask_of(column.is_valid())
    if types.is_null(found):
        return _checked(np.zeros(len(column), np.int64), valid)
    if types.is_timestamp(found):
        return _scaled(_raw(column), _PER_UNIT[found.unit], valid)
    if types.is_date32(found):
        return _scaled(column.cast(pa.int32()).fill_null(0).cast(pa.int64()).to_numpy(), float(DAY), valid)
    if types.is_date64(found):
        return _scaled(_raw(column), _PER_UNIT["ms"], valid)
    if types.is_integer(found) and not types.is_uint64(found):
        return by_magnitude(_raw(column), valid)
    return _fractions(column.cast(pa.float64(), safe=False).fill_null(0).to_numpy(), valid)


def by_magnitude(numbers: Ints, valid: Bools) -> Times:
    """Whole numbers as seconds, milliseconds, microseconds or nanoseconds since the epoch."""
    size = np.abs(numbers)
    size[size < 0] = _FIRST_NANO  # the least number has no opposite
    if not len(size):
        return _checked(numbers, valid)
    least, most = int(size.min()), int(size.max())
    if least >= _FIRST_MILLI and most < _FIRST_MICRO:
        return _checked(numbers * 1000, valid)
    micros = np.select(
        [size < _FIRST_MILLI, size < _FIRST_MICRO, size < _FIRST_NANO],
        [_times(numbers, size, _FIRST_MILLI, 1_000_000), _times(numbers, size, _FIRST_MICRO, 1000), numbers],
        numbers // 1000,
    )
    return _checked(micros, valid)


def _times(numbers: Ints, size: Ints, below: int, factor: int) -> Ints:
    """The product where it is wanted, which is where it fits."""
    return np.where(size < below, numbers, 0) * factor


def _scaled(numbers: Ints, per_unit: float, valid: Bools) -> Times:
    if per_unit < 1:
        return _checked(numbers // round(1 / per_unit), valid)
    factor = round(per_unit)
    outside = (numbers > MAX_MICROS // factor) | (numbers < MIN_MICROS // factor)
    if outside.any():
        return _checked(np.where(outside, MAX_MICROS + 1, np.where(outside, 0, numbers) * factor), valid)
    return _checked(numbers * factor, valid)


def _fractions(numbers: npt.NDArray[np.float64], valid: Bools) -> Times:
    """Numbers with a fraction, by magnitude. NaN is none; what is beyond 64 bits is bad."""
    size = np.abs(numbers)
    beyond = size >= 1 << 63
    numbers = np.where(beyond | np.isnan(numbers), 0.0, numbers)
    micros = np.select(
        [size < _FIRST_MILLI, size < _FIRST_MICRO, size < _FIRST_NANO],
        [numbers * 1e6, numbers * 1e3, numbers],
        numbers / 1e3,
    )
    whole = np.clip(np.rint(micros), MIN_MICROS - 1e6, MAX_MICROS + 1e6).astype(np.int64)
    return _checked(np.where(beyond, MAX_MICROS + 1, whole), valid)


def _texts(cells: Column) -> Times:
    times = parse_times(cells, _UTC)
    if not times.bad.any():
        return times
    rows = np.flatnonzero(times.bad)
    numbers = type_cells(cells.take(rows), Kind.INTEGER, _UTC)
    read = by_magnitude(numbers.values.fill_null(0).to_numpy().copy(), mask_of(numbers.values.is_valid()))
    micros, valid, bad = times.micros.copy(), times.valid.copy(), times.bad.copy()
    micros[rows], valid[rows], bad[rows] = read.micros, read.valid, numbers.bad | read.bad
    return Times(micros, valid, bad, canonical=False)


def _checked(micros: Ints, valid: Bools) -> Times:
    outside = valid & ((micros < MIN_MICROS) | (micros > MAX_MICROS))
    there = valid & (micros != 0) & ~outside
    return Times(np.where(there, micros, 0), there, outside, canonical=False)


def _raw(column: Column) -> Ints:
    numbers: Ints = column.cast(pa.int64()).fill_null(0).to_numpy()
    return numbers
