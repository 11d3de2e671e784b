"""Comparing a staged snapshot or change set with the mirror, on a read-only connection.

Owns the facts about a staged file, the parameters that its statements share, and the lists of differences, which it
leaves in the staging file. Writes nothing to the mirror.
"""

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from promptsync.clock import iso_millis
from promptsync.merge.block_index import BlockIndex
from promptsync.merge.bulk_sql import Delta, snapshot_statements
from promptsync.merge.claim_sql import ClaimStatements
from promptsync.merge.layout import Layout
from promptsync.merge.sql import names
from promptsync.merge.version import Rank, version
from promptsync.model import Key
from promptsync.store.initial_load import build_indexes, is_empty
from promptsync.store.mirror import Mirror
from promptsync.store.staging import attached, fold_doubles, index_keys


@dataclass(frozen=True, slots=True)
class Staged:
    """A complete staged snapshot. ``org``: 0 for the table of organizations; ``at``: microseconds; ``spared``: keys of
    rows that could not be read, so that they are neither merged nor absent; ``disowned``: those that state another
    organization. ``rows``: in the file, of which ``suppressed`` were not staged since they are about people who were
    erased (those of unchanged blocks not counted); ``gaps``: the ranges
    of keys that were staged, if the rest is known to be unchanged; ``initial``: staged for an initial load
    (initial_load.py); ``blocks``: the index for the next night."""

    path: Path
    file_id: int
    layout: Layout
    org: int
    at: int
    present: frozenset[str]
    lacks: tuple[str, ...]
    rows: int
    suppressed: int
    last_number: int
    ascending: bool
    spared: tuple[Key, ...] = ()
    disowned: tuple[Key, ...] = ()
    gaps: tuple[tuple[int, int], ...] | None = None
    initial: bool = False
    blocks: BlockIndex | None = None


@dataclass(slots=True)
class Difference:
    """What the comparison found. ``all_new``: the table is still empty, every row is new.

    ``delta``: rows to write, of which ``heavy`` concern the search or an index of all rows, ``moderate`` a partial one
    (merge/bulk_sql.py).
    ``gone``: rows to look at that the file lacks; of them ``absent`` become absent, and ``lost`` are held by the newest
    applied snapshot. ``differing``: rows in which the file and another of the same instant, merged before, differ.
    """

    new: int = 0
    changed: int = 0
    foreign: list[tuple[int, Key]] = field(default_factory=list)
    folded: list[tuple[int, tuple[object, ...]]] = field(default_factory=list)
    delta: int = 0
    heavy: int = 0
    moderate: int = 0
    gone: int = 0
    absent: int = 0
    lost: int = 0
    differing: int = 0
    settle: int = 0
    all_new: bool = False


class Overtaken(Exception):
    """A part that was left unread matters after all (a row that an event about the time before the snapshot touched, or
    one of another organization, whose place in the file is asked for): read it all."""


class Comparison:
    """One staged snapshot beside the mirror."""

    def __init__(self, mirror: Mirror, staged: Staged) -> None:
        self._mirror = mirror
        self._staged = staged
        self._table = staged.layout.table
        self._sql = snapshot_statements(staged.layout, staged.present)
        self._parameters = parameters(mirror, staged)

    def run(self) -> Difference:
        """Find what differs."""
        found = Difference()
        staged = self._staged
        with self._mirror.reading() as connection, attached(connection, staged.path, writable=True):
            if staged.initial:
                build_indexes(connection, self._table)  # sets what cannot be set within a transaction
            connection.execute("BEGIN")
            self._make_lists(connection)
            found.all_new = is_empty(connection, self._table.name)
            if not staged.initial and not (found.all_new and staged.ascending):
                index_keys(connection, staged.layout.key)
            if not staged.ascending and not staged.initial:
                values = [column for column in staged.layout.values if column in staged.present]
                found.folded = fold_doubles(connection, staged.layout.key, values)
            if not found.all_new:
                self._find(connection, found)
            connection.execute("COMMIT")
        if found.all_new:
            found.new = staged.rows - staged.suppressed - len(found.folded)
        return found

    def within(self, connection: sqlite3.Connection) -> Difference:
        """The same within a transaction, of rows staged with their lists (small_files.py), every key once."""
        found = Difference()
        self._find(connection, found)
        return found

    def _make_lists(self, connection: sqlite3.Connection) -> None:
        columns = names(self._staged.layout.key)
        connection.execute(self._sql.make_delta)
        connection.execute(f"CREATE TABLE staging.gone ({columns}, held INTEGER, absent INTEGER)")
        connection.execute(f"CREATE TABLE staging.settle ({columns})")
        if self._staged.gaps is not None:
            connection.execute("CREATE TABLE staging.gaps (low INTEGER, high INTEGER)")
            connection.executemany("INSERT INTO staging.gaps VALUES (?, ?)", self._staged.gaps)

    def _find(self, connection: sqlite3.Connection, found: Difference) -> None:
        connection.execute(self._sql.compare, self._parameters)
        counts = _kinds(connection)
        found.delta = sum(counts.values())
        found.new = counts.get(Delta.NEW, 0)
        found.heavy = found.new + counts.get(Delta.CHANGED, 0)
        found.moderate = counts.get(Delta.MODERATE, 0)
        found.changed = found.heavy - found.new + found.moderate + counts.get(Delta.LIGHT, 0)
        found.foreign = [
            (n, tuple(one))
            for n, *one in connection.execute(
                f"SELECT s._n, {names(self._staged.layout.key)} FROM staging.delta d "
                "JOIN staging.rows s ON s._n = d._n WHERE d.kind = ?",
                (Delta.FOREIGN,),
            )
        ]
        if found.foreign and self._staged.gaps is not None:
            raise Overtaken
        if self._staged.gaps is None:
            connection.execute(self._sql.absence.gone, self._parameters)
        else:
            connection.execute("PRAGMA automatic_index = OFF")  # a join over ranges of keys wants none
            connection.execute(self._sql.absence.gone_in_gaps, self._parameters)
            connection.execute("PRAGMA automatic_index = ON")
        connection.executemany(self._sql.absence.spare, self._staged.spared)
        found.gone, found.lost, found.absent = connection.execute(
            "SELECT count(*), ifnull(sum(held), 0), ifnull(sum(absent), 0) FROM staging.gone"
        ).fetchone()
        found.differing = self._differing(connection)
        if newly_dropped(self._mirror, self._staged):
            connection.execute(self._sql.coverage.settle(self._sql.dropped), self._parameters)
            found.settle = connection.execute("SELECT count(*) FROM staging.settle").fetchone()[0]

    def _differing(self, connection: sqlite3.Connection) -> int:
        snapshots, staged = self._mirror.snapshots, self._staged
        if not snapshots.has(self._table.name, staged.org, staged.at):
            return 0
        differing = int(connection.execute(self._sql.contradicted, self._parameters).fetchone()[0])
        if staged.at == snapshots.newest(self._table.name, staged.org):
            differing += int(connection.execute(self._sql.absence.lacked, self._parameters).fetchone()[0])
        return differing


@dataclass(frozen=True, slots=True)
class StagedClaims:
    """A complete staged change set or export. ``rows``: staged, one per key; ``initial``: for an initial load."""

    path: Path
    statements: ClaimStatements
    rows: int
    initial: bool = False


@dataclass(frozen=True, slots=True)
class ClaimDelta:
    """What the comparison found. ``writes``: rows to write, those that only confirm included; None: not compared."""

    new: int
    changed: int = 0
    writes: int | None = None


def compare_claims(mirror: Mirror, staged: StagedClaims) -> ClaimDelta:
    """Find which rows of a change set or export are new or win; again if it has been compared before."""
    with mirror.reading() as connection, attached(connection, staged.path, writable=True, undo=False):
        connection.execute("BEGIN")
        connection.execute("DROP TABLE IF EXISTS staging.delta")
        connection.execute(staged.statements.make_delta)
        found = find_claims(connection, staged.statements)
        connection.execute("COMMIT")
    return found


def find_claims(connection: sqlite3.Connection, statements: ClaimStatements) -> ClaimDelta:
    """The same of rows that are staged beside an empty list of what differs."""
    connection.execute(statements.compare)
    counts = _kinds(connection)
    return ClaimDelta(counts.get(Delta.NEW, 0), counts.get(Delta.CHANGED, 0), sum(counts.values()))


def _kinds(connection: sqlite3.Connection) -> dict[int, int]:
    return dict(connection.execute("SELECT kind, count(*) FROM staging.delta GROUP BY kind").fetchall())


def newly_dropped(mirror: Mirror, staged: Staged) -> list[str]:
    """Columns that the newest applied snapshot asserts and this one, if it becomes the newest, does not."""
    table, newest = staged.layout.table.name, mirror.snapshots.newest(staged.layout.table.name, staged.org)
    if newest is not None and staged.at < newest:
        return []
    known = mirror.snapshots.lacks_at_newest(table, staged.org)
    dropped = snapshot_statements(staged.layout, staged.present).dropped
    return [unit.name for unit in dropped if unit.name not in known]


def parameters(mirror: Mirror, staged: Staged) -> dict[str, Any]:
    """What the snapshot's statements take (merge/bulk_sql.py), but for the bounds of a slice."""
    table, snapshots = staged.layout.table.name, mirror.snapshots
    newest = snapshots.newest(table, staged.org)
    is_newest = newest is None or staged.at >= newest
    implied = version(staged.at, Rank.SNAPSHOT) if is_newest else -1
    asserted, split = snapshots.asserted(staged.layout, staged.org)
    bound: dict[str, Any] = {
        "table": table,
        "org": staged.org,
        "at": staged.at,
        "as_of": iso_millis(staged.at),
        "newest": int(is_newest),
        "asserted": asserted,
        "implied": implied,
    }
    same = staged.at == newest
    lacking = set(staged.lacks) | (snapshots.lacks_at_newest(table, staged.org) if same else set())
    for n, unit in enumerate(unit for unit in staged.layout.units if unit.split):
        bound[f"asserted_{n}"] = split[n]
        bound[f"implied_{n}"] = -1 if unit.name in lacking else implied
    return bound
