"""The rule itself, as SQL expressions over an existing row and a claim on it.

Owns the one place where it is said which claim a unit takes. Both ways in (snapshot files and single events) build
their statements from here. ``old`` is the row's table name, ``new`` the alias of the claim.

A unit takes the claim with the greatest version. Of equal versions every column takes its greater value on its own:
which columns another file will lack, and so version apart, is not known yet; were a unit compared as one row value, the
order of the files would show. The version an existing row has is the greatest of what is stored with the unit, what the
row's newest written snapshot claim covers, and, for a row that the newest applied snapshot holds, that snapshot's own
version: it asserted the row without writing it.
"""

from dataclasses import dataclass, replace

from promptsync.merge.layout import Layout, Unit
from promptsync.merge.sql import differs, greater, later, quote


@dataclass(frozen=True)
class Rule:
    """Expressions for one layout. ``asserted``: SQL for the version of the newest applied snapshot (0: none).

    ``asserted_split``: the same for each split column, 0 where that snapshot's file lacked the column.
    """

    layout: Layout
    asserted: str
    asserted_split: dict[str, str]

    @property
    def old(self) -> str:
        """The mirror's table, as the statements name it."""
        return quote(self.layout.table.name)

    def covered(self) -> str:
        """Version up to which snapshots have spoken for the whole row."""
        return later(*self._cover)

    def effective(self, unit: Unit) -> str:
        """The version that a claim on the unit has to beat."""
        return later(*self._versions(unit))

    def settled(self, unit: Unit) -> str:
        """Whether a split column's version is written down, not only asserted by the newest applied snapshot."""
        own, asserted = self._versions(unit)
        return f"{own} >= {asserted}"

    def above(self, unit: Unit, version: str) -> str:
        """Whether that version is greater than the effective one."""
        return " AND ".join(f"{version} > {have}" for have in self._versions(unit))

    def reaches(self, unit: Unit, version: str) -> str:
        """Whether that version is not less than the effective one."""
        return " AND ".join(f"{version} >= {have}" for have in self._versions(unit))

    def takes(self, unit: Unit, new: str, version: str) -> str:
        """Whether any column of the unit takes a claim of that version."""
        better = " OR ".join(greater(new, self.old, column) for column in unit.columns)
        return f"({self.reaches(unit, version)} AND ({self.above(unit, version)} OR {better}))"

    def taken(self, unit: Unit, new: str, version: str, *, given: str = "") -> dict[str, str]:
        """Each column of the unit, and its value once the claim has been merged. ``given``: a test to make first."""
        first = f"{given} AND " if given else ""
        return {
            column: f"CASE WHEN {first}{self.takes(replace(unit, columns=(column,)), new, version)} "
            f"THEN {new}.{quote(column)} ELSE {self.old}.{quote(column)} END"
            for column in unit.columns
        }

    def beyond_cover(self, version: str) -> str:
        """Whether that version is later than every snapshot's that held the row."""
        return " AND ".join(f"{version} > {have}" for have in self._cover)

    @property
    def _cover(self) -> tuple[str, ...]:
        return f"{self.old}._snap_at", f"({self.old}._in_snapshot * {self.asserted})"

    def _versions(self, unit: Unit) -> tuple[str, ...]:
        """Numbers, never NULL, of which the greatest is the unit's effective version."""
        own = f"{self.old}.{quote(unit.at)}"
        if not unit.split:
            return (own, *self._cover) if unit.exported else (own,)
        exported = self.layout.table.exported
        if unit.group:
            group = f"{self.old}.{quote(f'_{unit.group}_at')}"
            own = f"COALESCE({own}, {later(group, f'{self.old}._snap_at') if exported else group})"
        if not exported:
            return (own,)  # no snapshot speaks for these rows
        return own, f"({self.old}._in_snapshot * {self.asserted_split[unit.name]})"

    def changes(self, unit: Unit, new: str, version: str) -> str:
        """Whether taking the claim changes a value. Cheapest test first: most claims say what is so already."""
        return f"({differs(self.old, new, unit.columns)} AND {self.takes(unit, new, version)})"

    def absence(self, new_absent: str) -> str:
        """``_absent_since`` after a claim whose time is followed by a snapshot at ``new_absent`` (NULL: by none)."""
        have = f"{self.old}._absent_since"
        return (
            f"CASE WHEN {new_absent} IS NULL THEN NULL WHEN {self.unseen()} THEN {new_absent} "
            f"WHEN {have} IS NULL THEN NULL WHEN {new_absent} > {have} THEN {new_absent} ELSE {have} END"
        )

    def unseen(self) -> str:
        """Whether nothing has claimed the row yet: it was only mentioned, and can be neither present nor absent."""
        return f"({self.old}._seen_at = 0 AND {self.old}._snap_at = 0 AND {self.old}._in_snapshot = 0)"

    def ours(self, new: str) -> str:
        """Whether the claim is of the row's own organization."""
        return " AND ".join(f"{self.old}.{quote(c)} = {new}.{quote(c)}" for c in self.layout.owner) or "1 = 1"
