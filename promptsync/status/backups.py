"""Are there backups, are they new enough, and can they be restored? Read from the mirror alone.

Owns what about backups needs a person. Says nothing while ``[backup]`` is off. Opens nothing: it is handed a
connection.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from promptsync.clock import MICROS, parse_iso, seconds_since
from promptsync.config import BackupConfig
from promptsync.store.backups import BACKUP, DRILLED, MADE, SEGMENTS, SHIPPED, oldest_unshipped
from promptsync.store.marks import read_facts
from promptsync.store.overview import last_run

_LATE: Final = timedelta(hours=12)
_LATEST_SEGMENT: Final = timedelta(minutes=10)
_FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class BackupState:
    """``made_at``, ``shipped_to``, ``drilled_at``: ISO, of the newest backup, the newest segment and the last drill;
    their sizes in bytes, ages in seconds. ``unshipped_since``: when the oldest delivery was received that neither
    has (ISO). ``trouble``, ``segment_trouble``: why the last run came to nothing."""

    made_at: str | None
    name: str | None
    bytes: int | None
    age_seconds: float | None
    late: bool
    shipped_to: str | None
    segment_bytes: int | None
    segment_age_seconds: float | None
    unshipped_since: str | None
    unshipped_late: bool
    drilled_at: str | None
    drill_outcome: str | None
    drill_says: str | None
    trouble: str | None
    segment_trouble: str | None


def backup_state(connection: sqlite3.Connection, config: BackupConfig, zone: ZoneInfo, now: int) -> BackupState | None:
    """The state of the backups; None while they are off. ``now``: microseconds."""
    if not config.on:
        return None
    made, shipped, drilled = (read_facts(connection, name) or {} for name in (MADE, SHIPPED, DRILLED))
    waiting = oldest_unshipped(connection, made.get("at", ""))
    patience = max(_LATEST_SEGMENT, 5 * config.every).total_seconds()
    return BackupState(
        made_at=made.get("at"),
        name=made.get("name"),
        bytes=made.get("bytes"),
        age_seconds=_age(made.get("at"), now),
        late=_is_late(config, zone, made.get("at"), now),
        shipped_to=shipped.get("to"),
        segment_bytes=shipped.get("bytes"),
        segment_age_seconds=_age(shipped.get("to"), now),
        unshipped_since=waiting,
        unshipped_late=waiting is not None and seconds_since(waiting, now) > patience,
        drilled_at=drilled.get("at"),
        drill_outcome=drilled.get("outcome"),
        drill_says=drilled.get("message"),
        trouble=_trouble(connection, BACKUP),
        segment_trouble=_trouble(connection, SEGMENTS),
    )


def backup_problems(state: BackupState | None) -> Iterator[str]:
    """Sentences, each for a person to act on."""
    if state is None:
        return
    why = f" ({state.trouble})" if state.trouble else ""
    if state.made_at is None:
        yield f"No backup has been made yet{why}: 'promptsync backup' makes one."
    elif state.late:
        yield f"The newest backup is of {state.made_at}{why}: 'promptsync backup' makes one."
    if state.unshipped_late:
        because = f" ({state.segment_trouble})" if state.segment_trouble else ""
        yield (
            f"Deliveries received since {state.unshipped_since} are in no backup yet{because}: see that the daemon "
            "runs and reaches the destination of [backup]."
        )
    if state.drill_outcome == _FAILED:
        yield (
            f"The newest backup could not be restored when it was tried on {state.drilled_at} ({state.drill_says}): "
            "make another one ('promptsync backup'), then try again ('promptsync backup drill')."
        )


def _is_late(config: BackupConfig, zone: ZoneInfo, made_at: str | None, now: int) -> bool:
    """Whether the run that was due after the newest backup is long past."""
    if made_at is None:
        return True
    made = datetime.fromtimestamp(parse_iso(made_at) / MICROS, UTC)
    due = config.schedule.trigger(zone).get_next_fire_time(made, made + timedelta(seconds=1))
    return due is not None and datetime.fromtimestamp(now / MICROS, UTC) > due + _LATE


def _trouble(connection: sqlite3.Connection, task: str) -> str | None:
    last = last_run(connection, task)
    return last.message if last is not None and last.outcome != "done" else None


def _age(at: str | None, now: int) -> float | None:
    return None if at is None else round(max(0.0, seconds_since(at, now)), 1)
