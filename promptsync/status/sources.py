"""Are the places that exports are fetched from up to date? Read from the mirror alone.

Owns which nights a place owes, and what about a place needs a person. Opens nothing: it is handed a connection.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from promptsync.clock import CLOCKS_DIFFER, MICROS, iso_millis, parse_iso

_NIGHTS = 60


@dataclass(frozen=True, slots=True)
class SourceState:
    """One place. ``last_success``: ISO start of the last run that could look there; ``outcome``, ``message``: of the
    last run. ``waiting``, ``held``, ...: numbers of files. ``missing``: nights, oldest first, with what lacks.
    ``notes``: sentences that nobody has to act on at once.
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


def task_of(source: str) -> str:
    """What the runs of a place are called in sync_run."""
    return f"fetch {source}"


def source_states(
    connection: sqlite3.Connection, sources: Iterable[str], zone: ZoneInfo, stale_after: timedelta, now: int
) -> Iterator[SourceState]:
    """The state of each place, by its name. ``now``: microseconds. A success dated in the future says nothing."""
    latest = iso_millis(now + CLOCKS_DIFFER)
    for source in sources:
        success = _last_run(connection, source, "outcome = 'done' AND started_at <= ?", latest)
        last = _last_run(connection, source, "TRUE")
        states = "SELECT state, count(*) FROM sync_object WHERE place = ? GROUP BY 1"
        count = dict(connection.execute(states, (source,)).fetchall())
        age = (now - parse_iso(success[0])) / MICROS if success else None
        looked = local_date(parse_iso(success[0]), zone) if success else None
        missing = missing_nights(connection, source, zone, looked) if looked else {}
        yield SourceState(
            source=source,
            last_success=success[0] if success else None,
            age_hours=None if age is None else round(age / 3600, 1),
            outcome=last[1] if last else None,
            message=last[2] if last else None,
            waiting=count.get("waiting", 0),
            held=count.get("held", 0),
            failed=count.get("failed", 0),
            missing=tuple(_in_words(night, lacking) for night, lacking in missing.items()),
            newest_missing=looked in missing,
            stale=age is None or age > stale_after.total_seconds(),
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


def missing_nights(
    connection: sqlite3.Connection, source: str, zone: ZoneInfo, through: date
) -> dict[date, tuple[str, ...]]:
    """Nights without a file, of the last sixty up to ``through``, each with the series that lack it.

    A series is a table of an organization that this place has had before; a night begins its date in ``zone``. What
    came another way is not missing.
    """
    have: dict[tuple[str, int], set[date]] = {}
    for table, org, as_of in connection.execute(
        "SELECT \"table\", org_id, as_of FROM sync_object WHERE place = ? AND state IN ('loaded', 'held') "
        "AND as_of IS NOT NULL",
        (source,),
    ):
        have.setdefault((table, org), set()).add(local_date(parse_iso(as_of), zone))
    for table, org, at in connection.execute('SELECT DISTINCT "table", org_id, at FROM sync_snapshot'):
        if (table, org) in have:
            have[table, org].add(local_date(at, zone))
    missing: dict[date, tuple[str, ...]] = {}
    for ago in reversed(range(_NIGHTS)):
        night = through - timedelta(days=ago)
        lacking = [series for series, nights in sorted(have.items()) if min(nights) < night and night not in nights]
        if lacking:
            missing[night] = ("everything",) if len(lacking) == len(have) else tuple(map(_series, lacking))
    return missing


def local_date(at: int, zone: ZoneInfo) -> date:
    """The date of an instant in a zone."""
    return datetime.fromtimestamp(at // MICROS, UTC).astimezone(zone).date()


def _notes(connection: sqlite3.Connection, source: str) -> Iterator[str]:
    """What waits on purpose, and what could not be put away."""
    sql = (
        "SELECT count(*), min(error) FROM sync_object WHERE place = ? AND state = ? AND error IS NOT NULL "
        "AND gone_at IS NULL"
    )
    waiting, why = connection.execute(sql, (source, "over_budget")).fetchone()
    if waiting:
        yield f"{waiting:,} files of {source} wait: {why}"
    left, why = connection.execute(sql, (source, "loaded")).fetchone()
    if left:
        yield f"{left:,} loaded files of {source} could not be deleted or moved: {why}"


def _series(series: tuple[str, int]) -> str:
    return f"{series[0]} of {series[1]}" if series[1] else series[0]


def _in_words(night: date, lacking: tuple[str, ...]) -> str:
    return night.isoformat() if lacking == ("everything",) else f"{night.isoformat()} ({', '.join(lacking)})"


def _last_run(connection: sqlite3.Connection, source: str, condition: str, *values: str) -> tuple[str, str, str] | None:
    sql = f"SELECT started_at, outcome, message FROM sync_run WHERE task = ? AND {condition} ORDER BY id DESC LIMIT 1"
    row = connection.execute(sql, (task_of(source), *values)).fetchone()
    return (row[0], row[1], row[2]) if row else None
