"""Merging one staged snapshot into the mirror, in slices between which other work goes on.

Owns the order of the steps: compare on a read-only connection, merge what differs, make absent what is gone, then one
last transaction that settles whatever events touched meanwhile and records the snapshot as applied. Until that last
commit the snapshot asserts nothing; after a kill, doing it all again ends in the same rows.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptsync.clock import iso_millis
from promptsync.ingest.claims import Key
from promptsync.ingest.staging import attach, attached, fold_doubles, index_keys
from promptsync.merge.event_sql import EventStatements
from promptsync.merge.layout import Layout
from promptsync.merge.snapshot_sql import Delta, SnapshotStatements
from promptsync.merge.sql import quote
from promptsync.merge.version import Rank, version
from promptsync.store import ledger
from promptsync.store.mirror import Mirror
from promptsync.store.snapshots import record_lacks
from promptsync.store.writer import Lane

Progress = Callable[[str, int, int], None]
"""Told of (step, done, total)."""

_LOCK_SECONDS = 0.5
_ROWS_FIRST, _ROWS_LEAST, _ROWS_MOST = 1_000, 100, 500_000  # of a slice
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Staged:
    """A complete staged snapshot. ``org``: 0 for the table of organizations; ``at``: microseconds; ``spared``: keys of
    rows that could not be read, so that they are neither merged nor absent."""

    path: Path
    file_id: int
    layout: Layout
    org: int
    at: int
    present: frozenset[str]
    lacks: tuple[str, ...]
    rows: int
    last_number: int
    ascending: bool
    spared: tuple[Key, ...] = ()


@dataclass(slots=True)
class Difference:
    """What the comparison found. ``whole``: the table is still empty, every row is new."""

    new: int = 0
    changed: int = 0
    foreign: list[tuple[int, Key]] = field(default_factory=list)
    folded: list[tuple[int, str]] = field(default_factory=list)
    delta: int = 0
    gone: int = 0
    settle: int = 0
    whole: bool = False


class SnapshotMerge:
    """One staged snapshot on its way into the mirror. Blocking: not for the event loop's thread."""

    def __init__(self, mirror: Mirror, staged: Staged, touched: set[Key], progress: Progress) -> None:
        self._mirror = mirror
        self._staged = staged
        self._touched = touched
        self._progress = progress
        self._table = staged.layout.table
        self._sql = SnapshotStatements(staged.layout, staged.present)
        self._parameters = self._bind()
        self._slice = _ROWS_FIRST

    def compare(self) -> Difference:
        """Find what differs, without writing to the mirror."""
        found = Difference()
        key = self._staged.layout.key
        with self._mirror.reading() as connection, attached(connection, self._staged.path, writable=True):
            connection.execute("PRAGMA staging.synchronous = OFF")
            connection.execute("BEGIN")
            connection.execute("CREATE TABLE IF NOT EXISTS staging.delta (_n INTEGER, kind INTEGER)")
            columns = ", ".join(quote(column) for column in key)
            connection.execute(f"CREATE TABLE IF NOT EXISTS staging.gone ({columns})")
            connection.execute(f"CREATE TABLE IF NOT EXISTS staging.settle ({columns})")
            found.whole = not connection.execute(f"SELECT EXISTS (SELECT 1 FROM {quote(self._table.name)})").fetchone()[0]
            if not (found.whole and self._staged.ascending):
                index_keys(connection, key)
            if not self._staged.ascending:
                units = [unit for unit in self._staged.layout.units if set(unit.columns) <= self._staged.present]
                found.folded = fold_doubles(connection, key, units)
            if not found.whole:
                self._find(connection, found, columns)
            connection.execute("COMMIT")
        if found.whole:
            found.new = self._staged.rows - len(found.folded)
        return found

    def apply(self, found: Difference, counts: Mapping[str, Any]) -> None:
        """Merge it. ``counts``: what the ledger's row of the file says once this has committed."""
        writer, snapshots, staged = self._mirror.writer, self._mirror.snapshots, self._staged
        applied = (self._table.name, staged.org, staged.at, staged.rows, list(staged.lacks))
        writer.run(lambda connection: attach(connection, self._staged.path, writable=False), bare=True)
        try:
            self._settle_dropped(found)
            self._spare()
            if found.whole:
                self._slices("merging", self._sql.merge_range, self._staged.last_number)
            else:
                self._slices("merging", self._sql.merge_slice, found.delta)
                self._slices("absent", self._sql.absent_slice, found.gone)
            if self._touched and found.whole:
                self._index()
            while len(self._touched) > _CHUNK:
                some = [self._touched.pop() for _ in range(_CHUNK)]
                writer.run(lambda connection, keys=some: self._again(connection, keys), durable=False)  # type: ignore[misc]
            writer.run(
                lambda connection: self._finish(connection, counts), committed=lambda _: snapshots.add(*applied)
            )
        finally:
            writer.run(lambda connection: connection.execute("DETACH staging") and None, bare=True)

    def _index(self) -> None:
        with self._mirror.reading() as connection, attached(connection, self._staged.path, writable=True):
            index_keys(connection, self._staged.layout.key)

    def _find(self, connection: sqlite3.Connection, found: Difference, columns: str) -> None:
        connection.execute(self._sql.compare, self._parameters)
        for kind, count in connection.execute("SELECT kind, count(*) FROM staging.delta GROUP BY kind"):
            found.delta += count
            found.new = count if kind == Delta.NEW else found.new
            found.changed = count if kind == Delta.CHANGED else found.changed
        found.foreign = [
            (n, tuple(one))
            for n, *one in connection.execute(
                f"SELECT s._n, {columns} FROM staging.delta d JOIN staging.rows s ON s._n = d._n WHERE d.kind = ?",
                (Delta.FOREIGN,),
            )
        ]
        connection.execute(self._sql.gone, self._parameters)
        found.gone = connection.execute("SELECT count(*) FROM staging.gone").fetchone()[0]
        if self._newly_dropped():
            connection.execute(self._sql.settle, self._parameters)
            found.settle = connection.execute("SELECT count(*) FROM staging.settle").fetchone()[0]

    def _newly_dropped(self) -> list[str]:
        """Columns that the newest applied snapshot speaks for and this one, if it becomes the newest, does not."""
        known = self._mirror.snapshots.lacks_at_newest(self._table.name, self._staged.org)
        return [unit.name for unit in self._sql.dropped if self._parameters["newest"] and unit.name not in known]

    def _settle_dropped(self, found: Difference) -> None:
        """Write down what the newest applied snapshot asserts of columns that this one drops.

        Before the first slice: rows that a slice marks as held must not count as held by that one.
        """
        table, org, dropped = self._table.name, self._staged.org, self._newly_dropped()
        if not dropped:
            return
        self._slices("settling", self._sql.settle_slice, found.settle)
        self._mirror.writer.run(
            lambda connection: record_lacks(connection, table, dropped, org),
            committed=lambda _: self._mirror.snapshots.lack(table, dropped, org),
        )
        self._parameters = self._bind()

    def _spare(self) -> None:
        """Rows that the file has but could not say: they were there."""
        staged, mirror = self._staged, self._mirror
        if not staged.spared:
            return
        statements = EventStatements(staged.layout)
        owner = (staged.org,) if staged.layout.owner else ()
        nothing = (*(None for _ in staged.layout.values), *(0 for _ in staged.layout.units))
        absent = mirror.snapshots.next_after(self._table.name, staged.org, staged.at)
        whole, split = mirror.snapshots.asserted(staged.layout, staged.org)

        def spare(connection: sqlite3.Connection) -> None:
            revision = mirror.next_revision(connection)
            tail = (revision, staged.at, absent, whole, *split)
            connection.executemany(statements.upsert, [(*key, *owner, *nothing, *tail) for key in staged.spared])

        mirror.writer.run(spare)

    def _slices(self, step: str, sql: str, total: int) -> None:
        """Run a statement over 1 to ``total`` in slices that hold the write lock for about 20 milliseconds each."""
        first = 1
        while first <= total:
            last = min(first + self._slice - 1, total)
            spent = self._mirror.writer.run(
                lambda connection, first=first, last=last: self._one(connection, sql, first, last),  # type: ignore[misc]
                Lane.BULK,
                durable=False,
            )
            self._progress(step, last, total)
            wanted = int(self._slice * min(2.0, _LOCK_SECONDS / max(spent, 1e-5)))
            self._slice = max(_ROWS_LEAST, min(wanted, _ROWS_MOST))
            first = last + 1

    def _one(self, connection: sqlite3.Connection, sql: str, first: int, last: int) -> float:
        started = time.perf_counter()
        revision = self._mirror.next_revision(connection)
        connection.execute(sql, self._parameters | {"rev": revision, "first": first, "last": last})
        return time.perf_counter() - started

    def _again(self, connection: sqlite3.Connection, keys: Sequence[Key]) -> None:
        """Merge rows again that events touched since they were compared or merged."""
        for start in range(0, len(keys), _CHUNK):
            some = keys[start : start + _CHUNK]
            named = {f"k{n}": value for n, value in enumerate(value for key in some for value in key)}
            named = self._parameters | named | {"rev": self._mirror.next_revision(connection)}
            connection.execute(self._sql.merge_keys(len(some)), named)
            connection.execute(self._sql.absent_keys(len(some)), named)

    def _finish(self, connection: sqlite3.Connection, counts: Mapping[str, Any]) -> None:
        staged = self._staged
        self._again(connection, list(self._touched))
        now = counts["seen_at"]
        snapshot = {"table": self._table.name, "org_id": staged.org, "as_of": iso_millis(staged.at), "at": staged.at}
        snapshot |= {"rows": staged.rows, "lacks": json.dumps(staged.lacks), "file_id": staged.file_id}
        ledger.insert(connection, "sync_snapshot", snapshot | {"applied_at": now})
        ledger.update(connection, "sync_file", staged.file_id, counts)

    def _bind(self) -> dict[str, Any]:
        staged, snapshots = self._staged, self._mirror.snapshots
        newest = snapshots.newest(self._table.name, staged.org)
        is_newest = newest is None or staged.at >= newest
        implied = version(staged.at, Rank.SNAPSHOT) if is_newest else -1
        asserted, split = snapshots.asserted(staged.layout, staged.org)
        bound: dict[str, Any] = {
            "table": self._table.name,
            "org": staged.org,
            "at": staged.at,
            "as_of": iso_millis(staged.at),
            "newest": int(is_newest),
            "asserted": asserted,
            "implied": implied,
        }
        same = staged.at == newest
        lacking = set(staged.lacks) | (snapshots.lacks_at_newest(self._table.name, staged.org) if same else set())
        for n, unit in enumerate(unit for unit in staged.layout.units if unit.split):
            bound[f"asserted_{n}"] = split[n]
            bound[f"implied_{n}"] = -1 if unit.name in lacking else implied
        return bound
