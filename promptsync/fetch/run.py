"""Fetches files from their places: places, ledger and loader put together.

Owns the run of one source: list, compare, download ahead, load in order, record. What a place is, what is new and how
one file is downloaded are decided in places/; what differs between nightly exports and change sets, in
kinds.py; how a file is merged, by the loader. Blocking: each run has a thread and an event loop of its own, so
that neither a slow server nor a slow disk holds up the daemon's.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import structlog

from promptsync.clock import MICROS, iso_millis
from promptsync.engine.engine import Engine
from promptsync.errors import MirrorBroken, PromptsyncError
from promptsync.fetch.ahead import PrefetchWindow, in_order
from promptsync.fetch.expected import expected_files
from promptsync.fetch.files import Emit, FetchJob, Files, is_damaged
from promptsync.fetch.kinds import PlaceKind, kind_of
from promptsync.fetch.report import FetchReport
from promptsync.fetch.sources import Source, place_settings
from promptsync.loading.small_runs import SMALL_BYTES
from promptsync.model.file_name import TableFileName
from promptsync.places.download import Bounds, with_retries
from promptsync.places.entries import printable
from promptsync.places.incoming import Incoming
from promptsync.places.opening import open_place
from promptsync.places.patience import Patience, unless_stopped
from promptsync.places.place import Expected, Item, PassedOver, Place, is_pattern
from promptsync.places.plan import FetchOptions, Plan, make_plan
from promptsync.store import ledger, place_ledger
from promptsync.store.place_state import Listing, organizations

__all__ = ["FetchReport", "FetchSettings", "fetch_source", "record_run", "settings_of"]

_log = structlog.get_logger()
_LOOK_UP: Final = 0.25
_SLICE: Final = 200
"""Lines of the ledger in one transaction."""


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """``settle``: seconds that a file must have been left alone, where half-written ones can be seen. ``most_bytes``:
    of files on disk that are not loaded yet."""

    bounds: Bounds = field(default_factory=Bounds)
    settle: float = 10.0
    most_bytes: int = 4 << 30


def settings_of(engine: Engine) -> FetchSettings:
    """The bounds of downloads, from the configuration."""
    return FetchSettings(Bounds(most=engine.config.load.max_raw_bytes))


def fetch_source(
    engine: Engine,
    source: Source,
    options: FetchOptions = FetchOptions(),  # noqa: B008  immutable
    emit: Emit = lambda _: None,
    settings: FetchSettings | None = None,
    patience: Patience | None = None,
) -> FetchReport:
    """Fetch what is new at a source and load it. Emits ``progress`` and ``file``. Not for the event loop's thread.

    ``patience``: the caller's, perhaps shared with other sources.

    What is wrong with the place, or with a file of it, is in the report. Raises MirrorBroken, and Unavailable when
    promptsync is stopping.
    """
    with engine.fetching[source.section]:
        settings = settings or settings_of(engine)
        bounds = replace(settings.bounds, md5=source.config.check_md5, patience=patience or Patience())
        run = _Run(engine, source, options, emit, replace(settings, bounds=bounds))
        return asyncio.run(unless_stopped(run.run(), engine.stopping))


def record_run(engine: Engine, source: Source, report: FetchReport, started: str) -> None:
    """Write a run made by hand into sync_run, as the schedule does with its own. ``started``: ISO."""
    outcome = "done" if report.error is None else "problem" if report.retryable else "failed"
    row = {"task": source.task, "started_at": started, "finished_at": iso_millis(engine.clock())}
    row |= {"outcome": outcome, "message": report.error or report.sentence()}
    engine.mirror.writer.run(lambda connection: ledger.insert(connection, "sync_run", row))


class _Run:
    """One run of one source."""

    def __init__(
        self, engine: Engine, source: Source, options: FetchOptions, emit: Emit, settings: FetchSettings
    ) -> None:
        self._engine = engine
        self._source = source
        self._options = options
        self._emit = emit
        self._settings = settings
        self._bounds = settings.bounds
        self._incoming = Incoming(engine.mirror.folder / "incoming")
        self._report = FetchReport(source.name)

    async def run(self) -> FetchReport:
        started = time.perf_counter()
        report = self._report
        try:
            await self._fetch()
        except MirrorBroken:
            raise
        except PromptsyncError as error:
            report.error, report.error_type, report.retryable = str(error), type(error).__name__, error.retryable
        report.seconds = round(time.perf_counter() - started, 3)
        counts = {key: value for key, value in asdict(report).items() if key not in ("files", "problems", "notes")}
        _log.info("fetched", **counts)
        return report

    async def _fetch(self) -> None:
        kind = kind_of(self._engine, self._source)
        self._tidy_up(kind)
        async with open_place(place_settings(self._source.config, self._expected())) as place:
            plan = await self._survey(place, kind)
            job = FetchJob(
                self._engine, self._source.name, kind, self._bounds, self._incoming, self._report, self._emit
            )
            files = Files(job, place)
            await self._all(files, plan, PrefetchWindow(kind.at.downloads, self._settings.most_bytes, SMALL_BYTES))
            await files.put_away([*plan.done, *files.loaded])
            self._report_still_held()
            if files.down is not None:
                raise files.down

    def _report_still_held(self) -> None:
        with self._engine.mirror.reading() as connection:
            copies = place_ledger.held_copies(connection, self._source.name)
        self._report.add_still_held(copy.error for copy in copies)

    async def _all(self, files: Files, plan: Plan[TableFileName], window: PrefetchWindow) -> None:
        """Everything planned, to its end: downloaded ahead, loaded in order, small files that are here together."""
        planned = (((item, stated), stated.line, item.size or 0) for item, stated in plan.fetch)
        here = in_order(planned, lambda pair: files.fetch(*pair), window, lambda: files.down is None, files.is_small)

        def done_with() -> None:
            done = self._report.loaded + self._report.held
            self._emit({"progress": ["fetching files", done, len(plan.fetch)]})

        async with aclosing(here):
            done_with()
            async for run in here:
                await files.load(run, done_with)

    def _tidy_up(self, kind: PlaceKind) -> None:
        """What has changed since the last run other than at the place: copies, held files, tables skipped."""
        self._incoming.sweep(self._engine.clock())
        self._write(place_ledger.settle_held, self._source.name)
        if self._options.by_hand:
            self._want_damaged_anew(kind)
        with self._engine.mirror.reading() as connection:
            unknown = place_ledger.unknown_copies(connection, self._incoming.held())
        if unknown:
            self._write(place_ledger.note_kept, [(self._incoming.loaded_from(copy), copy) for copy in unknown])
        with self._engine.mirror.reading() as connection:
            self._incoming.drop(place_ledger.done_with(connection, self._incoming.held()))
            changed = place_ledger.skips_differ(connection, self._source.name, kind.at.skip)
        if changed:
            self._write(place_ledger.note_skips, self._source.name, kind.at.skip)

    def _want_damaged_anew(self, kind: PlaceKind) -> None:
        """Have files fetched again whose held copies are damaged, or gone."""
        with self._engine.mirror.reading() as connection:
            copies = place_ledger.held_copies(connection, self._source.name)
        wanted = [
            copy.key for copy in copies if copy.state == "held" and is_damaged(self._engine, kind, Path(copy.path))
        ]
        self._write(place_ledger.note_wanted, self._source.name, wanted)

    async def _survey(self, place: Place, kind: PlaceKind) -> Plan[TableFileName]:
        """List, compare, and write down what was seen before anything is fetched."""
        plan, vanished, passed = await self._look(place, kind)
        now = self._engine.clock()
        newest = max((item.modified or 0 for item, _ in plan.new), default=0)
        if place.settles and newest > now - self._settings.settle * MICROS:
            before = {item.key: item.tag for item, _ in plan.new}
            await asyncio.sleep(self._settings.settle)
            plan, vanished, passed = await self._look(place, kind)
            plan.leave([item.key for item, _ in plan.new if before.get(item.key) != item.tag])
        self._report.new, self._report.strangers = len(plan.new), len(plan.unrecognised)
        seen = [_seen(item, stated, kind) for item, stated in plan.new]
        self._note(place_ledger.note_seen, seen, iso_millis(now))
        self._note(place_ledger.note_back, plan.back)
        self._note(place_ledger.note_gone, vanished, iso_millis(now))
        self._write(place_ledger.note_unrecognised, self._source.name, plan.unrecognised, iso_millis(now))
        self._tell_passed_over(passed, iso_millis(now))
        return plan

    def _tell_passed_over(self, passed: Sequence[PassedOver], now: str) -> None:
        self._report.passed_over = len(passed)
        for entry in passed:
            self._report.add_problem(entry.sentence())
        names = [printable(entry.key) for entry in passed]
        self._write(place_ledger.note_passed_over, self._source.name, names, now)

    async def _look(self, place: Place, kind: PlaceKind) -> tuple[Plan[TableFileName], list[str], list[PassedOver]]:
        """The plan, the keys that are not there any more, and what could not be listed."""
        with self._engine.mirror.reading() as connection:

            async def once() -> tuple[Listing, list[PassedOver]]:
                listing, passed = Listing(connection, self._source.name), list[PassedOver]()
                self._report.own_marks = 0
                async with aclosing(place.pages(passed.append)) as pages:  # type: ignore[type-var]
                    async for page in pages:
                        self._note_marks(kind, page)
                        listing.add(item for item in page if kind.counts(item.key, item.size))
                return listing, passed

            listing, passed = await with_retries(once, self._bounds)
            self._report.listed = len(listing)
            found = listing.differences(loaded=kind.at.putting_away is not None)
            differences = ((Item(*entry), known) for entry, known in found)
            plan: Plan[TableFileName] = make_plan(differences, kind.parse, self._options, kind.at.skip)
            complete = not is_pattern(self._source.config.location)
            vanished = listing.vanished() if complete else []
            listing.close()
            hidden = tuple(entry.hides for entry in passed)
            return plan, [key for key in vanished if not any(hides(key) for hides in hidden)], passed

    def _note_marks(self, kind: PlaceKind, page: Iterable[Item]) -> None:
        for mark in filter(None, (kind.kinds.mark(item.key) for item in page)):
            self._report.own_marks += 1
            self._report.own_mark = mark

    def _note(self, statement: Callable[..., None], entries: Sequence[Any], *rest: Any) -> None:
        """Write many lines down, in slices between which deliveries get in."""
        for start in range(0, len(entries), _SLICE):
            self._write(statement, self._source.name, entries[start : start + _SLICE], *rest)

    def _expected(self) -> tuple[Expected, ...]:
        engine, location = self._engine, self._source.config.location
        with engine.mirror.reading() as connection:
            orgs = organizations(connection)
        return expected_files(location, engine.mirror.schema, orgs, engine.config.mirror.timezone, engine.clock())

    def _write(self, statement: Callable[..., Any], *args: Any) -> Any:
        return self._engine.mirror.writer.run(lambda connection: statement(connection, *args))


def _seen(item: Item, stated: TableFileName, kind: PlaceKind) -> dict[str, Any]:
    """The line of a new version in the ledger."""
    modified = None if item.modified is None else iso_millis(item.modified)
    line = {"key": item.key, "tag": item.tag, "size": item.size, "modified_at": modified}
    return line | {"state": "skipped" if stated.table in kind.at.skip else "waiting"} | stated.as_row()
