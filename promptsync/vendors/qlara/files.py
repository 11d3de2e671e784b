"""Files of exports that lie on this machine: held ones that a person accepts, and what a person has saved elsewhere.

Owns where a job's file is, the way from such a file to its job, and what becomes of both. How its rows are merged is
in loading/export.py, how a job comes to have a file in run.py. Blocking.
"""

import re
import sqlite3
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from promptsync.clock import Clock, iso_millis
from promptsync.errors import ConfigError, Held, InputRefused
from promptsync.loading.export import ExportLoader, ExportSource, advice
from promptsync.loading.report import FileReport, LoadRequest
from promptsync.model.file_name import ExportName
from promptsync.store import jobs as store
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Progress
from promptsync.vendors.qlara.csv import ExportRows
from promptsync.vendors.qlara.jobs import FOLDER, Job, State, job_of, moved, row_of
from promptsync.vendors.qlara.profile import KindProfile, VendorProfile

_OF_A_JOB: Final = re.compile(r"job-([1-9][0-9]{0,17})\.(csv|unproven)")


class ExportFiles:
    """The files of one vendor's exports."""

    def __init__(self, mirror: Mirror, loader: ExportLoader, profile: VendorProfile, clock: Clock) -> None:
        self._mirror, self._loader, self._profile, self._clock = mirror, loader, profile, clock
        self.folder = mirror.folder / FOLDER

    def paths(self, job: Job) -> tuple[Path, Path]:
        """Where a job's download is: known to be whole, or not."""
        return self.folder / f"job-{job.id}.csv", self.folder / f"job-{job.id}.unproven"

    def there(self, job: Job) -> Path | None:
        """Where it does lie, if anywhere."""
        return next((path for path in self.paths(job) if path.exists()), None)

    def source(self, job: Job, path: Path, *, accepted: bool = False) -> ExportSource:
        """A job's download, to be loaded."""
        kind, whole = self._profile.kind(job.kind), path == self.paths(job)[0]
        name = f"{kind.name}-{job.vendor_id}.csv"
        return ExportSource(path, name, self._profile.name, self.rows(kind), job.requested_at, whole, accepted)

    def rows(self, kind: KindProfile) -> ExportRows:
        """What reads a kind's files."""
        return ExportRows(kind, self._mirror.schema[kind.table])

    @property
    def tables(self) -> dict[str, KindProfile]:
        """The tables that exports fill, to their kinds."""
        return {kind.table: kind for kind in self._profile.kinds}

    def knows(self, request: LoadRequest) -> bool:
        """Whether a file is to be loaded as an export: it is said to be one, or it is where a job left it."""
        return isinstance(request.name, ExportName) or (request.name is None and self._job(request.path) is not None)

    def held(self) -> list[Job]:
        """Jobs whose file waits for a person."""
        with self._mirror.reading() as connection:
            return [job for job in map(job_of, store.held(connection)) if self.there(job)]

    def load(self, request: LoadRequest, progress: Progress) -> FileReport:
        """Load one file; a job that it is of is then loaded too. Raises ConfigError if more has to be said of it."""
        started, job = time.perf_counter(), self._job(request.path)
        report = FileReport(request.path.name)
        try:
            source = self._source(request, job)
            report.table, report.as_of = source.rows.table.name, iso_millis(source.requested_at)
            self._load(source, job, report, progress)
        except Held as held:
            report.state, report.error = "held", advice(held, request.path)
        except InputRefused as refused:
            report.state, report.error = "ignored", str(refused)
        report.seconds = round(time.perf_counter() - started, 3)
        return report

    def tidy(self) -> None:
        """Remove the files of merged jobs of which no row waits any more."""
        for path in self.folder.glob("job-*"):
            job = self._job(path)
            if job is None or job.state is not State.LOADED:
                continue
            with self._mirror.reading() as connection:
                if not store.has_rejects(connection, job.id):
                    path.unlink(missing_ok=True)

    def _load(self, source: ExportSource, job: Job | None, report: FileReport, progress: Progress) -> None:
        def done(connection: sqlite3.Connection, file_id: int) -> None:
            if job is not None:
                merged = replace(moved(job, State.LOADED, self._clock()), file_id=file_id)
                store.change(connection, job.id, row_of(merged))

        try:
            merged = self._loader.load(source, done, progress)
        except Held as held:
            file_id = self._loader.hold(source, held)
            if job is not None:
                failed = replace(moved(job, State.FAILED, self._clock(), advice(held, source.path)), file_id=file_id)
                self._mirror.writer.run(lambda connection: store.change(connection, job.id, row_of(failed)))
            raise
        for name, count in asdict(merged).items():
            setattr(report, name, count)
        report.state = "merged"
        if job is not None and not merged.rejected:
            source.path.unlink(missing_ok=True)

    def _source(self, request: LoadRequest, job: Job | None) -> ExportSource:
        path, stated = request.path, request.name
        if request.dry_run:
            raise InputRefused("dry_run", f"{path.name} is an export of an API: what it changes shows only by loading.")
        if job is not None and job.open:
            raise InputRefused("open_job", f"{path.name} is of an export at work: 'promptsync export resume' does it.")
        table = stated.table if isinstance(stated, ExportName) else None
        if job is not None and table in (None, self._profile.kind(job.kind).table):
            source = self.source(job, path, accepted=request.accept)
            at = stated.requested_at if isinstance(stated, ExportName) else None
            return source if at is None else replace(source, requested_at=at)
        if not isinstance(stated, ExportName) or stated.requested_at is None:
            raise ConfigError(f"Give --as-of too: when the export {path.name} was asked for.")
        rows = self.rows(self.tables[stated.table])
        return ExportSource(
            path, path.name, self._profile.name, rows, stated.requested_at, vouched=False, accepted=request.accept
        )

    def _job(self, path: Path) -> Job | None:
        match = _OF_A_JOB.fullmatch(path.name)
        if match is None or path.parent.resolve() != self.folder.resolve():
            return None
        with self._mirror.reading() as connection:
            rows = store.some(connection, [int(match[1])])
        return job_of(rows[0]) if rows else None
