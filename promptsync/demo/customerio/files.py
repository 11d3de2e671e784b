"""Customer.io's change sets as that vendor delivers them: which are made at each sync, their names, and the files.

Owns the course of the syncs: a first one of all there is (version 4), change sets after it, the upgrade to version 5,
some tables switched off and on so that their history comes again; and how it goes wrong (late, twice, out of order).
Owns names, physical types, codecs and the way files appear (under a hidden name first, then renamed). What the rows
say is owned by the modules of the tables. Follows Parquet file schemas; the same rows give the same bytes.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from promptsync.clock import MICROS
from promptsync.demo.customerio import messages, people, workspace
from promptsync.demo.customerio.account import WORKSPACE, Account, whole
from promptsync.demo.customerio.columns import CioColumn, columns_of
from promptsync.demo.customerio.messages import CioRow, CioValue
from promptsync.demo.world.world import DAY, World
from promptsync.errors import Unavailable

ROWS: dict[str, Callable[[Account, int, int], Iterator[CioRow]]] = {
    "campaigns": workspace.campaigns,
    "actions": workspace.actions,
    "broadcasts": workspace.broadcasts,
    "object_types": workspace.object_types,
    "objects": workspace.objects,
    "object_attributes": workspace.object_attributes,
    "people": people.people,
    "attributes": people.attributes,
    "events": people.events,
    "inbound": people.inbound,
    "deliveries": messages.deliveries,
    "subjects": messages.subjects,
    "outputs": messages.outputs,
    "metrics": messages.metrics,
    "delivery_content": messages.delivery_content,
}
"""Every table, by the stem of its files, and the rows that changed in a stretch of time, without what is empty."""

_OLD_STEMS = {"actions": "campaign_actions", "delivery_content": "delivery_contents", "objects": "objects"}
_STEMS = {"objects": "object"}
_CHANGES = frozenset({"people", "objects", "object_types"})  # whose change sets say so in their names
_MILLIS = frozenset({"campaigns", "actions", "broadcasts"})  # whose times are finer than seconds
_INT96 = frozenset({"inbound", "subjects"})
_CODECS: dict[int, Literal["gzip", "snappy"]] = {4: "gzip", 5: "snappy"}
_ROW_GROUP = 4_000
_TYPES: dict[str, pa.DataType] = {"i": pa.int64(), "s": pa.string(), "b": pa.bool_(), "l": pa.list_(pa.string())}
_FIRST = 241_600_000_000_311_123
_STEP = 1_017
_PARTS = 3
_AGAIN = ("people", "campaigns", "broadcasts", "objects")  # whose history comes a second time
_QUIET = ("delivery_content",)  # comes one sync after the others


@dataclass(frozen=True, slots=True)
class CioFile:
    """A change set: what changed in ``[begin, end)`` (``begin`` 0: all there is), in the columns of ``version``.

    ``sequence``, ``part``: the numbers in its name, ``part`` 0 if there is none. ``rows``: what it says.
    """

    table: str
    version: int
    sequence: int
    part: int
    begin: int
    end: int
    rows: tuple[CioRow, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """``people_v5_chngs_111528_241600000000311123.parquet``."""
        stem = (_OLD_STEMS if self.version == 4 else _STEMS).get(self.table, self.table)
        changes = "_chngs" if self.begin and self.table in _CHANGES else ""
        part = f"_{self.part}" if self.part else ""
        return f"{stem}_v{self.version}{changes}_{WORKSPACE}_{self.sequence}{part}.parquet"

    @property
    def columns(self) -> tuple[CioColumn, ...]:
        """What it has of the table's columns."""
        return columns_of(self.table, self.version)


Wave = list[CioFile]
"""Files that arrive together, in order of arrival."""


def rows_of(table: str, account: Account, begin: int, end: int) -> Iterator[CioRow]:
    """Rows that changed in ``[begin, end)``, with every column of the table."""
    empty: CioRow = dict.fromkeys(column.name for column in columns_of(table, 5))
    for row in ROWS[table](account, begin, end):
        yield {**empty, "workspace_id": WORKSPACE, **row}


def write(file: CioFile, folder: Path) -> Path:
    """Writes a file into a folder and returns its path. Raises ``Unavailable``."""
    path = folder / file.name
    hidden = path.with_name(f".{path.name}.part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            as_arrow(file),
            hidden,
            compression=_CODECS[file.version],
            row_group_size=_ROW_GROUP,
            use_deprecated_int96_timestamps=file.version == 5 and file.table in _INT96,
        )
        return hidden.replace(path)
    except OSError as error:
        raise Unavailable(f"Make it possible to write {path}: {error.strerror or error}.") from error


def as_arrow(file: CioFile) -> pa.Table:
    """The rows in the vendor's physical types."""
    fields = [pa.field(column.name, _type(column, file)) for column in file.columns]
    arrays = [pa.array(_cells(file, column), field.type) for column, field in zip(file.columns, fields, strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _type(column: CioColumn, file: CioFile) -> pa.DataType:
    """Version 4 has bare numbers for times."""
    if column.kind != "t":
        return _TYPES[column.kind]
    return pa.int64() if file.version == 4 else pa.timestamp("ms", "UTC")


def _cells(file: CioFile, column: CioColumn) -> list[CioValue]:
    """Times as numbers of the file's unit; a person who is gone was created at 0."""
    cells = [row[column.name] for row in file.rows]
    if column.kind != "t":
        return cells
    unit = MICROS if file.version == 4 and file.table not in _MILLIS else 1_000
    none = 0 if file.table == "people" else None
    return [cell // unit if isinstance(cell, int) else none for cell in cells]


@dataclass(slots=True)
class Syncs:
    """The workspace's syncs, one after the other. ``made``: every file so far, as the vendor made them."""

    world: World
    made: list[CioFile] = field(default_factory=list)
    _account: Account = field(init=False)
    _turn: Iterator[int] = field(default_factory=count)
    _until: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._account = Account(self.world)

    def days(self, begin: int, end: int) -> list[Wave]:
        """All that arrives while days are lived through, as four waves; what is late is in a later one."""
        middle = whole(begin + (end - begin) // 2)
        first = self.sync(whole(begin), 4)
        second = self.sync(middle, 4)
        again = [self._file(table, 5, (0, middle)) for table in _AGAIN]
        third = self.sync(whole(end), 5)
        history, late_history = _split(first, ("people", "campaigns", "objects", "attributes"))
        changes, late_changes = _split(second, ("people", "deliveries", "campaigns", "metrics"))
        return [[*changes, *history], [*third, *late_history], [*again, *history[:2]], [*late_changes, *third[-2:]]]

    def sync(self, end: int, version: int = 5) -> Wave:
        """What changed since the sync before; a table that has none gets all there is. No rows, no file."""
        self._account.grow()
        made: Wave = []
        for table in ROWS:
            begin = self._until.get(table, 0)
            until = end - DAY // 48 if table in _QUIET else end
            if until <= begin:
                continue
            self._until[table] = until
            if table == "metrics" and not begin:
                made += self._parts(table, version, until)
            else:
                made.append(self._file(table, version, (begin, until)))
        return [file for file in made if file.rows]

    def _parts(self, table: str, version: int, end: int) -> Iterator[CioFile]:
        """A first sync in several files, with two sequences in their names."""
        rows = tuple(rows_of(table, self._account, 0, end))
        sequence = self._sequence()
        size = -(-len(rows) // _PARTS) or 1
        for part in range(_PARTS):
            some = rows[part * size : (part + 1) * size]
            yield self._keep(CioFile(table, version, sequence, _FIRST + part, 0, end, some))

    def _file(self, table: str, version: int, stretch: tuple[int, int]) -> CioFile:
        rows: Iterable[CioRow] = rows_of(table, self._account, *stretch)
        return self._keep(CioFile(table, version, self._sequence(), 0, *stretch, tuple(rows)))

    def _keep(self, file: CioFile) -> CioFile:
        if file.rows:
            self.made.append(file)
        return file

    def _sequence(self) -> int:
        return _FIRST + next(self._turn) * _STEP


def _split(files: Wave, late: Iterable[str]) -> tuple[Wave, Wave]:
    """Those in time, and those of these tables, which are late."""
    late = frozenset(late)
    return [file for file in files if file.table not in late], [file for file in files if file.table in late]
