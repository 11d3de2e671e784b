"""The statements that merge one snapshot file set-wise, from a staging file attached as ``staging``.

Owns their text: which staged rows differ (``compare``), how they are merged (``merge``), which rows of the mirror the
snapshot no longer has (``gone``, ``absent``). ``staging.rows`` holds the file (formats/csv/reader.py), one row per
key; ``staging.delta (_n, kind)``, ``staging.gone (key, held, absent)`` and ``staging.settle (key)`` are filled by the
comparison on a read-only connection.

Named parameters: ``org``, ``rev``, ``newest`` (1 if no applied snapshot is later), ``asserted`` (version of the newest
applied snapshot), ``implied`` (the version that this file's rows have without being written, or -1), ``at`` and
``as_of`` (the file's instant, microseconds and ISO), ``first`` and ``last`` (bounds of a slice); for the n-th split
column ``asserted_n`` and ``implied_n``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache

from promptsync.merge.layout import Layout, Unit
from promptsync.merge.rule import Rule
from promptsync.merge.sql import differs, later, names, quote
from promptsync.merge.version import PER_MICRO


class Delta(IntEnum):
    """What the comparison found out about a staged row that is not as the mirror has it."""

    NEW = 1
    CHANGED = 2
    UNMARKED = 3  # same values, but the row must learn that a snapshot holds it
    FOREIGN = 4  # the key belongs to another organization
    LIGHT = 5  # changed, but in no column that an index or the search looks at


@dataclass(frozen=True)
class SnapshotStatements:
    """Statements for one layout and the columns that the file has (``present``: value columns, derived ones too)."""

    layout: Layout
    present: frozenset[str]

    @cached_property
    def compare(self) -> str:
        """Fills ``staging.delta`` with the rows that must be written, numbered as the file has them."""
        old = self._rule.old
        change, light = (self._changes(units) for units in (self._heavy, self._light))
        foreign = f"WHEN {old}.org_id <> :org THEN {Delta.FOREIGN:d} " if self.layout.owner else ""
        kind = (
            f"CASE WHEN {old}.{quote(self.layout.key[0])} IS NULL THEN {Delta.NEW:d} {foreign}"
            f"WHEN {change} THEN {Delta.CHANGED:d} WHEN {light} THEN {Delta.LIGHT:d} "
            f"WHEN {self._unmarked('s', _VERSION)} THEN {Delta.UNMARKED:d} END"
        )
        return (
            f"INSERT INTO staging.delta SELECT _n, kind FROM (SELECT s._n, {kind} AS kind "
            f"FROM staging.rows s LEFT JOIN {old} ON {self._on('s')} ORDER BY s._n) "
            "WHERE kind IS NOT NULL"
        )

    def merge(self, which: str, *, light: bool = False) -> str:
        """Merges the staged rows ``s`` that the condition ``which`` names.

        ``light``: of rows that are there, leave the columns alone that an index or the search looks at. SQLite enters
        a row again into every index that a statement might concern, so naming fewer columns touches far fewer pages.
        A row of which such a column would change after all, because a delivery came since the comparison, is passed
        over: its marks would then speak for values that were not taken. ``merge_keys`` merges it.
        """
        rule, layout = self._rule, self.layout
        values = [column for unit in self._claimed for column in unit.columns]
        split = [unit for unit in layout.units if unit.split]
        claimed = {unit.at for unit in self._claimed}  # a vendor's column may be called as a group is
        columns = (*layout.key, *layout.owner, *values, *(u.at for u in split), *_ROW_MARKS)
        picked = [
            *(f"s.{quote(c)}" for c in layout.key),
            *(":org" for _ in layout.owner),
            *(f"s.{quote(c)}" for c in values),
            *(_VERSION if unit.at in claimed else "0" for unit in split),
            *(_VERSION, ":newest", _NEXT_SNAPSHOT, ":rev"),
        ]
        taken = self._light if light else self._claimed
        sets = ", ".join(f"{quote(name)} = {value}" for name, value in self._sets(taken).items())
        worth = " OR ".join([*(rule.changes(u, "excluded", "excluded._snap_at") for u in taken), self._mark])
        left = self._heavy if light else ()
        apart = "".join(f" AND NOT {rule.changes(u, 'excluded', 'excluded._snap_at')}" for u in left)
        return (
            f"INSERT INTO {rule.old} ({names(columns)}) SELECT {', '.join(picked)} FROM staging.rows s WHERE {which} "
            f"ON CONFLICT ({names(layout.key)}) DO UPDATE SET {sets} WHERE {rule.ours('excluded')} AND ({worth}){apart}"
        )

    @cached_property
    def merge_heavy(self) -> str:
        """Merges the ``first`` to the ``last`` row of the delta, the new ones and those changed anywhere."""
        return self.merge(f"s._n IN ({_SLICE.format(Delta.NEW, Delta.CHANGED)}) ORDER BY s._n")

    @cached_property
    def merge_light(self) -> str:
        """Merges the others of these."""
        return self.merge(f"s._n IN ({_SLICE.format(Delta.LIGHT, Delta.UNMARKED)}) ORDER BY s._n", light=True)

    @cached_property
    def merge_range(self) -> str:
        """Merges the staged rows numbered ``first`` to ``last`` without a comparison: for a table still empty."""
        return self.merge("s._n BETWEEN :first AND :last ORDER BY s._n")

    def merge_keys(self, count: int) -> str:
        """Merges the staged rows with these keys again. Parameters ``k0``, ``k1`` ...: the keys, one by one."""
        return self.merge(f"({self._key('s')}) IN ({self._listed(count)})")

    @cached_property
    def gone(self) -> str:
        """Fills ``staging.gone`` with the keys of rows that the snapshot, if applied, makes absent or lets go; whether
        the newest applied one held them, and whether they become absent."""
        return (
            f"INSERT INTO staging.gone SELECT {self._gone_row} FROM {self._rule.old} WHERE {self._lost()} "
            f"AND NOT EXISTS (SELECT 1 FROM staging.rows s WHERE {self._on('s')})"
        )

    @cached_property
    def gone_in_gaps(self) -> str:
        """The same, where only the ranges of keys in ``staging.gaps (low, high)`` were read."""
        key = f"{self._rule.old}.{quote(self.layout.key[0])}"
        return (
            f"INSERT INTO staging.gone SELECT {self._gone_row} "
            f"FROM staging.gaps g CROSS JOIN {self._rule.old} WHERE {key} BETWEEN g.low AND g.high AND {self._lost()} "
            f"AND NOT EXISTS (SELECT 1 FROM staging.rows s WHERE {self._on('s')})"
        )

    @cached_property
    def spare(self) -> str:
        """Says of a key in ``staging.gone``, given by position, that its row stands in the file and cannot be read."""
        return f"UPDATE staging.gone SET held = 0, absent = 0 WHERE ({names(self.layout.key)}) = ({self._slots})"

    @cached_property
    def contradicted(self) -> str:
        """How many staged rows say something else than a claim of the very same version, or are not there."""
        old, rule = self._rule.old, self._rule
        ties = " OR ".join(
            f"({differs(old, 's', u.columns)} AND {rule.reaches(u, _VERSION)} AND NOT ({rule.above(u, _VERSION)}))"
            for u in self._claimed
        )
        there = f"{old}.{quote(self.layout.key[0])}"
        return (
            f"SELECT count(*) FROM staging.rows s LEFT JOIN {old} ON {self._on('s')} "
            f"WHERE {there} IS NULL OR ({self._owned} AND ({ties or 'FALSE'}))"
        )

    @cached_property
    def lacked(self) -> str:
        """How many rows the newest applied snapshot holds that are not staged."""
        return (
            f"SELECT count(*) FROM {self._rule.old} WHERE _in_snapshot = 1 AND {self._owned} "
            f"AND NOT EXISTS (SELECT 1 FROM staging.rows s WHERE {self._on('s')})"
        )

    @cached_property
    def absent_slice(self) -> str:
        """Makes the rows of ``staging.gone`` with rowid ``first`` to ``last`` absent."""
        return self._absent(self._listed_in("gone"))

    def absent_keys(self, count: int) -> str:
        """Makes those of these keys that the file lacks absent. Parameters as of ``merge_keys``."""
        lacking = f"NOT EXISTS (SELECT 1 FROM staging.rows s WHERE {self._on('s')})"
        return self._absent(f"({self._key('')}) IN ({self._listed(count)}) AND {lacking}")

    @cached_property
    def dropped(self) -> Sequence[Unit]:
        """The split columns that the file does not have."""
        return [unit for unit in self.layout.units if unit.split and unit.name not in self.present]

    @cached_property
    def settle(self) -> str:
        """Fills ``staging.settle`` with the keys of rows of whose dropped columns the newest applied snapshot asserts
        more than is written down."""
        less = " OR ".join(f"NOT ({self._rule.settled(unit)})" for unit in self.dropped)
        return (
            f"INSERT INTO staging.settle SELECT {self._key(self._rule.old)} FROM {self._rule.old} "
            f"WHERE _in_snapshot = 1 AND {self._owned} AND ({less})"
        )

    @cached_property
    def settle_slice(self) -> str:
        """Writes it down for the rows of ``staging.settle`` with rowid ``first`` to ``last``."""
        sets = ", ".join(f"{quote(unit.at)} = {self._rule.effective(unit)}" for unit in self.dropped)
        return f"UPDATE {self._rule.old} SET {sets} WHERE {self._listed_in('settle')}"

    @property
    def _rule(self) -> Rule:
        split = [unit for unit in self.layout.units if unit.split]
        return Rule(self.layout, ":asserted", {unit.name: f":asserted_{n}" for n, unit in enumerate(split)})

    @cached_property
    def _claimed(self) -> Sequence[Unit]:
        return [unit for unit in self.layout.units if unit.exported and set(unit.columns) <= self.present]

    @cached_property
    def _heavy(self) -> Sequence[Unit]:
        """Claimed units with a column that an index or the search looks at."""
        table = self.layout.table
        watched = {*table.search, *(column for index in table.indexes for column in index)}
        watched |= {column for column, _ in table.partial_indexes}
        return [unit for unit in self._claimed if watched & set(unit.columns)]

    @cached_property
    def _light(self) -> Sequence[Unit]:
        """The other claimed units."""
        return [unit for unit in self._claimed if unit not in self._heavy]

    def _changes(self, units: Sequence[Unit]) -> str:
        return " OR ".join(self._rule.changes(unit, "s", _VERSION) for unit in units) or "1 = 0"

    @property
    def _owned(self) -> str:
        return f"{self._rule.old}.org_id = :org" if self.layout.owner else "1 = 1"

    @property
    def _mark(self) -> str:
        return self._unmarked("excluded", "excluded._snap_at")

    def _unmarked(self, new: str, version: str) -> str:
        """Whether the row's marks must be written although no value changes."""
        rule, old = self._rule, self._rule.old
        tests = [
            f"{old}._in_snapshot < :newest",
            f"({rule.beyond_cover(version)} AND ({old}._in_snapshot = 0 OR {version} <> :implied))",
        ]
        for n, unit in enumerate(unit for unit in self.layout.units if unit.split):
            if unit in self._claimed:
                tests.append(f"({rule.above(unit, version)} AND {version} <> :implied_{n})")
        return "(" + " OR ".join(tests) + ")"

    def _sets(self, taken: Sequence[Unit]) -> dict[str, str]:
        rule, old = self._rule, self._rule.old
        sets: dict[str, str] = {}
        for unit in taken:
            sets |= rule.taken(unit, "excluded", "excluded._snap_at")
        for unit in self.layout.units:
            if unit.split:
                sets[unit.at] = later(f"excluded.{quote(unit.at)}", rule.effective(unit))
        sets["_snap_at"] = later("excluded._snap_at", f"{old}._snap_at")
        sets["_in_snapshot"] = f"CASE WHEN :newest = 1 THEN 1 ELSE {old}._in_snapshot END"
        absent = rule.absence("excluded._absent_since")
        sets["_absent_since"] = absent
        real = [rule.changes(unit, "excluded", "excluded._snap_at") for unit in taken]
        real.append(f"({absent}) IS DISTINCT FROM {old}._absent_since")
        sets["_rev"] = f"CASE WHEN {' OR '.join(real)} THEN :rev ELSE {old}._rev END"
        return sets

    def _lost(self) -> str:
        """Rows last seen before this snapshot that it, lacking them, makes absent or, held by an older one, lets go."""
        old = self._rule.old
        held = f"({old}._in_snapshot = 1 AND :newest = 1 AND :asserted < :at * {PER_MICRO})"
        loose = (
            f"({old}._in_snapshot = 0 AND NOT {self._rule.unseen()} AND {self._unseen_since} "
            f"AND ({old}._absent_since IS NULL OR {old}._absent_since > :as_of))"
        )
        return f"{self._owned} AND ({held} OR {loose})"

    def _absent(self, which: str) -> str:
        rule, old = self._rule, self._rule.old
        since = f"CASE WHEN {self._unseen_since} THEN :as_of ELSE NULL END"
        sets = {unit.at: rule.effective(unit) for unit in self.layout.units if unit.split}
        sets |= {
            "_snap_at": rule.covered(),
            "_in_snapshot": "0",
            "_absent_since": since,
            "_rev": f"CASE WHEN {self._unseen_since} THEN :rev ELSE {old}._rev END",
        }
        changes = ", ".join(f"{quote(name)} = {value}" for name, value in sets.items())
        return f"UPDATE {old} SET {changes} WHERE {which} AND {self._lost()}"

    @property
    def _gone_row(self) -> str:
        return f"{self._key(self._rule.old)}, {self._rule.old}._in_snapshot, {self._unseen_since}"

    @property
    def _unseen_since(self) -> str:
        """Whether nothing has spoken of the row since this snapshot's instant."""
        return f"({self._rule.old}._seen_at < :at AND {self._rule.old}._snap_at < :at * {PER_MICRO})"

    @property
    def _slots(self) -> str:
        return ", ".join("?" * len(self.layout.key))

    def _key(self, alias: str) -> str:
        return ", ".join(f"{alias}.{quote(c)}" if alias else quote(c) for c in self.layout.key)

    def _listed_in(self, list_: str) -> str:
        keys = f"SELECT {self._key('g')} FROM staging.{list_} g WHERE g.rowid BETWEEN :first AND :last"
        return f"({self._key('')}) IN ({keys})"

    def _on(self, alias: str) -> str:
        return " AND ".join(f"{self._rule.old}.{quote(c)} = {alias}.{quote(c)}" for c in self.layout.key)

    def _listed(self, count: int) -> str:
        width = len(self.layout.key)
        rows = (", ".join(f":k{row * width + n}" for n in range(width)) for row in range(count))
        return "VALUES " + ", ".join(f"({row})" for row in rows)


@lru_cache(maxsize=64)
def statements_for(layout: Layout, present: frozenset[str]) -> SnapshotStatements:
    """The statements of one layout and set of columns: the same files come every night, and often many of them."""
    return SnapshotStatements(layout, present)


_VERSION = f"s._at * {PER_MICRO}"
_SLICE = "SELECT _n FROM staging.delta WHERE rowid BETWEEN :first AND :last AND kind IN ({:d}, {:d})"
_ROW_MARKS = ("_snap_at", "_in_snapshot", "_absent_since", "_rev")
_NEXT_SNAPSHOT = (
    'CASE WHEN :newest = 1 THEN NULL ELSE (SELECT x.as_of FROM sync_snapshot x WHERE x."table" = :table '
    "AND x.org_id = :org AND x.at > s._at ORDER BY x.at LIMIT 1) END"
)
