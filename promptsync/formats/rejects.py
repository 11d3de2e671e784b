"""Rows of a file that cannot be merged, with everything a person needs to find them.

Owns the shape of such a row and how it is found again in its block. Never judges how many are too many.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from promptsync.formats.csv_block import Parsed
from promptsync.formats.records import Block, cells_of
from promptsync.formats.row_typing import RowTyping, TypedRows


@dataclass(frozen=True, slots=True)
class BadRow:
    """``record``: number in the file from 1. ``line``: physical line it begins at, from 1, the header's included.

    ``reason_class``: ``cell_count``, ``bad_key``, ``org_collision``, ``bad_number``, ``bad_boolean``, ``bad_time`` or
    ``bad_utf8``; ``reason``: a sentence without any of the row's data. ``original``: its exact bytes, without the line
    end. ``key``: values of the key columns, or None if they cannot be read. Of a parquet file ``line`` is ``record``,
    and ``original`` the row as a JSON object.
    """

    record: int
    line: int
    reason_class: str
    reason: str
    original: bytes
    key: tuple[Any, ...] | None


def bad_rows(block: Block, parsed: Parsed, rows: TypedRows, typing: RowTyping, before: int) -> list[BadRow]:
    """The bad rows of one block, in order; ``before``: records in front of it. Raises Held ``quoting``."""
    bad = np.flatnonzero(rows.bad)
    if len(parsed.index) == parsed.total and not len(bad):
        return []
    records = parsed.located(block)
    row_of = dict(zip(parsed.index[bad].tolist(), bad.tolist(), strict=True))
    wrong = np.ones(parsed.total, bool)
    wrong[np.delete(parsed.index, bad)] = False
    found = []
    for index in np.flatnonzero(wrong).tolist():
        original = records.original(index)
        if index in row_of:
            name, reason, key = _cell_problem(rows, row_of[index], len(typing.table.key))
        else:
            name, key = "cell_count", typing.key(cells_of(original))
            reason = f"The row has {int(records.cells[index]):,} cells, not {typing.header.width:,}."
        found.append(BadRow(before + index + 1, records.line(index), name, reason, original, key))
    return found


def _cell_problem(rows: TypedRows, row: int, keys: int) -> tuple[str, str, tuple[Any, ...] | None]:
    problem = next(problem for problem in rows.problems if problem.rows[row])
    key = tuple(array[row].as_py() for array in rows.arrays[:keys])
    return problem.reason_class, problem.reason, None if None in key else key
