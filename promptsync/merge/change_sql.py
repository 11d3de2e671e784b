"""The statements that merge one change set set-wise, from a staging file attached as ``staging``.

Owns their text: which staged rows are new or win (``compare``), and how they are merged (``merge_slice``).
``staging.rows`` holds the file in the order of its key, of each key the newest row, with its version in ``_at``;
``staging.delta (n, kind, key columns)`` is filled by the comparison on a read-only connection. A change set implies
nothing about rows that it does not have.

A claim that wins without changing a value is written all the same: were its version forgotten, the result would depend
on the order of files. Versions are bytes (merge/layout.py); that of a split column is NULL while it is the row's own.

Named parameters of ``merge_slice``: ``rev``, ``first`` and ``last`` (bounds of a slice of the delta).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cached_property, lru_cache

from promptsync.merge.layout import Layout, Unit
from promptsync.merge.rule import Rule
from promptsync.merge.sql import later, names, quote


class Change(IntEnum):
    """What a staged row is to the mirror; one that loses is none of these."""

    NEW = 1
    CHANGED = 2
    CONFIRMED = 3  # it wins with the values that are there already


@dataclass(frozen=True)
class ChangeStatements:
    """Statements for one layout and the columns that the file has (``present``: value columns)."""

    layout: Layout
    present: frozenset[str]

    @property
    def make_delta(self) -> str:
        """The empty list of rows to write, in place of an earlier one."""
        return f"CREATE TABLE staging.delta (n INTEGER PRIMARY KEY, kind INTEGER, {names(self.layout.key)})"

    @cached_property
    def compare(self) -> str:
        """Fills ``staging.delta`` in the order of the key."""
        rule = self._rule
        older = f"s._at <= {rule.old}.{quote(self.row_at)}"  # a row of which all values are lacking has a version too
        lost = " AND ".join([older, *(f"NOT {rule.takes(unit, 's', 's._at')}" for unit in self._claimed)])
        changed = self._changes("s", "s._at")
        kind = (
            f"CASE WHEN {rule.old}.{quote(self.layout.key[0])} IS NULL THEN {Change.NEW:d} WHEN {lost} THEN NULL "
            f"WHEN {changed} THEN {Change.CHANGED:d} ELSE {Change.CONFIRMED:d} END"
        )
        key = ", ".join(f"s.{quote(c)}" for c in self.layout.key)
        return (
            f"INSERT INTO staging.delta (kind, {names(self.layout.key)}) SELECT * FROM "
            f"(SELECT {kind} AS kind, {key} FROM staging.rows s LEFT JOIN {rule.old} ON {self._on(rule.old)} "
            f"ORDER BY {key}) WHERE kind IS NOT NULL"
        )

    @cached_property
    def merge_slice(self) -> str:
        """Merges the ``first`` to the ``last`` row of the delta."""
        values = [column for unit in self._claimed for column in unit.columns]
        columns = (*self.layout.key, *values, *self.marks_of_new, "_rev")
        marks = ("s._at" if claimed else self.layout.no_version for claimed in self.marks_of_new.values())
        picked = [*(f"s.{quote(c)}" for c in (*self.layout.key, *values)), *marks, ":rev"]
        sets = ", ".join(f"{quote(name)} = {value}" for name, value in self._sets().items())
        newer = f"{self._version} > {self._rule.old}.{quote(self.row_at)}"
        won = " OR ".join([newer, *(self._rule.takes(unit, "excluded", self._version) for unit in self._claimed)])
        return (
            f"INSERT INTO {self._rule.old} ({names(columns)}) SELECT {', '.join(picked)} "
            f"FROM staging.delta d CROSS JOIN staging.rows s WHERE {self._on('d')} AND d.n BETWEEN :first AND :last "
            f"ORDER BY d.n ON CONFLICT ({names(self.layout.key)}) DO UPDATE SET {sets} WHERE {won}"
        )

    @property
    def row_at(self) -> str:
        """The column of a row's own version."""
        (group,) = self.layout.table.groups
        return f"_{group}_at"

    @cached_property
    def _rule(self) -> Rule:
        return Rule(self.layout, self.layout.no_version, {})

    @cached_property
    def _claimed(self) -> Sequence[Unit]:
        """The units that the file speaks of, each with the columns that it has: all, but in a dry run."""
        have = [replace(u, columns=tuple(c for c in u.columns if c in self.present)) for u in self.layout.units]
        return [unit for unit in have if unit.columns]

    @cached_property
    def _claimed_versions(self) -> frozenset[str]:
        """The claimed units by their version columns: a vendor's column may be called as a group is."""
        return frozenset(unit.at for unit in self._claimed)

    @cached_property
    def marks_of_new(self) -> dict[str, bool]:
        """The version columns to be set of a row that was not there, its own first: to its version, or to the weakest.

        Those not named stay as the table has them: NULL, for the row's own, or the weakest.
        """
        marks = {self.row_at: True}
        for unit in self.layout.units:
            claimed = unit.at in self._claimed_versions
            if unit.split and claimed != bool(unit.group):
                marks[unit.at] = claimed
        return marks

    def _sets(self) -> dict[str, str]:
        rule, old = self._rule, self._rule.old
        sets: dict[str, str] = {}
        for unit in self._claimed:
            sets |= rule.taken(unit, "excluded", self._version)
        newest = later(self._version, f"{old}.{quote(self.row_at)}")
        for unit in self.layout.units:
            if unit.split:
                have = rule.effective(unit)
                version = later(self._version, have) if unit.at in self._claimed_versions else have
                sets[unit.at] = f"NULLIF({version}, {newest})" if unit.group else version
        sets[self.row_at] = newest
        sets["_rev"] = f"CASE WHEN {self._changes('excluded', self._version)} THEN :rev ELSE {old}._rev END"
        return sets

    @property
    def _version(self) -> str:
        return f"excluded.{quote(self.row_at)}"

    def _changes(self, new: str, version: str) -> str:
        """Whether a claim changes a value."""
        return " OR ".join(self._rule.changes(unit, new, version) for unit in self._claimed) or "FALSE"

    def _on(self, alias: str) -> str:
        return " AND ".join(f"{alias}.{quote(c)} = s.{quote(c)}" for c in self.layout.key)


@lru_cache(maxsize=64)
def change_statements(layout: Layout, present: frozenset[str]) -> ChangeStatements:
    """The statements of one layout and set of columns: files of one table come by the hundred."""
    return ChangeStatements(layout, present)
