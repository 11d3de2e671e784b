"""Rows of a file that cannot be merged, with everything a person needs to find them.

Owns the shape of such a row and how it is found again in its block. Never judges how many are too many.
"""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from promptsync.formats.csv.block import Parsed
from promptsync.formats.csv.records import Block, Records, cells_of
from promptsync.formats.csv.row_typing import RowTyping, TypedRows

_SHOWN, _SHORT = 32, 4
_DAY = r"(?:\d{4}([-./])\d{1,2}\1\d{1,2}|\d{1,2}([-./])\d{1,2}\2(?:\d{4}|\d\d))"
_DATE = re.compile(_DAY + r"(?:[T ]\d{1,2}:\d\d(?::\d\d)?)?")


@dataclass(frozen=True, slots=True)
class BadRow:
    """``record``: number in the file from 1. ``line``: physical line it begins at, from 1, the header's included.

    ``reason_class``: ``cell_count``, ``quoting``, ``bad_key``, ``org_collision``, ``bad_number``, ``bad_boolean``,
    ``bad_time``, ``bad_utf8`` or ``no_order``; ``reason``: a sentence without any of the row's data. ``original``: its
    exact bytes, without the line end (in UTF-8 even if the file is not), empty if they were too many to keep.
    ``key``: values of the key columns,
    or None if they cannot be read. Of a parquet file ``line`` is ``record``, and ``original`` the row as a JSON object.
    ``column``, ``shape``: the column that is wrong, if it is one, and what its cell looks like (``shape_of``).
    """

    record: int
    line: int
    reason_class: str
    reason: str
    original: bytes
    key: tuple[Any, ...] | None
    column: str = ""
    shape: str = ""

    def describe(self, place: str = "line", table: str = "") -> str:
        """Where it is and what is wrong with it, for a sentence about its file: no personal data. ``table``:
        named if the file's name does not say it as the mirror does.

        >>> BadRow(1, 2, "bad_time", "Column sent_at is no time.", b"7,soon", (7,), "sent_at", "soon").describe()
        "line 2, column sent_at: 'soon' is no time."
        """
        reason, of = self.reason.removeprefix(f"Column {self.column} "), f" of {table}" if table else ""
        if not self.column or reason == self.reason:
            return f"{place} {self.line:,}{of}: {self.reason}"
        return f"{place} {self.line:,}{of}, column {self.column}: {repr(self.shape) if self.shape else 'it'} {reason}"


def shape_of(cell: bytes) -> str:
    """What a cell looks like, without its content: digits as 9, letters as x; dates and very short ones as is.

    >>> shape_of(b"+1 555 123 4567"), shape_of(b"31.12.2026 10:00"), shape_of(b"n/a"), shape_of(b"Anna Smith")
    ('+9 999 999 9999', '31.12.2026 10:00', 'n/a', 'xxxx xxxxx')
    """
    text = cell[: 4 * _SHOWN].decode("utf-8", "replace")
    if not (_DATE.fullmatch(text) or (len(text) <= _SHORT and not text.isdigit())):
        text = "".join("9" if sign.isdigit() else "x" if sign.isalnum() else sign for sign in text)
    text = "".join(sign if sign.isprintable() else "\ufffd" for sign in text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def count_bad(parsed: Parsed, rows: TypedRows) -> int:
    """How many records of a block are bad."""
    return parsed.total - len(parsed.index) + int(np.count_nonzero(rows.bad))


def bad_rows(
    block: Block, parsed: Parsed, rows: TypedRows, typing: RowTyping, before: int, most: int | None = None
) -> list[BadRow]:
    """The bad rows of one block, in order, the first ``most``; ``before``: records in front of it.

    Raises Held ``quoting``.
    """
    bad = np.flatnonzero(rows.bad)
    if len(parsed.index) == parsed.total and not len(bad):
        return []
    records = parsed.located(block, typing.delimiter)
    wrong = np.ones(parsed.total, bool)
    wrong[np.delete(parsed.index, bad)] = False
    indices = np.flatnonzero(wrong)[:most]
    bad = bad[: len(indices)]  # the first of all are among the first of these
    row_of = dict(zip(parsed.index[bad].tolist(), bad.tolist(), strict=True))
    missing = [index for index in indices.tolist() if index not in row_of]
    key_of = dict(zip(missing, _keys(records, missing, typing), strict=True))
    found = []
    for index, line in zip(indices.tolist(), records.lines(indices).tolist(), strict=True):
        where = before + index + 1, line
        original = records.original(index)
        if index in row_of:
            found.append(_cell_problem(rows, row_of[index], where, original, parsed, typing))
        else:
            problem = shape_problem(records, index, typing.header.width)
            found.append(BadRow(*where, *problem, original, key_of[index]))
    return found


def _keys(records: Records, indices: list[int], typing: RowTyping) -> list[tuple[Any, ...] | None]:
    """Of records that could not be cut into columns. Of one with very many cells none is looked for."""
    most = 10 * typing.header.width + 1_000
    usual = (records.original(index) if records.cells[index] <= most else b"" for index in indices)
    return typing.keys([cells_of(record, typing.delimiter) for record in usual])


def shape_problem(records: Records, index: int, width: int) -> tuple[str, str]:
    """Class and sentence of a record that is none of a row of ``width`` cells."""
    if records.strange[index]:
        return "quoting", "A quote is out of place."
    return "cell_count", f"The row has {int(records.cells[index]):,} cells, not {width:,}."


def _cell_problem(
    rows: TypedRows, row: int, where: tuple[int, int], original: bytes, parsed: Parsed, typing: RowTyping
) -> BadRow:
    problem = next(problem for problem in rows.problems if problem.rows[row])
    key = tuple(array[row].as_py() for array in rows.arrays[: len(typing.table.key)])
    cell = parsed.columns[problem.position][row].as_py() if problem.column else None
    shape = shape_of(cell) if cell else ""
    known = None if None in key else key
    return BadRow(*where, problem.reason_class, problem.reason, original, known, problem.column, shape)
