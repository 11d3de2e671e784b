"""Fetching nightly exports from where they lie: places, ledger and loader put together.

Owns the run of one source: list, compare, download oldest first, load, record. What a place is, what is new and how one
file is downloaded are decided in sources/places; how a file is merged, by the loader. Blocking: each run has a thread
and an event loop of its own, so that neither a slow server nor a slow disk holds up the daemon's.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog

from promptsync.clock import MICROS, iso_millis
from promptsync.engine import Engine
from promptsync.errors import ConfigError, InputRefused, MirrorBroken, MirrorFull, PromptsyncError, Unavailable
from promptsync.fetch_sources import Source, expected_files, place_settings
from promptsync.formats.names import FileName, parse_name
from promptsync.ingest.files import FileReport, LoadRequest
from promptsync.sources.places.download import Bounds, download, with_retries
from promptsync.sources.places.incoming import Incoming
from promptsync.sources.places.opening import open_place
from promptsync.sources.places.place import Item, Place
from promptsync.sources.places.plan import Plan, Wish, make_plan
from promptsync.sources.places.web import is_pattern
from promptsync.sources.safe_http import Gone
from promptsync.store import ledger, place_ledger

_log = structlog.get_logger()
_LOOK_UP: Final = 0.25
Emit = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class FetchReport:
    """What came of one source. ``listed``, ``new``, ...: numbers of files. ``files``: the ledger's row of each loaded.

    ``error``: why the source as a whole ended early, with the error's type as ``error_type``; None if it did not.
    """

    source: str
    listed: int = 0
    new: int = 0
    loaded: int = 0
    held: int = 0
    failed: int = 0
    gone: int = 0
    strangers: int = 0
    seconds: float = 0.0
    error: str | None = None
    error_type: str | None = None
    retryable: bool = False
    files: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def sentence(self) -> str:
        """For the record of runs."""
        done = f"{self.listed:,} files there, {self.new:,} new, {self.loaded:,} loaded"
        rest = [f"{count:,} {word}" for word in ("held", "failed", "gone") if (count := getattr(self, word))]
        return ", ".join((done, *rest)) + "."


@dataclass(frozen=True, slots=True)
class FetchSettings:
    """``settle``: seconds that a file must have been left alone, where half-written ones can be seen."""

    bounds: Bounds = field(default_factory=Bounds)
    settle: float = 10.0


def settings_of(engine: Engine) -> FetchSettings:
    """The bounds of downloads, from the configuration."""
    return FetchSettings(Bounds(most=engine.config.load.max_raw_bytes))


def fetch_source(
    engine: Engine,
    source: Source,
    wish: Wish = Wish(),  # noqa: B008  immutable
    emit: Emit = lambda _: None,
    settings: FetchSettings | None = None,
) -> FetchReport:
    """Fetch what is new at a source and load it. Emits ``progress`` and ``file``. Not for the event loop's thread.

    What is wrong with the place, or with a file of it, is in the report. Raises MirrorBroken, and Unavailable when
    promptsync is stopping.
    """
    with engine.fetching:
        run = _Run(engine, source, wish, emit, settings or settings_of(engine))
        return asyncio.run(_unless_stopped(run.run(), engine.stopping))


def record_run(engine: Engine, source: Source, report: FetchReport, started: str) -> None:
    """Write a run made by hand into sync_run, as the schedule does with its own. ``started``: ISO."""
    outcome = "done" if report.error is None else "problem" if report.retryable else "failed"
    row = {"task": source.task, "started_at": started, "finished_at": iso_millis(engine.clock())}
    row |= {"outcome": outcome, "message": report.error or report.sentence()}
    engine.mirror.writer.run(lambda connection: ledger.insert(connection, "sync_run", row))


class _Run:
    """One run of one source."""

    def __init__(self, engine: Engine, source: Source, wish: Wish, emit: Emit, settings: FetchSettings) -> None:
        self._engine = engine
        self._source = source
        self._wish = wish
        self._emit = emit
        self._settings = settings
        self._incoming = Incoming(engine.mirror.folder / "incoming")
        self._report = FetchReport(source.name)
        self._strikes = 0

    async def run(self) -> FetchReport:
        started = time.perf_counter()
        report = self._report
        try:
            self._incoming.sweep(self._engine.clock())
            self._incoming.drop(self._write(place_ledger.settle_held, self._source.name))
            async with open_place(place_settings(self._source.config, self._expected())) as place:
                plan = await self._survey(place)
                for number, (item, name) in enumerate(plan.fetch):
                    self._emit({"progress": ["fetching files", number, len(plan.fetch)]})
                    await self._one(place, item, name)
        except MirrorBroken:
            raise
        except PromptsyncError as error:
            report.error, report.error_type, report.retryable = str(error), type(error).__name__, error.retryable
        report.seconds = round(time.perf_counter() - started, 3)
        _log.info("fetched", **{k: v for k, v in asdict(report).items() if k not in ("files", "problems")})
        return report

    async def _survey(self, place: Place) -> Plan[FileName]:
        """List, compare, and write down what was seen before anything is fetched."""
        items, plan = await self._look(place)
        now = self._engine.clock()
        newest = max((item.modified or 0 for item, _ in plan.new), default=0)
        if place.settles and newest > now - self._settings.settle * MICROS:
            before = {item.key: item.tag for item in items}
            await asyncio.sleep(self._settings.settle)
            items, plan = await self._look(place)
            plan.leave([item.key for item, _ in plan.new if before.get(item.key) != item.tag])
        self._report.listed, self._report.new = len(items), len(plan.new)
        self._report.strangers = len(plan.strangers)
        self._write(_note, self._source.name, plan, iso_millis(now))
        return plan

    async def _look(self, place: Place) -> tuple[list[Item], Plan[FileName]]:
        items = await with_retries(place.items, self._settings.bounds)
        with self._engine.mirror.reading() as connection:
            known = place_ledger.known(connection, self._source.name)
        complete = not is_pattern(self._source.config.location)
        return items, make_plan(items, known, self._parse, self._wish, complete=complete)

    async def _one(self, place: Place, item: Item, name: FileName) -> None:
        """One file, to its end. Raises what concerns the whole source."""
        where = (self._source.name, item.key)
        target = self._incoming.target(where, item)
        try:
            if not self._incoming.has(target, item):
                await download(place, item, target, self._settings.bounds, self._progress(item))
        except MirrorFull:
            raise
        except Unavailable as error:
            self._tried(where, item, "waiting", error)
            self._strikes += 1
            if self._strikes > 1:  # two files in a row: it is the place
                raise
            return
        except (Gone, InputRefused, ConfigError) as error:
            self._tried(where, item, "gone" if isinstance(error, Gone) else "failed", error)
            return
        self._strikes = 0
        self._finish(where, target, await asyncio.to_thread(self._load, target, name))

    def _load(self, target: Path, name: FileName) -> FileReport:
        def told(step: str, done: int, total: int) -> None:
            self._emit({"progress": [step, done, total]})

        (report,) = self._engine.load([LoadRequest(target, self._source.name, name)], told)
        return report

    def _finish(self, where: tuple[str, str], target: Path, loaded: FileReport) -> None:
        """Put the copy away and write down what came of it."""
        good = loaded.state in ("merged", "unchanged")
        lies = target if good else self._incoming.hold(target)
        error = None if good else f"{loaded.error} Its copy is {lies}."
        state, now = ("loaded" if good else "held"), iso_millis(self._engine.clock())
        self._write(place_ledger.note_loaded, place_ledger.Attempt(*where, state, now, error), target, lies)
        if good:
            self._incoming.drop([target])
            self._report.loaded += 1
        else:
            self._report.held += 1
        self._report.files.append(asdict(loaded) | {"error": error})
        self._emit({"file": self._report.files[-1]})

    def _tried(self, where: tuple[str, str], item: Item, state: str, error: PromptsyncError) -> None:
        now = iso_millis(self._engine.clock())
        self._write(place_ledger.note_tried, place_ledger.Attempt(*where, state, now, str(error)))
        self._report.gone += state == "gone"
        self._report.failed += state != "gone"
        self._report.problems.append(f"{item.file_name}: {error}")

    def _progress(self, item: Item) -> Callable[[int, int], None]:
        step = f"fetching {item.file_name} (bytes)"
        return lambda done, total: self._emit({"progress": [step, done, total]})

    def _expected(self) -> Any:
        engine = self._engine
        now = datetime.fromtimestamp(engine.clock() // MICROS, UTC)
        with engine.mirror.reading() as connection:
            zone, schema = engine.config.mirror.timezone, engine.mirror.schema
            return expected_files(self._source.config.location, schema, connection, zone, now)

    def _parse(self, file_name: str) -> FileName:
        return parse_name(file_name, self._engine.mirror.schema.nightly, self._engine.config.mirror.timezone)

    def _write(self, statement: Callable[..., Any], *args: Any) -> Any:
        return self._engine.mirror.writer.run(lambda connection: statement(connection, *args))


def _note(connection: Any, place: str, plan: Plan[FileName], now: str) -> None:
    """Everything that a listing says, in one transaction."""
    rows = [
        {
            "key": item.key,
            "tag": item.tag,
            "size": item.size,
            "modified_at": None if item.modified is None else iso_millis(item.modified),
            "table": name.table,
            "org_id": name.org_id or 0,
            "as_of": iso_millis(name.as_of),
        }
        for item, name in plan.new
    ]
    place_ledger.note_seen(connection, place, rows, now)
    place_ledger.note_back(connection, place, plan.back)
    place_ledger.note_gone(connection, place, plan.vanished, now)
    place_ledger.note_strangers(connection, place, plan.strangers, now)


async def _unless_stopped(work: Coroutine[Any, Any, FetchReport], stopping: threading.Event) -> FetchReport:
    """The work's result; it is cancelled, and Unavailable raised, once ``stopping`` is set."""
    task = asyncio.create_task(work)
    try:
        while not task.done():
            if stopping.is_set():
                raise Unavailable("promptsync is stopping; what is missing is fetched after its next start.")
            await asyncio.wait({task}, timeout=_LOOK_UP)
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
