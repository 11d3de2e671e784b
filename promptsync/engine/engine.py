"""One open mirror with everything that writes to it: the loader of files and the applier of events.

Owns the wiring that the daemon and the command line share, and the order in which files are loaded. Blocking: for a
worker thread or a command, never for the event loop's thread.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from promptsync.clock import CLOCKS_DIFFER, YEAR_2000, Clock, parse_iso, system_clock
from promptsync.config import Config
from promptsync.engine.built_in import load_extensions
from promptsync.engine.plugin_work import PluginWork
from promptsync.errors import FileUnavailable, InputRefused, MirrorBroken, PromptsyncError, where_raised
from promptsync.events.apply import EventApplier
from promptsync.events.merge_claims import Merged
from promptsync.events.suppression import Suppression
from promptsync.formats.limits import Limits, size_of
from promptsync.loading.decoded import row_filter
from promptsync.loading.files import FileLoader, FileReport, LoadRequest, LoadSettings
from promptsync.loading.kinds import FileKinds
from promptsync.loading.report import Recognised
from promptsync.loading.small_runs import SMALL_BYTES, runs_of_small
from promptsync.merge.guards import Guards
from promptsync.model.delivery import Delivery
from promptsync.model.file_name import OWN_MARK
from promptsync.places.entries import look_through, printable
from promptsync.plugins.loading import Extensions
from promptsync.store import ledger
from promptsync.store.inbox import import_event
from promptsync.store.mirror import Mirror
from promptsync.store.search import SearchEntry
from promptsync.store.slices import Progress
from promptsync.vendors import exports_of, type_of_path

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Imported:
    """Deliveries that were ``new``, that were ``known``, and lines that were ``refused``."""

    new: int
    known: int
    refused: list[Mapping[str, Any]]


class Engine:
    """An open mirror for writing. ``given``: plugins to load beside the enabled ones, by name.

    Raises MirrorLocked if another process writes it, MirrorFull if it cannot, ConfigError for a plugin that cannot run.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock = system_clock,
        on_fatal: Callable[[Exception], None] | None = None,
        given: Mapping[str, object] | None = None,
    ) -> None:
        self.config = config
        self.clock = clock
        self.backing_up = threading.Lock()  # one backup or drill at a time, whoever asked
        self.stopping = threading.Event()  # set to have long work on other threads end soon
        with ExitStack() as undo:
            extensions = load_extensions(config, given)
            undo.callback(extensions.close)
            self.kinds = FileKinds.of(extensions)
            # one fetch of a kind at a time, whoever asked: years of change sets do not keep the nightly files waiting
            self.fetching = {kind.name: threading.Lock() for kind in self.kinds if kind.at_place is not None}
            settings = load_settings(config, extensions, self.kinds)
            self.mirror = Mirror(config.mirror.database, extensions.schema, on_fatal, config.mirror.timezone)
            undo.callback(self.mirror.close)
            self.suppression = Suppression(self.mirror)
            self.loader = FileLoader(self.mirror, settings, clock)
            self.search = SearchEntry(self.mirror)
            self.applier = EventApplier(self.mirror, extensions.handlers, self._touched)
            self.plugins = PluginWork(extensions, self.mirror, self._touched, clock, settings.guards)
            self.exports = exports_of(config, self.mirror, clock, self.stopping)
            self.loader.clean()
            undo.pop_all()

    def reconfigure(self, config: Config) -> None:
        """Go by another configuration from now on; what was made of the one before (tables, limits, folders) stays."""
        self.config = config
        self.exports.reconfigure(config)

    def apply_next(self) -> int:
        """Apply a batch of what waits in the inbox; returns how many deliveries that were."""
        if self.plugins.applier is not None:
            return self.plugins.applier.apply_next()
        return self.applier.apply_next()

    def apply_pending(self, seconds: float = float("inf")) -> int:
        """Apply what waits in the inbox, for so long at the most; returns how many deliveries that were."""
        applied, until = 0, time.monotonic() + seconds
        while time.monotonic() < until and (done := self.apply_next()):
            applied += done
        self.search.enter_claimed()
        return applied

    def import_deliveries(self, lines: Sequence[Mapping[str, Any]]) -> Imported:
        """Store deliveries that are new, and apply them. ``lines``: with ``received_at`` (ISO), ``path``, ``body``.

        One that claims to have been received before the year 2000, or later than now as far as clocks differ, is left
        out: what it says would win for ever. Nothing comes in of people who were erased.
        """
        latest = self.clock() + CLOCKS_DIFFER
        deliveries, refused = [], []
        for line in lines:
            at = parse_iso(line["received_at"])
            if YEAR_2000 <= at <= latest:
                deliveries.append(Delivery(line["path"], line["body"], {}, at, type_of_path(line["path"])))
            else:
                refused.append(line)

        def store(connection: sqlite3.Connection) -> int:
            allowed = [self.suppression.delivery(delivery) for delivery in deliveries]
            return sum(import_event(connection, delivery) for delivery in allowed)

        new = self.mirror.writer.run(store)
        self.apply_pending()
        return Imported(new, len(deliveries) - new, refused)

    def load_file(self, request: LoadRequest, progress: Progress = lambda *_: None) -> FileReport:
        """Load one file: a nightly export, a change set, of a kind that a plugin decodes, or what an API exported.

        Raises FileUnavailable if it cannot be read, Unavailable if none can be loaded now.
        """
        request = self.kinds.at_door(request)
        if request.found is not None and request.found.mark is not None:
            return FileReport(request.path.name, "ignored", error=request.found.mark, reason=OWN_MARK)
        if self.exports.knows(request):
            return self.exports.load(request, progress)
        if request.decoder is not None:
            return self.plugins.decoded.load(request, progress)
        return self.loader.load(request, progress)

    def load_single(self, request: LoadRequest, progress: Progress = lambda *_: None) -> FileReport:
        """Load one file and enter what is new of it into full-text search. Raises as ``load_file``."""
        report = self.load_file(request, progress)
        if report.state == "merged" and report.inserted + report.updated and report.table:
            self.search.enter_missing(report.table, progress)
        return report

    def load_several(
        self, requests: Sequence[LoadRequest], ends: Callable[[FileReport | Exception], bool] = lambda _: False
    ) -> list[FileReport | Exception]:
        """Load small files together, as ``load_single`` does one: of each its report, or what that would have raised.

        ``ends``: asked of one that could not even be read with the others, whether those after it must wait; then there
        are fewer reports than requests. Raises Unavailable and MirrorBroken for what concerns them all.
        """
        requests = [self.kinds.at_door(request) for request in requests]
        raised: dict[int, Exception] = {}

        def alone(request: LoadRequest) -> FileReport:
            try:
                return self.load_file(request)
            except MirrorBroken:
                raise
            except Exception as error:  # noqa: BLE001  whoever asked for this file gets it
                report = FileReport(request.path.name)
                raised[id(report)] = error
                return report

        def outcome(report: FileReport) -> FileReport | Exception:
            return raised.get(id(report), report)

        load = self.loader.load_together if all(map(self._is_small, requests)) else _one_by_one
        reports = load(requests, alone, ends=lambda report: ends(outcome(report)))
        for table in sorted({r.table for r in reports if r.table and r.state == "merged" and r.inserted + r.updated}):
            self.search.enter_missing(table)
        return [outcome(report) for report in reports]

    def load(self, requests: Iterable[LoadRequest], progress: Progress = lambda *_: None) -> Iterator[FileReport]:
        """Load files in order, small ones together, then enter what is new into full-text search.

        What is wrong with one of them is in its report, and the others are loaded. Raises Unavailable, MirrorBroken and
        ConfigError for what concerns them all.
        """
        tables = set()
        for run in runs_of_small(map(self.kinds.at_door, requests), self._is_small):
            for report in self._load_run(run, progress):
                tables.add(report.table if report.state == "merged" else None)
                yield report
        for table in sorted(name for name in tables if name):
            self.search.enter_missing(table, progress)

    def _load_run(self, run: list[LoadRequest], progress: Progress) -> list[FileReport]:
        if len(run) == 1:
            return [self._load_one(run[0], progress)]
        return self.loader.load_together(run, lambda request: self._load_one(request, progress), progress)

    def _is_small(self, request: LoadRequest) -> bool:
        """Whether it may be loaded together with others: a snapshot or change set that is merged, and not large."""
        if request.dry_run or request.corrects or request.decoder is not None or self.exports.knows(request):
            return False
        try:
            return size_of(request.path) <= SMALL_BYTES
        except PromptsyncError:
            return False

    def _load_one(self, request: LoadRequest, progress: Progress) -> FileReport:
        name = request.path.name
        try:
            return self.load_file(request, progress)
        except (FileUnavailable, InputRefused) as error:
            return FileReport(name, error=str(error))
        except PromptsyncError:
            raise
        except Exception as error:  # noqa: BLE001  not foreseen, so it may concern this file alone
            what, where = type(error).__name__, where_raised(error)
            _log.error("file_failed", name=name, error=what, where=where)
            return FileReport(name, error=f"{name} met a fault of promptsync's ({what} in {where}); please report it.")

    def unfinished(self) -> list[LoadRequest]:
        """Files that a killed process was merging by hand and that still lie where they were; they had been judged."""
        with self.mirror.reading() as connection:
            paths = [Path(path) for path in ledger.unfinished(connection)]
        return [LoadRequest(path, "load", accept=True) for path in paths if os.path.isfile(path)]  # noqa: PTH113  never raises

    def look_through(self, paths: Iterable[Path]) -> tuple[dict[Path, Recognised], list[FileReport]]:
        """Files, and those in folders that say something, with what their names say: kind by kind, each in its order;
        names that say nothing last. And a report on each entry that is passed over, with its path as name."""
        given = look_through(paths)
        found = given.named + [path for path, size in given.files.items() if not self._is_passed_over(path, size)]
        passed = [
            FileReport(printable(str(path)), state, error=why)
            for state, entries in (("ignored", given.odd), ("failed", given.unreadable))
            for path, why in sorted(entries.items())
        ]
        recognised = {path: self.kinds.recognise(path.name) for path in found}
        return dict(sorted(recognised.items(), key=lambda one: (one[1].order, one[0].name))), passed

    def age(self, path: Path) -> tuple[Any, ...]:
        """What orders files: their kind, what a name states of an order, then the name."""
        return self.kinds.recognise(path.name).order, path.name

    def _is_passed_over(self, path: Path, size: int) -> bool:
        """Whether a file in a folder is empty where such a file says nothing, of which nothing need be said."""
        return self.kinds.is_empty(path.name, lambda: size)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Load no file meanwhile: what is being loaded is finished first. Deliveries are stored and applied."""
        with self.plugins.decoded.paused(), self.exports.paused(), self.loader.paused():
            yield

    def _touched(self, merged: Merged) -> None:
        """Events or a plugin's files claimed these rows."""
        self.loader.touched(merged)
        for (table, _), rows in merged.rows.items():
            self.search.claimed(table, (row.key for row in rows))

    def close(self) -> None:
        """Finish accepted work and close."""
        try:
            self.plugins.close()
        finally:
            self.mirror.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _one_by_one(
    requests: Sequence[LoadRequest],
    alone: Callable[[LoadRequest], FileReport],
    ends: Callable[[FileReport], bool],
) -> list[FileReport]:
    reports: list[FileReport] = []
    for request in requests:
        reports.append(alone(request))
        if ends(reports[-1]):
            break
    return reports


def load_settings(config: Config, extensions: Extensions, kinds: FileKinds) -> LoadSettings:
    """How files are judged, from the configuration, and filtered, by plugins."""
    guards = Guards(config.load.min_rows_share, config.load.max_bad_rows_share)
    limits = Limits(max_raw_bytes=config.load.max_raw_bytes, max_ratio=int(config.load.max_ratio))
    leave_out = {table: columns for kind in kinds for table, columns in kind.leave_out.items()}
    return LoadSettings(config.mirror.timezone, guards, limits, row_filter(extensions.plugins), leave_out)
