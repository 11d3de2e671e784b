"""Sentence 1 of the rule: value. A column's value is that of the claim with the greatest (version, value).

Owns the only SQL, over an existing row and a claim on it, that decides which claim a column takes; bulk statements and
deliveries build on it. ``old`` is the row's table name, ``new`` the alias of the claim.

Of equal versions every column takes its greater value on its own: it is not known yet which columns another file will
lack, and so version separately. If a unit were compared as one row value, the order of the files would matter. Columns
that are always claimed together share a version (layout.py); coverage.py says what version a row has where a snapshot
only asserted it.
"""

from dataclasses import dataclass, replace

from promptsync.merge.coverage import Coverage
from promptsync.merge.layout import Unit
from promptsync.merge.sql import differs, greater, quote


@dataclass(frozen=True)
class Rule:
    """Expressions for one layout."""

    coverage: Coverage

    @property
    def old(self) -> str:
        """The mirror's table, as the statements name it."""
        return self.coverage.old

    def takes(self, unit: Unit, new: str, version: str) -> str:
        """Whether any column of the unit takes a claim with that version."""
        better = " OR ".join(greater(new, self.old, column) for column in unit.columns)
        return f"({self.coverage.reaches(unit, version)} AND ({self.coverage.above(unit, version)} OR {better}))"

    def taken(self, unit: Unit, new: str, version: str, *, given: str = "") -> dict[str, str]:
        """Each column of the unit and its value after the claim is merged. ``given``: a condition to test first."""
        first = f"{given} AND " if given else ""
        return {
            column: f"CASE WHEN {first}{self.takes(replace(unit, columns=(column,)), new, version)} "
            f"THEN {new}.{quote(column)} ELSE {self.old}.{quote(column)} END"
            for column in unit.columns
        }

    def changes(self, unit: Unit, new: str, version: str) -> str:
        """Whether taking the claim changes a value. Cheapest test first: most claims repeat what the row has."""
        return f"({differs(self.old, new, unit.columns)} AND {self.takes(unit, new, version)})"

    def ties(self, unit: Unit, new: str, version: str) -> str:
        """Whether the claim contradicts one of the very same version."""
        above, reaches = self.coverage.above(unit, version), self.coverage.reaches(unit, version)
        return f"({differs(self.old, new, unit.columns)} AND {reaches} AND NOT ({above}))"

    def ours(self, new: str) -> str:
        """Whether the claim is from the row's own organization."""
        return " AND ".join(f"{self.old}.{quote(c)} = {new}.{quote(c)}" for c in self.coverage.layout.owner) or "1 = 1"
