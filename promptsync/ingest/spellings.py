"""How a nightly file spells its times and booleans: a look at its first rows, for ``doctor`` to report.

Owns what a form is: a time with every digit a 9, a boolean's word. Decides nothing about what is merged.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from promptsync.errors import PromptsyncError
from promptsync.formats.cells import is_boolean
from promptsync.formats.limits import Limits
from promptsync.formats.stream import RawStream
from promptsync.formats.time_spelling import parse_time
from promptsync.model import Kind, Table
from promptsync.store import observed

_ROWS = 50
_BYTES = 1 << 16


def spellings(path: Path, table: Table, zone: ZoneInfo, limits: Limits) -> dict[str, Counter[str]]:
    """Kind (of store/observed.py) to form to how often, in the first rows; empty if they cannot be read."""
    found: dict[str, Counter[str]] = {observed.TIME: Counter(), observed.BOOLEAN: Counter()}
    try:
        for row in _first_rows(path, limits):
            _note(row, table, zone, found)
    except (PromptsyncError, csv.Error, UnicodeDecodeError):
        return {}
    return found


def _first_rows(path: Path, limits: Limits) -> Iterator[Mapping[str, str]]:
    """The first whole rows, by the names of the header."""
    piece = next(iter(RawStream(path, limits)), b"")[:_BYTES]
    lines = piece.decode("utf-8-sig", "ignore").splitlines()[:-1]
    for number, row in enumerate(csv.DictReader(lines)):
        if number == _ROWS:
            return
        yield row


def _note(row: Mapping[str, str], table: Table, zone: ZoneInfo, found: Mapping[str, Counter[str]]) -> None:
    for name, cell in row.items():
        column = table.by_name.get(name)
        if column is None or not isinstance(cell, str) or not cell:
            continue
        raw = cell.encode("utf-8", "replace")
        if column.kind is Kind.TIME and parse_time(raw, zone) is not None:
            found[observed.TIME][re.sub("[0-9]", "9", cell)] += 1
        elif column.kind is Kind.BOOLEAN and is_boolean(raw):
            found[observed.BOOLEAN][cell] += 1
