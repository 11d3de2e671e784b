"""What the enabled plugins do around an open mirror.

Owns the wiring of plugins to the mirror: deliveries and files that they take part in, sources, what is on record of
them, and their observers, who hear of changes at least once, and again with growing delay until they take them. Each
observer is called from a thread of its own: read its queue, call it, then take out what it has heard of.
"""

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import structlog

from promptsync.clock import Clock, iso_millis
from promptsync.errors import MirrorBroken, PromptsyncError, Unavailable
from promptsync.events.merge_claims import Merged
from promptsync.events.plugin_apply import PluginApplier, take_part
from promptsync.loading.decoded import DecodedLoader
from promptsync.merge.guards import Guards
from promptsync.plugins.calls import Calls, PluginFailed
from promptsync.plugins.declared import Change, Observer, ReadOnly, Source
from promptsync.plugins.loading import Extensions, Plugin
from promptsync.store import changes
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane

IDLE_SECONDS = 0.5
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 300.0


class ChangeLog(Protocol):
    """The queues of changes."""

    def waiting(self, observer: str, limit: int) -> list[tuple[int, str, tuple[Any, ...], int | None]]:
        """The next changes of a queue: (seq, table, key, revision)."""

    def forget(self, observer: str, last: int, revision: int | None) -> None:
        """The changes up to ``last`` are done with."""


@dataclass(slots=True)
class ObserverQueue:
    """One observer on its way through its queue. ``name``: of the queue."""

    name: str
    observer: Observer
    calls: Calls
    log: ChangeLog
    mirror: ReadOnly
    failures: int = 0

    def step(self) -> float:
        """Hand over the next changes. Returns the seconds to wait before the next step: 0 if more may be waiting."""
        if self.calls.pause:
            return min(self.calls.pause, IDLE_SECONDS * 10)
        found = self.log.waiting(self.name, self.observer.batch)
        if not found:
            return IDLE_SECONDS
        changes = list({(table, key): Change(table, key, rev) for _, table, key, rev in found}.values())
        try:
            self.calls.one("observers", self.observer.told, changes, self.mirror, limit=self.observer.limit)
        except PluginFailed:
            self.failures += 1
            return float(min(_FIRST_DELAY * 2 ** (self.failures - 1), _LONGEST_DELAY))
        self.failures = 0
        self.log.forget(self.name, found[-1][0], max((rev for *_, rev in found if rev is not None), default=None))
        return 0.0

    def all(self, wait: Callable[[float], bool]) -> int:
        """Hand over all that waits; ``wait`` sleeps and returns whether to go on. Returns how many batches."""
        batches = 0
        while (delay := self.step()) != IDLE_SECONDS or self.failures:
            batches += delay == 0.0
            if delay and (self.calls.pause or not wait(delay)):
                break
        return batches


_log = structlog.get_logger()
_JOIN_SECONDS = 1.0


class StoredChanges:
    """The queues of changes, in the mirror."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def waiting(self, observer: str, limit: int) -> list[tuple[int, str, tuple[Any, ...], int | None]]:
        """The next changes of a queue."""
        with self._mirror.reading() as connection:
            return changes.waiting(connection, observer, limit)

    def forget(self, observer: str, last: int, revision: int | None) -> None:
        """Take out of a queue what its observer has heard of."""
        self._mirror.writer.run(
            lambda connection: changes.forget(connection, observer, last, revision), Lane.BULK, durable=False
        )


class PluginWork:
    """The enabled plugins at work. ``applier``: of deliveries, None if no plugin takes part in them."""

    def __init__(
        self,
        extensions: Extensions,
        mirror: Mirror,
        touched: Callable[[Merged], None],
        clock: Clock,
        guards: Guards,
    ) -> None:
        self.extensions = extensions
        self.mirror = mirror
        self.reading = ReadOnly(mirror.reading_apart)
        self.applier = PluginApplier(mirror, extensions, touched) if take_part(extensions) else None
        self.decoded = DecodedLoader(mirror, extensions, (clock, guards), touched)
        self.stopping = threading.Event()
        log = StoredChanges(mirror)
        self.queues = [ObserverQueue(q, o, p.calls, log, self.reading) for q, p, o in extensions.observers()]
        self._threads: list[threading.Thread] = []
        watches = [changes.Watch(queue, observer.tables) for queue, _, observer in extensions.observers()]
        mirror.writer.run(lambda connection: changes.watch(connection, extensions.schema, watches))
        mirror.writer.run(changes.clear_troubles)
        for plugin in extensions.plugins:
            plugin.calls.report = self._recorder(plugin.name, clock)

    def start(self) -> None:
        """Begin to tell the observers that have no schedule, each on a thread of its own."""
        for queue in self.queues:
            if queue.observer.schedule is None:
                thread = threading.Thread(target=self._tell, args=(queue,), name=f"tell-{queue.name}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def tell(self, queue: ObserverQueue) -> str | None:
        """Tell an observer everything that waits, as its schedule says."""
        batches = queue.all(lambda seconds: not self.stopping.wait(seconds))
        if queue.failures:
            raise Unavailable(f"plugin {queue.calls.plugin}: {queue.calls.error}")
        return f"{batches:,} batches told" if batches else None

    def fetch(self, plugin: Plugin, source: Source, drop: Path) -> str | None:
        """Have a source fetch, and put what it leaves into the drop folder, below the plugin's name."""
        target = drop / plugin.name
        target.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".fetching-", dir=target))
        try:
            plugin.calls.one("sources", source.fetch, folder, limit=source.limit)
            files = sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
            for path in files:
                path.replace(target / path.name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return f"{len(files):,} files fetched" if files else None

    def close(self) -> None:
        """Tell nobody any more and call no plugin."""
        self.stopping.set()
        self.extensions.close()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def _tell(self, queue: ObserverQueue) -> None:
        delay = 0.0
        while not self.stopping.wait(delay):
            try:
                delay = queue.step()
            except MirrorBroken:
                return
            except PromptsyncError:
                delay = IDLE_SECONDS * 2
            except Exception as error:  # noqa: BLE001  one observer must not stop the daemon
                _log.warning("observer_failed", observer=queue.name, error=type(error).__name__)
                delay = IDLE_SECONDS * 10

    def _recorder(self, plugin: str, clock: Clock) -> Callable[[str | None], None]:
        def record(why: str | None) -> None:
            at = iso_millis(clock())
            with contextlib.suppress(PromptsyncError):  # closing, or broken: said elsewhere
                self.mirror.writer.submit(lambda c: changes.put_trouble(c, plugin, why, at), Lane.IDLE)

        return record
