"""Rows counted by day: numbers that pages read in place of the rows, right in the transaction of every change.

Owns the triggers that keep them, and how they are made anew. A day is one of the mirror's zone: ``sync_zone`` holds the
zone's offsets from UTC, each from an instant on, so that SQL alone can tell the day of a time. Whatever writes a row,
in any order, the numbers follow it in the same commit; so nothing is left to count after a kill.

Only the first load of a table goes past its triggers: its rows are counted while they are staged (staged_days.py).
Rows deleted to forget somebody stay in the numbers: what they counted for is kept in a table of the same shape, and
added again whenever the numbers are made anew.
A time that cannot be read is of the day "", a row without one of none.
"""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from promptsync.clock import iso_millis, micros_of
from promptsync.merge.sql import names, quote
from promptsync.model import DayCount, Key, Schema, Table

UNKNOWN: Final = -1
"""What a yes or no that is not known is counted under."""

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_WEEK = timedelta(days=7)
Offset = tuple[str, str]
"""From which instant on, ISO ("" from the beginning), and the modifier of SQLite's that turns UTC into local time."""


@lru_cache(maxsize=4)
def offsets(zone: ZoneInfo) -> tuple[Offset, ...]:
    """The offsets of a zone, by the instants from which they hold."""
    found = [("", _shift(zone, _FIRST))]
    at = _FIRST
    while at < _LAST:
        later = at + _WEEK
        if _shift(zone, later) != found[-1][1]:
            changed = _change_between(zone, at, later)
            found.append((iso_millis(micros_of(changed)), _shift(zone, later)))
        at = later
    return tuple(found)


def _shift(zone: ZoneInfo, at: datetime) -> str:
    offset = at.astimezone(zone).utcoffset() or timedelta()
    return f"{offset // timedelta(seconds=1):+d} seconds"


def _change_between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second at which the offset changes."""
    old = _shift(zone, before)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
        before, after = (middle, after) if _shift(zone, middle) == old else (before, middle)
    return after


def triggers(table: Table) -> dict[str, str]:
    """The triggers that keep the numbers of a table: name to CREATE TRIGGER statement."""
    count = table.counted
    if count is None:
        return {}
    read = ("org_id", count.at, *count.by, count.total)
    differ = " OR ".join(f"OLD.{quote(c)} IS DISTINCT FROM NEW.{quote(c)}" for c in read)
    add = _add(count, f"SELECT {_counted(count, 'NEW.')} WHERE NEW.{quote(count.at)} IS NOT NULL")
    wanted = {
        "new": f"AFTER INSERT ON {quote(table.name)} BEGIN {add}; END",
        "changed": f"AFTER UPDATE OF {names(read)} ON {quote(table.name)} WHEN {differ} "
        f"BEGIN {_take_out(count)} {add}; END",
        "gone": f"AFTER DELETE ON {quote(table.name)} BEGIN {_take_out(count)} END",
    }
    return {
        name: f"CREATE TRIGGER {quote(name)} {sql}"
        for name, sql in ((f"{table.name}_counted_{when}", sql) for when, sql in wanted.items())
    }


def keep(connection: sqlite3.Connection, schema: Schema, zone: ZoneInfo | None) -> None:
    """Have numbers kept from now on, by the days of ``zone`` (None: as before, or UTC). What was kept by other days, in
    another way or not at all is counted anew. Within the caller's transaction."""
    have = kept_offsets(connection)
    wanted = list(offsets(zone)) if zone else have or [("", "+0 seconds")]
    if have != wanted:
        connection.execute("DELETE FROM sync_zone")
        connection.executemany("INSERT INTO sync_zone (starts, shift) VALUES (?, ?)", wanted)
    for table in schema:
        if not (made := triggers(table)):
            continue
        there = dict(
            connection.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", (table.name,)
            )
        )
        if have != wanted or any(there.get(name) != sql for name, sql in made.items()):
            for name, sql in made.items():
                connection.execute(f"DROP TRIGGER IF EXISTS {quote(name)}")
                connection.execute(sql)
            count_anew(connection, table)


def kept_offsets(connection: sqlite3.Connection) -> list[Offset]:
    """The offsets of the zone by whose days rows are counted."""
    return connection.execute("SELECT starts, shift FROM sync_zone ORDER BY starts").fetchall()


def count_anew(connection: sqlite3.Connection, table: Table) -> None:
    """Count every row of a table, in one pass."""
    if (count := table.counted) is not None:
        connection.execute(f"DELETE FROM {quote(count.into)}")
        rows = f"SELECT {_counted(count)} FROM {quote(table.name)} WHERE {quote(count.at)} IS NOT NULL"
        connection.execute(_add(count, rows))
        connection.execute(_add(count, f"SELECT {_kept(count)} FROM {quote(count.erased)} WHERE TRUE"))


def keep_counted(connection: sqlite3.Connection, table: Table, keys: Sequence[Key]) -> Callable[[], None]:
    """Before rows with these keys are deleted to forget somebody: returns what is to be called afterwards, so that they
    count all the same. Within the caller's transaction."""
    if (count := table.counted) is None:
        return lambda: None
    same = " AND ".join(f"{quote(name)} = ?" for name in table.key)
    sql = f"SELECT {_counted(count)} FROM {quote(table.name)} WHERE {quote(count.at)} IS NOT NULL AND {same}"
    counted = [row for key in keys for row in connection.execute(sql, key)]

    def count_again() -> None:
        slots = ", ".join("?" * len((*key_of(count), *count.sums)))
        for into in (count.into, count.erased):
            connection.executemany(_add(count, f"VALUES ({slots})", into), counted)

    return count_again


def days(connection: sqlite3.Connection, table: Table) -> list[str]:
    """The days that are counted, and those that rows are of."""
    if (count := table.counted) is None:
        return []
    rows = f"SELECT {_day(count)} FROM {quote(table.name)} WHERE {quote(count.at)} IS NOT NULL"
    kept = f"SELECT day FROM {quote(count.into)} UNION SELECT day FROM {quote(count.erased)}"
    return [day for (day,) in connection.execute(f"{kept} UNION {rows} ORDER BY 1")]


def count_day(connection: sqlite3.Connection, table: Table, day: str) -> bool:
    """Count the rows of a day again; whether they had been counted wrong. Within the caller's transaction."""
    if (count := table.counted) is None:
        return False
    kept = f"SELECT * FROM {quote(count.into)} WHERE day = :day ORDER BY {names(key_of(count))}"
    at = quote(count.at)
    near = f"{at} >= date(:day, '-1 day') AND {at} < date(:day, '+2 days') AND " if day else ""
    before = connection.execute(kept, {"day": day}).fetchall()
    connection.execute(f"DELETE FROM {quote(count.into)} WHERE day = :day", {"day": day})
    rows = f"SELECT {_counted(count)} FROM {quote(table.name)} WHERE {near}{at} IS NOT NULL AND {_day(count)} = :day"
    connection.execute(_add(count, rows), {"day": day})
    connection.execute(_add(count, f"SELECT {_kept(count)} FROM {quote(count.erased)} WHERE day = :day"), {"day": day})
    return bool(connection.execute(kept, {"day": day}).fetchall() != before)


def key_of(count: DayCount) -> tuple[str, ...]:
    return ("day", "org_id", *count.by)


def _day(count: DayCount, row: str = "") -> str:
    """The day of a row's time, as SQL."""
    at = f"{row}{quote(count.at)}"
    shift = f"SELECT shift FROM sync_zone WHERE starts <= {at} ORDER BY starts DESC LIMIT 1"
    return f"ifnull(date({at}, ({shift})), '')"


def _flags(count: DayCount, row: str = "") -> list[str]:
    return [f"ifnull({row}org_id, 0)", *(f"ifnull({row}{quote(flag)}, {UNKNOWN})" for flag in count.by)]


def _counted(count: DayCount, row: str = "") -> str:
    """What a row adds, as SQL, in the order of the columns."""
    total = f"{row}{quote(count.total)}"
    return ", ".join([_day(count, row), *_flags(count, row), "1", f"ifnull({total}, 0)", f"{total} IS NULL"])


def _kept(count: DayCount) -> str:
    return names((*key_of(count), *count.sums))


def _add(count: DayCount, rows: str, into: str = "") -> str:
    sums = ", ".join(f"{quote(c)} = {quote(c)} + excluded.{quote(c)}" for c in count.sums)
    return (
        f"INSERT INTO {quote(into or count.into)} ({_kept(count)}) {rows} "
        f"ON CONFLICT ({names(key_of(count))}) DO UPDATE SET {sums}"
    )


def _take_out(count: DayCount) -> str:
    """Takes OLD out of what it was counted under, and that away if nothing is left."""
    total, row = f"OLD.{quote(count.total)}", [_day(count, "OLD."), *_flags(count, "OLD.")]
    same = " AND ".join(f"{quote(c)} = {value}" for c, value in zip(key_of(count), row, strict=True))
    rows, sum_, without = map(quote, count.sums)
    return (
        f"UPDATE {quote(count.into)} SET {rows} = {rows} - 1, {sum_} = {sum_} - ifnull({total}, 0), "
        f"{without} = {without} - ({total} IS NULL) WHERE OLD.{quote(count.at)} IS NOT NULL AND {same}; "
        f"DELETE FROM {quote(count.into)} WHERE {same} AND {rows} <= 0;"
    )
