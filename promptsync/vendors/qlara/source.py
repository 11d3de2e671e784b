"""Asynchronous exports, assembled: what can be asked for, what a schedule asks for, one run at a time.

Owns the step from a request in words to jobs on record, and the lock that keeps two runs apart. What loads exports is
made with the first of them, since its imports are many. Blocking: for worker threads and commands. What happens to a
job is said in vendors/qlara/jobs.py and done in run.py.
"""

import asyncio
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from promptsync.clock import MICROS, Clock, iso_millis, parse_iso
from promptsync.config import Config, QlaraConfig
from promptsync.config.schedules import Schedule
from promptsync.errors import ConfigError, PromptsyncError, Unavailable
from promptsync.formats.limits import Limits
from promptsync.loading.report import FileReport, LoadRequest
from promptsync.merge.guards import Guards
from promptsync.places.patience import Patience
from promptsync.store import jobs as store
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Progress
from promptsync.vendors.qlara.call import Access, RetryPolicy
from promptsync.vendors.qlara.client import ExportClient
from promptsync.vendors.qlara.jobs import FOLDER, Job, JobLimits, job_of, row_of, slices
from promptsync.vendors.qlara.profile import QLARA, KindProfile, VendorProfile

if TYPE_CHECKING:
    from promptsync.loading.export import ExportLoader
    from promptsync.vendors.qlara.files import ExportFiles
    from promptsync.vendors.qlara.run import RunSettings

_DAY = 86_400 * MICROS
_FIRST_DAYS = 30
_SECONDS_TO_NOTICE = 0.5


class QlaraExports:
    """Qlara's exports into one mirror, as ``vendors.exports.Exports`` says. ``stopping`` set ends what runs; open jobs
    go on with the next run."""

    def __init__(
        self,
        config: Config,
        mirror: Mirror,
        clock: Clock,
        stopping: threading.Event,
        policy: RetryPolicy = RetryPolicy(),  # noqa: B008  frozen
        limits: JobLimits = JobLimits(),  # noqa: B008  frozen
    ) -> None:
        self._section = config.qlara
        self._mirror = mirror
        self._clock = clock
        self._policy = policy
        self._limits = limits
        self._profile: VendorProfile = QLARA
        self._guards = Guards(config.load.min_rows_share, config.load.max_bad_rows_share)
        self._bounds = Limits(max_raw_bytes=config.load.max_raw_bytes, max_ratio=int(config.load.max_ratio))
        self._zone = config.mirror.timezone
        self._stopping = stopping
        self._running = threading.Lock()
        self._making = threading.RLock()  # held while what loads is made, or must not be
        self._made: tuple[ExportLoader, ExportFiles] | None = None

    @property
    def files(self) -> "ExportFiles":
        """The files of exports on this machine."""
        return self._loading()[1]

    @property
    def _loader(self) -> "ExportLoader":
        return self._loading()[0]

    def _loading(self) -> "tuple[ExportLoader, ExportFiles]":
        """What loads exports, made when it is asked for first."""
        with self._making:
            if self._made is None:
                from promptsync.loading.export import ExportLoader
                from promptsync.vendors.qlara.files import ExportFiles

                loader = ExportLoader(self._mirror, self._zone, self._guards, self._clock, self._bounds)
                self._made = loader, ExportFiles(self._mirror, loader, self._profile, self._clock)
            return self._made

    def reconfigure(self, config: Config) -> None:
        """Go by another configuration, from the next run on."""
        self._section = config.qlara

    @property
    def schedules(self) -> Mapping[str, Schedule] | None:
        """When each kind is asked for, of those that are by the clock; None without a section ``[qlara]``."""
        section = self._section
        if section is None:
            return None
        found = (
            ("contacts", section.contacts),
            ("delivery-reports", section.delivery_reports),
            ("messages", section.messages),
        )
        return {kind: schedule for kind, schedule in found if schedule is not None}

    @property
    def tables(self) -> Collection[str]:
        """The tables that exports fill."""
        return [kind.table for kind in self._profile.kinds]

    def knows(self, request: LoadRequest) -> bool:
        """Whether a file is to be loaded as an export: it is said to be one, or it is where a job left it."""
        return self.files.knows(request)

    def load(self, request: LoadRequest, progress: Progress) -> FileReport:
        """Load one file; a job that it is of is then loaded too. Raises ConfigError if more has to be said of it."""
        return self.files.load(request, progress)

    def tidy(self) -> None:
        """Remove the files of merged jobs of which no row waits any more."""
        if any((self._mirror.folder / FOLDER).glob("*")):
            self.files.tidy()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Load no export meanwhile: what is being loaded is finished first."""
        with self._making:
            if self._made is None:
                yield
                return
        with self._made[0].paused():
            yield

    def request(self, kind_name: str, params: Mapping[str, Any]) -> list[int]:
        """Put jobs on record, one for each slice of a long range; returns their ids. Nothing is sent yet.

        ``params``: by our names; ``from`` and ``to`` are ISO times. Raises ConfigError if something is missing.
        """
        self._configured()
        kind = self._kind(kind_name)
        given = {name: value for name, value in params.items() if value not in (None, "", [], ())}
        if unknown := sorted(given.keys() - kind.fields.keys()):
            raise ConfigError(f"An export of {kind.name} cannot be narrowed by {', '.join(unknown)}; leave that out.")
        if "from" in given and "to" not in given and "to" in kind.fields:
            given["to"] = iso_millis(self._clock())
        if not any(set(names) <= given.keys() for names in kind.needs):
            needs = " or ".join(" and ".join(f"--{name.replace('_', '-')}" for name in names) for names in kind.needs)
            raise ConfigError(f"An export of {kind.name} needs {needs}.")
        now = self._clock() // 1000 * 1000
        jobs = [Job(kind.name, part, requested_at=now, changed_at=now) for part in _parts(kind, given)]
        return self._mirror.writer.run(lambda connection: [store.add(connection, row_of(job)) for job in jobs])

    def carry_on(
        self, ids: list[int] | None, progress: Progress = lambda *_: None, patience: Patience | None = None
    ) -> list[dict[str, Any]]:
        """Carry jobs (None: all open ones) on until they are closed; returns their rows. ``patience``: of who waits.

        Raises Unavailable if the vendor cannot be reached, ConfigError if it refuses the key.
        """
        section = self._configured()
        with self._mirror.reading() as connection:
            mine = ids if ids is not None else [row["id"] for row in store.open_jobs(connection)]
        if mine:
            from promptsync.vendors.qlara.run import ExportRun

            with self._one_at_a_time():
                self.tidy()
                run = ExportRun(self._mirror, self._loader, self._settings(section, patience), self._stopping, progress)
                asyncio.run(run.drive(frozenset(mine)))
        with self._mirror.reading() as connection:
            return store.some(connection, mine)

    def scheduled(self, kind_name: str) -> str:
        """What a schedule does: ask for what is new, with some overlap, and merge it; returns a sentence."""
        kind = self._kind(kind_name)
        with self._mirror.reading() as connection:
            opened = [job_of(row) for row in store.open_jobs(connection)]
            covered = [job_of(row) for row in store.loaded(connection, kind.name)]
        waiting = [job.id for job in opened if job.kind == kind.name and set(job.params) <= {"from", "to"}]
        ids = waiting or self.request(kind.name, _due(kind, covered, self._clock()))
        rows = self.carry_on(ids)
        bad = [row for row in rows if row["state"] != "loaded"]
        if bad:
            raise PromptsyncError(f"Export {bad[0]['id']} of {kind.name} is {bad[0]['state']}: {bad[0]['error']}")
        return f"{len(rows):,} exports of {kind.name} merged"

    def resume(self) -> str | None:
        """Carry on what is open, if anything is; returns a sentence."""
        if self._section is None or self._running.locked():
            return None
        with self._mirror.reading() as connection:
            ids = [row["id"] for row in store.open_jobs(connection)]
        return f"{len(self.carry_on(ids)):,} exports carried on" if ids else None

    def resume_by_hand(
        self,
        ids: Sequence[int],
        *,
        accept: bool,
        progress: Progress = lambda *_: None,
        patience: Patience | None = None,
    ) -> list[dict[str, Any]]:
        """Carry on what is open, and try what is held once more; returns the jobs' rows. ``ids``: only these, if any.

        ``accept``: a person has looked at what is held. Raises as ``carry_on``, and ConfigError for an unknown id.
        """
        with self._mirror.reading() as connection:
            known = {row["id"] for row in store.some(connection, ids)}
            opened = [row["id"] for row in store.open_jobs(connection) if not ids or row["id"] in ids]
        if unknown := [number for number in ids if number not in known]:
            raise ConfigError(f"There is no export {unknown[0]}; 'promptsync export list' shows them.")
        held = [job for job in self.files.held() if not ids or job.id in ids]
        for job in held:
            path = self.files.there(job) or self.files.paths(job)[0]
            self.files.load(LoadRequest(path, "load", accept=accept), progress)
        if opened:
            self.carry_on(opened, progress, patience)
        with self._mirror.reading() as connection:
            return store.some(connection, sorted({*opened, *known, *(job.id for job in held)}))

    def newest(
        self, query: Mapping[str, Any], progress: Progress = lambda *_: None, patience: Patience | None = None
    ) -> dict[str, int]:
        """Read the newest messages without an export and merge them. ``query``: ``from``, ``to`` (ISO), optional
        ``channel``, ``status``. Returns counts of rows, inserted, updated, rejected."""
        return asyncio.run(self._newest(self._settings(self._configured(), patience), query, progress))

    async def _newest(self, settings: "RunSettings", query: Mapping[str, Any], progress: Progress) -> dict[str, int]:
        from promptsync.vendors.qlara.run import ExportRun

        profile = self._profile
        source = self.files.rows(profile.kind(profile.browse_kind))
        counts = {"rows": 0, "inserted": 0, "updated": 0, "rejected": 0}
        asked = {name: _with_offset(query[name]) for name in ("from", "to")}
        asked |= {"status": query["status"]} if query.get("status") else {}
        run = ExportRun(self._mirror, self._loader, settings, self._stopping, progress)
        async with ExportClient(profile, settings.access, settings.policy, self._clock, run.pause) as client:
            for channel in (query["channel"],) if query.get("channel") else profile.channels:
                at = self._clock() // 1000 * 1000
                async for rows in client.browse({**asked, "channel": channel}):
                    report = self._loader.merge_objects(source, rows, at, profile.browse_path)
                    counts = {name: count + getattr(report, name) for name, count in counts.items()}
                    progress("merging", counts["rows"], 0)
        return counts

    def _kind(self, name: str) -> KindProfile:
        try:
            return self._profile.kind(name)
        except KeyError:
            kinds = ", ".join(kind.name for kind in self._profile.kinds)
            raise ConfigError(f"There is no export {name}; choose one of {kinds}.") from None

    def _configured(self) -> QlaraConfig:
        if self._section is None:
            raise ConfigError("There is no [qlara] section; add one with its api_key (config.example.toml shows it).")
        return self._section

    def _settings(self, section: QlaraConfig, patience: Patience | None) -> "RunSettings":
        from promptsync.vendors.qlara.run import RunSettings

        access = Access(section.base_url, section.api_key.reveal(), frozenset(section.allowed_hosts))
        policy = replace(self._policy, patience=patience or Patience())
        return RunSettings(self._profile, access, policy, self._limits, self.files, self._clock)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        while not self._running.acquire(timeout=_SECONDS_TO_NOTICE):
            if self._stopping.is_set():
                raise Unavailable("promptsync is stopping; the exports go on when it runs again.")
        try:
            yield
        finally:
            self._running.release()


def _parts(kind: KindProfile, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each job asks for: a range is cut into slices, its times get an offset."""
    if not {"from", "to"} <= given.keys():
        return [dict(given)]
    start, end = parse_iso(given["from"]), parse_iso(given["to"])
    if start >= end:
        raise ConfigError("The range ends before it begins: --from must be earlier than --to.")
    cut = slices(start, end, kind.slice_days * _DAY, kind.overlap_minutes * 60 * MICROS)
    return [{**given, "from": _offset(first), "to": _offset(last)} for first, last in cut]


def _due(kind: KindProfile, covered: list[Job], now: int) -> dict[str, str]:
    """What a schedule asks for: from where the last unfiltered export ended, less what may still have changed.

    No export covers more than what had happened when it was asked for, whatever range it names; one that was asked for
    by a clock that was ahead is not believed.
    """
    if "from" not in kind.fields:
        return {}
    whole = [job for job in covered if set(job.params) == {"from", "to"} and job.requested_at <= now]
    ends = [min(parse_iso(str(job.params["to"])), job.requested_at) for job in whole]
    start = max(ends) - kind.again_days * _DAY if ends else now - _FIRST_DAYS * _DAY
    return {"from": _offset(min(start, now - MICROS)), "to": _offset(now)}


def _with_offset(iso: str) -> str:
    return _offset(parse_iso(iso))


def _offset(micros: int) -> str:
    """ISO 8601 with an offset, as the vendor wants it."""
    return iso_millis(micros).removesuffix("Z") + "+00:00"
