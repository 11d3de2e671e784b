"""A proven change set as typed Arrow batches, each row with its version, rows that cannot be read set apart.

Owns the reading of one parquet file (Customer.io, Data warehouse sync): batch by batch, in bounded memory, and how a
bad row is shown: a parquet file has no bytes of a row, so it is written as JSON. Owns the version of a row, 28 bytes
whose order IS the vendor's order: the row's own order (8), the file's sequence (8), its part (8), the row's position in
the file from 1 (4), each big-endian. Does not prove the file (proof.py), does not judge how many bad rows are too many,
writes nothing.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from promptsync.errors import Held
from promptsync.formats.buffers import Ints, mask_of
from promptsync.formats.cells import REASONS, Typed
from promptsync.formats.csv.reader import ARROW, Batch
from promptsync.formats.csv.row_typing import CellProblem
from promptsync.formats.limits import Limits
from promptsync.formats.parquet.cells import type_column
from promptsync.formats.parquet.columns import WORKSPACE, FileColumn, match_columns
from promptsync.formats.parquet.json import json_text, object_text
from promptsync.formats.parquet.proof import translated
from promptsync.formats.parquet.source import ParquetSource
from promptsync.formats.parquet.times import times_of
from promptsync.formats.parquet.types import Column
from promptsync.formats.rejects import BadRow, shape_of
from promptsync.model import Kind, Table
from promptsync.model.file_name import VERSION_BYTES, ChangeSetName

MOST_ROWS = (1 << 32) - 1


def bad_rows(
    raw: pa.RecordBatch, keys: pa.RecordBatch, problems: Sequence[CellProblem], first: int, most: int
) -> list[BadRow]:
    """The first ``most`` bad rows of one batch, in order. ``keys``: the typed key columns; ``first``: position of its
    first row.

    Of several problems of a row the first counts.
    """
    chosen = np.full(raw.num_rows, len(problems), np.int64)
    for number, problem in reversed(list(enumerate(problems))):
        chosen[problem.rows] = number
    rows = np.flatnonzero(chosen < len(problems))[:most]
    shown = {name: _shown(column, rows) for name, column in zip(raw.schema.names, raw.columns, strict=True)}
    originals = object_text([*shown], [*shown.values()]).to_pylist()
    cells = {name.casefold(): column for name, column in shown.items()}
    found = []
    for number, (row, original) in enumerate(zip(rows.tolist(), originals, strict=True)):
        problem = problems[chosen[row]]
        key = tuple(column[row].as_py() for column in keys.columns)
        at = first + row
        kept = None if None in key else key
        why = problem.reason_class, problem.reason
        wrong = cells.get(problem.column.casefold())
        shape = _shape(wrong[number].as_py()) if wrong is not None else ""
        found.append(BadRow(at, at, *why, original.encode(), kept, problem.column, shape))
    return found


def _shape(cell: str | bytes | None) -> str:
    """Of a cell as JSON; none of a blank one."""
    text = cell.encode() if isinstance(cell, str) else cell or b"null"
    return "" if text == b"null" else shape_of(text[1:-1] if text.startswith(b'"') else text)


def _shown(column: Column, rows: Ints) -> Column:
    """These cells as JSON; all are written where Arrow cannot pick cells of the type."""
    try:
        chosen = column.take(rows)
    except pa.ArrowNotImplementedError:
        return json_text(column).take(rows)
    return json_text(chosen)


__all__ = ["Batch", "ChangeSetReader"]


class ChangeSetReader:
    """Iterates once over the batches of a file of ``table``, whose name says ``name``.

    ``schema``: ``_n`` (position of the row from 1, rejected ones counted), key columns, value columns that the file
    has, unknown ones as text, ``_at`` (the version). ``unknown``: columns that are not declared, as
    named in the batches. ``lacks``: declared value columns that the file, and so the batches, do not have;
    ``leave_out`` are not even decoded and count as such. ``total``: rows according to the footer. ``records``,
    ``rejected``: how many so far; of the rejected the first few are in the batches (``Limits.max_shown``).

    A row whose ordering value is null, 0, below it or unreadable is bad (``no_order``): what is unknown is not the
    oldest. ``unordered``: the file lacks that column, though its table has one; all of its rows then order before
    every row that has a value.

    A file without ``workspace_id`` is all of the workspace in its name. Raises Held: ``header``, ``column_type``,
    ``too_long``, ``too_many``, ``large_pages``, and the reasons of ``prove_parquet``.
    """

    def __init__(
        self,
        path: Path,
        table: Table,
        name: ChangeSetName,
        limits: Limits,
        leave_out: frozenset[str] = frozenset(),
    ) -> None:
        self._path, self._table, self._name, self._limits = path, table, name, limits
        self._source = ParquetSource(path, limits)
        self.total = self._source.rows
        with ExitStack() as unless_refused:
            unless_refused.callback(self.close)
            if self.total > MOST_ROWS:
                raise Held("too_many", f"{path.name} has {self.total:,} rows, more than {MOST_ROWS:,}.")
            columns = match_columns(self._source.schema, table, leave_out)
            unless_refused.pop_all()
        self._columns = (*columns.key, *columns.values)
        self.unknown, self.lacks = columns.unknown, columns.lacks
        self.unordered = bool(table.order) and all(column.name != table.order for column in self._columns)
        self.records = self.rejected = self._written = 0
        self._to_show, self._bytes_to_show = limits.max_shown, limits.max_shown_bytes
        kinds = {column.name: column.kind for column in self._columns}
        names = (*table.key, *(column.name for column in columns.values))
        typed = [(one, ARROW.get(kinds.get(one, Kind.INTEGER), pa.string())) for one in names]
        self.schema = pa.schema([("_n", pa.int64()), *typed, ("_at", pa.binary())])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file. Reading to the end does so too."""
        self._source.close()

    def __iter__(self) -> Iterator[Batch]:
        for raw in self._source.batches([column.source for column in self._columns]):
            with translated(self._path):
                batch = self._batch(raw)
            self._written += batch.rows.nbytes
            if self._written > self._limits.max_raw_bytes:
                raise Held("bomb", f"{self._path.name} holds more than {self._limits.max_raw_bytes:,} bytes.")
            yield batch

    def _batch(self, raw: pa.RecordBatch) -> Batch:
        count = raw.num_rows
        order = np.zeros(count, np.int64)
        arrays: dict[str, Column] = {}
        keys, cells, unordered = list[CellProblem](), list[CellProblem](), list[CellProblem]()
        for column in self._columns:
            typed = self._typed(column, raw.column(column.source), order)
            arrays[column.name] = typed.values
            if column.name == self._table.order:
                why = f"Column {column.name} is blank, 0 or cannot be read, so nobody knows how new the row is."
                unordered.append(CellProblem(order <= 0, "no_order", why, column.name))
            elif column.name in self._table.key:
                why = f"The key column {column.name} is blank or cannot be read."
                keys.append(CellProblem(mask_of(typed.values.is_null()), "bad_key", why))
            elif typed.bad.any():
                reason, words = REASONS[column.kind]
                cells.append(CellProblem(typed.bad, reason, f"Column {column.name} {words}.", column.name))
        if WORKSPACE in self._table.key and WORKSPACE not in arrays:
            arrays[WORKSPACE] = pa.array(np.full(count, self._name.workspace))
        first = self.records + 1
        arrays["_n"] = pa.array(np.arange(first, first + count))
        arrays["_at"] = row_versions(order, self._name, first)
        rows = pa.RecordBatch.from_arrays([arrays[name] for name in self.schema.names], schema=self.schema)
        self.records += count
        problems = [problem for problem in (*keys, *unordered, *cells) if problem.rows.any()]
        if not problems:
            return Batch(rows, [])
        wrong = np.logical_or.reduce([problem.rows for problem in problems])
        bad = int(np.count_nonzero(wrong))
        self.rejected += bad
        shown = self._shown(raw, rows, problems, first)
        keyless = np.logical_or.reduce([problem.rows for problem in keys])
        return Batch(rows.filter(pa.array(~wrong)), shown, bad - len(shown), int(np.count_nonzero(keyless)))

    def _shown(
        self, raw: pa.RecordBatch, rows: pa.RecordBatch, problems: list[CellProblem], first: int
    ) -> list[BadRow]:
        if self._to_show <= 0 or self._bytes_to_show <= 0:
            return []
        shown = bad_rows(raw, rows.select(list(self._table.key)), problems, first, self._to_show)
        self._to_show -= len(shown)
        self._bytes_to_show -= sum(len(row.original) for row in shown)
        return shown

    def _typed(self, column: FileColumn, raw: Column, order: Ints) -> Typed:
        """The typed column; ``order`` is filled if it is the one that orders the rows."""
        typed = type_column(raw, column.kind, declared=column.declared)
        if pa.types.is_string(typed.values.type):
            self._refuse_long(column, typed.values)
        if column.name == self._table.order:
            order[:] = times_of(raw).micros if column.kind is Kind.TIME else typed.values.fill_null(0).to_numpy()
        return typed

    def _refuse_long(self, column: FileColumn, values: Column) -> None:
        if values.nbytes <= self._limits.max_cell:
            return
        lengths: Column = pc.binary_length(values)
        if pc.max(lengths).as_py() > self._limits.max_cell:
            raise Held("too_long", f"A cell of column {column.name} is longer than {self._limits.max_cell:,} bytes.")


def row_versions(order: Ints, name: ChangeSetName, first: int) -> pa.BinaryArray:
    """``order``: of each row, numbers or microseconds; 0 orders before all others, as does what is negative.

    ``first``: position of the first of them, from 1; they follow one another.
    """
    rows = len(order)
    versions = np.empty((rows, VERSION_BYTES), np.uint8)
    versions[:, :8] = _big(np.maximum(order, 0), ">u8")
    versions[:, 8:16] = _big(np.array([name.sequence]), ">u8")
    versions[:, 16:24] = _big(np.array([name.part]), ">u8")
    versions[:, 24:] = _big(np.arange(first, first + rows), ">u4")
    offsets = np.arange(0, (rows + 1) * VERSION_BYTES, VERSION_BYTES, dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets.data), pa.py_buffer(versions.data)]
    return pa.Array.from_buffers(pa.binary(), rows, buffers)  # type: ignore[return-value]


def _big(numbers: Ints, spelling: str) -> np.ndarray:
    return numbers.astype(spelling).view(np.uint8).reshape(len(numbers), -1)
