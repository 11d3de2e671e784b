"""Merging the rows of an asynchronous export: read once, staged in the order of their key, merged as change sets are.

Owns the life of such a file, the columns that a vendor adds, and the file's row in the ledger; and a page of an API's
objects, whose few rows are merged one by one. An export never implies absence. Doing it again changes nothing.
Blocking: not for the event loop's thread.
"""

import hashlib
import shlex
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from promptsync.clock import MICROS, Clock, iso_millis, parse_iso
from promptsync.errors import Held
from promptsync.events.suppression import Suppression
from promptsync.formats.limits import Limits
from promptsync.formats.rejects import BadRow
from promptsync.loading.claim_merge import ClaimMerge
from promptsync.loading.rows import RowBatch, RowFile, RowHeader, RowProof, RowSource
from promptsync.loading.spellings import note_dialect
from promptsync.merge.claim_sql import export_statements
from promptsync.merge.event_sql import EventStatements
from promptsync.merge.guards import Content, Guards, reason_in_bad_rows
from promptsync.model import Kind
from promptsync.store import ledger
from promptsync.store.columns import prepare_columns
from promptsync.store.compare import ClaimDelta, StagedClaims
from promptsync.store.erased import note_suppressed
from promptsync.store.key_order import KeyOrder
from promptsync.store.mirror import Mirror
from promptsync.store.reading import count_since
from promptsync.store.slices import Progress
from promptsync.store.staging import Staging, discard, give_back, without_swept
from promptsync.store.writer import Lane

_SLICE = 300
"""Bad rows that are written down in one transaction."""
_RUN = 4 << 20
"""Bytes of rows that are sorted at once."""
_TYPES: dict[Kind, pa.DataType] = {Kind.INTEGER: pa.int64(), Kind.BOOLEAN: pa.int64(), Kind.REAL: pa.float64()}
_AHEAD = 24 * 3600 * MICROS
_ACCEPTABLE = frozenset({"bad_rows", "doubled_key", "future", "last_record_cut", "quoting", "unnamed_column"})


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A downloaded export. ``name``, ``source``: for the ledger; ``requested_at``: microseconds; ``vouched``: its
    transfer said that it is whole; ``accepted``: a person has looked at it."""

    path: Path
    name: str
    source: str
    rows: RowSource
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
    suppressed: int = 0


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
        self._suppression = Suppression(mirror)
        self._one_at_a_time = threading.RLock()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Load nothing meanwhile: what is being loaded is finished first."""
        with self._one_at_a_time:
            yield

    def load(
        self,
        source: ExportSource,
        done: Callable[[sqlite3.Connection, int], None],
        progress: Progress = lambda *_: None,
    ) -> ExportReport:
        """Prove a file whole and merge it. ``done`` runs in the last transaction, with the file's number in the ledger.

        Raises Held, with nothing merged, and FileUnavailable.
        """
        row = self._row(source)
        if source.vouched and not source.path.stat().st_size:
            return self._nothing(row, done)
        with self._one_at_a_time:
            return self._load(source, row, done, progress)

    def _load(
        self,
        source: ExportSource,
        row: Mapping[str, Any],
        done: Callable[[sqlite3.Connection, int], None],
        progress: Progress,
    ) -> ExportReport:
        times = self._zone, source.requested_at
        file = source.rows.open(source.path, times, self._limits, vouched=source.vouched, accepted=source.accepted)
        path = self._mirror.folder / "staging" / f"export-{threading.get_ident()}.db"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            table, swept, suppressed = source.rows.table, self._mirror.swept, 0
            with KeyOrder(path, table.key, _RUN) as ordered:

                def take(batch: RowBatch) -> None:
                    nonlocal suppressed
                    allowed = self._suppression.rows(table.name, batch.rows)
                    suppressed += batch.rows.num_rows - allowed.num_rows
                    ordered.add(without_swept(swept, table, allowed))

                proof = file.prove(lambda rows: progress("reading", rows, 0), take)
                if not source.accepted:
                    self._judge(source, proof)
                load = _Proven(self._mirror, file, proof, {**row, "suppressed": suppressed}, progress)
                staged = load.stage(path, ordered)
            return load.merge(staged, done)
        finally:
            discard(path)

    def hold(self, source: ExportSource, held: Held) -> int:
        """Write down that a file waits for a person, and why; returns its number in the ledger."""
        with source.path.open("rb") as file:
            sha256, size = hashlib.file_digest(file, "sha256").hexdigest(), file.tell()
        row = self._row(source) | {"state": "held", "sha256": sha256, "size": size, "error": advice(held, source.path)}
        return self._mirror.writer.run(lambda connection: ledger.open_file(connection, row))

    def merge_objects(
        self, rows: RowSource, objects: Sequence[Mapping[str, Any]], at: int, seen_in: str
    ) -> ExportReport:
        """Merge one page of an API's objects, as they were at an instant. What cannot be merged is a reject."""
        batch, now, table = rows.batch(objects, (self._zone, at)), iso_millis(at), rows.table.name
        form = _Form(self._mirror, table, batch.header, (now, seen_in))
        report = ExportReport(len(objects))

        def merge(connection: sqlite3.Connection) -> None:
            allowed = self._suppression.rows(table, batch.rows)
            bad = self._suppression.bad_rows(table, batch.bad)
            report.rejected, report.suppressed = len(bad), len(objects) - allowed.num_rows - len(bad)
            form.merge(
                connection,
                self._mirror.next_revision(connection),
                without_swept(self._mirror.swept, rows.table, allowed),
                report,
            )
            _reject(connection, bad, {"table": table, "rejected_at": now})
            note_suppressed(connection, at, rows=report.suppressed)

        self._mirror.writer.run(merge)
        return report

    def _nothing(self, row: Mapping[str, Any], done: Callable[[sqlite3.Connection, int], None]) -> ExportReport:
        """An export without even a header: there was nothing to export."""
        merged = {**row, "state": "merged", "size": 0, "rows": 0}
        self._mirror.writer.run(lambda connection: done(connection, ledger.insert(connection, "sync_file", merged)))
        return ExportReport()

    def _row(self, source: ExportSource) -> dict[str, Any]:
        """What the ledger says of a file however it ends."""
        now, at = iso_millis(self._clock()), iso_millis(source.requested_at)
        row = {"source": source.source, "name": source.name, "table": source.rows.table.name}
        return row | {"path": str(source.path), "as_of": at, "seen_at": now}

    def _judge(self, source: ExportSource, proof: RowProof) -> None:
        if source.requested_at > self._clock() + _AHEAD:
            raise Held("future", f"It states {iso_millis(source.requested_at)}, which has not come yet.")
        if proof.header.doubled:
            raise Held("doubled_key", f"Its key column {proof.header.doubled} stands there more than once.")
        first = proof.first_bad
        words = first.describe() if first else ""
        why = reason_in_bad_rows(Content(proof.rows - proof.bad, proof.bad, proof.keyless, words), self._guards)
        if why:
            raise Held("bad_rows", why)


def advice(held: Held, path: Path) -> str:
    """Why a file is held and what to do about it. ``path``: where it is."""
    if held.reason not in _ACCEPTABLE:
        return f"{held} The file is {path}."
    return f"{held} If it is right all the same: promptsync load --accept {shlex.quote(str(path))}"


class _Proven:
    """A whole file that may be merged. ``row``: what the ledger says of it."""

    def __init__(
        self, mirror: Mirror, file: RowFile, proof: RowProof, row: Mapping[str, Any], progress: Progress
    ) -> None:
        self._mirror, self._file, self._proof, self._progress = mirror, file, proof, progress
        self._row = {**row, "sha256": proof.file.sha256, "size": proof.file.size, "rows": proof.rows}
        self._report = ExportReport(proof.rows, rejected=proof.bad, suppressed=row["suppressed"])

    def stage(self, path: Path, ordered: KeyOrder) -> StagedClaims:
        """Into the staging file by key, each key once, and a place in the mirror for every column."""
        row = self._row
        form = _Form(self._mirror, row["table"], self._proof.header, (row["seen_at"], row["name"]))
        with Staging(path, form.layout.key, numbered=False) as staging:
            staging.create(form.schema)
            for rows in ordered:
                staging.add(rows.rename_columns(form.schema.names))
                self._progress("staging", staging.rows, self._proof.rows)
        give_back(staging.rows)  # the merge has caches of its own
        return StagedClaims(path, export_statements(form.layout, form.present), staging.rows)

    def merge(self, staged: StagedClaims, done: Callable[[sqlite3.Connection, int], None]) -> ExportReport:
        """Merge it; ``done`` as ExportLoader has it."""
        proof, row, report = self._proof, self._row, self._report
        merge = ClaimMerge(self._mirror, staged, self._progress)
        found, opened = merge.compare(), row | {"state": "staged"}
        note_dialect(self._mirror, proof.dialect, proof.file.encoding, (row["table"], row["seen_at"], row["name"]))
        file_id = self._mirror.writer.run(lambda connection: ledger.open_file(connection, opened), durable=False)
        if proof.bad:
            self._keep_bad_rows(file_id)

        def finish(connection: sqlite3.Connection, found: ClaimDelta) -> None:
            report.inserted, report.updated = found.new, found.changed
            report.unchanged = report.rows - report.rejected - report.suppressed - found.new - found.changed
            ledger.update(connection, "sync_file", file_id, asdict(report) | {"state": "merged", "error": None})
            note_suppressed(connection, parse_iso(row["seen_at"]), rows=report.suppressed)
            ledger.forget_unfinished(connection, row["name"], file_id)
            done(connection, file_id)

        merge.apply(found, finish)
        return report

    def _keep_bad_rows(self, file_id: int) -> None:
        """Write down the rows that cannot be merged. They are read anew: there may be very many."""
        common = {"table": self._row["table"], "file_id": file_id, "rejected_at": self._row["seen_at"]}
        suppression = Suppression(self._mirror)
        for batch in self._file:
            bad = suppression.bad_rows(self._row["table"], batch.bad)
            self._report.rejected -= len(batch.bad) - len(bad)
            self._report.suppressed += len(batch.bad) - len(bad)
            for start in range(0, len(bad), _SLICE):
                some = bad[start : start + _SLICE]
                self._mirror.writer.run(lambda c, some=some: _reject(c, some, common), Lane.BULK, durable=False)  # type: ignore[misc]


class _Form:
    """How rows under one header are staged for a table. ``present``: the columns that claims compete for. ``seen``:
    (ISO time, where) for columns that are new."""

    def __init__(self, mirror: Mirror, table: str, header: RowHeader, seen: tuple[str, str]) -> None:
        layout = mirror.layout(table)
        known = {name.casefold() for name in layout.extra}
        new = [name for name in header.unknown if name.casefold() not in known]
        self.layout = prepare_columns(mirror, layout, new, (), seen)
        spelled = {name.casefold(): name for name in self.layout.extra}
        kinds = {spelled.get(name.casefold(), name): kind for name, kind, _ in header.columns if name != "id"}
        self.present = frozenset(kinds)
        types = {"id": pa.string(), **{name: _TYPES.get(kind, pa.string()) for name, kind in kinds.items()}}
        self.schema = pa.schema(types | {"_at": pa.int64()})

    def merge(self, connection: sqlite3.Connection, revision: int, rows: pa.RecordBatch, report: ExportReport) -> None:
        """Merge a few rows inside the caller's transaction, one by one; ``report`` counts them."""
        statements, table = EventStatements(self.layout), self.layout.table.name
        said = dict(zip(self.schema.names, (column.to_pylist() for column in rows.columns), strict=True))
        nothing, unclaimed = [None] * rows.num_rows, [0] * rows.num_rows
        values = [said.get(column, nothing) for column in self.layout.values]
        versions = [said["_at"] if self.present >= set(unit.columns) else unclaimed for unit in self.layout.units]
        keys = list(dict.fromkeys(said["id"]))
        before = count_since(connection, table, keys, 0)
        connection.executemany(
            statements.upsert, zip(said["id"], *values, *versions, [revision] * rows.num_rows, strict=True)
        )
        changed = count_since(connection, table, keys, revision)
        report.inserted = len(keys) - before
        report.updated = changed - report.inserted
        report.unchanged = rows.num_rows - changed


def _reject(connection: sqlite3.Connection, bad: Iterable[BadRow], common: Mapping[str, Any]) -> None:
    for one in bad:
        row = {"class": one.reason_class, "line": one.line, "reason": one.reason, "original": one.original}
        ledger.add_reject(connection, {**row, **common})
