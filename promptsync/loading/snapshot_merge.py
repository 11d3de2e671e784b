"""Merging one staged and compared snapshot into the mirror, in slices between which other work goes on.

Owns the order of the steps: merge what differs, make absent what is gone, then one last transaction that settles
whatever events touched meanwhile and records the snapshot as applied. Until that last commit the snapshot asserts
nothing; after a kill, doing it all again ends in the same rows.
"""

import json
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from promptsync.clock import iso_millis
from promptsync.errors import PromptsyncError
from promptsync.merge.bulk_sql import snapshot_statements
from promptsync.merge.event_sql import EventStatements
from promptsync.model import Key
from promptsync.store import ledger
from promptsync.store.compare import Difference, Overtaken, Staged, newly_dropped, parameters
from promptsync.store.initial_load import copy_into
from promptsync.store.mirror import Mirror
from promptsync.store.search_build import WORTH, StagedIndex
from promptsync.store.slices import Progress, Slice, Slices
from promptsync.store.snapshots import record_lacks
from promptsync.store.staging import attached, attached_to_writer, index_keys, next_numbers

_CHUNK = 200


class SnapshotMerge:
    """One staged snapshot on its way into the mirror. Blocking: not for the event loop's thread."""

    def __init__(self, mirror: Mirror, staged: Staged, touched: dict[Key, int], progress: Progress) -> None:
        self._mirror = mirror
        self._staged = staged
        self._touched = touched
        self._progress = progress
        self._table = staged.layout.table
        self._sql = snapshot_statements(staged.layout, staged.present)
        self._parameters = parameters(mirror, staged)
        weight = 1 + len(self._sql.parts)
        self._slices = Slices(mirror.writer, weight)
        self._chunk = max(1, _CHUNK // weight)
        self._search: StagedIndex | None = None

    def apply(self, found: Difference, counts: Callable[[], Mapping[str, Any]]) -> None:
        """Merge it. ``counts``: what the ledger's row of the file says once this has committed. Raises Overtaken."""
        staged, table = self._staged, self._table
        if not (found.all_new and staged.initial and table.search and staged.rows >= WORTH):
            self._apply(found, counts)
            return
        with StagedIndex(self._mirror, table, staged.path) as self._search:
            self._apply(found, counts)
            with suppress(PromptsyncError):  # the file is merged; its rows can be entered later
                self._search.take_over(lambda rows: self._progress("indexing", rows, 0))

    def _apply(self, found: Difference, counts: Callable[[], Mapping[str, Any]]) -> None:
        writer, snapshots, staged = self._mirror.writer, self._mirror.snapshots, self._staged
        applied = (self._table.name, staged.org, staged.at, staged.rows, list(staged.lacks))
        with attached_to_writer(writer, staged.path, staged.rows):
            writer.run(lambda connection: ledger.void_blocks(connection, self._table.name, staged.org), durable=False)
            self._prepare(found)
            self._settle_dropped(found)
            self._spare()
            if found.all_new:
                if staged.initial and self._copy_into(counts, applied):
                    return
                self._ranges()
            else:
                self._run("merging", self._statements(found), found.delta)
                self._run("absent", (self._sql.absence.absent_slice,), found.gone)
            if self._touched and found.all_new and not staged.initial:
                self._index()
            while len(self._touched) > self._chunk:
                some = self._read(take_some(self._touched, self._chunk))
                writer.run(lambda connection, keys=some: self._again(connection, keys), durable=False)  # type: ignore[misc]
            writer.run(
                lambda connection: self._finish(connection, counts()), committed=lambda _: snapshots.add(*applied)
            )

    def within(self, connection: sqlite3.Connection, found: Difference, counts: Mapping[str, Any]) -> None:
        """The same within one transaction, of a file that has few rows, none of them bad, and drops no column."""
        staged = self._staged
        ledger.void_blocks(connection, self._table.name, staged.org)
        self._work(self._statements(found))(connection, 1, found.delta)
        if found.gone:
            self._work((self._sql.absence.absent_slice,))(connection, 1, found.gone)
        self._finish(connection, counts)
        self._mirror.snapshots.add_uncommitted(self._table.name, staged.org, staged.at, staged.rows, list(staged.lacks))

    def _index(self) -> None:
        with self._mirror.reading() as connection, attached(connection, self._staged.path, writable=True):
            index_keys(connection, self._staged.layout.key)

    def _settle_dropped(self, found: Difference) -> None:
        """Write down what the newest applied snapshot asserts of columns that this one drops.

        Before the first slice: rows that a slice marks as held must not count as held by that one.
        """
        table, org, dropped = self._table.name, self._staged.org, newly_dropped(self._mirror, self._staged)
        if not dropped:
            return
        self._run("settling", (self._settle_sql,), found.settle)
        self._mirror.writer.run(
            lambda connection: record_lacks(connection, table, dropped, org),
            committed=lambda _: self._mirror.snapshots.lack(table, dropped, org),
        )
        self._parameters = parameters(self._mirror, self._staged)

    def _spare(self) -> None:
        """Rows that the file has but could not say: they were there; one that states another organization, if known."""
        staged, mirror = self._staged, self._mirror
        if not staged.spared and not staged.disowned:
            return
        layout = staged.layout.declared
        statements = EventStatements(layout)
        owner = (staged.org,) if layout.owner else ()
        nothing = (*(None for _ in layout.values), *(0 for _ in layout.units))
        absent = mirror.snapshots.next_after(self._table.name, staged.org, staged.at)
        implied, split = mirror.snapshots.asserted(layout, staged.org)

        def spare(connection: sqlite3.Connection) -> None:
            revision = mirror.next_revision(connection)
            tail = (revision, staged.at, absent, implied, *split)
            known = [key for key in staged.disowned if connection.execute(statements.known, (*key, *owner)).fetchone()]
            spared = {*staged.spared, *known}
            connection.executemany(statements.upsert, [(*key, *owner, *nothing, *tail) for key in spared])

        mirror.writer.run(spare)

    def _statements(self, found: Difference) -> list[str]:
        """Those with something to do: to prepare one takes SQLite as long as to merge a small file."""
        heavy = [self._sql.merge_heavy] if found.heavy else []
        moderate = [self._sql.merge_moderate] if found.moderate else []
        light = [self._sql.merge_light] if found.delta > found.heavy + found.moderate else []
        return [*(self._sql.parts_of_delta if found.delta else ()), *heavy, *moderate, *light]

    @property
    def _settle_sql(self) -> str:
        return self._sql.coverage.settle_slice(self._sql.dropped)

    @property
    def _range_sql(self) -> Sequence[str]:
        return (*self._sql.parts_of_range, self._sql.merge_range)

    @cached_property
    def _again_sql(self) -> Sequence[str]:
        return self._keys_sql(self._chunk)

    def _keys_sql(self, count: int) -> Sequence[str]:
        return (*self._sql.merge_keys(count), self._sql.absence.absent_keys(count))

    def _prepare(self, found: Difference) -> None:
        """Prepare, one by one, what will be run, if it takes so long that deliveries would wait."""
        if not self._sql.parts:
            return
        merging = self._range_sql if found.all_new else (*self._statements(found), self._sql.absence.absent_slice)
        settling = (self._settle_sql,) if found.settle else ()
        no_keys = {f"k{n}": None for n in range(self._chunk * len(self._staged.layout.key))}
        self._slices.prepare((*settling, *merging, *self._again_sql), self._parameters | no_keys)

    def _run(self, step: str, statements: Sequence[str], total: int) -> None:
        """Run statements over 1 to ``total``."""
        self._slices.run(self._work(statements), total, lambda done, of: self._progress(step, done, of))

    def _ranges(self) -> None:
        """Merge all staged rows, whose numbers may have gaps."""
        done, first = 0, 0
        work = self._work(self._range_sql)
        while True:
            with self._mirror.reading() as connection, attached(connection, self._staged.path, writable=False):
                low, high, count = next_numbers(connection, first, self._slices.size)
            if not count:
                return
            if self._slices.done(work, low, high, count):
                done, first = done + count, high + 1
                self._progress("merging", done, self._staged.rows)

    def _work(self, statements: Sequence[str]) -> Slice:
        def work(connection: sqlite3.Connection, first: int, last: int) -> None:
            revision = self._mirror.next_revision(connection)
            for sql in statements:
                connection.execute(sql, self._parameters | {"rev": revision, "first": first, "last": last})

        return work

    def _copy_into(self, counts: Callable[[], Mapping[str, Any]], applied: tuple[Any, ...]) -> bool:
        """Try the short way into an empty table. False: a delivery came in between; nothing was done."""
        self._progress("taking over", 0, self._staged.rows)
        index = self._search

        def finish(connection: sqlite3.Connection) -> None:
            if index:
                index.note(connection)
            self._finish(connection, counts())

        copied = copy_into(self._mirror.writer, self._table, finish, lambda _: self._mirror.snapshots.add(*applied))
        if index and copied:
            index.copied()
        elif index:
            index.stop()  # what is merged in slices changes while others write
        return copied

    def _read(self, touched: Mapping[Key, int]) -> list[Key]:
        """Those that lie in what was read. In the rest every row is as it was in the newest applied snapshot; an event
        about the time before this one must not have changed it: raises Overtaken."""
        if self._staged.gaps is None:
            return list(touched)
        low = [low for low, _ in self._staged.gaps]
        keys = []
        for key, oldest in touched.items():
            place = bisect_right(low, int(key[0] or 0)) - 1
            if place >= 0 and int(key[0] or 0) <= self._staged.gaps[place][1]:
                keys.append(key)
            elif oldest < self._staged.at:
                raise Overtaken
        return keys

    def _again(self, connection: sqlite3.Connection, keys: Sequence[Key]) -> None:
        """Merge rows again that events touched since they were compared or merged."""
        for start in range(0, len(keys), self._chunk):
            some = list(keys[start : start + self._chunk])
            if self._sql.parts:
                some += [some[-1]] * (self._chunk - len(some))  # the number for which they have been prepared
            statements = self._again_sql if len(some) == self._chunk else self._keys_sql(len(some))
            named = {f"k{n}": value for n, value in enumerate(value for key in some for value in key)}
            named = self._parameters | named | {"rev": self._mirror.next_revision(connection)}
            for sql in statements:
                connection.execute(sql, named)

    def _finish(self, connection: sqlite3.Connection, counts: Mapping[str, Any]) -> None:
        staged = self._staged
        self._again(connection, self._read(self._touched))
        now = counts["seen_at"]
        snapshot = {"table": self._table.name, "org_id": staged.org, "as_of": iso_millis(staged.at), "at": staged.at}
        snapshot |= {"rows": staged.rows, "lacks": json.dumps(staged.lacks), "file_id": staged.file_id}
        number = ledger.insert(connection, "sync_snapshot", snapshot | {"applied_at": now})
        ledger.keep_blocks(connection, self._table.name, staged.org, (number, staged.at), staged.blocks)
        ledger.close_file(connection, staged.file_id, counts)


def take_some(touched: dict[Key, int], count: int) -> dict[Key, int]:
    """Some of the rows that events touched, taken out one by one: what the writer notes meanwhile is in what was
    taken or in what is left."""
    return dict(touched.popitem() for _ in range(count))
