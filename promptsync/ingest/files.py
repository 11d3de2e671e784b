"""Files, one at a time: loading them, and what has to be done around it.

Owns the turn of each file, what events touch while one is being merged, leftovers, and entering rows into search.
Blocking, for a worker thread.
"""

import threading
from dataclasses import replace

from promptsync.clock import Clock
from promptsync.errors import Unavailable
from promptsync.ingest.claims import Key
from promptsync.ingest.file_report import DROP, FileReport, LoadRequest, LoadSettings
from promptsync.ingest.load_change_set import ChangeSetLoad, is_change_set
from promptsync.ingest.load_file import FileLoad
from promptsync.ingest.merge_claims import Merged
from promptsync.ingest.reset import Reset, reset_table
from promptsync.ingest.snapshot_merge import Progress
from promptsync.store import search
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane, Preempted

__all__ = ["FileLoader", "FileReport", "LoadRequest", "LoadSettings"]

_SEARCH_SLICE = 2_000


class FileLoader:
    """Loads snapshots and change sets into one mirror."""

    def __init__(self, mirror: Mirror, settings: LoadSettings, clock: Clock) -> None:
        self._mirror = mirror
        self._settings = settings
        self._clock = clock
        self._one_at_a_time = threading.Lock()
        self._merging: tuple[str, int] | None = None
        self._touched: dict[Key, int] = {}
        self._stopped = threading.Event()

    def touched(self, merged: Merged) -> None:
        """Events claimed these rows: what is being merged from a file looks at them again before it is done."""
        if self._merging is not None:
            for row in merged.rows.get(self._merging, ()):
                self._touched[row.key] = min(*row.times(), self._touched.get(row.key, row.seen))

    def load(self, request: LoadRequest, progress: Progress = lambda *_: None) -> FileReport:
        """Load one file. Raises Unavailable if the machine, not the file, stands in the way."""

        def told(step: str, done: int, total: int) -> None:
            if self._stopped.is_set():
                raise Unavailable(f"promptsync is stopping; {request.path.name} is loaded at the next start.")
            progress(step, done, total)

        settings = self._settings_for(request)
        with self._one_at_a_time:
            if is_change_set(request, settings.stems):
                return ChangeSetLoad(self._mirror, settings, request, told).run(self._clock)
            return FileLoad(self._mirror, settings, request, self._watch, told).run(self._clock)

    def reset(self, table: str, progress: Progress = lambda *_: None) -> Reset:
        """Empty a table that change sets fill. Raises Unavailable when promptsync is stopping."""

        def told(step: str, done: int, total: int) -> None:
            if self._stopped.is_set():
                raise Unavailable(f"promptsync is stopping; reset {table} again after its next start.")
            progress(step, done, total)

        with self._one_at_a_time:
            return reset_table(self._mirror, table, told)

    def stop(self) -> None:
        """Let go of the file at hand: nothing is lost, it is loaded again."""
        self._stopped.set()

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
                ids = search.missing(connection, declared, after, 10 * _SEARCH_SLICE)
            if not ids:
                break
            for start in range(0, len(ids), _SEARCH_SLICE):
                self._enter(table, ids[start : start + _SEARCH_SLICE])
            after, entered = ids[-1], entered + len(ids)
            progress("indexing", entered, 0)
        return entered

    def _settings_for(self, request: LoadRequest) -> LoadSettings:
        """Whoever may write to the drop folder can swap a file for a link at any moment: there none is followed."""
        if request.source != DROP:
            return self._settings
        return replace(self._settings, limits=replace(self._settings.limits, links=False))

    def _enter(self, table: str, ids: list[int]) -> None:
        """One slice; when a delivery comes in between, it is done again in small pieces."""
        declared = self._mirror.schema[table]
        try:
            self._mirror.writer.run(
                lambda connection: search.enter(connection, declared, ids), Lane.IDLE, durable=False, preemptible=True
            )
        except Preempted:
            for start in range(0, len(ids), 100):
                some = ids[start : start + 100]
                self._mirror.writer.run(
                    lambda connection, some=some: search.enter(connection, declared, some),  # type: ignore[misc]
                    Lane.IDLE,
                    durable=False,
                )

    def _watch(self, merging: tuple[str, int] | None) -> dict[Key, int]:
        """From now on note which rows of a table and organization events claim, with the oldest time they speak of."""
        self._touched.clear()
        self._merging = merging
        return self._touched
