"""From one snapshot file to merged rows: survey, stage, decide, merge, record.

Owns the life of one file and what the ledger says of it. Whatever a file holds ends as merged, unchanged, held, failed
or ignored, with a sentence; loading never raises for a file's content.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import structlog

from promptsync.clock import Clock, iso_millis
from promptsync.errors import Held, InputRefused
from promptsync.formats.ahead import ahead
from promptsync.formats.names import FileName, parse_name
from promptsync.formats.proof import Proof, prove
from promptsync.formats.rejects import BadRow
from promptsync.formats.snapshot_csv import SnapshotReader
from promptsync.ingest.claims import Key
from promptsync.ingest.file_rejects import keep_rejects
from promptsync.ingest.file_report import FileReport, LoadRequest, LoadSettings
from promptsync.ingest.snapshot_compare import Comparison, Difference, Overtaken, Staged
from promptsync.ingest.snapshot_merge import Progress, SnapshotMerge
from promptsync.ingest.staging import Staging, discard
from promptsync.ingest.survey import Survey, survey
from promptsync.ingest.whole import Disordered, WholeStaging, may_take_over
from promptsync.merge.guards import Content, reason_to_hold
from promptsync.merge.layout import Layout
from promptsync.model import Table
from promptsync.store import ledger
from promptsync.store.mirror import Mirror, add_column, split_column
from promptsync.store.snapshots import record_lacks

_log = structlog.get_logger()


class FileLoad:
    """The loading of one file, step by step."""

    def __init__(
        self,
        mirror: Mirror,
        settings: LoadSettings,
        request: LoadRequest,
        watch: Callable[[tuple[str, int] | None], dict[Key, int]],
        progress: Progress,
    ) -> None:
        self._mirror = mirror
        self._settings = settings
        self._request = request
        self._watch = watch
        self._progress = progress
        self._report = FileReport(request.path.name)
        self._now = ""
        self._whole = True
        self._started = time.perf_counter()

    def run(self, clock: Clock) -> FileReport:
        """Do it. Raises Unavailable if the machine, not the file, stands in the way."""
        self._now = iso_millis(clock())
        proof: Proof | None = None
        try:
            name = self._request.name or parse_name(
                self._request.path.name, self._mirror.schema.nightly, self._settings.zone
            )
            self._report.table, self._report.org_id = name.table, name.org_id or 0
            self._report.as_of = iso_millis(name.as_of)
            self._touched = self._watch((name.table, name.org_id or 0))
            found = self._survey(name)
            proof = found.proof
            try:
                self._load(name, found)
            finally:
                found.close()
        except InputRefused as refused:
            self._report.state = "held" if isinstance(refused, Held) else "ignored"
            self._report.error = str(refused)
        finally:
            self._watch(None)
            discard(self._aside)
        self._report.seconds = self._spent()
        if self._report.state not in ("merged", "would merge"):
            self._record(proof)
        _log.info("file", **{k: v for k, v in self._report.as_row().items() if v is not None})
        return self._report

    def _load(self, name: FileName, found: Survey) -> None:
        if not self._request.again and self._known(found.proof):
            self._report.state = "unchanged"
            return
        try:
            if self._merge(name, found):
                return
        except Overtaken:
            pass
        except Disordered:
            self._whole = False
        self._touched = self._watch((name.table, name.org_id or 0))
        self._merge(name, found.read_whole())

    def _survey(self, name: FileName) -> Survey:
        path, limits = self._request.path, self._settings.limits
        size = path.stat().st_size

        def told(done: int) -> None:
            self._progress("checking", done, size)

        if self._request.dry_run:
            return Survey(prove(path, limits, told))
        return survey(self._mirror, path, name, self._settings, told, self._aside)

    @property
    def _aside(self) -> Path:
        return self._mirror.folder / "staging" / "unknown.csv"

    def _spent(self) -> float:
        return round(time.perf_counter() - self._started, 3)

    def _known(self, proof: Proof) -> bool:
        report = self._report
        with self._mirror.reading() as connection:
            return ledger.merged_before(
                connection, proof.sha256, report.table or "", report.org_id or 0, report.as_of or ""
            )

    def _merge(self, name: FileName, found: Survey) -> bool:
        """Whether it could be merged; if not, what seemed to be known of it was not so, and it must be read whole."""
        table = self._mirror.schema[name.table]
        path = self._mirror.folder / "staging" / f"{found.proof.sha256[:16]}.db"
        source = found.unknown() if found.known else self._request.path
        try:
            with SnapshotReader(source, table, name, self._settings.zone, self._settings.limits) as reader:
                layout = self._prepare_columns(table, reader)
                staging = self._staging(path, layout, name.org_id or 0)
                staged, bad = self._stage(reader, layout, staging, name, found)
            if staged is None:
                return False
            self._decide(staged, bad)
            self._merge_staged(staged, bad, found.proof)
        finally:
            discard(path)
        return True

    def _prepare_columns(self, table: Table, reader: SnapshotReader) -> Layout:
        """Give unknown columns a place and lacking ones a version of their own, before anything is merged."""
        layout = self._mirror.layout(table.name)
        if self._request.dry_run:
            return layout
        unknown = [column for column in _spelling(layout, reader).values() if column not in layout.extra]
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

    def _staging(self, path: Path, layout: Layout, org: int) -> Staging:
        if self._whole and not self._request.dry_run and may_take_over(self._mirror, layout, org):
            return WholeStaging(path, layout, org, self._mirror)
        return Staging(path, layout.key)

    def _stage(
        self, reader: SnapshotReader, layout: Layout, staging: Staging, name: FileName, found: Survey
    ) -> tuple[Staged | None, list[BadRow]]:
        bad: list[BadRow] = []
        counting, look, spelling = found.counting(), self._settings.rows, _spelling(layout, reader)
        columns = [spelling.get(column, column) for column in reader.schema.names]
        with staging:
            staging.create(
                pa.schema([field.with_name(name) for field, name in zip(reader.schema, columns, strict=True)])
            )
            for batch in ahead(reader):
                rows = batch.rows.rename_columns(columns)
                staging.add(look(layout.table.name, rows) if look else rows)
                if counting and staging.ascending:
                    counting.add(batch.rows.column(layout.key[0]).to_numpy())
                bad += batch.rejects
                self._progress("reading", staging.rows, 0)
        index = counting.index() if counting and staging.ascending else None
        if found.known and (index is None or bad):
            return None, bad  # to say which record is bad, all have to be counted
        skipped = counting.skipped if counting and found.known else 0
        staged = Staged(
            path=staging.path,
            file_id=0,
            layout=layout,
            org=name.org_id or 0,
            at=name.as_of,
            present=frozenset(layout.values) & frozenset(columns),
            lacks=(*_lacks(layout.table, reader), *(column for column in layout.extra if column not in columns)),
            rows=staging.rows + skipped,
            last_number=staging.last_number,
            ascending=staging.ascending,
            spared=tuple({row.key for row in bad if row.key and row.reason_class != "org_collision"}),
            disowned=tuple({row.key for row in bad if row.key and row.reason_class == "org_collision"}),
            gaps=tuple(counting.gaps()) if counting and found.known else None,
            whole=isinstance(staging, WholeStaging),
            blocks=index.dump() if index and not bad else None,
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
        found = Comparison(self._mirror, staged).run()
        self._count(staged, found)
        if self._request.dry_run:
            self._report.state = "would merge"
            return
        self._report.state = "staged"
        file_id = self._record(proof)
        keep_rejects(self._mirror, self._request.path, file_id, staged, (bad, found), self._now)
        merge = SnapshotMerge(self._mirror, replace(staged, file_id=file_id), self._touched, self._progress)
        self._report.state = "merged"
        try:
            merge.apply(found, lambda: self._report.as_row() | {"seen_at": self._now, "seconds": self._spent()})
        except BaseException:
            self._report.state = "staged"
            raise

    def _count(self, staged: Staged, found: Difference) -> None:
        report = self._report
        report.rejected += len(found.foreign) + len(found.folded)
        report.inserted, report.updated, report.absent = found.new, found.changed, found.gone
        report.unchanged = staged.rows - len(found.folded) - found.new - found.changed - len(found.foreign)

    def _record(self, proof: Proof | None) -> int:
        if self._request.dry_run:
            return 0
        row = self._report.as_row() | {"source": self._request.source, "path": str(self._request.path)}
        row |= {"sha256": proof.sha256 if proof else None, "seen_at": self._now}
        row["size"] = proof.size if proof else self._size()
        return self._mirror.writer.run(lambda connection: ledger.open_file(connection, row))

    def _size(self) -> int | None:
        try:
            return self._request.path.stat().st_size
        except OSError:
            return None


def _spelling(layout: Layout, reader: SnapshotReader) -> dict[str, str]:
    """The file's unknown columns as the mirror spells them: to SQLite, names that differ in ASCII case are the same."""
    known = {column.encode().lower(): column for column in layout.extra}
    return {column: known.get(column.encode().lower(), column) for column in reader.unknown}


def _lacks(table: Table, reader: SnapshotReader) -> tuple[str, ...]:
    """Declared columns that the file does not have, those derived from such a column included."""
    return (*reader.lacks, *(column.name for column in table.columns if column.blank_of in reader.lacks))
