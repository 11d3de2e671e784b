"""From what promptsync's readers hand over to claims in the lake's shape (shape.py).

Owns what each kind of input claims, as Arrow batches: deliveries and plugins' rows group by group, snapshots at their
instant, change sets and exports row by row. Pure functions of bytes and names, to be run anywhere and as often as one
likes; knows no engine, no object store and no ledger.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from promptsync.clock import CLOCKS_DIFFER, YEAR_2000, iso_micros, iso_millis
from promptsync.events.claims import Claims
from promptsync.events.plugin_apply import PluginPart
from promptsync.events.reading import Reading, read
from promptsync.events.suppression import Suppression
from promptsync.formats.csv.reader import SnapshotReader
from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.formats.rejects import BadRow
from promptsync.lake.lines import Line, as_received, forgetting, line_of
from promptsync.lake.shape import FULL_LISTS, ORG, SEEN, SNAP, claims_schema, is_owned, sees
from promptsync.loading.rows import RowBatch
from promptsync.merge.version import PER_MICRO
from promptsync.model import Schema, Table
from promptsync.model.delivery import Delivery, StoredEvent
from promptsync.model.file_name import FileName
from promptsync.plugins.calls import PluginPaused
from promptsync.plugins.declared import EventHandler
from promptsync.vendors import type_of_path

FULL_LIST_TABLE = "sync_full_list"
Entering = Callable[[str, pa.RecordBatch], pa.RecordBatch]
"""What rows of a table are to be, before anything else is done with them."""

_AT_ONCE = 500
"""Deliveries that plugins are called with together."""

_SHOWN = 1_000
"""Rejects of one input that are kept; the others are counted."""


@dataclass(slots=True)
class Learned:
    """What one input turned out to hold. ``rows``: good ones; ``bad``: the others, ``keyless`` of them without a
    readable key; ``first_bad``: where the first of these is, in words. ``forgotten``: how many were left out, in whole
    or in part, as they are about people who were erased. ``rejects``: class, table, line, reason and the original bytes
    of the first few. ``drift``: kind, table and name of what no declaration knows."""

    rows: int = 0
    bad: int = 0
    keyless: int = 0
    first_bad: str = ""
    ahead: int = 0
    forgotten: int = 0
    rejects: list[dict[str, Any]] = field(default_factory=list)
    drift: list[tuple[str, str, str]] = field(default_factory=list)

    def take_bad(self, table: str, rows: Sequence[BadRow], more: int = 0, place: str = "line") -> None:
        """Rows of a file that cannot be read; ``more``: how many more there are; ``place``: what one is called."""
        self.bad += len(rows) + more
        for row in rows:
            words = row.describe(place, table if place == "row" else "")
            if row.key is None:
                self.first_bad = words if not self.keyless else self.first_bad
                self.keyless += 1
            self.first_bad = self.first_bad or words
            self.reject(row.reason_class, table, row.line, row.reason, row.original)

    def reject(self, class_: str, table: str, line: int, reason: str, original: bytes) -> None:
        """Keep what could not be merged, for a person to look at."""
        if len(self.rejects) < _SHOWN:
            row = {"class": class_, "table": table, "line": line, "reason": reason, "original": original}
            self.rejects.append(row)


def _as_it_is(_: str, rows: pa.RecordBatch) -> pa.RecordBatch:
    return rows


class Rows:
    """Claims on one table, made one by one."""

    def __init__(self, table: Table) -> None:
        self._schema = claims_schema(table)
        self._groups = [(name, len(columns)) for name, columns in table.groups.items()]
        self._owned, self._sees = is_owned(table), sees(table)
        self._rows: list[tuple[Any, ...]] = []

    def claim(self, org: int, key: Sequence[Any], groups: Mapping[str, tuple[int, Sequence[Any]]], seen: int) -> None:
        """Some groups of a row at their versions. ``seen``: microseconds, 0 if the row was only named."""
        row: list[Any] = [org, *key] if self._owned else [*key]
        for name, width in self._groups:
            claimed, values = groups.get(name, (0, ()))
            row += [claimed, *values] if claimed else [None] * (width + 1)
        self._rows.append((*row, seen or None) if self._sees else tuple(row))

    def add(self, cells: Sequence[Any]) -> None:
        """A row of what happened, in the order of the shape."""
        self._rows.append(tuple(cells))

    def arrow(self) -> pa.Table:
        """All of them."""
        columns = list(zip(*self._rows, strict=True)) or [()] * len(self._schema)
        arrays = [pa.array(cells, one.type) for cells, one in zip(columns, self._schema, strict=True)]
        return pa.Table.from_arrays(arrays, schema=self._schema)


def claimed(found: Iterable[Claims], schema: Schema) -> dict[str, pa.Table]:
    """What deliveries, or the rows of a plugin's file, claim: table by table, full lists under their own name."""
    rows: dict[str, Rows] = {}
    lists: list[tuple[Any, ...]] = []

    def of(table: str) -> Rows:
        if table not in rows:
            rows[table] = Rows(schema[table])
        return rows[table]

    for claims in found:
        org = claims.org_id
        for row in claims.rows:
            of(row.table).claim(org, row.key, row.groups, row.seen)
        for table, key in claims.mentions:
            of(table).claim(org, key, {}, 0)
        for table, cells in claims.happened:
            stated = dict(zip((column.name for column in schema[table].columns), cells, strict=True))
            of(table).add([stated[name] for name in claims_schema(schema[table]).names])
        lists += [(org, contact, name, at, iso_millis(at)) for contact, name, at in claims.full_lists]
    tables = {name: one.arrow() for name, one in rows.items()}
    if lists:
        columns = zip(zip(*lists, strict=True), FULL_LISTS, strict=True)
        tables[FULL_LIST_TABLE] = pa.Table.from_arrays([pa.array(c, f.type) for c, f in columns], schema=FULL_LISTS)
    return tables


def deliveries(
    lines: Iterable[str],
    handlers: Mapping[str, EventHandler],
    now: int,
    learned: Learned,
    door: Suppression,
    plugins: PluginPart | None = None,
) -> Iterator[Claims]:
    """What deliveries claim, one a line as they are stored. ``now``: microseconds; what was received later, or before
    2000, is none. ``plugins``: those that handle or filter deliveries, which are called with some at a time."""
    waiting = _staying(lines, now, learned, door)
    while some := list(islice(waiting, _AT_ONCE)):
        readings = [_read(kept, handlers) for _, kept in some]
        if plugins:
            readings = plugins.of(readings, lambda n, why: _note_missed(some[n], why, learned))
        for (number, kept), reading in zip(some, readings, strict=True):
            _note(reading, number, learned)
            if reading.claims is not None:
                yield from door.claims([as_received(reading.claims, kept.cut)])


def _staying(lines: Iterable[str], now: int, learned: Learned, door: Suppression) -> Iterator[tuple[int, Line]]:
    """The lines that are deliveries, numbered, without what is about erased people."""
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        try:
            line = line_of(text)
            if not YEAR_2000 <= line.delivery.received_at <= now + CLOCKS_DIFFER:
                raise ValueError(f"was not received at {iso_micros(line.delivery.received_at)}")
        except ValueError as error:
            learned.bad += 1
            if not door.cut(Delivery("", text))[0].cut:
                learned.reject("delivery", "", number, f"Line {number} {error}.", text.encode("utf-8", "replace"))
            else:
                learned.forgotten += 1
            continue
        learned.rows += 1
        kept = forgetting(line, door, type_of_path(line.delivery.path))
        learned.forgotten += kept is not line
        if not kept.suppressed:
            yield number, kept


def _read(line: Line, handlers: Mapping[str, EventHandler]) -> Reading:
    delivery = line.delivery
    type_ = type_of_path(delivery.path)
    event = StoredEvent(line.id, type_, delivery.path, delivery.body, delivery.received_at)
    try:
        return read(event, handlers)
    except Exception as error:  # noqa: BLE001  one delivery must never stop the others
        return Reading(event, "failed", error=f"could not be read ({type(error).__name__})")


def _note_missed(line: tuple[int, Line], why: PluginPaused, learned: Learned) -> None:
    """That a delivery is merged without what a plugin would have made of it, which no later run makes good."""
    number, kept = line
    learned.bad += 1
    reason = f"Delivery {kept.id}: {why}; it is merged without what that makes of it."
    learned.reject("delivery", "", number, reason, kept.delivery.body.encode())


def _note(reading: Reading, number: int, learned: Learned) -> None:
    event = reading.event
    if reading.state == "unknown_type":
        learned.drift.append(("event type", "", event.type))
    if reading.state == "failed":
        learned.bad += 1
        learned.reject("delivery", "", number, f"Delivery {event.id}: {reading.error}.", event.body.encode())


def snapshot(
    reader: SnapshotReader,
    table: Table,
    stated: FileName,
    learned: Learned,
    door: Suppression,
    entering: Entering = _as_it_is,
) -> Iterator[pa.RecordBatch]:
    """The rows of a snapshot: every unit of which the file has a column, at the row's time. A row that cannot be read
    was there all the same, if its key can. ``entering``: what plugins make of rows."""
    have = set(reader.schema.names)
    groups = {name: [c.name for c in columns if c.name in have] for name, columns in table.groups.items()}
    for batch in reader:
        given = entering(table.name, batch.rows)
        learned.rows += given.num_rows
        rows, bad = door.rows(table.name, given), door.bad_rows(table.name, batch.rejects)
        learned.forgotten += given.num_rows - rows.num_rows + len(batch.rejects) - len(bad)
        learned.take_bad(table.name, bad, batch.not_shown)
        org = pa.scalar(stated.org_id or 0, pa.int64())
        at = rows.column("_at")
        version = pc.multiply(at, pa.scalar(PER_MICRO, pa.int64()))
        columns: dict[str, Any] = {ORG: pa.repeat(org, rows.num_rows)} if is_owned(table) else {}
        columns |= {name: rows.column(name) for name in table.key}
        for name, some in groups.items():
            if some:
                columns |= {f"_{name}_at": version, **{column: rows.column(column) for column in some}}
        for name in reader.unknown:
            columns |= {f"_col_{name}_at": version, name: rows.column(name)}
        columns |= {SEEN: at, SNAP: pa.repeat(pa.scalar(stated.at, pa.int64()), rows.num_rows)}
        whole = pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])
        yield whole
        spared = [row.key for row in bad if row.key is not None and row.reason_class != "org_collision"]
        if spared:
            yield _only_there(whole.schema, table, spared, stated)
    learned.ahead = reader.ahead
    learned.drift += [("column", table.name, vendor) for vendor in reader.unknown.values()]


def _only_there(schema: pa.Schema, table: Table, keys: list[tuple[Any, ...]], stated: FileName) -> pa.RecordBatch:
    """That rows with these keys were there, and nothing more."""
    count = len(keys)
    said: dict[str, list[Any]] = {SEEN: [stated.at] * count, SNAP: [stated.at] * count}
    said |= {name: [key[n] for key in keys] for n, name in enumerate(table.key)}
    if is_owned(table):
        said[ORG] = [stated.org_id or 0] * count
    arrays = [pa.array(said.get(one.name, [None] * count), one.type) for one in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def change_set(
    reader: ChangeSetReader, table: Table, learned: Learned, door: Suppression, entering: Entering = _as_it_is
) -> Iterator[pa.RecordBatch]:
    """The rows of a change set, each at its own version. ``entering``: what plugins make of rows."""
    (group,) = table.groups
    for batch in reader:
        given = entering(table.name, batch.rows)
        learned.rows += given.num_rows
        rows, bad = door.rows(table.name, given), door.bad_rows(table.name, batch.rejects)
        learned.forgotten += given.num_rows - rows.num_rows + len(batch.rejects) - len(bad)
        learned.take_bad(table.name, bad, batch.not_shown, "row")
        at = rows.column("_at")
        columns = {name: rows.column(name) for name in rows.schema.names if name not in ("_n", "_at")}
        columns |= {f"_{group}_at": at, **{f"_col_{name}_at": at for name in reader.unknown}}
        yield pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])
    learned.drift += [("column", table.name, name) for name in reader.unknown]


def export(batch: RowBatch, table: Table, learned: Learned, door: Suppression) -> pa.RecordBatch:
    """Some rows of an export, each at its own version."""
    learned.rows += batch.rows.num_rows
    rows, bad = door.rows(table.name, batch.rows), door.bad_rows(table.name, batch.bad)
    learned.forgotten += batch.rows.num_rows - rows.num_rows + len(batch.bad) - len(bad)
    learned.take_bad(table.name, bad, batch.not_shown)
    groups = {column.name: name for name, columns in table.groups.items() for column in columns}
    at = rows.column(rows.num_columns - 1)
    columns = {"id": rows.column(0)}
    for n, (name, _, _) in enumerate([one for one in batch.header.columns if one[0] != "id"], 1):
        unit = groups.get(name)
        columns |= {f"_{unit}_at" if unit else f"_col_{name}_at": at, name: rows.column(n)}
    return pa.RecordBatch.from_arrays([*columns.values()], names=[*columns])
