"""Lists as spreadsheets that open safely: CSV and .xlsx.

Owns the file's form. CSV: UTF-8 with a byte order mark, CRLF, what a spreadsheet would take for a formula guarded.
.xlsx: every cell is text, so that nothing is guessed and phone numbers keep their plus. Knows nothing of where rows
come from; they arrive in parts.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import IO

from promptsync.browse.cells import clean, guarded
from promptsync.errors import Unavailable

CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_MARK = "\ufeff"
_MOST_ROWS = 1_048_576  # of a worksheet
_LONGEST = 32_767  # characters of a cell
_UNFIT = re.compile(r"[^a-z0-9]+")

Line = Sequence[object]


def csv_head(headings: Line) -> str:
    """How a file begins."""
    return _MARK + csv_lines([headings])


def csv_lines(lines: Iterable[Line]) -> str:
    """Lines of a file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerows([guarded(_text(cell)) for cell in line] for line in lines)
    return out.getvalue()


class Book:
    """A workbook of one sheet, in a file. Close it to have it written."""

    def __init__(self, file: IO[bytes], headings: Line) -> None:
        from xlsxwriter import Workbook  # type: ignore[import-untyped]

        options = {"in_memory": False, "constant_memory": True, "strings_to_urls": False, "strings_to_formulas": False}
        self._book = Workbook(file, options)
        self._sheet = self._book.add_worksheet()
        self._text = self._book.add_format({"num_format": "@"})
        bold = self._book.add_format({"bold": True, "num_format": "@"})
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, max(len(headings) - 1, 0), 18, self._text)
        for place, heading in enumerate(headings):
            self._sheet.write_string(0, place, _text(heading), bold)
        self._rows = 1

    def add(self, lines: Iterable[Line]) -> None:
        """Lines at the end. Raises Unavailable beyond what a worksheet can hold."""
        for line in lines:
            if self._rows >= _MOST_ROWS:
                raise Unavailable("A worksheet holds 1,048,576 rows: save this list as CSV.")
            for place, cell in enumerate(line):
                self._sheet.write_string(self._rows, place, _text(cell)[:_LONGEST], self._text)
            self._rows += 1

    def close(self) -> None:
        """Write the file. Raises Unavailable if the disk does not take it."""
        from xlsxwriter.exceptions import XlsxWriterException  # type: ignore[import-untyped]

        try:
            self._book.close()
        except (OSError, XlsxWriterException) as error:
            raise Unavailable("The spreadsheet cannot be written: make room on the disk, or save it as CSV.") from error


def file_name(name: str, day: date, ending: str) -> str:
    """A name that every system takes: ``people-volunteer-2026-11-28.csv``."""
    plain = _UNFIT.sub("-", name.casefold()).strip("-")[:60] or "list"
    return str(Path(f"{plain}-{day.isoformat()}.{ending}"))


def _text(cell: object) -> str:
    """A cell as text, without what makes text read backwards, and without controls that no file may hold."""
    return "" if cell is None else clean(str(cell))
