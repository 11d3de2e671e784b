"""Is the mirror up to date? Read from the mirror alone, by anyone who may read it.

Owns the questions. Opens nothing: it is handed a reading connection, and looks whether held files are still where they
were. What of the answers needs a person is said in problems.py.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import groupby
from typing import Final

from promptsync.clock import MICROS, iso_micros, iso_millis, local_date
from promptsync.merge.guards import LATEST_AHEAD
from promptsync.model import Schema
from promptsync.status.backups import backup_state
from promptsync.status.facts import Expectations, Status, TableState
from promptsync.status.plugins import plugin_parts
from promptsync.status.problems import status_problems
from promptsync.status.sources import source_states
from promptsync.status.wal import log_state
from promptsync.store import jobs, overview, rejects, search
from promptsync.store.backups import BACKUP, SEGMENTS
from promptsync.store.deliveries import inbox_state, longest_silence, oldest_pending, undecided
from promptsync.store.erased import key_problem, suppressed
from promptsync.store.ledger import was_watched
from promptsync.store.overview import change_set_states
from promptsync.store.plugin_state import troubles
from promptsync.store.reading import path_of
from promptsync.store.refusals import oversized, refused
from promptsync.store.repair import dated_in_future
from promptsync.vendors import own_mark

_ELSEWHERE: Final = ("fetch ", "plugin ", BACKUP, SEGMENTS)
"""Beginnings of tasks whose failures are said with what they are about."""
_RECENT: Final = 8 * 86_400 * MICROS
"""A task that has not run for longer is none any more."""


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
        plugin_parts=tuple(plugin_parts(connection, now)),
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
        undecided=_undecided(connection, expected, now),
        oldest_pending=oldest_pending(connection),
        longest_silence=longest_silence(connection),
        failing=tuple(overview.failing_tasks(connection, _ELSEWHERE, now - _RECENT)),
        watched=was_watched(connection),
    )
    unchanging = frozenset(table.name for table in schema if table.unchanging)
    return replace(status, problems=tuple(status_problems(status, expected, unchanging)))


def _undecided(connection: sqlite3.Connection, expected: Expectations, now: int) -> int:
    """Deliveries that are too old, and stay because they were never applied."""
    since = expected.events.since(now, expected.zone) if expected.events else None
    return undecided(connection, iso_micros(since)) if since else 0


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
