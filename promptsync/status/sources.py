"""Are the places that exports are fetched from up to date? Read from the mirror alone.

Owns what about a place needs a person. Opens nothing: it is handed a connection.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from promptsync.clock import hours_since, local_date, parse_iso, seconds_since
from promptsync.fetch.expected import missing_nights, task_of
from promptsync.store import place_state
from promptsync.store.overview import last_good_run, last_run


@dataclass(frozen=True, slots=True)
class SourceState:
    """One place. ``last_success``: ISO start of the last run that could look there; ``outcome``, ``message``: of the
    last run. ``waiting``, ``held``, ...: numbers of files. ``missing``: nights, oldest first, with what lacks.
    ``notes``: sentences that need no action at once.
    """

    source: str
    last_success: str | None
    age_hours: float | None
    outcome: str | None
    message: str | None
    waiting: int
    held: int
    failed: int
    missing: tuple[str, ...]
    newest_missing: bool
    stale: bool
    over_budget: int = 0
    skipped: int = 0
    notes: tuple[str, ...] = ()


def source_states(
    connection: sqlite3.Connection, sources: Iterable[str], zone: ZoneInfo, stale_after: timedelta, now: int
) -> Iterator[SourceState]:
    """The state of each place, by its name. ``now``: microseconds. A success dated in the future says nothing."""
    for source in sources:
        success, last = last_good_run(connection, task_of(source), now), last_run(connection, task_of(source))
        count = place_state.count_by_state(connection, source)
        looked = local_date(parse_iso(success.started_at), zone) if success else None
        missing = missing_nights(place_state.instants_by_series(connection, source), zone, looked) if looked else {}
        yield SourceState(
            source=source,
            last_success=success.started_at if success else None,
            age_hours=hours_since(success.started_at, now) if success else None,
            outcome=last.outcome if last else None,
            message=last.message if last else None,
            waiting=count.get("waiting", 0),
            held=count.get("held", 0),
            failed=count.get("failed", 0),
            missing=tuple(_in_words(night, lacking) for night, lacking in missing.items()),
            newest_missing=looked in missing,
            stale=not success or seconds_since(success.started_at, now) > stale_after.total_seconds(),
            over_budget=count.get("over_budget", 0),
            skipped=count.get("skipped", 0),
            notes=tuple(_notes(connection, source)),
        )


def source_problems(states: Iterable[SourceState]) -> Iterator[str]:
    """Sentences, each for a person to act on."""
    for state in states:
        if state.last_success is None:
            why = f" ({state.message})" if state.message else ""
            yield f"Nothing has been fetched from {state.source} yet{why}: 'promptsync fetch' tries it now."
        elif state.stale:
            yield f"{state.source} could last be looked at on {state.last_success} ({state.message})."
        if state.newest_missing:
            yield f"{state.source} does not have the newest night: {state.missing[-1]}."
        if state.failed:
            yield f"{state.failed:,} files of {state.source} cannot be fetched: the table sync_object says why."


def _notes(connection: sqlite3.Connection, source: str) -> Iterator[str]:
    """What waits on purpose, and what could not be put away."""
    waiting, why = place_state.with_reason(connection, source, "over_budget")
    if waiting:
        yield f"{waiting:,} files of {source} wait: {why}"
    left, why = place_state.with_reason(connection, source, "loaded")
    if left:
        yield f"{left:,} loaded files of {source} could not be deleted or moved: {why}"


def _in_words(night: date, lacking: tuple[str, ...]) -> str:
    return night.isoformat() if lacking == ("everything",) else f"{night.isoformat()} ({', '.join(lacking)})"
