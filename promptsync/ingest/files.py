"""From a snapshot file to merged rows: prove complete, stage, decide, merge, record.

Owns the life of one file and what the ledger says of it. One file at a time; blocking, for a worker thread. Whatever
a file holds ends as merged, unchanged, held, failed or ignored, with a sentence; it never raises for a file's content.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog

from promptsync.clock import Clock, iso_millis
from promptsync.errors import Held, InputRefused, Unavailable
from promptsync.formats.limits import Limits
from promptsync.formats.names import FileName, parse_name
from promptsync.formats.proof import Proof, prove
from promptsync.formats.rejects import BadRow
from promptsync.formats.snapshot_csv import SnapshotReader
from promptsync.ingest.claims import Key
from promptsync.ingest.file_rejects import keep_rejects
from promptsync.ingest.merge_claims import Merged
from promptsync.ingest.snapshot_merge import Difference, Progress, SnapshotMerge, Staged
from promptsync.ingest.staging import Staging, discard
from promptsync.merge.guards import Content, Guards, reason_to_hold
from promptsync.merge.layout import Layout
from promptsync.model import Table
from promptsync.store import ledger, search
from promptsync.store.mirror import Mirror, add_column, split_column
from promptsync.store.snapshots import record_lacks
from promptsync.store.writer import Lane

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How files are judged. ``zone``: of times and stamps without one."""

    zone: ZoneInfo
    guards: Guards = field(default_factory=Guards)
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """One file to load. ``name``: what it states, if its name does not say; ``accept``: a person has looked at it;
    ``again``: even if it was merged before."""

    path: Path
    source: str
    name: FileName | None = None
    accept: bool = False
    dry_run: bool = False
    again: bool = False


@dataclass(slots=True)
class FileReport:
    """What came of a file: the ledger's row of it."""

    name: str
    state: str = "failed"
    table: str | None = None
    org_id: int | None = None
    as_of: str | None = None
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    absent: int = 0
    rejected: int = 0
    seconds: float = 0.0
    error: str | None = None


class FileLoader:
    """Loads snapshot files into one mirror."""

    def __init__(self, mirror: Mirror, settings: LoadSettings, clock: Clock) -> None:
        self._mirror = mirror
        self._settings = settings
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._merging: tuple[str, int] | None = None
        self._touched: set[Key] = set()

    def touched(self, merged: Merged) -> None:
        """Events claimed these rows: what is being merged from a file looks at them again before it is done."""
        if self._merging is not None:
            self._touched |= merged.keys.get(self._merging, set())

    def load(self, request: LoadRequest, progress: Progress = lambda *_: None) -> FileReport:
        """Load one file. Raises Unavailable if the machine, not the file, stands in the way."""
        with self._one_at_a_time:
            return _Load(self, request, progress).run()

    def clean(self) -> None:
        """Remove staging files that a killed process left."""
        for leftover in (self._mirror.folder / "staging").glob("*"):
            leftover.unlink(missing_ok=True)

    def enter_search(self, table: str, progress: Progress = lambda *_: None) -> int:
        """Enter rows into full-text search that are not in it yet, a slice at a time; returns how many."""
        declared = self._mirror.schema[table]
        after = entered = 0
        while declared.search:
            with self._mirror.reading() as connection:
                ids = search.missing(connection, declared, after, 5_000)
            if not ids:
                break
            for start in range(0, len(ids), 500):
                some = ids[start : start + 500]
                self._mirror.writer.run(
                    lambda connection, some=some: search.enter(connection, declared, some),  # type: ignore[misc]
                    Lane.IDLE,
                    durable=False,
                )
            after, entered = ids[-1], entered + len(ids)
            progress("indexing", entered, 0)
        return entered


class _Load:
    """The loading of one file, step by step."""

    def __init__(self, loader: FileLoader, request: LoadRequest, progress: Progress) -> None:
        self._loader = loader
        self._mirror = loader._mirror
        self._settings = loader._settings
        self._request = request
        self._progress = progress
        self._report = FileReport(request.path.name)
        self._file_id = 0
        self._now = iso_millis(loader._clock())

    def run(self) -> FileReport:
        started = time.perf_counter()
        proof: Proof | None = None
        try:
            name = self._request.name or parse_name(
                self._request.path.name, self._mirror.schema.nightly, self._settings.zone
            )
            self._report.table, self._report.org_id = name.table, name.org_id or 0
            self._report.as_of = iso_millis(name.as_of)
            proof = self._prove()
            if not self._request.again and self._known(proof):
                self._report.state = "unchanged"
            else:
                self._merge(name, proof)
        except InputRefused as refused:
            self._report.state = "held" if isinstance(refused, Held) else "ignored"
            self._report.error = str(refused)
        self._report.seconds = round(time.perf_counter() - started, 3)
        if self._report.state not in ("merged", "would merge"):
            self._record(proof)
        _log.info("file", **{k: v for k, v in _as_row(self._report).items() if v is not None})
        return self._report

    def _prove(self) -> Proof:
        size = self._request.path.stat().st_size
        return prove(self._request.path, self._settings.limits, lambda done: self._progress("checking", done, size))

    def _known(self, proof: Proof) -> bool:
        report = self._report
        with self._mirror.reading() as connection:
            return ledger.merged_before(
                connection, proof.sha256, report.table or "", report.org_id or 0, report.as_of or ""
            )

    def _merge(self, name: FileName, proof: Proof) -> None:
        table = self._mirror.schema[name.table]
        staging_path = self._mirror.folder / "staging" / f"{proof.sha256[:16]}.db"
        org = name.org_id or 0
        try:
            with SnapshotReader(self._request.path, table, name, self._settings.zone, self._settings.limits) as reader:
                layout = self._prepare_columns(table, reader)
                staged, bad = self._stage(reader, layout, staging_path, (org, name.as_of))
            self._decide(staged, bad)
            self._loader._touched.clear()
            self._loader._merging = (name.table, org)
            self._merge_staged(staged, bad, proof)
        finally:
            self._loader._merging = None
            discard(staging_path)

    def _prepare_columns(self, table: Table, reader: SnapshotReader) -> Layout:
        """Give unknown columns a place and lacking ones a version of their own, before anything is merged."""
        layout = self._mirror.layout(table.name)
        if self._request.dry_run:
            return layout
        unknown = [column for column in reader.unknown if column not in layout.extra]
        lacking = [column for column in _lacks(table, reader) if column not in layout.split]
        if not unknown and not lacking:
            return layout

        def change(connection: Any) -> Layout:
            for column in unknown:
                add_column(connection, layout, column)
                ledger.add_drift(connection, "column", layout.table.name, column, self._now, self._report.name)
            for column in lacking:
                split_column(connection, layout, column)
            record_lacks(connection, table.name, unknown)
            return self._mirror.relayout(connection, table.name)

        def adopt(layout: Layout) -> None:
            self._mirror.adopt(layout)
            self._mirror.snapshots.lack(table.name, unknown)

        return self._mirror.writer.run(change, committed=adopt)

    def _stage(
        self, reader: SnapshotReader, layout: Layout, path: Path, stated: tuple[int, int]
    ) -> tuple[Staged, list[BadRow]]:
        bad: list[BadRow] = []
        with Staging(path, layout.key) as staging:
            staging.create(reader.schema)
            for batch in reader:
                staging.add(batch.rows)
                bad += batch.rejects
                self._progress("reading", staging.rows, 0)
        staged = Staged(
            path=path,
            file_id=0,
            layout=layout,
            org=stated[0],
            at=stated[1],
            present=frozenset(layout.values) & frozenset(reader.schema.names),
            lacks=(*_lacks(layout.table, reader), *(column for column in layout.extra if column not in reader.unknown)),
            rows=staging.rows,
            last_number=staging.last_number,
            ascending=staging.ascending,
            spared=tuple({row.key for row in bad if row.key is not None}),
        )
        return staged, bad

    def _decide(self, staged: Staged, bad: list[BadRow]) -> None:
        self._report.rows, self._report.rejected = staged.rows, len(bad)
        keyless = sum(row.key is None for row in bad)
        before = self._mirror.snapshots.rows_before(staged.layout.table.name, staged.org, staged.at)
        why = reason_to_hold(Content(staged.rows, len(bad), keyless), before, self._settings.guards)
        if why and not self._request.accept:
            raise Held(
                "guard", f"{why} If it is right all the same: promptsync load --accept {self._request.path.name}"
            )

    def _merge_staged(self, staged: Staged, bad: list[BadRow], proof: Proof) -> None:
        merge = SnapshotMerge(self._mirror, staged, self._loader._touched, self._progress)
        found = merge.compare()
        self._count(staged, found)
        if self._request.dry_run:
            self._report.state = "would merge"
            return
        self._report.state = "staged"
        self._file_id = self._record(proof)
        merge = SnapshotMerge(
            self._mirror, replace(staged, file_id=self._file_id), self._loader._touched, self._progress
        )
        started = time.perf_counter()
        keep_rejects(self._mirror, self._request.path, self._file_id, staged, (bad, found), self._now)
        self._report.state = "merged"
        merge.apply(found, _as_row(self._report) | {"seen_at": self._now})
        self._report.seconds = time.perf_counter() - started

    def _count(self, staged: Staged, found: Difference) -> None:
        report = self._report
        report.rejected += len(found.foreign) + len(found.folded)
        report.inserted, report.updated, report.absent = found.new, found.changed, found.gone
        report.unchanged = staged.rows - len(found.folded) - found.new - found.changed - len(found.foreign)

    def _record(self, proof: Proof | None) -> int:
        if self._request.dry_run:
            return 0
        row = _as_row(self._report) | {"source": self._request.source, "path": str(self._request.path)}
        row |= {"sha256": proof.sha256 if proof else None, "seen_at": self._now}
        row["size"] = proof.size if proof else self._size()
        return self._mirror.writer.run(lambda connection: ledger.open_file(connection, row))

    def _size(self) -> int | None:
        try:
            return self._request.path.stat().st_size
        except OSError:
            return None


def _lacks(table: Table, reader: SnapshotReader) -> tuple[str, ...]:
    """Declared columns that the file does not have, those derived from such a column included."""
    return (*reader.lacks, *(column.name for column in table.columns if column.blank_of in reader.lacks))


def _as_row(report: FileReport) -> dict[str, Any]:
    return {name: getattr(report, name) for name in FileReport.__slots__}
