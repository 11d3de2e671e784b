"""Many unknown columns of one file, merged a part at a time.

SQLite prepares a statement in one go, and the time that this takes grows with its columns: for hundreds of them it
would keep every delivery waiting. An unknown column has a version of its own, which no other column's claim looks at
(coverage.py), so some of them can be merged by a statement of their own.

Owns which columns these are, and the text of such a statement. It changes rows that are there, and must run before the
statement that merges the other columns, in the same transaction: that one inserts new rows whole, and says of a row
that the newest snapshot holds it, which would change what the versions here are compared with.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from promptsync.merge.layout import Unit
from promptsync.merge.rule import Rule
from promptsync.merge.sql import assigned, later

_MOST = 50
"""Unknown columns in one statement: some milliseconds to prepare, even in a table of a thousand columns."""


def parts_of(claimed: Sequence[Unit], extra: Collection[str]) -> tuple[tuple[Unit, ...], ...]:
    """The claimed units that are unknown columns (``extra``), in parts; none if one statement can take them all."""
    unknown = [unit for unit in claimed if unit.split and unit.name in set(extra)]
    if len(unknown) <= _MOST:
        return ()
    return tuple(tuple(unknown[start : start + _MOST]) for start in range(0, len(unknown), _MOST))


@dataclass(frozen=True)
class Part:
    """Some unknown columns, claimed by the staged rows ``s`` at ``version``."""

    rule: Rule
    units: Sequence[Unit]
    version: str

    def update(self, source: str, which: str, worth: str) -> str:
        """Merges the columns of the rows ``s`` of ``source`` that are in the mirror and for which the condition
        ``which`` holds, where it is ``worth`` writing. ``:rev``: the revision of a change."""
        sets: dict[str, str] = {}
        for unit in self.units:
            sets |= self.rule.taken(unit, "s", self.version)
            sets[unit.at] = later(self.version, self.rule.coverage.effective(unit))
        sets["_rev"] = f"CASE WHEN {self.changes} THEN :rev ELSE {self.rule.old}._rev END"
        return f"UPDATE {self.rule.old} SET {assigned(sets)} FROM {source} WHERE {which} AND ({worth})"

    @cached_property
    def changes(self) -> str:
        """Whether a value changes."""
        return " OR ".join(self.rule.changes(unit, "s", self.version) for unit in self.units)

    @property
    def takes(self) -> str:
        """Whether a claim wins, be it without changing a value."""
        return " OR ".join(self.rule.takes(unit, "s", self.version) for unit in self.units)
