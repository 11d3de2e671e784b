"""Rows of a parquet file that cannot be merged, in the form of rejects.py.

Owns how such a row is shown: a parquet file has no bytes of a row, so it is written as JSON.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from promptsync.formats.buffers import Ints
from promptsync.formats.csv.row_typing import Problem
from promptsync.formats.parquet.json import json_text, object_text
from promptsync.formats.parquet.types import Column
from promptsync.formats.rejects import BadRow, shape_of


def bad_rows(
    raw: pa.RecordBatch, keys: pa.RecordBatch, problems: Sequence[Problem], first: int, most: int
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
