"""The statements that merge one file set-wise, from a staging file attached as ``staging``.

Owns their text: which staged rows would change the mirror (``compare`` fills ``staging.delta`` on a read-only
connection) and how these are merged, a slice at a time. ``staging.rows`` holds the file, one row per key: key, values,
``_at``. What a snapshot makes absent is in absence.py, what it leaves unwritten in coverage.py, why hundreds of
unknown columns are merged by statements of their own, before the others, in parts.py.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property, lru_cache

from promptsync.merge.absence import NEXT_SNAPSHOT, Absence
from promptsync.merge.coverage import Coverage
from promptsync.merge.layout import Layout, Unit
from promptsync.merge.parts import Part, parts_of
from promptsync.merge.rule import Rule
from promptsync.merge.sql import assigned, keys_listed, names, names_of, quote, same_key
from promptsync.merge.version import PER_MICRO


class Delta(IntEnum):
    """What the comparison found out about a staged row that differs from the mirror's."""

    NEW = 1
    CHANGED = 2
    CONFIRMED = 3  # same values, but the row must learn that a newer claim has them, or that a snapshot holds it
    FOREIGN = 4  # the key belongs to another organization
    LIGHT = 5  # changed, but in no column that an index or the search uses
    MODERATE = 6  # changed, but in no column that the search or an index of all rows uses


@dataclass(frozen=True)
class BulkStatements(ABC):
    """Statements for one layout and the columns that the file has (``present``: value columns, derived ones too)."""

    layout: Layout
    present: frozenset[str]

    @cached_property
    def compare(self) -> str:
        """Fills ``staging.delta`` with the rows that must be written, in the order of the file or of its key."""
        row = names_of("s", self._row)
        return (
            f"INSERT INTO staging.delta (kind, {names(self._row)}) SELECT * FROM (SELECT CASE WHEN {self._is_new} "
            f"THEN {Delta.NEW:d} {self._kinds} END AS kind, {row} "
            f"FROM staging.rows s LEFT JOIN {self.old} ON {self._on_staged} ORDER BY {row}) WHERE kind IS NOT NULL"
        )

    @property
    def make_delta(self) -> str:
        """The empty list of rows to write, numbered from 1."""
        row = "_n INTEGER" if self._row == ("_n",) else names(self._row)
        return f"CREATE TABLE staging.delta (n INTEGER PRIMARY KEY, kind INTEGER, {row})"

    @cached_property
    def parts(self) -> tuple[tuple[Unit, ...], ...]:
        """Unknown columns that are merged by statements of their own; none in most files."""
        return parts_of(self._claimed, self.layout.extra)

    @property
    def old(self) -> str:
        """The mirror's table, quoted."""
        return self.rule.old

    @property
    @abstractmethod
    def rule(self) -> Rule:
        """Which claim a column takes."""

    @property
    @abstractmethod
    def _row(self) -> tuple[str, ...]:
        """The columns by which the delta names a staged row."""

    @property
    @abstractmethod
    def _kinds(self) -> str:
        """The kind of a row that exists, as CASE branches; none for a row that need not be written."""

    def _upsert(self, source: str, picked: Mapping[str, str], sets: Mapping[str, str], worth: str) -> str:
        """Inserts ``picked`` (column to value) of the rows ``s`` of ``source``; a row that exists is changed by
        ``sets`` where it is ``worth`` writing."""
        return (
            f"INSERT INTO {self.old} ({names(picked)}) SELECT {', '.join(picked.values())} FROM {source} "
            f"ON CONFLICT ({names(self.layout.key)}) DO UPDATE SET {assigned(sets)} WHERE {worth}"
        )

    @cached_property
    def _claimed(self) -> Sequence[Unit]:
        """The units that the file claims, each with the columns that the file has: all of them, except in a dry run."""
        table = self.layout.table
        ours = [unit for unit in self.layout.units if unit.exported == table.exported]
        have = [replace(unit, columns=tuple(c for c in unit.columns if c in self.present)) for unit in ours]
        return [unit for unit in have if unit.columns]

    @cached_property
    def _claimed_versions(self) -> frozenset[str]:
        """The version columns of the claimed units: by name alone, a vendor's column could be taken for a group."""
        return frozenset(unit.at for unit in self._claimed)

    @cached_property
    def _parted(self) -> frozenset[str]:
        """The version columns of ``parts``."""
        return frozenset(unit.at for part in self.parts for unit in part)

    def _together(self, units: Sequence[Unit]) -> Sequence[Unit]:
        """Those of the units that one statement merges."""
        return [unit for unit in units if unit.at not in self._parted]

    @property
    def _values(self) -> dict[str, str]:
        return {column: f"s.{quote(column)}" for unit in self._claimed for column in unit.columns}

    @property
    def _key(self) -> dict[str, str]:
        return {column: f"s.{quote(column)}" for column in self.layout.key}

    @property
    def _is_new(self) -> str:
        return f"{self.old}.{quote(self.layout.key[0])} IS NULL"

    @property
    def _on_staged(self) -> str:
        return same_key(self.old, "s", self.layout.key)

    def _changes(self, units: Sequence[Unit], new: str, version: str) -> str:
        """Whether a claim changes a value of some units."""
        return " OR ".join(self.rule.changes(unit, new, version) for unit in units) or "1 = 0"


@dataclass(frozen=True)
class SnapshotStatements(BulkStatements):
    """The statements for a snapshot: rows numbered by ``_n`` in the order of the file, microseconds in ``_at``.

    Named parameters: those of absence.py; ``table``, ``implied`` (the version that this file's rows have without being
    written, or -1), and for the n-th split column ``asserted_n`` and ``implied_n``.
    """

    @cached_property
    def merge_heavy(self) -> str:
        """Merges the rows of the delta from ``first`` to ``last`` that are new or have any column changed."""
        return self._merge(_of_delta(Delta.NEW, Delta.CHANGED))

    @cached_property
    def merge_moderate(self) -> str:
        """Merges the rows of that range in which no column of an index of all rows changes, nor one of the search.

        In existing rows it leaves those columns alone: SQLite updates every index that a statement might affect, so
        naming fewer columns touches far fewer pages. A row in which such a column would change after all, because a
        delivery came since the comparison, is passed over, or its versions would stand for values that were not taken.
        ``merge_keys`` merges it.
        """
        return self._merge(_of_delta(Delta.MODERATE), [*self._moderate, *self._light], self._unchanged(self._heavy))

    @cached_property
    def merge_light(self) -> str:
        """Merges the other rows of that range, in the same way: no index at all is updated."""
        apart = self._unchanged([*self._heavy, *self._moderate])
        return self._merge(_of_delta(Delta.LIGHT, Delta.CONFIRMED), self._light, apart)

    @cached_property
    def merge_range(self) -> str:
        """Merges the staged rows numbered ``first`` to ``last`` without a comparison: for a table that is still
        empty."""
        return self._merge("s._n BETWEEN :first AND :last ORDER BY s._n")

    def merge_keys(self, count: int) -> Sequence[str]:
        """Merge the staged rows with these keys again. Parameters ``k0``, ``k1`` ...: the keys, one by one."""
        which = f"({names_of('s', self.layout.key)}) IN ({keys_listed(self.layout.key, count)})"
        return (*self._merge_parts(which), self._merge(which))

    @cached_property
    def parts_of_delta(self) -> Sequence[str]:
        """Merge ``parts`` of the ``first`` to the ``last`` row of the delta, before the other columns."""
        return self._merge_parts("s._n IN (SELECT _n FROM staging.delta WHERE rowid BETWEEN :first AND :last)")

    @cached_property
    def parts_of_range(self) -> Sequence[str]:
        """The same of the staged rows numbered ``first`` to ``last``."""
        return self._merge_parts("s._n BETWEEN :first AND :last")

    @cached_property
    def contradicted(self) -> str:
        """How many staged rows contradict a claim of the very same version, or are missing in the mirror."""
        ties = " OR ".join(self.rule.ties(unit, "s", _STAGED) for unit in self._claimed) or "FALSE"
        return (
            f"SELECT count(*) FROM staging.rows s LEFT JOIN {self.old} ON {self._on_staged} "
            f"WHERE {self._is_new} OR ({self.coverage.owned} AND ({ties}))"
        )

    @cached_property
    def coverage(self) -> Coverage:
        """What the newest applied snapshot asserts, and what this one leaves unwritten."""
        split = [unit for unit in self.layout.units if unit.split]
        return Coverage(self.layout, ":asserted", {unit.name: f":asserted_{n}" for n, unit in enumerate(split)})

    @cached_property
    def absence(self) -> Absence:
        """What this snapshot makes absent."""
        return Absence(self.coverage)

    @property
    def rule(self) -> Rule:
        """Which claim a column takes."""
        return Rule(self.coverage)

    @cached_property
    def dropped(self) -> Sequence[Unit]:
        """The split columns that the file does not have."""
        return [unit for unit in self.coverage.split if unit.name not in self.present]

    def _merge(self, which: str, units: Sequence[Unit] | None = None, apart: str = "") -> str:
        """Merges the staged rows that the condition ``which`` names. ``units``: those to be taken, if not all claimed;
        ``apart``: a condition on the existing row."""
        taken, new = self._together(self._claimed if units is None else units), _CLAIMED
        picked = self._key | dict.fromkeys(self.layout.owner, ":org") | self._values
        picked |= {u.at: _STAGED if u.at in self._claimed_versions else "0" for u in self.coverage.split}
        picked |= {"_snap_at": _STAGED, "_in_snapshot": ":newest", "_absent_since": NEXT_SNAPSHOT, "_rev": ":rev"}
        values = [self.rule.changes(unit, "excluded", new) for unit in taken]
        sets: dict[str, str] = {}
        for unit in taken:
            sets |= self.rule.taken(unit, "excluded", new)
        sets |= {name: value for name, value in self.coverage.marked("excluded").items() if name not in self._parted}
        sets["_absent_since"] = self.absence.after("excluded._absent_since")
        real = " OR ".join([*values, self.absence.changed_by("excluded._absent_since")])
        sets["_rev"] = f"CASE WHEN {real} THEN :rev ELSE {self.old}._rev END"
        worth = " OR ".join([*values, self.coverage.unmarked(self._together(self._claimed), new)])
        return self._upsert(
            f"staging.rows s WHERE {which}", picked, sets, f"{self.rule.ours('excluded')} AND ({worth}){apart}"
        )

    def _unchanged(self, units: Sequence[Unit]) -> str:
        """The condition that the claim changes none of these in the existing row."""
        return "".join(f" AND NOT {self.rule.changes(unit, 'excluded', _CLAIMED)}" for unit in units)

    def _merge_parts(self, which: str) -> Sequence[str]:
        """Merge ``parts`` of the staged rows that the condition names and the mirror has."""
        parts = [Part(self.rule, units, _STAGED) for units in self.parts]
        which = f"{which} AND {self._on_staged} AND {self.coverage.owned}"
        return [
            part.update("staging.rows s", which, f"{part.changes} OR {self.coverage.unmarked(part.units, _STAGED)}")
            for part in parts
        ]

    @property
    def _row(self) -> tuple[str, ...]:
        return ("_n",)

    @property
    def _kinds(self) -> str:
        foreign = f"WHEN {self.old}.org_id <> :org THEN {Delta.FOREIGN:d} " if self.layout.owner else ""
        return (
            f"{foreign}WHEN {self._changes(self._heavy, 's', _STAGED)} THEN {Delta.CHANGED:d} "
            f"WHEN {self._changes(self._moderate, 's', _STAGED)} THEN {Delta.MODERATE:d} "
            f"WHEN {self._changes(self._light, 's', _STAGED)} THEN {Delta.LIGHT:d} "
            f"WHEN {self.coverage.unmarked(self._claimed, _STAGED)} THEN {Delta.CONFIRMED:d}"
        )

    @cached_property
    def _heavy(self) -> Sequence[Unit]:
        """Claimed units with a column that the search or an index of all rows uses."""
        table = self.layout.table
        watched = {*table.search, *(column for columns in table.indexes for column in columns)}
        return [unit for unit in self._claimed if watched & set(unit.columns)]

    @cached_property
    def _moderate(self) -> Sequence[Unit]:
        """The other ones with a column that a partial index uses."""
        rest = [unit for unit in self._claimed if unit not in self._heavy]
        return [unit for unit in rest if self.layout.table.indexed & set(unit.columns)]

    @cached_property
    def _light(self) -> Sequence[Unit]:
        """The other claimed units."""
        return [unit for unit in self._claimed if unit not in self._heavy and unit not in self._moderate]


@lru_cache(maxsize=64)
def snapshot_statements(layout: Layout, present: frozenset[str]) -> SnapshotStatements:
    """The statements of one layout and set of columns: the same kinds of files come every night, often many."""
    return SnapshotStatements(layout, present)


_STAGED = f"s._at * {PER_MICRO}"
_CLAIMED = "excluded._snap_at"
"""The version of a snapshot's row, staged and in the conflict clause."""


def _of_delta(*kinds: Delta) -> str:
    """The condition for the staged rows of these kinds from the ``first`` to the ``last`` of the delta."""
    listed = ", ".join(str(int(kind)) for kind in kinds)
    slice_ = f"SELECT _n FROM staging.delta WHERE rowid BETWEEN :first AND :last AND kind IN ({listed})"
    return f"s._n IN ({slice_}) ORDER BY s._n"
