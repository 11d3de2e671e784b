"""What promptsync wrote down while the machine's clock was ahead: deliveries, files and runs dated later than now.

Owns the question, and the new dates of files and runs; those of deliveries, which decide what wins, are in repair.py.
Everything runs inside the caller's transaction.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from promptsync.clock import CLOCKS_DIFFER, iso_micros, iso_millis
from promptsync.merge.sql import quote

_DATES: Final = (("sync_file", "seen_at"), ("sync_run", "started_at"), ("sync_run", "finished_at"))


@dataclass(frozen=True, slots=True)
class Future:
    """How many are dated further ahead of the clock than clocks differ, and the last such time (ISO)."""

    deliveries: int = 0
    files: int = 0
    runs: int = 0
    latest: str | None = None

    def words(self) -> str:
        """What they are, for a sentence; empty if there is none."""
        named = (self.deliveries, "delivery", "deliveries"), (self.files, "file", "files"), (self.runs, "run", "runs")
        parts = [f"{count:,} {one if count == 1 else many}" for count, one, many in named if count]
        return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def dated_in_future(connection: sqlite3.Connection, now: int) -> Future:
    """What is on record with a time that has not come. ``now``: microseconds."""
    latest = now + CLOCKS_DIFFER
    columns = (("sync_event", "received_at", iso_micros(latest)), *((*date, iso_millis(latest)) for date in _DATES[:2]))
    deliveries, files, runs = (
        connection.execute(f"SELECT count(*), max({column}) FROM {table} WHERE {column} > ?", (text,)).fetchone()
        for table, column, text in columns
    )
    times = [at for _, at in (deliveries, files, runs) if at]
    return Future(deliveries[0], files[0], runs[0], max(times, default=None))


def date_records_anew(connection: sqlite3.Connection, now: int) -> int:
    """Give files and runs of the future the time of the one before them, or of the next, or now; returns how many."""
    values = {"latest": iso_millis(now + CLOCKS_DIFFER), "now": iso_millis(now)}
    count = 0
    for table, column in _DATES:
        at = quote(column)
        near = f"SELECT b.{at} FROM {table} b WHERE b.{at} <= :latest AND b.id"
        before, after = f"{near} < {table}.id ORDER BY b.id DESC LIMIT 1", f"{near} > {table}.id ORDER BY b.id LIMIT 1"
        anew = f"coalesce(({before}), ({after}), :now)"
        changed = connection.execute(f"UPDATE {table} SET {at} = {anew} WHERE {at} > :latest", values).rowcount
        count += changed if column != "finished_at" else 0
    return count
