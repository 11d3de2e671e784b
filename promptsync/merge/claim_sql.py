"""The statements that merge rows which imply nothing about others: those of change sets and of exports.

Owns what these have of their own beside bulk_sql.py: a row's version is staged with it, and the newest of a key wins.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from promptsync.merge.bulk_sql import BulkStatements, Delta
from promptsync.merge.coverage import Coverage
from promptsync.merge.layout import Layout, Unit
from promptsync.merge.parts import Part
from promptsync.merge.rule import Rule
from promptsync.merge.sql import later, quote, same_key


@dataclass(frozen=True)
class ClaimStatements(BulkStatements):
    """The statements for rows that imply nothing about others: of each key the newest, in the order of the key, its
    version in ``_at``.

    A claim that wins without changing a value is written all the same: if its version were forgotten, the result would
    depend on the order of files.
    """

    @cached_property
    def merge_slice(self) -> str:
        """Merges the ``first`` to the ``last`` row of the delta. ``rev``: its revision."""
        marks = {name: "s._at" if claimed else self.layout.no_version for name, claimed in self.marks_of_new.items()}
        version = f"excluded.{quote(self.row_at)}"
        sets: dict[str, str] = {}
        taken = self._together(self._claimed)
        for unit in taken:
            sets |= self.rule.taken(unit, "excluded", version)
        changes = self._changes(taken, "excluded", version)
        sets |= self._marks(version) | {"_rev": f"CASE WHEN {changes} THEN :rev ELSE {self.old}._rev END"}
        return self._upsert(
            f"{_IN_DELTA} WHERE {self._slice} ORDER BY d.n",
            self._key | self._values | marks | {"_rev": ":rev"},
            sets,
            self._wins(taken, "excluded", version),
        )

    @cached_property
    def parts_of_slice(self) -> Sequence[str]:
        """Merge ``parts`` of the same rows, before the other columns."""
        parts = [Part(self.rule, units, "s._at") for units in self.parts]
        return [part.update(_IN_DELTA, f"{self._slice} AND {self._on_staged}", part.takes) for part in parts]

    @property
    def _slice(self) -> str:
        return f"{same_key('d', 's', self.layout.key)} AND d.n BETWEEN :first AND :last"

    @property
    @abstractmethod
    def row_at(self) -> str:
        """A column that holds, of a row that was not there, the version of what was staged."""

    @property
    @abstractmethod
    def marks_of_new(self) -> dict[str, bool]:
        """The version columns to be set of a row that was not there: to its version, or to the weakest."""

    @property
    def rule(self) -> Rule:
        """Which claim a column takes."""
        return Rule(Coverage(self.layout, self.layout.no_version, {}))

    @abstractmethod
    def _marks(self, version: str) -> dict[str, str]:
        """The version columns of a row that is there, once a claim of that version has been merged."""

    def _wins(self, units: Sequence[Unit], new: str, version: str) -> str:
        """Whether any of the units takes the claim."""
        return " OR ".join(self.rule.takes(unit, new, version) for unit in units) or "1 = 0"

    @property
    def _row(self) -> tuple[str, ...]:
        return self.layout.key

    @property
    def _kinds(self) -> str:
        changed = self._changes(self._claimed, "s", "s._at")
        return (
            f"WHEN NOT ({self._wins(self._claimed, 's', 's._at')}) THEN NULL "
            f"WHEN {changed} THEN {Delta.CHANGED:d} ELSE {Delta.CONFIRMED:d}"
        )


@dataclass(frozen=True)
class ChangeSetStatements(ClaimStatements):
    """Of a change set: versions are bytes (layout.py); that of a split column is NULL while it is the row's own."""

    @property
    def row_at(self) -> str:
        """The column of a row's own version."""
        (group,) = self.layout.table.groups
        return f"_{group}_at"

    @cached_property
    def marks_of_new(self) -> dict[str, bool]:
        """The version columns to set in a new row, its own first: True for the claim's version, False for the weakest.

        The others keep the table's default: NULL, which means the row's own, or the weakest.
        """
        marks = {self.row_at: True}
        for unit in self.layout.units:
            claimed = unit.at in self._claimed_versions
            if unit.split and claimed != bool(unit.group):
                marks[unit.at] = claimed
        return marks

    def _marks(self, version: str) -> dict[str, str]:
        coverage, sets = self.rule.coverage, dict[str, str]()
        newest = later(version, f"{self.old}.{quote(self.row_at)}")
        for unit in self._together(coverage.split):
            have = coverage.effective(unit)
            stated = later(version, have) if unit.at in self._claimed_versions else have
            sets[unit.at] = f"NULLIF({stated}, {newest})" if unit.group else stated
        return sets | {self.row_at: newest}

    def _wins(self, units: Sequence[Unit], new: str, version: str) -> str:
        newer = f"{version} > {self.old}.{quote(self.row_at)}"  # a row whose values are all lacking has a version too
        return f"{newer} OR {super()._wins(units, new, version)}"


@dataclass(frozen=True)
class ExportStatements(ClaimStatements):
    """Of an export: versions are integers, and every column that the file has is claimed apart from the others."""

    @property
    def row_at(self) -> str:
        """The version column of anything claimed; of a file with nothing but keys one that stays at the weakest."""
        return next(iter(self._claimed or self.layout.units)).at

    @cached_property
    def marks_of_new(self) -> dict[str, bool]:
        """Those of what is claimed."""
        return {unit.at: True for unit in self._claimed}

    def _marks(self, version: str) -> dict[str, str]:
        return {unit.at: later(version, self.rule.coverage.effective(unit)) for unit in self._together(self._claimed)}


@lru_cache(maxsize=64)
def change_set_statements(layout: Layout, present: frozenset[str]) -> ChangeSetStatements:
    """The same for a change set: files of one table come by the hundred."""
    return ChangeSetStatements(layout, present)


@lru_cache(maxsize=64)
def export_statements(layout: Layout, present: frozenset[str]) -> ExportStatements:
    """The same of an export."""
    return ExportStatements(layout, present)


_IN_DELTA = "staging.delta d CROSS JOIN staging.rows s"
