"""Is the mirror up to date? Read from the mirror alone, by anyone who may read it.

Owns the questions, what counts as needing a person, and the sentences. Opens nothing: it is handed a reading
connection, and looks whether held files are still where they were.
"""

import os
import shlex
import sqlite3
from collections.abc import Container, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from promptsync.clock import MICROS, iso_micros, iso_millis, local_date, parse_iso
from promptsync.config import BackupConfig, Config, Period
from promptsync.fetch.sources import source_names
from promptsync.merge.guards import LATEST_AHEAD
from promptsync.model import Schema
from promptsync.status.backups import BackupState, backup_problems, backup_state
from promptsync.status.refusals import oversized_problem, refused_problem
from promptsync.status.sources import SourceState, source_problems, source_states
from promptsync.status.wal import LogState, log_state
from promptsync.store import jobs, overview, rejects, search
from promptsync.store.changes import troubles
from promptsync.store.deliveries import InboxState, inbox_state, undecided
from promptsync.store.erased import Suppressed, key_problem, suppressed
from promptsync.store.overview import ChangeSetState, change_set_states
from promptsync.store.reading import path_of
from promptsync.store.refusals import Oversized, RefusedDeliveries, oversized, refused
from promptsync.store.repair import Future, dated_in_future
from promptsync.vendors import own_mark

_WRONG_CLOCK: Final = 86_400 * MICROS
"""A row that much later than now is no matter of two clocks that differ."""

NOTHING_YET: Final = (
    "Nothing has arrived yet: load a file, or enter the webhook at the vendor ('promptsync init' shows how)."
)
"""What is said of a mirror that is new. It ends by itself with the first file or delivery."""


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
    """What `promptsync status` says. ``problems``: sentences, each for a person to act on; none means fresh."""

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
    plugins: tuple[dict[str, str], ...] = field(default=())
    log: LogState = field(default=LogState(0))
    future: Future = field(default=Future())
    refused: tuple[RefusedDeliveries, ...] = field(default=())
    oversized: Oversized | None = None
    suppressed: Suppressed = field(default=Suppressed())
    key_problem: str | None = None
    backup: BackupState | None = None
    problems: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self) | {"fresh": not self.problems}


@dataclass(frozen=True, slots=True)
class Expectations:
    """``stale_after``: how old the newest snapshot may be. ``zone``: in which nights have dates. ``sources``: names of
    the places that exports are fetched from. ``max_body``: bytes of a delivery that are allowed. ``events``: how long
    deliveries are kept. ``backup``: how backups are to be made."""

    stale_after: timedelta
    zone: ZoneInfo
    sources: tuple[str, ...] = ()
    max_body: int = 0
    events: Period | None = None
    backup: BackupConfig | None = None

    @classmethod
    def of(cls, config: Config) -> Self:
        """What a configuration says."""
        sources, kept = source_names(config), config.retention.events
        zone, largest = config.mirror.timezone, config.webhook.max_body
        return cls(config.alerts.stale_after, zone, sources, largest, kept, config.backup)


def read_status(connection: sqlite3.Connection, schema: Schema, expected: Expectations, now: int) -> Status:
    """Look at a mirror. ``now``: microseconds."""
    status = Status(
        checked_at=iso_millis(now),
        tables=tuple(_tables(overview.snapshots(connection), expected, now)),
        events=inbox_state(connection, now),
        held=files_waiting(connection),
        unfinished=overview.unfinished_files(connection),
        differing=overview.differing_files(connection),
        rejects=rejects.count_by_class(connection),
        drift=overview.drift(connection),
        search_lag=search.lag(connection, schema),
        jobs=tuple(jobs.unsettled(connection)),
        plugins=tuple(troubles(connection)),
        merged_exports=jobs.count_loaded(connection),
        sources=tuple(source_states(connection, expected.sources, expected.zone, expected.stale_after, now)),
        change_sets=tuple(change_set_states(connection, schema, now)),
        log=log_state(connection),
        future=dated_in_future(connection, now),
        refused=tuple(refused(connection, now)),
        oversized=oversized(connection, now),
        suppressed=suppressed(connection),
        key_problem=key_problem(connection, path_of(connection)),
        backup=backup_state(connection, expected.backup, expected.zone, now) if expected.backup else None,
    )
    unchanging = frozenset(table.name for table in schema if table.unchanging)
    more = (
        refused_problem(status.refused, status.events.newest, expected.zone),
        oversized_problem(status.oversized, expected.max_body),
        _undecided_problem(connection, expected.events, now, expected.zone),
    )
    return replace(status, problems=(*_problems(status, unchanging), *filter(None, more)))


def files_waiting(connection: sqlite3.Connection) -> tuple[overview.LedgerFile, ...]:
    """Held and ignored files of which a person has to say what becomes of them: not what the vendor marks, nor what is
    gone."""
    return tuple(
        file
        for file in overview.held_files(connection)
        if own_mark(file.name) is None and (file.path is None or _may_be_there(file.path))
    )


def _may_be_there(path: str) -> bool:
    """Whether a file is there, or we cannot know."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _tables(snapshots: Iterable[overview.Snapshot], expected: Expectations, now: int) -> Iterator[TableState]:
    oldest = now - int(expected.stale_after.total_seconds() * MICROS)
    for (table, org), group in groupby(snapshots, lambda one: (one.table, one.org_id)):
        found = list(group)
        past = [one for one in found if one.at <= now + LATEST_AHEAD]
        nights = [local_date(one.at, expected.zone) for one in past]
        yield TableState(
            table,
            org,
            iso_millis(past[-1].at) if past else None,
            (past or found)[-1].rows,
            len(found),
            tuple(_gaps(nights)) if nights else (),
            stale=not past or past[-1].at < oldest,
            future=iso_millis(found[-1].at) if len(past) < len(found) else None,
        )


def _gaps(nights: list[date]) -> Iterator[str]:
    """Dates between the first and the last night that have none."""
    have = set(nights)
    day = min(have)
    while day < max(have):
        day += timedelta(days=1)
        if day not in have:
            yield day.isoformat()


def _problems(status: Status, unchanging: Container[str]) -> Iterator[str]:
    if not (status.tables or status.events.received or status.merged_exports or status.change_sets):
        yield NOTHING_YET
    for table in status.tables:
        if table.future:
            yield (
                f"{table.table} of organization {table.org_id} holds an export of {table.future}, which has not come "
                "yet, so that no later one counts; 'promptsync doctor --repair' takes it back."
            )
        elif table.stale:
            yield f"{table.table} of organization {table.org_id} is as of {table.newest}: newer exports are missing."
    yield from source_problems(status.sources)
    yield from change_set_problems(status.change_sets, unchanging, parse_iso(status.checked_at))
    for file in status.held:
        action = "put it right" if file.state != "ignored" else "rename it or say what it is"
        reason = str(file.error).removeprefix(f"{file.name} ").removesuffix(".")
        yield f"{file.name} is {file.state} ({reason}); {action}, or: promptsync files discard {file.id}"
    for other in status.differing:
        yield differs(other.name, other.differing, other.path)
    for file in status.unfinished:
        yield f"{file.name} was not finished; load it again."
    for job in status.jobs:
        if job.state in ("failed", "refused"):
            yield f"Export {job.id} of {job.type} is {job.state}: {job.error}"
    for plugin in status.plugins:
        yield (
            f"Plugin {plugin['plugin']} is paused after 3 failures in a row, since {plugin['since']} "
            f"({plugin['error']}); put it right, restart, then 'promptsync events replay --failed'."
        )
    if status.rejects:
        total = sum(status.rejects.values())
        yield f"{total:,} rejected rows or deliveries wait: 'promptsync rejects list' shows them."
    if status.events.failed:
        yield f"{status.events.failed:,} deliveries failed: 'promptsync events list --failed' shows them."
    if status.key_problem:
        yield status.key_problem
    yield from backup_problems(status.backup)
    if status.log.problem:
        yield status.log.problem
    if status.future.latest:
        yield (
            f"Dated later than now (up to {status.future.latest}): {status.future.words()}. If this machine's clock is "
            "wrong, put it right (NTP); if it was ahead then: promptsync doctor --repair"
        )


def differs(name: str, rows: int, path: str) -> str:
    """What is said of a merged file that contradicts another of the same instant. ``rows``: how many of them differ."""
    return (
        f"{name} differs from the export of the same night merged before it in {rows:,} rows; of each value the "
        f"greater was kept. If it replaces that export: promptsync load --corrects {shlex.quote(path)}"
    )


def change_set_problems(states: Iterable[ChangeSetState], unchanging: Container[str], now: int) -> Iterator[str]:
    """Sentences, each for a person to act on. ``unchanging``: tables whose rows are; ``now``: microseconds."""
    for state in states:
        if state.latest and state.table not in unchanging and parse_iso(state.latest) > now + _WRONG_CLOCK:
            yield (
                f"{state.later:,} rows of {state.table} in workspace {state.workspace_id} are dated later than now, up "
                f"to {state.latest}, and win over every change before that: once the vendor has put them right, "
                f"'promptsync reset {state.table}' and load its files again."
            )


def _undecided_problem(connection: sqlite3.Connection, kept: Period | None, now: int, zone: ZoneInfo) -> str | None:
    """Deliveries that are too old, and stay because they were never applied."""
    since = kept.since(now, zone) if kept else None
    count = undecided(connection, iso_micros(since)) if since else 0
    if not count:
        return None
    return (
        f"{count:,} deliveries failed or are of an unknown type, and are older than deliveries are kept ({kept}): "
        "'promptsync events replay --failed' tries them again, 'promptsync retention run --failed' lets them go."
    )
