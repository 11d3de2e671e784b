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
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from promptsync.engine import Engine
from promptsync.fetch_sources import source_names
from promptsync.sources.drop import DropFolder
from promptsync.sources.listener import STATE
from promptsync.status import Expectations, Status, read_status

_SILENT_WRITER_SECONDS = 30.0
_LOW_DISK = 256 << 20


class Health:
    """What a running daemon says of itself."""

    def __init__(self, engine: Engine, listener: web.Application, drop: DropFolder) -> None:
        self._engine = engine
        self._listener = listener
        self._drop = drop
        self._registry = CollectorRegistry()
        self._registry.register(_Metrics(self))

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
        config = self._engine.config
        expected = Expectations(config.alerts.stale_after, config.mirror.timezone, source_names(config))
        with self._engine.mirror.reading() as connection:
            return read_status(connection, self._engine.mirror.schema, expected, self._engine.clock())

    def families(self) -> Iterator[Metric]:
        """Every metric, now."""
        state, status = self._listener[STATE], self.status()
        deliveries = CounterMetricFamily("promptsync_deliveries", "Deliveries by outcome", labels=["outcome"])
        deliveries.add_metric(["stored"], state.stored)
        for reason, count in state.refused.items():
            deliveries.add_metric([reason], count)
        yield deliveries
        backlog = GaugeMetricFamily("promptsync_events", "Deliveries in the inbox that are not applied", labels=["state"])
        for name in ("pending", "failed", "unknown_type"):
            backlog.add_metric([name], status.events[name])
        yield backlog
        rows = GaugeMetricFamily("promptsync_snapshot_rows", "Rows of the newest snapshot", labels=["table", "org"])
        for table in status.tables:
            rows.add_metric([table.table, str(table.org_id)], table.rows)
        yield rows
        yield GaugeMetricFamily("promptsync_files_held", "Files that wait for a person", len(status.held))
        yield GaugeMetricFamily("promptsync_rejects", "Rejected rows and deliveries", sum(status.rejects.values()))
        yield GaugeMetricFamily("promptsync_drop_waiting", "Files in the drop folder", self._drop.waiting())
        yield GaugeMetricFamily("promptsync_writer_waiting", "Work that waits for the writer", self._waiting())
        free = shutil.disk_usage(self._engine.mirror.folder).free
        yield GaugeMetricFamily("promptsync_disk_free_bytes", "Room left", free)

    def _waiting(self) -> int:
        return self._engine.mirror.writer.waiting()


class _Metrics(Collector):
    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        return self._health.families()

    def describe(self) -> list[Metric]:
        return []


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
