"""Health for machines: alive, ready, metrics.

Owns the three routes and what they say. They are served on the control socket, and on the listener only if the
configuration asks for it.
"""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from promptsync.engine import Engine
from promptsync.fetch_sources import source_names
from promptsync.metrics import OnDemand, delivery_metrics, disk_metrics, mirror_metrics, status_metrics
from promptsync.sources.drop import DropFolder
from promptsync.sources.listener import STATE
from promptsync.status import Expectations, Status, read_status

_SILENT_WRITER_SECONDS = 30.0
_LOW_DISK = 256 << 20


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

    def reasons(self) -> list[str]:
        """Why it is not ready; empty if it is."""
        reasons = []
        if self._listener[STATE].stopping:
            reasons.append("stopping")
        if time.monotonic() - self._engine.mirror.writer.last_turn > _SILENT_WRITER_SECONDS:
            reasons.append("the writer has been silent for 30 seconds")
        if shutil.disk_usage(self._engine.mirror.folder).free < _LOW_DISK:
            reasons.append("the disk is nearly full")
        return reasons

    def metrics(self) -> bytes:
        """Prometheus text."""
        return generate_latest(self._registry)

    def status(self) -> Status:
        """The mirror's own state."""
        config, mirror = self._engine.config, self._engine.mirror
        expected = Expectations(config.alerts.stale_after, config.mirror.timezone, source_names(config))
        with mirror.reading() as connection:
            return read_status(connection, mirror.schema, expected, self._engine.clock())

    def families(self) -> Iterator[Metric]:
        """Every metric that is not measured as it happens. Blocking: it reads the mirror."""
        mirror = self._engine.mirror
        yield from delivery_metrics(self._listener[STATE])
        yield from status_metrics(self.status())
        with mirror.reading() as connection:
            yield from mirror_metrics(connection, self._engine.clock())
        yield GaugeMetricFamily("promptsync_drop_waiting", "Files in the drop folder", self._drop.waiting())
        yield GaugeMetricFamily("promptsync_writer_waiting", "Work that waits for the writer", mirror.writer.waiting())
        yield from disk_metrics(self._engine.config.mirror.database)


def health_routes(health: Health) -> list[web.RouteDef]:
    """``/-/live``, ``/-/ready``, ``/-/metrics``."""

    async def live(_request: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    async def ready(_request: web.Request) -> web.Response:
        reasons = await asyncio.to_thread(health.reasons)
        body = json.dumps({"ready": not reasons, "reasons": reasons}) + "\n"
        return web.Response(text=body, status=503 if reasons else 200, content_type="application/json")

    async def metrics(_request: web.Request) -> web.Response:
        text = await asyncio.to_thread(health.metrics)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

    return [web.get("/-/live", live), web.get("/-/ready", ready), web.get("/-/metrics", metrics)]
