"""Carrying export jobs on, step by step, until they are closed: the machine's decisions, the client's calls, the rows.

Owns the loop. Every change of state is committed before the next step, so it can be killed anywhere and started again.
Runs on an event loop of its own, in a worker thread: it waits for the writer.
"""

import asyncio
import sqlite3
import threading
from dataclasses import dataclass, replace

import structlog

from promptsync.clock import Clock
from promptsync.errors import ConfigError, Held, InputRefused, MirrorFull, PromptsyncError, Unavailable
from promptsync.formats.limits import DAMAGE
from promptsync.loading.export import ExportLoader, advice
from promptsync.store import jobs as store
from promptsync.store import spelling_counts
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Progress
from promptsync.vendors.qlara import jobs as machine
from promptsync.vendors.qlara.call import Access, AnswerLost, RetryPolicy
from promptsync.vendors.qlara.client import ExportClient, JobList, LinkExpired, NotReady, PageInstead, Refused
from promptsync.vendors.qlara.files import ExportFiles
from promptsync.vendors.qlara.jobs import Job, JobLimits, State, Step, job_of, row_of
from promptsync.vendors.qlara.profile import VendorProfile

_log = structlog.get_logger()
_BEAT_SECONDS = 0.25
_AGAIN = DAMAGE | {"not_csv"}


@dataclass(frozen=True, slots=True)
class RunSettings:
    """What a run needs beside the mirror. ``files``: where downloads lie until they are merged."""

    profile: VendorProfile
    access: Access
    policy: RetryPolicy
    limits: JobLimits
    files: ExportFiles
    clock: Clock


class ExportRun:
    """One run over all open jobs. ``stopping``: set when it should end; what is left goes on with the next run."""

    def __init__(
        self, mirror: Mirror, loader: ExportLoader, settings: RunSettings, stopping: threading.Event, progress: Progress
    ) -> None:
        self._mirror, self._loader, self._settings = mirror, loader, settings
        self._stopping, self._progress = stopping, progress
        self._patience = settings.policy.patience.another()
        self._stuck: dict[int, PromptsyncError] = {}
        self._listing: JobList | None = None
        self._statuses: set[str] = set()  # that the vendor has used in this run

    async def drive(self, mine: frozenset[int]) -> None:
        """Carry all open jobs on until those in ``mine`` are closed.

        Raises Unavailable if one of them cannot be carried on now, ConfigError if the vendor refuses the key.
        """
        settings = self._settings
        first, longest = settings.policy.poll
        wait = first
        async with ExportClient(
            settings.profile, settings.access, settings.policy, settings.clock, self.pause
        ) as client:
            while True:
                going = [job for job in self._open() if job.id not in self._stuck]
                left = sum(1 for job in going if job.id in mine)
                self._progress("exports", len(mine) - left, len(mine))
                if not left:
                    break
                if await self._round(client, going):
                    wait = first
                else:
                    await self.pause(wait)
                    wait = min(wait * 1.25, longest)
        for job_id in sorted(mine & self._stuck.keys()):
            problem = self._stuck[job_id]
            if isinstance(problem, Unavailable):
                stays = f"Export {job_id} stays open: the daemon carries it on, or 'promptsync export resume' does."
                raise Unavailable(f"{problem} {stays}")
            raise problem

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than we may go on. Raises Unavailable when stopping."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            if self._stopping.is_set():
                raise Unavailable("promptsync is stopping; the exports go on when it runs again.")
            left = until - loop.time()
            if left <= 0:
                return
            await asyncio.sleep(min(left, _BEAT_SECONDS))

    async def _round(self, client: ExportClient, jobs: list[Job]) -> bool:
        """One step with every job. Returns whether any state changed."""
        self._listing = None
        changed = False
        unnamed: set[str] = set()  # kinds with a job whose id is not known yet: it must be found before the next one
        for job in jobs:
            if machine.next_step(job) is Step.REQUEST and job.kind in unnamed:
                continue
            try:
                after = await self._step(client, job)
            except MirrorFull:
                raise
            except (Unavailable, ConfigError) as problem:
                if self._stopping.is_set():
                    raise
                _log.info("export_stuck", job=job.id, kind=job.kind, error=str(problem))
                self._stuck[job.id] = problem
                continue
            if after.vendor_id is None and after.open:
                unnamed.add(after.kind)
            if after.state is not job.state:
                _log.info("export", job=job.id, kind=job.kind, state=after.state.value, error=after.error)
                changed = True
                self._patience.renew()
        return changed

    async def _step(self, client: ExportClient, job: Job) -> Job:
        match machine.next_step(job):
            case Step.REQUEST:
                return await self._request(client, job)
            case Step.FIND:
                return await self._find(client, job)
            case Step.POLL:
                return await self._poll(client, job)
            case Step.DOWNLOAD:
                return await self._download(client, job)
            case Step.REGENERATE:
                return await self._regenerate(client, job)
            case Step.LOAD:
                return await self._load(job)

    async def _request(self, client: ExportClient, job: Job) -> Job:
        trying = self._save(machine.tried(job, self._now(), self._settings.limits, job.error or ""))
        if not trying.open:
            return trying
        try:
            vendor_id = await client.request(self._settings.profile.kind(job.kind), job.params)
        except AnswerLost as problem:
            trying = self._save(replace(trying, error=str(problem)))
            await self._wait(job, problem)
            return trying
        except Unavailable:
            self._save(job)  # it never left this machine
            raise
        except (Refused, ConfigError) as refusal:
            return self._save(machine.moved(trying, State.REFUSED, self._now(), str(refusal)))
        return self._save(machine.accepted(trying, vendor_id, self._now()))

    async def _find(self, client: ExportClient, job: Job) -> Job:
        listing = await self._listed(client)
        with self._mirror.reading() as connection:
            taken = store.vendor_ids(connection)
        types = self._settings.profile.kind(job.kind).types
        entry = machine.find(job, listing.entries, types, taken, listing.skew)
        if job.state is State.REQUESTED:
            if entry is None:
                return await self._request(client, job)
            job = machine.accepted(job, entry.id, self._now())
        return self._save(machine.looked(job, entry, self._settings.profile, self._now(), self._settings.limits))

    async def _poll(self, client: ExportClient, job: Job) -> Job:
        listing = await self._listed(client)
        entry = next((entry for entry in listing.entries if entry.id == job.vendor_id), None)
        if entry is None:
            try:
                await client.link(job.vendor_id or "")
                return self._save(machine.moved(job, State.AVAILABLE, self._now()))
            except (NotReady, LinkExpired, Refused):
                pass  # an export that is not listed is only good for what its link says
        after = machine.looked(job, entry, self._settings.profile, self._now(), self._settings.limits)
        return after if after == job else self._save(after)

    async def _download(self, client: ExportClient, job: Job) -> Job:
        limits = self._settings.limits
        whole, uncertain = self._settings.files.paths(job)
        try:
            whole.parent.mkdir(parents=True, exist_ok=True)
            link = await client.link(job.vendor_id or "")
            vouched = await client.download(link, uncertain, lambda done, of: self._progress("downloading", done, of))
            if vouched:
                uncertain.replace(whole)
        except LinkExpired as problem:
            after = machine.tried(job, self._now(), limits, str(problem))
            return self._save(machine.moved(after, State.EXPIRED, self._now()) if after.open else after)
        except NotReady as problem:
            return self._save(machine.tried(job, self._now(), limits, str(problem)))
        except PageInstead as problem:
            now = self._now()
            if (since := machine.by_clock(job, now)) != job:
                self._save(since)
            if now - since.changed_at <= limits.deadline:
                raise
            return self._save(machine.moved(job, State.FAILED, self._now(), f"{problem} It was tried long enough."))
        except (InputRefused, Refused) as refusal:
            return self._save(machine.moved(job, State.FAILED, self._now(), str(refusal)))
        except OSError as error:
            raise MirrorFull(f"{whole.parent} cannot be written ({error.strerror}); make room.") from error
        return self._save(machine.moved(job, State.DOWNLOADED, self._now()))

    async def _regenerate(self, client: ExportClient, job: Job) -> Job:
        trying = self._save(machine.tried(job, self._now(), self._settings.limits, job.error or "the link expired."))
        if not trying.open:
            return trying
        try:
            await client.regenerate(job.vendor_id or "")
        except AnswerLost:
            pass  # the listing will say what came of it
        except Refused as refusal:
            return self._save(machine.moved(trying, State.FAILED, self._now(), str(refusal)))
        return self._save(machine.moved(trying, State.PENDING, self._now()))

    async def _load(self, job: Job) -> Job:
        limits, files = self._settings.limits, self._settings.files
        path = files.there(job)
        if path is None:
            return self._again(job, "the downloaded file is gone.")
        source = files.source(job, path)
        merged: list[Job] = []

        def done(connection: sqlite3.Connection, file_id: int) -> None:
            merged[:] = [replace(machine.moved(job, State.LOADED, self._now()), file_id=file_id)]
            store.change(connection, job.id, row_of(merged[0]))

        try:
            report = self._loader.load(source, done, self._progress)
        except Held as held:
            if held.reason in _AGAIN and job.attempts < limits.attempts:
                path.unlink(missing_ok=True)
                await self._wait(job, held)
                return self._again(job, str(held))
            failed = machine.moved(job, State.FAILED, self._now(), advice(held, path))
            return self._save(replace(failed, file_id=self._loader.hold(source, held)))
        if not report.rejected:  # they can be tried again as long as the file is there
            path.unlink(missing_ok=True)
        return merged[0]

    async def _wait(self, job: Job, problem: PromptsyncError) -> None:
        """Wait until a step is tried again. Raises Unavailable if that is longer than somebody has patience."""
        self._patience.begin()
        seconds = self._settings.policy.backoff(job.attempts)
        if seconds > self._patience.left:
            raise Unavailable(str(problem))
        await self.pause(seconds)

    def _again(self, job: Job, why: str) -> Job:
        """Download once more."""
        after = machine.tried(job, self._now(), self._settings.limits, why)
        return self._save(machine.moved(after, State.AVAILABLE, self._now(), why) if after.open else after)

    async def _listed(self, client: ExportClient) -> JobList:
        """The vendor's listing, asked for at most once a round."""
        if self._listing is None:
            self._listing = await client.listing()
            new = {entry.status for entry in self._listing.entries if entry.status} - self._statuses
            if new:
                self._statuses |= new
                forms = dict.fromkeys(new, 1)
                self._mirror.writer.run(
                    lambda connection: spelling_counts.add(connection, spelling_counts.STATUS, forms)
                )
        return self._listing

    def _open(self) -> list[Job]:
        with self._mirror.reading() as connection:
            return [job_of(row) for row in store.open_jobs(connection)]

    def _save(self, job: Job) -> Job:
        self._mirror.writer.run(lambda connection: store.change(connection, job.id, row_of(job)))
        return job

    def _now(self) -> int:
        return self._settings.clock()
