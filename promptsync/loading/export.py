"""Merging the rows of an asynchronous export: claims row by row, in small transactions, by the one rule.

Owns the step from typed rows to executed statements, the columns that a vendor adds, and the file's row in the ledger.
An export never implies absence. Doing it again changes nothing. Blocking: not for the event loop's thread.
"""

import hashlib
import json
import shlex
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from promptsync.clock import MICROS, Clock, iso_millis
from promptsync.errors import Held
from promptsync.formats.limits import Limits
from promptsync.formats.rejects import BadRow
from promptsync.loading.spellings import note_dialect
from promptsync.merge.event_sql import EventStatements
from promptsync.merge.guards import Content, Guards, reason_in_bad_rows
from promptsync.merge.layout import Layout
from promptsync.merge.version import Rank, version
from promptsync.store import ledger
from promptsync.store.columns import prepare_columns
from promptsync.store.mirror import Mirror
from promptsync.store.reading import count_since
from promptsync.store.writer import Lane
from promptsync.vendors.qlara.csv import ExportFile, ExportProof
from promptsync.vendors.qlara.rows import (
    Batch,
    ColumnMap,
    ExportHeader,
    ExportRow,
    RowReader,
    columns_of,
    map_header,
    object_cells,
)

_SLICE = 300
_QUIET_SLICE = 1_200
"""Rows in one transaction: the write lock is held for some milliseconds, a little longer while no delivery comes."""
Progress = Callable[[str, int, int], None]
"""Told of (step, done, total)."""
_AHEAD = 24 * 3600 * MICROS
_ACCEPTABLE = frozenset({"bad_rows", "doubled_key", "future", "last_record_cut", "quoting", "unnamed_column"})


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A downloaded export. ``name``, ``source``: for the ledger; ``requested_at``: microseconds; ``vouched``: its
    transfer said that it is whole; ``accepted``: a person has looked at it."""

    path: Path
    name: str
    source: str
    columns: ColumnMap
    requested_at: int
    vouched: bool
    accepted: bool = False


@dataclass(slots=True)
class ExportReport:
    """What came of it."""

    rows: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    rejected: int = 0


class ExportLoader:
    """Loads exports into one mirror. ``zone``: of times that name none. ``limits``: of any file."""

    def __init__(
        self,
        mirror: Mirror,
        zone: ZoneInfo,
        guards: Guards,
        clock: Clock,
        limits: Limits = Limits(),  # noqa: B008  frozen
    ) -> None:
        self._mirror, self._zone, self._guards, self._clock = mirror, zone, guards, clock
        self._limits = limits

    def load(
        self,
        source: ExportSource,
        done: Callable[[sqlite3.Connection, int], None],
        progress: Progress = lambda *_: None,
    ) -> ExportReport:
        """Prove a file whole and merge it. ``done`` runs in the last transaction, with the file's number in the ledger.

        Raises Held, with nothing merged, and FileUnavailable.
        """
        file = ExportFile(
            source.path,
            source.columns,
            (self._zone, source.requested_at),
            self._limits,
            vouched=source.vouched,
            accepted=source.accepted,
        )
        now, row = iso_millis(self._clock()), self._row(source)
        if source.vouched and not source.path.stat().st_size:
            return self._nothing(row, done)
        proof = file.prove(lambda rows: progress("reading", rows, 0))
        if not source.accepted:
            self._judge(source, proof)
        row |= {"sha256": proof.file.sha256, "size": proof.file.size, "rows": proof.rows}
        opened = row | {"state": "staged"}
        merge = _Merge(self._mirror, source.columns, proof.header, (now, source.name))
        note_dialect(self._mirror, proof.dialect, proof.file.encoding, (source.columns.table.name, now, source.name))
        file_id = self._mirror.writer.run(lambda connection: ledger.open_file(connection, opened))
        report = ExportReport(proof.rows)
        for batch in file:
            for part in _parts(batch, lambda: _QUIET_SLICE if self._mirror.writer.quiet else _SLICE):
                self._mirror.writer.run(
                    lambda connection, part=part: merge.apply(connection, part, report, file_id),  # type: ignore[misc]
                    Lane.BULK,
                    durable=False,
                )
            progress("merging", report.inserted + report.updated + report.unchanged + report.rejected, proof.rows)

        def finish(connection: sqlite3.Connection) -> None:
            ledger.update(connection, "sync_file", file_id, asdict(report) | {"state": "merged", "error": None})
            ledger.forget_unfinished(connection, source.name, file_id)
            done(connection, file_id)

        self._mirror.writer.run(finish)
        return report

    def hold(self, source: ExportSource, held: Held) -> int:
        """Write down that a file waits for a person, and why; returns its number in the ledger."""
        with source.path.open("rb") as file:
            sha256, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
        row = self._row(source) | {"state": "held", "sha256": sha256, "size": size, "error": advice(held, source.path)}
        return self._mirror.writer.run(lambda connection: ledger.open_file(connection, row))

    def merge_objects(
        self, columns: ColumnMap, objects: Sequence[Mapping[str, Any]], at: int, seen_in: str
    ) -> ExportReport:
        """Merge one page of an API's objects, as they were at an instant. What cannot be merged is a reject."""
        names, cells = object_cells(objects)
        header = map_header(names, columns)
        rows, wrong = RowReader(header, columns, self._zone, at).read(columns_of(cells))
        bad = [one.at(one.row + 1, one.row + 1, _original(objects[one.row])) for one in wrong]
        batch = Batch(header, rows, bad)
        report = ExportReport(len(objects))
        merge = _Merge(self._mirror, columns, header, (iso_millis(at), seen_in))
        self._mirror.writer.run(lambda connection: merge.apply(connection, batch, report, None))
        return report

    def _nothing(self, row: Mapping[str, Any], done: Callable[[sqlite3.Connection, int], None]) -> ExportReport:
        """An export without even a header: there was nothing to export."""
        merged = {**row, "state": "merged", "size": 0, "rows": 0}
        self._mirror.writer.run(lambda connection: done(connection, ledger.insert(connection, "sync_file", merged)))
        return ExportReport()

    def _row(self, source: ExportSource) -> dict[str, Any]:
        """What the ledger says of a file however it ends."""
        now, at = iso_millis(self._clock()), iso_millis(source.requested_at)
        row = {"source": source.source, "name": source.name, "table": source.columns.table.name}
        return row | {"path": str(source.path), "as_of": at, "seen_at": now}

    def _judge(self, source: ExportSource, proof: ExportProof) -> None:
        if source.requested_at > self._clock() + _AHEAD:
            raise Held("future", f"It states {iso_millis(source.requested_at)}, which has not come yet.")
        if proof.header.doubled:
            raise Held("doubled_key", f"Its key column {proof.header.doubled} stands there more than once.")
        first = proof.first_bad
        words = first.told() if first else ""
        why = reason_in_bad_rows(Content(proof.rows - proof.bad, proof.bad, proof.keyless, words), self._guards)
        if why:
            raise Held("bad_rows", why)


def advice(held: Held, path: Path) -> str:
    """Why a file is held and what to do about it. ``path``: where it lies."""
    if held.reason not in _ACCEPTABLE:
        return f"{held} The file is {path}."
    return f"{held} If it is right all the same: promptsync load --accept {shlex.quote(str(path))}"


class _Merge:
    """Rows under one header into one table. ``seen``: (ISO time, where) for what is new."""

    def __init__(self, mirror: Mirror, columns: ColumnMap, header: ExportHeader, seen: tuple[str, str]) -> None:
        self._mirror = mirror
        self._table = columns.table.name
        self._seen = seen
        layout = self._with_columns(header)
        extra = {name.casefold(): name for name in layout.extra}
        names = [extra.get(name.casefold(), name) for name, _, _ in header.columns if name != "id"]
        place = {name: n for n, name in enumerate(names)}
        self._sql = EventStatements(layout).upsert
        self._values = [place.get(column, len(names)) for column in layout.values]
        self._units = [int(all(column in place for column in unit.columns)) for unit in layout.units]

    def apply(self, connection: sqlite3.Connection, batch: Batch, report: ExportReport, file_id: int | None) -> None:
        """Merge a batch inside the caller's transaction."""
        revision = self._mirror.next_revision(connection)
        keys = list({row.key for row in batch.rows})
        before = self._count(connection, keys)
        connection.executemany(self._sql, self._parameters(batch.rows, revision))
        inserted = len(keys) - before
        changed = self._count(connection, keys, revision)
        for bad in batch.bad:
            self._reject(connection, bad, file_id)
        report.inserted += inserted
        report.updated += changed - inserted
        report.unchanged += len(batch.rows) - changed
        report.rejected += len(batch.bad) + batch.not_shown

    def _parameters(self, rows: Iterable[ExportRow], revision: int) -> Iterator[tuple[Any, ...]]:
        """The statement's parameters for each row; a column that the file lacks is NULL and has version 0."""
        observed: int | None = None
        versions: tuple[int, ...] = ()
        for row in rows:
            if row.observed != observed:
                observed, at = row.observed, version(row.observed, Rank.ASYNC_EXPORT)
                versions = tuple(at * claimed for claimed in self._units)
            said = (*row.values, None)
            yield (row.key, *[said[place] for place in self._values], *versions, revision)

    def _count(self, connection: sqlite3.Connection, keys: list[str], revision: int = 0) -> int:
        """How many of the keys there are, with at least that revision. Of few lengths: each statement is kept."""
        length = next(most for most in (_SLICE, _QUIET_SLICE, len(keys)) if len(keys) <= most)
        return count_since(connection, self._table, (*keys, *[None] * (length - len(keys))), revision)

    def _reject(self, connection: sqlite3.Connection, bad: BadRow, file_id: int | None) -> None:
        row = {"class": bad.reason_class, "table": self._table, "file_id": file_id, "line": bad.line}
        ledger.add_reject(
            connection, row | {"reason": bad.reason, "original": bad.original, "rejected_at": self._seen[0]}
        )

    def _with_columns(self, header: ExportHeader) -> Layout:
        """The table's layout, with a place for every column of the header."""
        layout = self._mirror.layout(self._table)
        have = {name.casefold() for name in layout.extra}
        new = [name for name in header.unknown if name.casefold() not in have]
        return prepare_columns(self._mirror, layout, new, (), self._seen)


def _parts(batch: Batch, most: Callable[[], int]) -> Iterator[Batch]:
    """A batch in pieces for one transaction each. ``most``: rows, and bad ones, that the next one may have."""
    start, not_shown = 0, batch.not_shown
    while start < len(batch.rows) or start < len(batch.bad) or not_shown:
        end = start + most()
        yield Batch(batch.header, batch.rows[start:end], batch.bad[start:end], not_shown)
        start, not_shown = end, 0


def _original(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
