"""Columns of times: microseconds since the epoch inside, ISO 8601 UTC with milliseconds outside.

Owns the vectorised reading of a column: cells of equal length and layout are read together as a matrix of digits,
the rest goes value by value through time_spelling.py, which defines what a time is. Both give the same result.
"""

from dataclasses import dataclass
from typing import cast
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from promptsync.formats.buffers import Bools, Bytes, Cells, strings_of_width
from promptsync.formats.csv import time_spelling
from promptsync.formats.csv.time_spelling import DAY, HOUR, MAX_MICROS, MIN_MICROS, MINUTE, SECOND, TimeLayout

Ints = npt.NDArray[np.int64]
_LAYOUTS = 12
_WIDTH = len("2026-02-04T08:00:00.000Z")
_ZERO = ord("0")


@dataclass(frozen=True, slots=True)
class Times:
    """A column of n times. ``micros``: since the epoch, UTC; 0 where blank or bad. ``valid``: neither blank nor bad.

    ``canonical``: every valid cell is already written as ``format_times`` would.
    """

    micros: Ints
    valid: Bools
    bad: Bools
    canonical: bool

    @property
    def dated(self) -> Bools:
        """Which times are real instants: not the last day there is, which means "never"."""
        dated: Bools = self.valid & (self.micros < time_spelling.NEVER)
        return dated


def parse_times(cells: pa.BinaryArray, zone: ZoneInfo) -> Times:
    """Reads ISO 8601 (``T`` or space, with or without fraction and zone), dates, and epoch seconds or milliseconds.

    A time without a zone is of ``zone``: in a gap the offset before it counts, of a repeated hour the first. One that
    the zone takes out of the years 1 to 9999 is their first or last instant; 0 is no time, as a blank is none.
    """
    column = Cells.of(cells)
    micros = np.zeros(len(column), np.int64)
    bad = np.zeros(len(column), bool)
    left = np.flatnonzero(column.lengths)
    odd: list[int] = []
    canonical = True
    for _ in range(_LAYOUTS):
        if not len(left):
            break
        layout = time_spelling.layout_of(column.value(int(left[0])))
        if layout is None:
            odd.append(int(left[0]))
            left = left[1:]
            continue
        same = column.lengths[left] == layout.width
        rows = left[same]
        values, good = _read(column.matrix(rows, layout.width), layout, zone)
        micros[rows[good]] = values[good]
        bad[rows[0]] = not good[0]  # its layout was its own: there is no other way to read it
        canonical = canonical and layout.canonical
        left = np.sort(np.concatenate((left[~same], rows[1:][~good[1:]])))
    singly = np.concatenate((np.array(odd, np.int64), left))
    blank = _read_singly(column, singly, zone, micros, bad)
    valid = (column.lengths > 0) & ~bad
    valid[blank] = False
    return Times(micros, valid, bad, canonical and not len(singly))


def _read_singly(column: Cells, rows: Ints, zone: ZoneInfo, micros: Ints, bad: Bools) -> Ints:
    """Reads each distinct cell of ``rows`` by itself into ``micros`` and ``bad``. Returns the rows that are blank."""
    blank = []
    for value, where in column.distinct(rows):
        if time_spelling.is_none(value):
            blank.append(where)
            continue
        read = time_spelling.parse_time(value, zone)
        if read is None:
            bad[where] = True
        else:
            micros[where] = read
    return np.concatenate(blank) if blank else np.zeros(0, np.int64)


def format_times(micros: Ints, valid: Bools | None = None) -> pa.StringArray:
    """``2026-02-04T08:00:00.000Z`` for each time, cut to milliseconds; null where not ``valid``."""
    there = np.ones(len(micros), bool) if valid is None else valid
    millis = pa.array(micros[there] // 1000, pa.timestamp("ms"))
    digits = Cells.of(cast("pa.BinaryArray", millis.cast(pa.string()).cast(pa.binary()))).matrix(
        np.arange(len(millis)), _WIDTH - 1
    )
    text = np.empty((len(digits), _WIDTH), np.uint8)
    text[:, :-1] = digits
    text[:, 10] = ord("T")
    text[:, -1] = ord("Z")
    return strings_of_width(text, there)


def _read(cells: Bytes, layout: TimeLayout, zone: ZoneInfo) -> tuple[Ints, Bools]:
    """Microseconds of cells of one layout, shape (n, width), and which of them really have that layout."""
    columns = np.ascontiguousarray(cells.T)
    good = np.ones(cells.shape[0], bool)
    for at, allowed in layout.fixed:
        good &= (columns[at] == allowed[0]) | (columns[at] == allowed[-1])
    for at in layout.digits:
        good &= columns[at] - np.uint8(_ZERO) < 10
    if layout.epoch:
        return _epoch(_number(columns, 0, layout.width), good)
    micros, exists = _wall_clock(columns, layout)
    good &= exists
    if layout.offset_at < 0:
        if not layout.utc:
            micros[good] = np.clip(micros[good] - _local_offsets(micros[good], zone), MIN_MICROS, MAX_MICROS)
    else:
        offset, sane = _offset(columns, layout)
        good &= sane
        micros -= offset
    good &= (micros >= MIN_MICROS) & (micros <= MAX_MICROS)
    return micros, good


def _epoch(number: Ints, good: Bools) -> tuple[Ints, Bools]:
    seconds = number < time_spelling.FIRST_EPOCH_MILLI
    micros = np.where(seconds, number * SECOND, number * 1000)
    return micros, good & (number >= time_spelling.FIRST_EPOCH_SECOND)


def _wall_clock(columns: Bytes, layout: TimeLayout) -> tuple[Ints, Bools]:
    """Microseconds from 1970-01-01T00:00 to the local wall clock time, and whether the calendar has it."""
    year, month, day = _number(columns, 0, 4), _number(columns, 5, 2), _number(columns, 8, 2)
    months = np.clip((year - 1970) * 12 + month - 1, -1970 * 12, 8030 * 12)
    first = _first_day(months)
    length = _first_day(months + 1) - first
    good = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= length)
    micros = (first + day - 1) * DAY
    if layout.width > 10:
        hour, minute, second = (_number(columns, at, 2) for at in (11, 14, 17))
        good &= (hour < 24) & (minute < 60) & (second < 60)
        micros += hour * HOUR + minute * MINUTE + second * SECOND
    if used := min(layout.fraction, 6):
        micros += _number(columns, 20, used) * 10 ** (6 - used)
    return micros, good


def _first_day(months: Ints) -> Ints:
    """Days from 1970-01-01 to the first day of each month, given in months since 1970-01."""
    return months.astype("M8[M]").astype("M8[D]").astype(np.int64)


def _offset(columns: Bytes, layout: TimeLayout) -> tuple[Ints, Bools]:
    """The zone offset written in each cell, in microseconds, and whether it is one."""
    at = layout.offset_at
    hours = _number(columns, at + 1, 2)
    minutes = _number(columns, layout.width - 2, 2) if layout.width > at + 3 else np.zeros_like(hours)
    sign = np.where(columns[at] == ord("-"), -1, 1)
    return sign * (hours * HOUR + minutes * MINUTE), (hours < 24) & (minutes < 60)


def _number(columns: Bytes, at: int, length: int) -> Ints:
    number = np.zeros(columns.shape[1], np.int64)
    for column in columns[at : at + length]:
        number *= 10
        number += column
        number -= _ZERO
    return number


def _local_offsets(wall: Ints, zone: ZoneInfo) -> Ints:
    """The zone's offset at each wall clock time. Asked once per hour of the clock, more finely where it changes."""
    hours, where = np.unique(wall // HOUR, return_inverse=True)
    first = np.array([time_spelling.offset_at(hour * HOUR, zone) for hour in hours.tolist()], np.int64)
    last = np.array([time_spelling.offset_at(hour * HOUR + HOUR - 1, zone) for hour in hours.tolist()], np.int64)
    offsets = first[where]
    for row in np.flatnonzero((first != last)[where]).tolist():
        offsets[row] = time_spelling.offset_at(int(wall[row]), zone)
    return offsets
