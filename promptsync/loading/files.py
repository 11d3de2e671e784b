"""Files, one at a time or small ones together: loading them, and what has to be done around it.

Owns the turn of each file, what events touch while one is being merged, and leftovers. What reads and merges files is
imported with the first of them, since a daemon may go without one all day. Blocking, for a worker thread.
"""

import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from promptsync.clock import Clock
from promptsync.errors import Unavailable
from promptsync.events.merge_claims import Merged
from promptsync.formats.limits import size_of
from promptsync.loading.load import log
from promptsync.loading.report import DROP, FileReport, LoadRequest, LoadSettings
from promptsync.merge.guards import LATEST_AHEAD
from promptsync.model import Key
from promptsync.model.file_name import ChangeSetName
from promptsync.store import spelling_counts
from promptsync.store.mirror import Mirror
from promptsync.store.repair import Repaired, Reset, repair, reset_table
from promptsync.store.slices import Progress
from promptsync.store.writer import Lane

if TYPE_CHECKING:
    from promptsync.loading.small_files import SmallFile

__all__ = ["FileLoader", "FileReport", "LoadRequest", "LoadSettings"]

_ROWS_AT_ONCE = 20_000
"""Of small files, kept in memory until they are merged."""
_LARGE = 1 << 20


class FileLoader:
    """Loads snapshots and change sets into one mirror."""

    def __init__(self, mirror: Mirror, settings: LoadSettings, clock: Clock) -> None:
        self._mirror = mirror
        self._settings = settings
        self._clock = clock
        self._one_at_a_time = threading.RLock()
        self._merging: tuple[str, int] | None = None
        self._touched: dict[Key, int] = {}
        self._stopped = threading.Event()

    def touched(self, merged: Merged) -> None:
        """Events claimed these rows: what is being merged from a file looks at them again before it is done.

        On the writer's thread, in the transaction that writes them.
        """
        if self._merging is not None:
            for row in merged.rows.get(self._merging, ()):
                self._touched[row.key] = min(*row.times(), self._touched.get(row.key, row.seen))

    def load(self, request: LoadRequest, progress: Progress = lambda *_: None) -> FileReport:
        """Load one file whose name has been recognised. Raises Unavailable if the machine, not the file, stands in the
        way."""

        def unless_stopped(step: str, done: int, total: int) -> None:
            self._refuse_stopped(request)
            progress(step, done, total)

        from promptsync.loading.change_set import ChangeSetLoad
        from promptsync.loading.snapshot import FileLoad
        from promptsync.store.staging import WORTH, give_back

        settings = self._settings_for(request)
        with self._one_at_a_time:
            if isinstance(request.stated, ChangeSetName):
                return ChangeSetLoad(self._mirror, settings, request, unless_stopped).run(self._clock)
            report = FileLoad(self._mirror, settings, request, self._watch, unless_stopped).run(self._clock)
            give_back(report.rows if report.state == "merged" and not _is_large(request.path) else WORTH)
            if report.state == "merged" and report.table:
                self._count_spellings(request, report.table, settings)
            return report

    def load_together(
        self,
        requests: Sequence[LoadRequest],
        alone: Callable[[LoadRequest], FileReport],
        progress: Progress = lambda *_: None,
        ends: Callable[[FileReport], bool] = lambda _: False,
    ) -> list[FileReport]:
        """Load small files, in few transactions. ``alone``: loads one of them as ``load`` does, and answers for it.

        ``ends``: asked of one that could not even be read with the others, whether those after it must wait; then the
        reports end with it. When this returns all that are reported are on disk. Raises Unavailable if the machine, not
        a file, stands in the way; what was merged until then is known when they are loaded again.
        """
        with self._one_at_a_time:
            return self._load_together(requests, alone, progress, ends)

    def _load_together(
        self,
        requests: Sequence[LoadRequest],
        alone: Callable[[LoadRequest], FileReport],
        progress: Progress,
        ends: Callable[[FileReport], bool],
    ) -> list[FileReport]:
        from promptsync.loading.small_files import LoadAlone, SmallRun

        reports: dict[int, FileReport] = {}
        waiting: dict[SmallFile, int] = {}

        def load_alone(file: "SmallFile") -> None:
            place = waiting.pop(file)
            reports[place] = alone(requests[place])

        def merge() -> None:
            if waiting:
                SmallRun(self._mirror, load_alone).merge(list(waiting))
                self._tell_merged(waiting)
                reports.update((place, file.report) for file, place in waiting.items())
                waiting.clear()

        rows = 0
        for place, request in enumerate(requests):
            progress("reading small files", place, len(requests))
            try:
                file = self._small(request)
            except LoadAlone:
                merge()
                reports[place] = alone(request)
                if ends(reports[place]):
                    break
                continue
            waiting[file] = place
            rows += len(file.rows)
            if rows > _ROWS_AT_ONCE:
                merge()
                rows = 0
        merge()
        return [reports[place] for place in range(len(reports))]

    def _small(self, request: LoadRequest) -> "SmallFile":
        """A small file, read. Raises LoadAlone."""
        from promptsync.loading.small_files import SmallChangeSet, SmallSnapshot

        self._refuse_stopped(request)
        settings = self._settings_for(request)
        if isinstance(request.stated, ChangeSetName):
            changes = SmallChangeSet(self._mirror, settings, request, lambda *_: None)
            changes.prepare(self._clock)
            return changes
        snapshot = SmallSnapshot(self._mirror, settings, request, self._watch, lambda *_: None)
        snapshot.prepare(self._clock)
        return snapshot

    def _tell_merged(self, files: Iterable["SmallFile"]) -> None:
        from promptsync.loading.small_files import SmallSnapshot

        spelled: dict[str, Counter[str]] = {}
        for file in files:
            log(file.report)
            if isinstance(file, SmallSnapshot):
                for kind, forms in file.spelled.items():
                    spelled.setdefault(kind, Counter()).update(forms)
        self._note(spelled)

    def reset(self, table: str, progress: Progress = lambda *_: None) -> Reset:
        """Empty a table that change sets fill. Raises Unavailable when promptsync is stopping."""

        def unless_stopped(step: str, done: int, total: int) -> None:
            if self._stopped.is_set():
                raise Unavailable(f"promptsync is stopping; reset {table} again after its next start.")
            progress(step, done, total)

        with self._one_at_a_time:
            return reset_table(self._mirror, table, unless_stopped)

    def repair(self, progress: Progress = lambda *_: None) -> Repaired:
        """Take back what was dated more than a day ahead of the clock; deliveries are then to be applied again."""
        now = self._clock()
        with self._one_at_a_time:
            return repair(self._mirror, now, now + LATEST_AHEAD, progress)

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """No file is being loaded meanwhile: those that come wait."""
        with self._one_at_a_time:
            yield

    def stop(self) -> None:
        """Drop the file at hand: nothing is lost, it is loaded again."""
        self._stopped.set()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Load nothing meanwhile: what is being loaded is finished first."""
        with self._one_at_a_time:
            yield

    def clean(self) -> None:
        """Remove staging files that a killed process left."""
        for leftover in (self._mirror.folder / "staging").glob("*"):
            leftover.unlink(missing_ok=True)

    def _refuse_stopped(self, request: LoadRequest) -> None:
        if self._stopped.is_set():
            raise Unavailable(f"promptsync is stopping; {request.path.name} is loaded at the next start.")

    def _count_spellings(self, request: LoadRequest, table: str, settings: LoadSettings) -> None:
        """Note how the file spells what its vendor does not say."""
        from promptsync.loading.spellings import forms_of

        self._note(forms_of(request.path, self._mirror.schema[table], settings.zone, settings.limits))

    def _note(self, found: Mapping[str, Mapping[str, int]]) -> None:
        def note(connection: sqlite3.Connection) -> None:
            for kind, forms in found.items():
                spelling_counts.add(connection, kind, forms)

        if any(found.values()):
            self._mirror.writer.run(note, Lane.IDLE, durable=False)

    def _settings_for(self, request: LoadRequest) -> LoadSettings:
        """Whoever may write to the drop folder can swap a file for a link at any moment: there none is followed."""
        limits = replace(self._settings.limits, links=request.source != DROP, accept=request.accept)
        return replace(self._settings, limits=limits)

    def _watch(self, merging: tuple[str, int] | None) -> dict[Key, int]:
        """From now on note which rows of a table and organization events claim, with the oldest time they speak of.

        Begun on the writer's thread, between two transactions: what was written before can be read by then, what is
        written later is noted. In the midst of one, its rows would be neither.
        """
        if merging is None:
            self._merging = None
            return {}

        def begin(_connection: sqlite3.Connection) -> dict[Key, int]:
            self._touched, self._merging = {}, merging
            return self._touched

        return self._mirror.writer.run(begin, bare=True)


def _is_large(path: Path) -> bool:
    """Whether reading it may have filled memory, however few rows it has."""
    try:
        return size_of(path) > _LARGE
    except Unavailable:
        return False
