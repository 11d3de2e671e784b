"""Health for machines: alive, ready, metrics.

Owns the three routes and what they say. Each part of it stands for itself: what cannot be read is named, and the rest
is said. They are served on the control socket, and on the listener only if the
configuration asks for it.
"""

import asyncio
import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

from promptsync.clock import iso_millis
from promptsync.daemon.logs import dropped_lines
from promptsync.daemon.metrics import (
    OnDemand,
    ThisProcess,
    build_metric,
    delivery_metrics,
    disk_metrics,
    mirror_metrics,
    status_metrics,
)
from promptsync.drop.folder import DropFolder
from promptsync.engine.engine import Engine
from promptsync.errors import PromptsyncError
from promptsync.status.facts import Expectations, Status
from promptsync.status.problems import LOW_DISK, NOTHING_YET, DaemonState, daemon_problems
from promptsync.status.status import read_status
from promptsync.store.ledger import keep_status
from promptsync.store.lock_holders import other_writer
from promptsync.store.pulse import Pulse
from promptsync.store.writer import Lane
from promptsync.webhook.listener import STATE

_SILENT_WRITER_SECONDS = 30.0
_LOCKED_SECONDS = 1.0  # how long a delivery waits
_REFUSED_SECONDS = 30.0  # after the last delivery that could not be stored, as long as none could since
_HEADERS = {"Server": "promptsync"}  # and not what it is made of
_UNREADABLE = (PromptsyncError, sqlite3.Error, OSError)


class Health:
    """What a running daemon says of itself. ``registry``: of what it has measured."""

    def __init__(
        self, engine: Engine, listener: web.Application, drop: DropFolder, registry: CollectorRegistry
    ) -> None:
        self._engine = engine
        self._listener = listener
        self._drop = drop
        self._registry = registry
        self._registry.register(OnDemand(self.families))
        ThisProcess(registry=registry)
        self._pulse = Pulse(engine.mirror.path)

    def reasons(self) -> list[str]:
        """Why it is not ready; empty if it is."""
        reasons = []
        now, state, writer = time.monotonic(), self._listener[STATE], self._engine.mirror.writer
        if state.stopping:
            reasons.append("stopping")
        if now - writer.last_turn > _SILENT_WRITER_SECONDS:
            reasons.append("the writer has been silent for 30 seconds")
        locked = writer.locked_for > _LOCKED_SECONDS
        if locked:
            holder = other_writer(self._engine.mirror.path)
            reasons.append(f"the mirror is locked by {holder or 'another program'}, so that deliveries are refused")
        if not locked and state.refused_at is not None and now - state.refused_at < _REFUSED_SECONDS:
            reasons.append("deliveries are refused, they cannot be stored")
        reasons += self._room()
        return reasons

    async def all_reasons(self) -> list[str]:
        """The same, and why the mirror cannot be read if it cannot."""
        reasons, silent = await asyncio.gather(asyncio.to_thread(self.reasons), self._pulse.trouble())
        return [*reasons, silent] if silent else reasons

    def _room(self) -> Iterator[str]:
        try:
            if shutil.disk_usage(self._engine.mirror.folder).free < LOW_DISK:
                yield "the disk is nearly full"
        except OSError as error:
            yield f"the data folder cannot be looked at ({error.strerror})"

    def notes(self) -> list[str]:
        """What a person should know although it is ready."""
        if self._engine.mirror.writer.wal_lost:
            name = f"{self._engine.mirror.path.name}-wal"
            return [f"{name} was deleted while the daemon runs: nothing is lost, but restart it, it is slow without."]
        return []

    def problems(self) -> list[str]:
        """What needs a person: by the mirror's state, and by the daemon's own. Pages read from the mirror what has been
        found, when, and when each place could last be looked at."""
        places: list[dict[str, str | None]] = []
        try:
            status = self.status()
            found = list(status.problems)
            places = [{"name": one.source, "last_success": one.last_success} for one in status.sources]
        except _UNREADABLE as error:
            found = [f"The mirror cannot be read ({error}); 'promptsync doctor' says more."]
        found += self._of_daemon()
        lasting = [problem for problem in found if problem != NOTHING_YET]  # a page sees for itself that it is empty
        row = {"at": iso_millis(self._engine.clock()), "problems": lasting, "places": places}
        with suppress(*_UNREADABLE):  # locked or full: that it is old says enough
            self._engine.mirror.writer.run(lambda connection: keep_status(connection, row), Lane.IDLE, durable=False)
        return found

    def _of_daemon(self) -> list[str]:
        troubles = (*(f"The daemon is not ready: {reason}." for reason in self.reasons()), *self.notes())
        return list(daemon_problems(DaemonState(runs=True, troubles=troubles), watched=True))

    def metrics(self, accepted: str) -> tuple[bytes, str]:
        """The metrics and their content type: OpenMetrics if that is ``accepted`` (an Accept header), else Prometheus'
        text."""
        encode, content_type = choose_encoder(accepted)
        return encode(self._registry), content_type

    def status(self) -> Status:
        """The mirror's own state."""
        mirror, expected = self._engine.mirror, Expectations.of(self._engine.config)
        with mirror.reading() as connection:
            return read_status(connection, mirror.schema, expected, self._engine.clock())

    def families(self) -> Iterator[Metric]:
        """Every metric that is not measured as it happens. Blocking: it reads the mirror."""
        mirror = self._engine.mirror
        yield build_metric()
        yield from delivery_metrics(self._listener[STATE])
        about = "Lines of the log that could not be written"
        yield CounterMetricFamily("promptsync_log_lines_dropped", about, dropped_lines())
        about = "Seconds for which another program has held the mirror's write lock"
        yield GaugeMetricFamily("promptsync_locked_seconds", about, mirror.writer.locked_for)
        read = [
            *_as_far_as_possible(self._of_status),
            *_as_far_as_possible(self._of_mirror),
            *_as_far_as_possible(lambda: disk_metrics(self._engine.config.mirror.database)),
        ]
        yield from (metric for metric in read if metric is not None)
        about = "1 if everything that metrics are read from could be read"
        yield GaugeMetricFamily("promptsync_readable", about, float(None not in read))
        yield GaugeMetricFamily("promptsync_drop_waiting", "Files in the drop folder", self._drop.waiting())
        yield GaugeMetricFamily("promptsync_writer_waiting", "Work that waits for the writer", mirror.writer.waiting())

    def _of_status(self) -> Iterable[Metric]:
        status = self.status()
        return status_metrics(status, len(status.problems) + len(self._of_daemon()))

    def _of_mirror(self) -> Iterable[Metric]:
        with self._engine.mirror.reading() as connection:
            return list(mirror_metrics(connection, self._engine.clock()))


def _as_far_as_possible(read: Callable[[], Iterable[Metric]]) -> Iterator[Metric | None]:
    """What can be read; last None if that is not all."""
    try:
        yield from read()
    except _UNREADABLE:
        yield None


def health_routes(health: Health) -> list[web.RouteDef]:
    """``/-/live``, ``/-/ready``, ``/-/metrics``."""

    async def live(_request: web.Request) -> web.Response:
        return web.Response(text="alive\n", headers=_HEADERS)

    async def ready(_request: web.Request) -> web.Response:
        reasons = await health.all_reasons()
        body = json.dumps({"ready": not reasons, "reasons": reasons, "notes": health.notes()}) + "\n"
        status = 503 if reasons else 200
        return web.Response(text=body, status=status, content_type="application/json", headers=_HEADERS)

    async def metrics(request: web.Request) -> web.Response:
        accepted = ",".join(request.headers.getall("Accept", ()))
        text, content_type = await asyncio.to_thread(health.metrics, accepted)
        return web.Response(body=text, headers=_HEADERS | {"Content-Type": content_type})

    return [web.get("/-/live", live), web.get("/-/ready", ready), web.get("/-/metrics", metrics)]
