"""From cells under a vendor's header to typed rows with a key and an instant.

Owns which header name means which column, what names a row without an id, and when a row was so. Pure. Used for the
lines of export files and for the objects of an API's pages alike.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from promptsync.errors import Held
from promptsync.formats.buffers import Ints
from promptsync.formats.cells import REASONS, type_cells
from promptsync.formats.csv.header import missing_header
from promptsync.formats.csv.row_typing import LATEST
from promptsync.formats.rejects import BadRow, shape_of
from promptsync.formats.times import parse_times
from promptsync.loading.rows import RowHeader
from promptsync.merge.version import Rank, versions
from promptsync.model import Identity, Kind, Table
from promptsync.model.table import MADE_UP
from promptsync.vendors.qlara.profile import KindProfile, plain

Value = str | int | float | None
_MOST_COLUMNS = 500
_DIGITS = 32
_MARK = MADE_UP[Identity.QLARA]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A row that cannot be merged. ``row``: its place among those read, from 0; ``cell``: what its bad cell says, if
    it is a cell. The rest as in BadRow."""

    row: int
    reason_class: str
    reason: str
    key: tuple[str, ...] | None
    column: str = ""
    cell: bytes = b""

    def at(self, record: int, line: int, original: bytes) -> BadRow:
        """The same in its file."""
        shape = shape_of(self.cell)
        return BadRow(record, line, self.reason_class, self.reason, original, self.key, self.column, shape)


def spelled_names(kind: KindProfile) -> frozenset[str]:
    """The names that a header may have, in ``plain`` form."""
    return frozenset(name for names in kind.columns.values() for name in names)


def map_header(cells: Sequence[str], kind: KindProfile, table: Table) -> RowHeader:
    """What each cell of a header means. Raises Held ``header`` if none is known, or it is no header at all."""
    names = [cell.strip() for cell in cells]
    if len(names) > _MOST_COLUMNS or any(not name.isprintable() or len(name) > 200 for name in names):
        raise Held("header", "The first line is no header: it has strange names or too many.")
    at: dict[str, int] = {}
    for position, name in enumerate(names):
        at.setdefault(plain(name), position)
    known: dict[str, int] = {}
    for column, spellings in kind.columns.items():
        free = (at[name] for name in spellings if name in at and at[name] not in known.values())
        found = next(free, None)
        if found is not None:
            known[column] = found
    if not known:
        raise missing_header(names, table)
    unknown = _unknown({n: name for n, name in enumerate(names) if n not in known.values()}, table)
    declared = [(name, table.by_name[name].kind, position) for name, position in known.items()]
    extra = [(name, Kind.TEXT, position) for name, position in unknown.items()]
    own = plain(names[known["id"]]) if "id" in known else ""
    doubled = names[known["id"]] if [plain(name) for name in names].count(own) > 1 and own else ""
    return RowHeader((*declared, *extra), tuple(unknown), doubled)


def _unknown(names: Mapping[int, str], table: Table) -> dict[str, int]:
    """A name for each unknown column that clashes with none of the table's, whatever the case, nor with ours."""
    taken = {column.casefold() for column in table.by_name}
    found: dict[str, int] = {}
    for position, name in names.items():
        chosen = name or f"column_{position + 1}"
        while chosen.startswith("_") or chosen.casefold() in taken:
            chosen = f"x_{chosen}"
        taken.add(chosen.casefold())
        found[chosen] = position
    return found


class RowReader:
    """Types rows of one header. ``decimal_comma``: a number may be written 0,05."""

    def __init__(
        self,
        header: RowHeader,
        kind: KindProfile,
        zone: ZoneInfo,
        requested_at: int,
        *,
        decimal_comma: bool = False,
    ) -> None:
        self._header, self._kind, self._zone = header, kind, zone
        self._requested_at, self._decimal_comma = requested_at, decimal_comma
        self._names = tuple(name for name, _, _ in header.columns if name != "id")

    def read(self, cells: Sequence[pa.BinaryArray]) -> tuple[pa.RecordBatch, list[Wrong]]:
        """``cells``: by position, columns of as many rows; blank ones null. Returns the rows as RowBatch has them."""
        problems: dict[int, tuple[Kind, str, bytes]] = {}
        own: list[Any] = [None] * len(cells[0])
        rest: list[pa.Array[Any]] = []
        observed = np.full(len(cells[0]), self._requested_at)
        for name, kind, position in self._header.columns:
            column = self._with_points(cells[position], kind)
            typed = type_cells(column, kind, self._zone)
            if name == "id":
                own = typed.values.to_pylist()
            else:
                rest.append(typed.values)
            for row in typed.bad.nonzero()[0].tolist():
                problems.setdefault(row, (kind, name, column[row].as_py()))
            if name == self._kind.changed:
                observed = self._observed(column)
        keys = self._keys(own, rest)
        rows = self._batch(keys, rest, observed)
        wrong = [self._wrong(row, key, problems.get(row)) for row, key in enumerate(keys) if row in problems or not key]
        if wrong:
            good = np.ones(len(keys), bool)
            good[[one.row for one in wrong]] = False
            rows = rows.filter(pa.array(good))
        return rows, wrong

    def _keys(self, own: Sequence[object], rest: Sequence["pa.Array[Any]"]) -> list[str]:
        """The id of each row, or what stands for it; empty if it says nothing."""
        keys = [str(value).strip() if value is not None else "" for value in own]
        nameless = [row for row, key in enumerate(keys) if not key]
        if nameless:
            said = [values.take(pa.array(nameless)).to_pylist() for values in rest]
            for row, values in zip(nameless, zip(*said, strict=True) if said else repeat(()), strict=False):
                keys[row] = self._digest_key(values)
        return keys

    def _batch(self, keys: list[str], rest: Sequence["pa.Array[Any]"], observed: Ints) -> pa.RecordBatch:
        columns = [pa.array(keys, pa.string()), *rest, pa.array(versions(observed, Rank.ASYNC_EXPORT))]
        return pa.RecordBatch.from_arrays(columns, ["id", *self._names, "_at"])

    @staticmethod
    def _wrong(row: int, key: str, problem: tuple[Kind, str, bytes] | None) -> Wrong:
        if problem is None:
            return Wrong(row, "bad_key", "The row is blank.", None)
        kind, name, cell = problem
        reason_class, words = REASONS[kind]
        return Wrong(row, reason_class, f"Column {name} {words}.", (key,) if key else None, name, cell)

    def _with_points(self, cells: pa.BinaryArray, kind: Kind) -> pa.BinaryArray:
        """Numbers with a decimal comma as others have them."""
        if kind is not Kind.REAL or not self._decimal_comma:
            return cells
        return cast("pa.BinaryArray", pc.replace_substring(cast("pa.StringArray", cells), ",", "."))

    def _observed(self, cells: pa.BinaryArray) -> Ints:
        """When rows last changed, as they say, but not long after they were asked for; else when they were."""
        times, latest = parse_times(cells, self._zone), self._requested_at + LATEST
        said = times.dated & (times.micros > 0)
        return np.where(said, np.minimum(times.micros, latest), self._requested_at)

    def _digest_key(self, values: Sequence[Value]) -> str:
        """For a row without an id: a digest of what identifies it, else of all it says. Empty: it says nothing."""
        said = {name: value for name, value in zip(self._names, values, strict=True) if value is not None}
        for names in self._kind.identity:
            if names[0] in said:
                return _digest({name: said[name] for name in names if name in said})
        return _digest(said) if said else ""


def object_cells(objects: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """A header and rows of cells from JSON objects: what is missing or null is blank, what is nested stays JSON."""
    names = list(dict.fromkeys(name for one in objects for name in one))
    return names, [[_cell(one.get(name)) for name in names] for one in objects]


def columns_of(cells: Sequence[Sequence[str]]) -> list[pa.BinaryArray]:
    """Rows of cells as columns, for ``RowReader.read``."""
    return [pa.array([cell.encode() or None for cell in column], pa.binary()) for column in zip(*cells, strict=True)]


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()  # JSON can hold half a character


def _digest(said: Mapping[str, Value]) -> str:
    text = json.dumps(sorted(said.items()), ensure_ascii=False)
    return _MARK + hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
