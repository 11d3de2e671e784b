"""Is the mirror up to date? Read from the mirror alone, by anyone who may read it.

Owns the questions and what counts as needing a person. Opens nothing: it is handed a reading connection.
"""

import shlex
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from promptsync.clock import CLOCKS_DIFFER, iso_micros, iso_millis, parse_iso
from promptsync.merge.guards import LATEST_AHEAD
from promptsync.merge.sql import quote
from promptsync.model import Schema
from promptsync.status.change_sets import ChangeSetState, change_set_problems, change_set_states
from promptsync.status.oversized import oversized_problem
from promptsync.status.sources import SourceState, source_problems, source_states
from promptsync.status.wal import LogState, log_state
from promptsync.store.changes import troubles
from promptsync.store.future import Future, dated_in_future
from promptsync.store.oversized import Oversized, oversized
from promptsync.vendors.customerio.files import own_mark


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
    events: dict[str, Any]
    held: tuple[dict[str, Any], ...]
    unfinished: tuple[dict[str, Any], ...]
    differing: tuple[dict[str, Any], ...]
    rejects: dict[str, int]
    drift: tuple[dict[str, Any], ...]
    search_lag: dict[str, int]
    jobs: tuple[dict[str, Any], ...]
    merged_exports: int
    sources: tuple[SourceState, ...]
    change_sets: tuple[ChangeSetState, ...] = field(default=())
    plugins: tuple[dict[str, str], ...] = field(default=())
    log: LogState = field(default=LogState(0))
    future: Future = field(default=Future())
    oversized: Oversized | None = None
    problems: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self) | {"fresh": not self.problems}


@dataclass(frozen=True, slots=True)
class Expectations:
    """``stale_after``: how old the newest snapshot may be. ``zone``: in which nights have dates. ``sources``: names of
    the places that exports are fetched from. ``max_body``: bytes of a delivery that are allowed."""

    stale_after: timedelta
    zone: ZoneInfo
    sources: tuple[str, ...] = ()
    max_body: int = 0


def read_status(connection: sqlite3.Connection, schema: Schema, expected: Expectations, now: int) -> Status:
    """Look at a mirror. ``now``: microseconds."""
    status = Status(
        checked_at=iso_millis(now),
        tables=tuple(_tables(connection, expected, now)),
        events=_events(connection, now),
        held=tuple(file for file in _rows(connection, _HELD) if own_mark(file["name"]) is None),
        unfinished=tuple(_rows(connection, _FILES.format("'staged'"))),
        differing=tuple(_rows(connection, _DIFFERING)),
        rejects=dict(connection.execute('SELECT "class", count(*) FROM sync_reject GROUP BY 1 ORDER BY 1').fetchall()),
        drift=tuple(_rows(connection, 'SELECT kind, "table", name, first_seen, seen_in FROM sync_drift ORDER BY 4')),
        search_lag=dict(_search_lag(connection, schema)),
        jobs=tuple(_rows(connection, _JOBS)),
        plugins=tuple(troubles(connection)),
        merged_exports=connection.execute("SELECT count(*) FROM sync_job WHERE state = 'loaded'").fetchone()[0],
        sources=tuple(source_states(connection, expected.sources, expected.zone, expected.stale_after, now)),
        change_sets=tuple(change_set_states(connection, schema, now)),
        log=log_state(connection),
        future=dated_in_future(connection, now),
        oversized=oversized(connection, now),
    )
    refused = oversized_problem(status.oversized, expected.max_body)
    return replace(status, problems=(*_problems(status), *([refused] if refused else [])))


_FILES = (
    'SELECT id, name, "table", org_id, as_of, state, rows, error, seen_at FROM sync_file '
    "WHERE state IN ({}) ORDER BY id"
)
_OF_A_JOB = "id IN (SELECT file_id FROM sync_job WHERE file_id IS NOT NULL)"
"""A file of an export: what is wrong with it is said of the job, and no more once a newer one has been merged."""
_HELD = _FILES.format(f"'held', 'failed', 'ignored') AND NOT ({_OF_A_JOB}")


_DIFFERING = (
    "SELECT id, name, path, differing FROM sync_file f WHERE state = 'merged' AND differing > 0 AND NOT EXISTS "
    '(SELECT 1 FROM sync_file g WHERE g.state = \'merged\' AND g."table" = f."table" AND g.org_id IS f.org_id AND '
    "(g.as_of, ifnull(g.correction, 0)) > (f.as_of, ifnull(f.correction, 0))) ORDER BY id"
)
"""Files that contradict one of the same instant, as long as no later night or correction settles it."""


_JOBS = (
    'SELECT id, "type", "range", state, requested_at, changed_at, error FROM sync_job j WHERE state <> \'loaded\' AND '
    "NOT (state IN ('failed', 'refused') AND EXISTS "
    "(SELECT 1 FROM sync_job g WHERE g.type = j.type AND g.id > j.id AND g.state = 'loaded')) ORDER BY id"
)
"""Exports that are open, or ended badly and were not followed by a good one of their kind."""


def _tables(connection: sqlite3.Connection, expected: Expectations, now: int) -> Iterator[TableState]:
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for table, org, at, rows in connection.execute(
        'SELECT "table", org_id, at, max(rows) FROM sync_snapshot GROUP BY 1, 2, 3 ORDER BY 1, 2, 3'
    ):
        found.setdefault((table, org), []).append((at, rows))
    oldest = now - int(expected.stale_after.total_seconds() * 1_000_000)
    for (table, org), snapshots in found.items():
        past = [(at, rows) for at, rows in snapshots if at <= now + LATEST_AHEAD]
        newest, rows = past[-1] if past else (0, snapshots[-1][1])
        nights = [_local_date(at, expected.zone) for at, _ in past]
        yield TableState(
            table,
            org,
            iso_millis(newest) if past else None,
            rows,
            len(snapshots),
            tuple(_gaps(nights)) if nights else (),
            stale=newest < oldest,
            future=iso_millis(snapshots[-1][0]) if len(past) < len(snapshots) else None,
        )


def _local_date(at: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at // 1_000_000, UTC).astimezone(zone).date()


def _gaps(nights: list[date]) -> Iterator[str]:
    """Dates between the first and the last night that have none."""
    have = set(nights)
    day = min(have)
    while day < max(have):
        day += timedelta(days=1)
        if day not in have:
            yield day.isoformat()


def _events(connection: sqlite3.Connection, now: int) -> dict[str, Any]:
    open_states = dict(
        connection.execute("SELECT state, count(*) FROM sync_event WHERE state <> 'applied' GROUP BY 1").fetchall()
    )
    past = "SELECT max(received_at) FROM sync_event WHERE received_at <= ?"
    newest = connection.execute(past, (iso_micros(now + CLOCKS_DIFFER),)).fetchone()[0]
    return {
        "newest": newest,
        "received": connection.execute("SELECT max(id) FROM sync_event").fetchone()[0] or 0,
        "pending": open_states.get("pending", 0),
        "failed": open_states.get("failed", 0),
        "unknown_type": open_states.get("unknown_type", 0),
    }


def _search_lag(connection: sqlite3.Connection, schema: Schema) -> Iterator[tuple[str, int]]:
    for table in schema:
        if table.search:
            rows = connection.execute(f"SELECT count(*) FROM {quote(table.name)}").fetchone()[0]
            entered = connection.execute(f"SELECT count(*) FROM {quote(f'{table.name}_fts_docsize')}").fetchone()[0]
            yield table.name, rows - entered


def _rows(connection: sqlite3.Connection, sql: str) -> Iterator[dict[str, Any]]:
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield dict(zip(names, row, strict=True))


def _problems(status: Status) -> Iterator[str]:
    if not (status.tables or status.events["received"] or status.merged_exports or status.change_sets):
        yield "Nothing has arrived yet: load a file, or enter the webhook at the vendor ('promptsync init' shows how)."
    for table in status.tables:
        if table.future:
            yield (
                f"{table.table} of organization {table.org_id} holds an export of {table.future}, which has not come "
                "yet, so that no later one counts; 'promptsync doctor --repair' takes it back."
            )
        elif table.stale:
            yield f"{table.table} of organization {table.org_id} is as of {table.newest}: newer exports are missing."
    yield from source_problems(status.sources)
    yield from change_set_problems(status.change_sets, parse_iso(status.checked_at))
    for file in status.held:
        action = "look at it, then load it again" if file["state"] != "ignored" else "rename it or say what it is"
        reason = str(file["error"]).removeprefix(f"{file['name']} ").removesuffix(".")
        yield f"{file['name']} is {file['state']} ({reason}); {action}."
    for file in status.differing:
        yield differs(file["name"], file["differing"], file["path"])
    for file in status.unfinished:
        yield f"{file['name']} was not finished; load it again."
    for job in status.jobs:
        if job["state"] in ("failed", "refused"):
            yield f"Export {job['id']} of {job['type']} is {job['state']}: {job['error']}"
    for plugin in status.plugins:
        yield (
            f"Plugin {plugin['plugin']} is paused after 3 failures in a row, since {plugin['since']} "
            f"({plugin['error']}); put it right, restart, then 'promptsync events replay --failed'."
        )
    if status.rejects:
        total = sum(status.rejects.values())
        yield f"{total:,} rejected rows or deliveries wait: 'promptsync rejects list' shows them."
    if status.events["failed"]:
        yield f"{status.events['failed']:,} deliveries failed: 'promptsync events list --failed' shows them."
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


def age_of(iso: str | None, now: int) -> timedelta | None:
    """How old an ISO instant is."""
    return None if iso is None else timedelta(microseconds=now - parse_iso(iso))
