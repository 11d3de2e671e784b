"""Prometheus metrics of a running daemon: what it counts and measures, and what is read from the mirror when asked.

Owns names, labels and histograms. Every set of labels is bounded: a sender cannot add to it. No label and no value
holds what was received. Opens nothing: it is handed a reading connection.
"""

import platform
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from promptsync import __version__
from promptsync.clock import MICROS, parse_iso, seconds_since
from promptsync.status.backups import BackupState
from promptsync.status.facts import Status
from promptsync.store import overview
from promptsync.store.deliveries import oldest_pending
from promptsync.store.place_state import count_at_places
from promptsync.store.wal import log_size
from promptsync.webhook.listener import ListenerState

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Latencies:
    """Histograms of what happens to deliveries, in seconds. One observation for each transaction, not for each
    delivery: they cost nothing that could be measured."""

    def __init__(self, registry: CollectorRegistry) -> None:
        commit = "Seconds until a transaction that stores deliveries is on disk"
        apply = "Seconds until a batch of deliveries has become rows"
        self._commit = Histogram("promptsync_commit_seconds", commit, registry=registry, buckets=_BUCKETS)
        self._apply = Histogram("promptsync_apply_seconds", apply, registry=registry, buckets=_BUCKETS)

    def committed(self, seconds: float) -> None:
        """Deliveries have been stored."""
        self._commit.observe(seconds)

    def applied(self, seconds: float) -> None:
        """A batch of deliveries has been applied."""
        self._apply.observe(seconds)


class OnDemand(Collector):
    """Metrics that are made when they are asked for."""

    def __init__(self, families: Callable[[], Iterator[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return self._families()

    def describe(self) -> list[Metric]:
        return []


class ThisProcess(ProcessCollector):
    """What the process uses: ``process_*``, as the client library has them. Needs no ``/proc/stat``, which the sandbox
    of the service hides."""

    def _boot_time(self) -> float:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


def build_metric() -> Metric:
    """Which versions run."""
    versions = {"version": __version__, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    return InfoMetricFamily("promptsync_build", "Versions of promptsync and of what it runs on", versions)


def delivery_metrics(state: ListenerState) -> Iterator[Metric]:
    """What the listener has counted since the start."""
    about = "Deliveries answered, by event type (other: not in the specification) and outcome (stored, or why refused)"
    deliveries = CounterMetricFamily("promptsync_deliveries", about, labels=["type", "outcome"])
    for kind, count in list(state.stored_by_type.items()):
        deliveries.add_metric([kind, "stored"], count)
    for reason, count in list(state.refused.items()):
        deliveries.add_metric(["", reason], count)
    yield deliveries


def status_metrics(status: Status, problems: int) -> Iterator[Metric]:
    """What `promptsync status` says, as numbers. ``problems``: of the mirror and of the daemon."""
    inbox = status.events
    states = [("pending", inbox.pending), ("failed", inbox.failed), ("unknown_type", inbox.unknown_type)]
    yield _gauge("promptsync_events", "Deliveries in the inbox that are not applied", "state", states)
    rows = GaugeMetricFamily("promptsync_snapshot_rows", "Rows of the newest snapshot", labels=["table", "org"])
    for table in status.tables:
        rows.add_metric([table.table, str(table.org_id)], table.rows)
    yield rows
    yield GaugeMetricFamily("promptsync_files_held", "Files that wait for a person", len(status.held))
    yield GaugeMetricFamily("promptsync_rejects", "Rejected rows and deliveries", sum(status.rejects.values()))
    left_out = CounterMetricFamily(
        "promptsync_suppressed", "Rows of files and deliveries left out, being about erased people", labels=["what"]
    )
    left_out.add_metric(["rows"], status.suppressed.rows)
    left_out.add_metric(["deliveries"], status.suppressed.deliveries)
    yield left_out
    yield GaugeMetricFamily("promptsync_plugins_paused", "Plugins that are paused", _paused(status))
    if status.backup is not None:
        yield from _backup_metrics(status.backup)
    yield GaugeMetricFamily("promptsync_problems", "What needs a person; 0 means fresh", problems)


def _paused(status: Status) -> int:
    return len({trouble["plugin"] for trouble in status.plugins if trouble["paused"]})


def _backup_metrics(backup: BackupState) -> Iterator[Metric]:
    ages = [("backup", backup.age_seconds), ("segment", backup.segment_age_seconds)]
    sizes = [("backup", backup.bytes), ("segment", backup.segment_bytes)]
    for name, about, values in (
        ("promptsync_backup_age_seconds", "Since the newest one was made", ages),
        ("promptsync_backup_bytes", "Size of the newest one", sizes),
    ):
        yield _gauge(name, about, "kind", [(of, value) for of, value in values if value is not None])
    if backup.drill_outcome is not None:
        about = "1 for what the last drill found (intact: only its digest could be checked)"
        outcomes = [(name, float(name == backup.drill_outcome)) for name in ("restorable", "intact", "failed")]
        yield _gauge("promptsync_backup_drill", about, "outcome", outcomes)


def mirror_metrics(connection: sqlite3.Connection, now: int) -> Iterator[Metric]:
    """What is on record in the mirror. ``now``: microseconds."""
    yield _gauge("promptsync_files", "Files on record", "state", overview.count_files(connection))
    about = "Files that lie at the places they are fetched from, by how far each has come"
    places = GaugeMetricFamily("promptsync_place_files", about, labels=["place", "state"])
    for place, state, count in count_at_places(connection):
        places.add_metric([place, state], count)
    yield places
    merged = CounterMetricFamily(
        "promptsync_file_rows", "Rows of files on record, by what came of them", labels=["table", "source", "outcome"]
    )
    for *labels, count in overview.count_file_rows(connection):
        merged.add_metric(labels, count)
    yield merged
    ages = GaugeMetricFamily(
        "promptsync_last_success_age_seconds",
        "Since the last good run of a task, the last snapshot or change set merged into a table, the newest delivery",
        labels=["kind", "source"],
    )
    about = "When that was, in seconds since 1970"
    times = GaugeMetricFamily("promptsync_last_success_timestamp_seconds", about, labels=["kind", "source"])
    for success in overview.last_successes(connection, now):
        ages.add_metric([success.kind, success.source], max(0.0, seconds_since(success.at, now)))
        times.add_metric([success.kind, success.source], parse_iso(success.at) / MICROS)
    yield from (ages, times)
    oldest = oldest_pending(connection)
    about = "Age of the oldest delivery that waits to be applied"
    waited = max(0.0, seconds_since(oldest, now)) if oldest else 0.0
    yield GaugeMetricFamily("promptsync_oldest_pending_seconds", about, waited)


def disk_metrics(database: Path) -> Iterator[Metric]:
    """Sizes and room, in bytes."""
    sizes = [("database", _size(database)), ("wal", log_size(database))]
    yield _gauge("promptsync_size_bytes", "Size of the mirror's files", "file", sizes)
    yield GaugeMetricFamily("promptsync_disk_free_bytes", "Room left", shutil.disk_usage(database.parent).free)


def _gauge(name: str, about: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    gauge = GaugeMetricFamily(name, about, labels=[label])
    for of, value in values:
        gauge.add_metric([of], value)
    return gauge


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
