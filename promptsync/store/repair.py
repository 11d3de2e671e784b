"""Taking back what the mirror holds: what is dated in the future, or all of a table whose history comes again.

Owns the order in which that can be done twice, or again after a kill, and ends in the same rows: what has to be claimed
again is made ready first, so that no file counts as merged whose rows are gone. The latest claim wins, so one from the
future (a wrong clock, a typing error in a name, an accepted file) wins over all that are true. Here it loses its time,
not its value: a row keeps the value until any other claim is made. Records of files and runs only get another date.
What a place has given is not fetched again. What is kept by day is counted anew.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from promptsync.clock import CLOCKS_DIFFER, iso_micros, iso_millis, parse_iso
from promptsync.merge.layout import Layout
from promptsync.merge.sql import names, quote
from promptsync.merge.version import PER_MICRO, TERMINAL
from promptsync.model import FilledBy, Role, Schema, Table
from promptsync.store import day_count, ledger
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Progress, Slices
from promptsync.store.writer import Preempted

_DATES: Final = (("sync_file", "seen_at"), ("sync_run", "started_at"), ("sync_run", "finished_at"))
_SOME = 500
_TRIES = 20


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


@dataclass(slots=True)
class Repaired:
    """What was dated in the future. ``rows``: by table; ``snapshots``: table, organization and ISO instant; ``files``:
    of those tables, that can be loaded again; ``deliveries``: received in the future; ``replayed``: to be applied;
    ``records``: of files and runs, of which only the date was wrong; ``days``: whose kept numbers were wrong."""

    rows: dict[str, int] = field(default_factory=dict)
    snapshots: list[tuple[str, int, str]] = field(default_factory=list)
    files: int = 0
    deliveries: int = 0
    records: int = 0
    replayed: int = 0
    days: int = 0

    @property
    def anything(self) -> bool:
        """Whether there was something to mend."""
        return bool(self.rows or self.snapshots or self.deliveries)


def future_snapshots(connection: sqlite3.Connection, latest: int) -> list[tuple[str, int, str]]:
    """Applied snapshots later than ``latest`` (microseconds): table, organization, ISO instant."""
    sql = 'SELECT DISTINCT "table", org_id, as_of FROM sync_snapshot WHERE at > ? ORDER BY 1, 2, 3'
    return [tuple(row) for row in connection.execute(sql, (latest,))]


def repair(mirror: Mirror, now: int, latest: int, progress: Progress) -> Repaired:
    """Mend the mirror, in slices between which deliveries are stored. Blocking: not for the event loop's thread.

    ``now``, ``latest``: microseconds; what is dated after ``latest`` is not believed, nor a receipt that is further
    ahead of ``now`` than clocks differ.
    """
    done = Repaired()
    with mirror.reading() as connection:
        done.snapshots = future_snapshots(connection, latest)
        done.deliveries = dated_in_future(connection, now).deliveries
    for table, org in dict.fromkeys((table, org) for table, org, _ in done.snapshots):
        _release(mirror, mirror.layout(table), org, progress)
        done.files += mirror.writer.run(lambda c, t=table, o=org: _forget(c, t, o, latest))  # type: ignore[misc]
    mirror.writer.run(mirror.snapshots.load)
    for layout in _versioned(mirror):
        if count := _weaken(mirror, layout, latest, now, progress):
            done.rows[layout.table.name] = count
    _redate(mirror, now, progress)
    done.records = mirror.writer.run(lambda connection: date_records_anew(connection, now))
    mirror.writer.run(lambda connection: _forget_marks(connection, mirror.schema, latest))
    if done.anything:
        done.replayed = _replay(mirror, progress)
    done.days = sum(_count_days(mirror, table, progress) for table in mirror.schema if table.counted)
    return done


def _versioned(mirror: Mirror) -> Iterator[Layout]:
    """Tables whose versions are times."""
    for table in mirror.schema:
        if table.role is Role.MIRROR and table.filled_by is not FilledBy.CHANGE_SET:
            yield mirror.layout(table.name)


def _release(mirror: Mirror, layout: Layout, org: int, progress: Progress) -> None:
    """No row counts as held by the newest snapshot any more: that one is taken back."""
    owned = " AND org_id = :org" if layout.owner else ""
    for some in _keys(
        mirror, layout, f"_in_snapshot = 1{owned}", {"org": org}, f"releasing {layout.table.name}", progress
    ):
        _update(mirror, layout, {"_in_snapshot": "0", "_snap_at": "max(_snap_at, 1)"}, {}, some)


def _forget(connection: sqlite3.Connection, table: str, org: int, latest: int) -> int:
    """Forget the snapshots of the future, what is known of blocks, and that files of the table were merged."""
    values = (table, org)
    connection.execute('DELETE FROM sync_snapshot WHERE "table" = ? AND org_id = ? AND at > ?', (*values, latest))
    connection.execute('UPDATE sync_snapshot SET blocks = NULL WHERE "table" = ? AND org_id = ?', values)
    sql = "UPDATE sync_file SET state = 'reset' WHERE \"table\" = ? AND org_id = ? AND state IN ('merged', 'unchanged')"
    return connection.execute(sql, values).rowcount


def _weaken(mirror: Mirror, layout: Layout, latest: int, now: int, progress: Progress) -> int:
    """Give claims of the future the weakest version there is; returns how many rows had one."""
    bound = {"limit": (latest + 1) * PER_MICRO, "latest": latest, "text": iso_millis(latest), "now": now}
    marks = [unit.at for unit in layout.units] + (["_snap_at"] if layout.table.exported else [])
    sets = {mark: f"CASE WHEN {_plain(mark)} >= :limit THEN 1 ELSE {quote(mark)} END" for mark in marks}
    tests = [f"{_plain(mark)} >= :limit" for mark in marks]
    hidden = {name for name, _ in layout.hidden()} | set(layout.table.by_name)
    if "_seen_at" in hidden:
        sets["_seen_at"] = "CASE WHEN _seen_at > :latest THEN :now ELSE _seen_at END"
        tests.append("_seen_at > :latest")
    for gone in {"_absent_since", "removed_at"} & hidden:
        sets[gone] = f"CASE WHEN {gone} > :text THEN NULL ELSE {gone} END"
        tests.append(f"{gone} > :text")
    count = 0
    for some in _keys(
        mirror, layout, " OR ".join(tests) or "FALSE", bound, f"looking at {layout.table.name}", progress
    ):
        _update(mirror, layout, sets, bound, some)
        count += len(some)
    return count


def _plain(mark: str) -> str:
    """A version without the bit of a final status."""
    return f"(ifnull({quote(mark)}, 0) & ~{TERMINAL})"


def _redate(mirror: Mirror, now: int, progress: Progress) -> None:
    """Deliveries received in the future get a time just after the one before them, in the order of their numbers."""
    latest = now + CLOCKS_DIFFER
    with mirror.reading() as connection:
        wrong = connection.execute(
            "SELECT id FROM sync_event WHERE received_at > ? ORDER BY id", (iso_micros(latest),)
        ).fetchall()
    for start in range(0, len(wrong), _SOME):
        some = [number for (number,) in wrong[start : start + _SOME]]
        mirror.writer.run(lambda connection, some=some: _redate_some(connection, some, now))  # type: ignore[misc]
        progress("dating deliveries", start + len(some), len(wrong))


def _redate_some(connection: sqlite3.Connection, numbers: list[int], now: int) -> None:
    latest = now + CLOCKS_DIFFER
    for number in numbers:
        before = connection.execute(
            "SELECT received_at FROM sync_event WHERE id < ? AND received_at <= ? ORDER BY id DESC LIMIT 1",
            (number, iso_micros(latest)),
        ).fetchone()
        after = connection.execute(
            "SELECT min(received_at) FROM sync_event WHERE id > ? AND received_at <= ?", (number, iso_micros(latest))
        ).fetchone()[0]
        known = parse_iso(before[0]) + 1 if before else (parse_iso(after) - len(numbers) if after else now)
        connection.execute(
            "UPDATE sync_event SET received_at = ?, observed_at = NULL WHERE id = ?", (iso_micros(known), number)
        )


def _forget_marks(connection: sqlite3.Connection, schema: Schema, latest: int) -> None:
    connection.execute("DELETE FROM sync_full_list WHERE at > ?", (latest,))
    connection.execute("UPDATE sync_touched SET at = ? WHERE at > ?", (latest, latest))


def _replay(mirror: Mirror, progress: Progress) -> int:
    """Every delivery is to be applied again: what they say of the rows may count now. In slices; returns how many."""
    with mirror.reading() as connection:
        first, last = connection.execute("SELECT ifnull(min(id), 1), ifnull(max(id), 0) FROM sync_event").fetchone()
    count = 0
    sql = "UPDATE sync_event SET state = 'pending' WHERE id BETWEEN ? AND ? AND state = 'applied'"
    for start in range(first, last + 1, _SOME):
        bounds = (start, start + _SOME - 1)
        count += mirror.writer.run(lambda connection, bounds=bounds: connection.execute(sql, bounds).rowcount)  # type: ignore[misc]
        progress("deliveries to apply again", min(start + _SOME, last), last)
    return count


def _count_days(mirror: Mirror, table: Table, progress: Progress) -> int:
    """Count a table by day again, each day in a transaction that gives way to deliveries; returns how many were wrong.

    Deliveries that never end have it take one all the same, after some tries.
    """
    with mirror.reading() as connection:
        days = day_count.days(connection, table)
    wrong = 0
    for done, day in enumerate(days, 1):
        for left in range(_TRIES, -1, -1):
            with suppress(Preempted):
                count = partial(day_count.count_day, table=table, day=day)
                wrong += mirror.writer.run(count, preemptible=left > 0)
                break
        progress("counting days", done, len(days))
    return wrong


def _keys(
    mirror: Mirror, layout: Layout, where: str, bound: dict[str, Any], step: str, progress: Progress
) -> Iterator[list[tuple[Any, ...]]]:
    """The keys of rows for which a condition holds, some at a time."""
    key = names(layout.key)
    with mirror.reading() as connection:
        found = connection.execute(f"SELECT {key} FROM {quote(layout.table.name)} WHERE {where}", bound).fetchall()
    for start in range(0, len(found), _SOME):
        yield found[start : start + _SOME]
        progress(step, min(start + _SOME, len(found)), len(found))


def _update(
    mirror: Mirror, layout: Layout, sets: dict[str, str], bound: dict[str, Any], keys: list[tuple[Any, ...]]
) -> None:
    changes = ", ".join(f"{quote(name)} = {value}" for name, value in sets.items())
    same = " AND ".join(f"{quote(column)} = :k{n}" for n, column in enumerate(layout.key))
    sql = f"UPDATE {quote(layout.table.name)} SET {changes} WHERE {same}"
    rows = [bound | {f"k{n}": value for n, value in enumerate(key)} for key in keys]
    mirror.writer.run(lambda connection: connection.executemany(sql, rows) and None)


@dataclass(frozen=True, slots=True)
class Reset:
    """What came of it. ``rows``: deleted; ``files``: whose merging was forgotten."""

    table: str
    rows: int
    files: int


def reset_table(mirror: Mirror, table: str, progress: Callable[[str, int, int], None]) -> Reset:
    """Delete its rows, a slice at a time. ``progress``: gets (step, done, total). Blocking: for a worker thread."""
    files = mirror.writer.run(lambda connection: ledger.forget_merged(connection, table))
    with mirror.reading() as connection:
        total: int = connection.execute(f"SELECT count(*) FROM {quote(table)}").fetchone()[0]
    key = names(mirror.schema[table].key)
    some = f"SELECT {key} FROM {quote(table)} ORDER BY {key} LIMIT ?"

    def work(connection: sqlite3.Connection, first: int, last: int) -> None:
        connection.execute(f"DELETE FROM {quote(table)} WHERE ({key}) IN ({some})", (last - first + 1,))

    Slices(mirror.writer).run(work, total, lambda done, of: progress("deleting", done, of))
    return Reset(table, total, files)
