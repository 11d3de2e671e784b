"""What is known of a mirror's state, as plain data, and what is expected of it.

Owns the shapes that reading fills (status.py) and sentences are made of (problems.py). Decides nothing.
"""

from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from promptsync.config import BackupConfig, Config, Period
from promptsync.fetch.sources import source_names
from promptsync.status.backups import BackupState
from promptsync.status.plugins import PluginPart
from promptsync.status.sources import SourceState
from promptsync.status.wal import LogState
from promptsync.store import jobs, overview
from promptsync.store.deliveries import InboxState
from promptsync.store.erased import Suppressed
from promptsync.store.overview import ChangeSetState
from promptsync.store.refusals import Oversized, RefusedDeliveries
from promptsync.store.repair import Future


@dataclass(frozen=True, slots=True)
class TableState:
    """One table of one organization. ``newest``: ISO instant of its newest snapshot, those of a time that has not come
    apart, of which the last is ``future``; ``missing``: dates of nights."""

    table: str
    org_id: int
    newest: str | None
    rows: int
    snapshots: int
    missing: tuple[str, ...]
    stale: bool
    future: str | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """What `promptsync status` says. ``problems``: sentences, each for a person to act on; none means fresh.

    ``undecided``: deliveries that were never applied and are older than deliveries are kept. ``oldest_pending``: when
    the oldest delivery was received that waits (ISO). ``longest_silence``: between two deliveries of the last four
    weeks. ``watched``: whether a daemon has ever looked after this mirror.
    """

    checked_at: str
    tables: tuple[TableState, ...]
    events: InboxState
    held: tuple[overview.LedgerFile, ...]
    unfinished: tuple[overview.LedgerFile, ...]
    differing: tuple[overview.DifferingFile, ...]
    rejects: dict[str, int]
    drift: tuple[overview.Drift, ...]
    search_lag: dict[str, int]
    jobs: tuple[jobs.UnsettledJob, ...]
    merged_exports: int
    sources: tuple[SourceState, ...]
    change_sets: tuple[ChangeSetState, ...] = field(default=())
    plugins: tuple[dict[str, Any], ...] = field(default=())
    plugin_parts: tuple[PluginPart, ...] = field(default=())
    log: LogState = field(default=LogState(0))
    future: Future = field(default=Future())
    refused: tuple[RefusedDeliveries, ...] = field(default=())
    oversized: Oversized | None = None
    suppressed: Suppressed = field(default=Suppressed())
    key_problem: str | None = None
    backup: BackupState | None = None
    undecided: int = 0
    oldest_pending: str | None = None
    longest_silence: timedelta = field(default=timedelta())
    failing: tuple[overview.FailedTask, ...] = field(default=())
    watched: bool = False
    problems: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self) | {"fresh": not self.problems}


@dataclass(frozen=True, slots=True)
class Expectations:
    """``stale_after``: how old the newest snapshot may be. ``zone``: in which nights have dates. ``sources``: names of
    the places that exports are fetched from. ``max_body``: bytes of a delivery that are allowed. ``events``: how long
    deliveries are kept. ``backup``: how backups are to be made. ``webhook_stale_after``: for how long no delivery may
    come."""

    stale_after: timedelta
    zone: ZoneInfo
    sources: tuple[str, ...] = ()
    max_body: int = 0
    events: Period | None = None
    backup: BackupConfig | None = None
    webhook_stale_after: timedelta | Literal["auto", "never"] = "auto"

    @classmethod
    def of(cls, config: Config) -> Self:
        """What a configuration says."""
        sources, kept = source_names(config), config.retention.events
        zone, largest = config.mirror.timezone, config.webhook.max_body
        silent = config.alerts.webhook_stale_after
        return cls(config.alerts.stale_after, zone, sources, largest, kept, config.backup, silent)
