"""How a nightly file is written: its separator and encoding, and how it spells times and booleans in its first rows.

Owns what a form is (a time with every digit a 9, a boolean's word) and what of it is noted, for ``status`` and
``doctor`` to report. Decides nothing about what is merged.
"""

import csv
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from promptsync.errors import PromptsyncError
from promptsync.formats.cells import is_boolean
from promptsync.formats.csv.dialect import Dialect, opened
from promptsync.formats.csv.encoding import UTF8
from promptsync.formats.csv.header import known_names
from promptsync.formats.csv.records import COMMA
from promptsync.formats.csv.time_spelling import parse_time
from promptsync.formats.limits import Limits
from promptsync.formats.stream import RawStream
from promptsync.model import Kind, Table
from promptsync.store import ledger, spelling_counts
from promptsync.store.mirror import Mirror

_ROWS = 10
_BYTES = 1 << 16


def forms_of(path: Path, table: Table, zone: ZoneInfo, limits: Limits) -> dict[str, Counter[str]]:
    """Kind (of store/spelling_counts.py) to form to how often, in the first rows; empty if they cannot be read."""
    return forms_in(RawStream(path, limits), table, zone)


def forms_in(pieces: Iterable[bytes], table: Table, zone: ZoneInfo) -> dict[str, Counter[str]]:
    """The same of a text of which these are the first pieces."""
    found: dict[str, Counter[str]] = {spelling_counts.TIME: Counter(), spelling_counts.BOOLEAN: Counter()}
    try:
        for row in _first_rows(pieces, table):
            _note(row, table, zone, found)
    except (PromptsyncError, csv.Error, UnicodeDecodeError):
        return {}
    return found


def note_dialect(mirror: Mirror, dialect: Dialect, encoding: str, seen: tuple[str, str, str]) -> None:
    """Say once that files of a table are written as no specification says. ``seen``: (table, ISO time, file name)."""
    if is_odd(dialect, encoding):
        mirror.writer.run(lambda connection: add_dialect(connection, dialect, encoding, seen))


def is_odd(dialect: Dialect, encoding: str) -> bool:
    """Whether no specification says that files are written so."""
    return dialect.delimiter != COMMA or encoding != UTF8


def add_dialect(connection: sqlite3.Connection, dialect: Dialect, encoding: str, seen: tuple[str, str, str]) -> None:
    """The same within a transaction."""
    table, *where = seen
    found = [("separator", dialect.name)] * (dialect.delimiter != COMMA) + [("encoding", encoding)] * (encoding != UTF8)
    for kind, name in found:
        ledger.add_drift(connection, kind, table, name, *where)


def _first_rows(source: Iterable[bytes], table: Table) -> Iterator[Mapping[str, str]]:
    """The first whole rows, by the names of the header."""
    pieces, dialect = opened(source, known_names(table))
    lines = next(iter(pieces), b"")[:_BYTES].decode("utf-8", "ignore").splitlines()[:-1]
    for number, row in enumerate(csv.DictReader(lines, delimiter=dialect.delimiter.decode())):
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
            found[spelling_counts.TIME][re.sub("[0-9]", "9", cell)] += 1
        elif column.kind is Kind.BOOLEAN and is_boolean(raw):
            found[spelling_counts.BOOLEAN][cell] += 1
