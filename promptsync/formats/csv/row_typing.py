"""Turns columns of cells into the typed columns of a batch, and finds what is wrong with which row.

Owns the meaning of a row's cells together: key, organization, derived columns and when the row was observed. What one
cell may look like is in cells.py.
"""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from promptsync.formats.buffers import Bools, Ints, mask_of
from promptsync.formats.cells import REASONS, Typed, type_cells, type_times
from promptsync.formats.csv.header import Field, Header
from promptsync.formats.csv.records import COMMA
from promptsync.formats.times import parse_times
from promptsync.model import Kind, Table
from promptsync.model.file_name import FileName

_AT_MAX = (1 << 52) - 1  # what a version has room for, the year 2112
LATEST = 6 * 3_600_000_000
"""How long after the instant of its file, microseconds, a row may have changed: exports run for hours, not for days."""


@dataclass(frozen=True, slots=True)
class CellProblem:
    """What is wrong with the marked ``rows``. ``reason_class``: stable name; ``reason``: a sentence without data.

    ``column``, ``position``: the column that is wrong and where its cells are, if it is one.
    """

    rows: Bools
    reason_class: str
    reason: str
    column: str = ""
    position: int = -1


@dataclass(frozen=True, slots=True)
class TypedRows:
    """``arrays``: one for each field of the header. ``observed``: microseconds since the epoch.

    ``problems``: the one that counts first comes first; none without rows. ``ahead``: how many rows claim to have
    changed later than a row of this file can have.
    """

    arrays: "list[pa.Array[Any]]"
    observed: Ints
    problems: list[CellProblem]
    ahead: int

    @property
    def bad(self) -> Bools:
        """Rows with any problem."""
        bad = np.zeros(len(self.observed), bool)
        for problem in self.problems:
            bad |= problem.rows
        return bad


@dataclass(frozen=True, slots=True)
class RowTyping:
    """How rows of one file are typed. ``delimiter``: between its cells."""

    table: Table
    header: Header
    stated: FileName
    zone: ZoneInfo
    delimiter: bytes = COMMA

    def run(self, columns: list[pa.BinaryArray]) -> TypedRows:
        """Types the cells of a block, given by position."""
        observed = np.full(len(columns[0]), self.stated.as_of, np.int64)
        arrays: list[pa.Array[Any]] = []
        keys, cells = [], []
        for field in self.header.fields:
            column = columns[field.position]
            if field.blank_of:
                arrays.append(column.is_null().cast(pa.int64()))
                continue
            typed = self._type(field, column, observed)
            arrays.append(typed.values)
            if field.name in self.table.key:
                rows = mask_of(typed.values.is_null())
                keys.append(CellProblem(rows, "bad_key", f"The key column {field.name} is blank or cannot be read."))
            else:
                name, words = REASONS[field.kind]
                cells.append(CellProblem(typed.bad, name, f"Column {field.name} {words}.", field.name, field.position))
        problems = [problem for problem in (*keys, *self._foreign(columns), *cells) if problem.rows.any()]
        latest = self.stated.as_of + LATEST
        ahead = int(np.count_nonzero(observed > latest))
        return TypedRows(
            arrays, np.clip(observed, 0, min(max(latest, 0), _AT_MAX)) + self.stated.correction, problems, ahead
        )

    def keys(self, records: list[list[bytes]]) -> list[tuple[Any, ...] | None]:
        """The keys of records with the wrong number of cells, where they stand as they should and can be read."""
        columns = []
        for field in self.header.fields[: len(self.table.key)]:
            cells = [cells[field.position] if field.position < len(cells) else None for cells in records]
            columns.append(type_cells(pa.array(cells, pa.binary()), field.kind, self.zone).values.to_pylist())
        return [None if None in key else key for key in zip(*columns, strict=True)]

    def _type(self, field: Field, column: pa.BinaryArray, observed: Ints) -> Typed:
        if field.name != self.table.observed_column or field.kind is not Kind.TIME:
            return type_cells(column, field.kind, self.zone)
        times = parse_times(column, self.zone)
        np.maximum(observed, np.where(times.dated, times.micros, 0), out=observed)
        return type_times(column, times)

    def _foreign(self, columns: list[pa.BinaryArray]) -> list[CellProblem]:
        if self.header.org_position < 0:
            return []
        org = type_cells(columns[self.header.org_position], Kind.INTEGER, self.zone)
        said = org.values.fill_null(-1).to_numpy()
        rows = (mask_of(org.values.is_valid()) & (said != self.stated.org_id)) | org.bad
        return [CellProblem(rows, "org_collision", "The row states another organization than the file's name.")]
