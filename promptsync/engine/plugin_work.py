"""What the enabled plugins do around an open mirror.

Owns the wiring of plugins to the mirror: deliveries and files that they take part in, observers and their threads,
sources, and what is on record of them.
"""

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from promptsync.clock import Clock, iso_millis
from promptsync.engine.built_in import Extensions
from promptsync.errors import MirrorBroken, PromptsyncError, Unavailable
from promptsync.events.merge_claims import Merged
from promptsync.events.plugin_apply import PluginApplier, take_part
from promptsync.loading.decoded import DecodedLoader
from promptsync.merge.guards import Guards
from promptsync.plugins.declared import ReadOnly, Source
from promptsync.plugins.loading import Plugin
from promptsync.plugins.observing import IDLE_SECONDS, Told
from promptsync.store import changes
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane

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
        """Take out of a queue what has been told."""
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
        self.told = [Told(q, o, p.calls, log, self.reading) for q, p, o in extensions.observers()]
        self._threads: list[threading.Thread] = []
        watches = [changes.Watch(queue, observer.tables) for queue, _, observer in extensions.observers()]
        mirror.writer.run(lambda connection: changes.watch(connection, extensions.schema, watches))
        mirror.writer.run(changes.clear_troubles)
        for plugin in extensions.plugins:
            plugin.calls.told = self._recorder(plugin.name, clock)

    def start(self) -> None:
        """Begin to tell the observers that have no schedule, each on a thread of its own."""
        for told in self.told:
            if told.observer.schedule is None:
                thread = threading.Thread(target=self._tell, args=(told,), name=f"tell-{told.queue}", daemon=True)
                self._threads.append(thread)
                thread.start()

    def tell(self, told: Told) -> str | None:
        """Tell an observer everything that waits, as its schedule says."""
        batches = told.all(lambda seconds: not self.stopping.wait(seconds))
        if told.failures:
            raise Unavailable(f"plugin {told.calls.plugin}: {told.calls.error}")
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

    def _tell(self, told: Told) -> None:
        delay = 0.0
        while not self.stopping.wait(delay):
            try:
                delay = told.step()
            except MirrorBroken:
                return
            except PromptsyncError:
                delay = IDLE_SECONDS * 2
            except Exception as error:  # noqa: BLE001  one observer must not stop the daemon
                _log.warning("observer_failed", observer=told.queue, error=type(error).__name__)
                delay = IDLE_SECONDS * 10

    def _recorder(self, plugin: str, clock: Clock) -> Callable[[str | None], None]:
        def record(why: str | None) -> None:
            at = iso_millis(clock())
            with contextlib.suppress(PromptsyncError):  # closing, or broken: said elsewhere
                self.mirror.writer.submit(lambda c: changes.put_trouble(c, plugin, why, at), Lane.IDLE)

        return record
