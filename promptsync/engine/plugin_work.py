"""What the enabled plugins do around an open mirror.

Owns the wiring of plugins to the mirror: deliveries and files that they take part in, sources, what is on record of
them, and their observers, who are called with changes at least once, and again with growing delay until they take them.
Each observer is called from a thread of its own: read its queue, call it, then take out what it was called with.
"""

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Protocol

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
from promptsync.plugins.patience import Trouble
from promptsync.store import changes, plugin_state
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane

IDLE_SECONDS = 0.5
_HOOK: Final = "observers"
_SOURCES: Final = "sources"


class ChangeLog(Protocol):
    """The queues of changes."""

    def waiting(self, observer: str, limit: int) -> list[tuple[int, str, tuple[Any, ...], int | None]]:
        """The next changes of a queue: (seq, table, key, revision)."""

    def forget(self, observer: str, last: int, revision: int | None) -> None:
        """The changes up to ``last`` are done with."""


@dataclass(slots=True)
class ObserverQueue:
    """One observer on its way through its queue. ``name``: of the queue; ``error``: of the last call that failed."""

    name: str
    observer: Observer
    calls: Calls
    log: ChangeLog
    mirror: ReadOnly
    error: PluginFailed | None = None

    @property
    def failures(self) -> int:
        """How often in a row it has failed up to now."""
        return self.calls.failures(_HOOK, self.observer.name)

    @property
    def wait(self) -> float:
        """Seconds until it is called again after a failure; 0 if it can be called."""
        return self.calls.wait(_HOOK, self.observer.name)

    def step(self, *, now: bool = False) -> float:
        """Hand over the next changes. Returns the seconds to wait before the next step: 0 if more may be waiting.

        ``now``: even if it has failed and should wait.
        """
        if self.wait and not now:
            return min(self.wait, IDLE_SECONDS * 10)
        found = self.log.waiting(self.name, self.observer.batch)
        if not found:
            return IDLE_SECONDS
        changes = list({(table, key): Change(table, key, rev) for _, table, key, rev in found}.values())
        try:
            on_change, limit = self.observer.on_change, self.observer.limit
            self.calls.one(_HOOK, on_change, changes, self.mirror, limit=limit, name=self.observer.name, now=now)
        except PluginFailed as error:
            self.error = error
            return max(self.wait, IDLE_SECONDS)
        self.log.forget(self.name, found[-1][0], max((rev for *_, rev in found if rev is not None), default=None))
        return 0.0

    def all(self, go_on: Callable[[], bool] = lambda: True, *, now: bool = False) -> int:
        """Hand over all that waits, up to the first failure. Returns how many batches. ``now`` as for ``step``."""
        batches = 0
        while go_on() and self.step(now=now) == 0.0:
            batches += 1
        return batches


_log = structlog.get_logger()
_JOIN_SECONDS = 1.0
_ABOUT = 1.0  # seconds by which a run may come early
_RECORD_EVERY = 600.0  # seconds between two records of a source that had nothing


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
        self._recorded: dict[str, float] = {}
        watches = [changes.Watch(queue, observer.tables) for queue, _, observer in extensions.observers()]
        mirror.writer.run(lambda connection: changes.watch(connection, extensions.schema, watches))
        mirror.writer.run(plugin_state.clear_troubles)
        mirror.writer.run(
            lambda connection: plugin_state.put_loaded(connection, [_facts(p) for p in extensions.plugins])
        )
        for plugin in extensions.plugins:
            plugin.calls.report = self._recorder(plugin.name, clock)

    def start(self) -> None:
        """Begin to call the observers that have no schedule, each on a thread of its own."""
        for queue in self.queues:
            if queue.observer.schedule is None:
                thread = threading.Thread(target=self._tell, args=(queue,), name=f"tell-{queue.name}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def tell(self, queue: ObserverQueue) -> str | None:
        """Call an observer with everything that waits, as its schedule says."""
        if queue.wait:
            return None
        batches = queue.all(lambda: not self.stopping.is_set())
        if queue.failures:
            raise Unavailable(f"plugin {queue.name} failed {queue.failures:,} times in a row ({queue.calls.error})")
        return f"{batches:,} batches handed over" if batches else None

    def source(self, plugin: str, name: str) -> tuple[Plugin, Source] | None:
        """A source by its plugin's name and its own; None if there is none."""
        for one in self.extensions.plugins:
            for source in one.declared.sources:
                if (one.name, source.name) == (plugin, name):
                    return one, source
        return None

    def fetch(
        self,
        plugin: Plugin,
        source: Source,
        drop: Path,
        *,
        now: bool = False,
        load: Callable[[list[Path]], None] = lambda _: None,
    ) -> list[Path]:
        """Have a source fetch, and put what it leaves into the drop folder, below the plugin's name; returns where it
        is. ``now``: even if it has failed and should wait; ``load``: what is done with the files before.

        Raises PluginFailed, PluginPaused.
        """
        target = drop / plugin.name
        target.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".fetching-", dir=target))
        try:
            plugin.calls.one(_SOURCES, source.fetch, folder, limit=source.limit, name=source.name, now=now)
            files = sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
            load(files)
            return [path.replace(target / path.name) for path in files]
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def scheduled(self, plugin: Plugin, source: Source, drop: Path) -> str | None:
        """Have a source fetch, as its schedule says. Returns a sentence for the record, None if it has failed and
        should wait. Raises Unavailable if it fails."""
        if plugin.calls.wait(_SOURCES, source.name) > _ABOUT:
            return None
        try:
            files = self.fetch(plugin, source, drop, now=True)
        except PluginFailed as error:
            raise Unavailable(str(error)) from error
        at, name = time.monotonic(), f"{plugin.name}.{source.name}"
        if not files and at - self._recorded.get(name, -_RECORD_EVERY) < _RECORD_EVERY:
            return None
        self._recorded[name] = at
        return f"{len(files):,} files fetched"

    def close(self) -> None:
        """Call no observer and no plugin any more."""
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

    def _recorder(self, plugin: str, clock: Clock) -> Callable[[str, Trouble | None], None]:
        def record(part: str, trouble: Trouble | None) -> None:
            facts = None if trouble is None else asdict(trouble) | {"plugin": plugin, "since": iso_millis(clock())}
            with contextlib.suppress(PromptsyncError):  # closing, or broken: said elsewhere
                self.mirror.writer.submit(lambda c: plugin_state.put_trouble(c, f"{plugin}.{part}", facts), Lane.IDLE)

        return record


def _facts(plugin: Plugin) -> dict[str, Any]:
    """What the mirror's record says of a loaded plugin."""
    declared = plugin.declared
    return {
        "name": plugin.name,
        "sources": [source.name for source in declared.sources],
        "observers": [observer.name for observer in declared.observers],
        "file_kinds": [kind.name for kind in declared.file_kinds],
        "pages": [page.path for page in declared.pages],
    }
