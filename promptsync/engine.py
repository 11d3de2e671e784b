"""One open mirror with everything that writes to it: the loader of files and the applier of events.

Owns the wiring that the daemon and the command line share, and the order in which files are loaded. Blocking: for a
worker thread or a command, never for the event loop's thread.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from promptsync.clock import Clock, system_clock
from promptsync.config import Config
from promptsync.errors import InputRefused
from promptsync.formats.limits import Limits
from promptsync.formats.names import parse_name
from promptsync.ingest.events import EventApplier
from promptsync.ingest.files import FileLoader, FileReport, LoadRequest, LoadSettings
from promptsync.ingest.snapshot_merge import Progress
from promptsync.merge.guards import Guards
from promptsync.model import declared_schema
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane


class Engine:
    """An open mirror for writing. Raises MirrorLocked if another process writes it, MirrorFull if it cannot."""

    def __init__(
        self, config: Config, clock: Clock = system_clock, on_fatal: Callable[[Exception], None] | None = None
    ) -> None:
        self.config = config
        self.clock = clock
        self.mirror = Mirror(config.mirror.database, declared_schema(), on_fatal)
        self.loader = FileLoader(self.mirror, load_settings(config), clock)
        self.applier = EventApplier(self.mirror, touched=self.loader.touched)
        self.loader.clean()

    def apply_pending(self) -> int:
        """Apply everything that waits in the inbox; returns how many deliveries that were."""
        applied = 0
        while done := self.mirror.writer.run(self.applier.apply_some, Lane.APPLY):
            applied += done
        return applied

    def load(self, requests: Iterable[LoadRequest], progress: Progress = lambda *_: None) -> Iterator[FileReport]:
        """Load files one after the other, then enter what is new into full-text search."""
        tables = set()
        for request in requests:
            report = self.loader.load(request, progress)
            tables.add(report.table if report.state == "merged" else None)
            yield report
        for table in sorted(name for name in tables if name):
            self.loader.enter_search(table, progress)

    def in_order(self, paths: Iterable[Path]) -> list[Path]:
        """Files, and those in folders, oldest snapshot first; names that say nothing last."""
        found: list[Path] = []
        for path in paths:
            found += [inner for inner in path.rglob("*") if _is_visible(inner, path)] if path.is_dir() else [path]
        return sorted(found, key=self.age)

    def age(self, path: Path) -> tuple[int, str]:
        """What orders files: the instant that a name states, then the name."""
        try:
            return parse_name(path.name, self.mirror.schema.nightly, self.config.mirror.timezone).as_of, path.name
        except InputRefused:
            return 1 << 62, path.name

    def close(self) -> None:
        """Finish accepted work and close."""
        self.mirror.close()

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load_settings(config: Config) -> LoadSettings:
    """How files are judged, from the configuration."""
    guards = Guards(config.load.min_rows_share, config.load.max_bad_rows_share)
    limits = Limits(max_raw_bytes=config.load.max_raw_bytes, max_ratio=int(config.load.max_ratio))
    return LoadSettings(config.mirror.timezone, guards, limits)


def _is_visible(path: Path, below: Path) -> bool:
    parts = path.relative_to(below).parts
    return path.is_file() and not path.is_symlink() and not any(part.startswith(".") for part in parts)
