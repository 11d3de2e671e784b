"""Sentence 3 of the rule: coverage. For speed, a row whose values a snapshot repeats is not written.

A snapshot claims every row that it holds, so each row it repeats would get a newer version every night: a million
writes to say that nothing changed. Instead the row is marked once as held by the newest applied snapshot, and that
snapshot's version, kept in memory (store/snapshots.py), counts for all of these rows. The columns that this needs:

    _in_snapshot    1 while the newest applied snapshot of the table and organization holds the row. The row's claims
                    then count as made at that snapshot's version, which is called ``asserted``; 0 if there is none.
    _snap_at        version of the newest snapshot claim that had to be written for this row, because a value changed,
                    or the row left the newest snapshot and its asserted version is written down.
    _<group>_at     version of the newest claim of that group by a delivery or an export. Snapshots leave it alone:
                    ``_snap_at`` has their version, for all groups of the row that they claim.
    _col_<name>_at  version of the newest claim of a split column, one that not every file of the table has: a snapshot
                    may assert the other columns and not this one. NULL: the row has not been written since the column
                    was split (splitting writes no rows); it shares its group's version.

So the version that a claim has to beat is the greatest of three (``versions``): the unit's own, the row's ``_snap_at``,
and ``asserted`` where ``_in_snapshot`` is 1. Before ``asserted`` changes under rows that rely on it, it is written
down:

    a row leaves the newest snapshot    ``written_down``, when it becomes absent (absence.py) or is no longer covered
    the newest snapshot lacks a column  ``settle``, before the first row of that snapshot is merged, for the rows
                                        whose column the one before asserted
    a row dated later than its file     is written with its own version (``unmarked``: not ``implied``)

Owns every expression on these columns, for bulk statements and deliveries alike. Merges nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from promptsync.merge.layout import Layout, Unit
from promptsync.merge.sql import later, listed_in, names_of, quote


@dataclass(frozen=True)
class Coverage:
    """Expressions for one layout. ``asserted``: SQL for the version of the newest applied snapshot (0: none).

    ``asserted_split``: the same for each split column, 0 where that snapshot's file lacked the column.
    """

    layout: Layout
    asserted: str
    asserted_split: dict[str, str]

    @property
    def old(self) -> str:
        """The mirror's table, quoted."""
        return quote(self.layout.table.name)

    @property
    def split(self) -> list[Unit]:
        """The columns with a version of their own."""
        return [unit for unit in self.layout.units if unit.split]

    def versions(self, unit: Unit) -> tuple[str, ...]:
        """SQL for numbers, never NULL; the greatest is the version that a claim on the unit has to beat."""
        own = f"{self.old}.{quote(unit.at)}"
        if not unit.split:
            return (own, *self._row) if unit.exported else (own,)
        exported = self.layout.table.exported
        if unit.group:
            group = f"{self.old}.{quote(f'_{unit.group}_at')}"
            own = f"COALESCE({own}, {later(group, f'{self.old}._snap_at') if exported else group})"
        if not exported:
            return (own,)  # no snapshot asserts these rows
        return own, f"({self.old}._in_snapshot * {self.asserted_split[unit.name]})"

    def effective(self, unit: Unit) -> str:
        """The version that a claim on the unit has to beat."""
        return later(*self.versions(unit))

    def above(self, unit: Unit, version: str) -> str:
        """Whether that version is greater than the effective one."""
        return " AND ".join(f"{version} > {have}" for have in self.versions(unit))

    def reaches(self, unit: Unit, version: str) -> str:
        """Whether that version is not less than the effective one."""
        return " AND ".join(f"{version} >= {have}" for have in self.versions(unit))

    def beyond(self, version: str) -> str:
        """Whether that version is later than that of every snapshot that held the row."""
        return " AND ".join(f"{version} > {have}" for have in self._row)

    def written_down(self) -> dict[str, str]:
        """The new column values of a row that leaves the newest snapshot: its asserted versions are written."""
        sets = {unit.at: self.effective(unit) for unit in self.split}
        return sets | {"_snap_at": later(*self._row), "_in_snapshot": "0"}

    def marked(self, new: str) -> dict[str, str]:
        """The new version columns of a row that takes a snapshot's claim ``new``. ``:newest``: 1 if it is the
        newest."""
        sets = {unit.at: later(f"{new}.{quote(unit.at)}", self.effective(unit)) for unit in self.split}
        sets["_snap_at"] = later(f"{new}._snap_at", f"{self.old}._snap_at")
        sets["_in_snapshot"] = f"CASE WHEN :newest = 1 THEN 1 ELSE {self.old}._in_snapshot END"
        return sets

    def unmarked(self, claimed: Collection[Unit], version: str) -> str:
        """Whether these columns must be written although no value changes: the row must learn that the newest snapshot
        holds it, or the claim's version is not ``:implied`` by that (``:implied_n`` for the n-th split column)."""
        tests = [
            f"{self.old}._in_snapshot < :newest",
            f"({self.beyond(version)} AND ({self.old}._in_snapshot = 0 OR {version} <> :implied))",
        ]
        for n, unit in enumerate(self.split):
            if unit in claimed:
                tests.append(f"({self.above(unit, version)} AND {version} <> :implied_{n})")
        return "(" + " OR ".join(tests) + ")"

    @property
    def owned(self) -> str:
        """Whether a row is of the snapshot's organization, ``:org``."""
        return f"{self.old}.org_id = :org" if self.layout.owner else "1 = 1"

    def settle(self, dropped: Sequence[Unit]) -> str:
        """Fills ``staging.settle`` with the keys of rows for whose ``dropped`` columns the newest applied snapshot
        asserts a greater version than is written."""
        less = " OR ".join(f"NOT ({self._settled(unit)})" for unit in dropped)
        return (
            f"INSERT INTO staging.settle SELECT {names_of(self.old, self.layout.key)} FROM {self.old} "
            f"WHERE _in_snapshot = 1 AND {self.owned} AND ({less})"
        )

    def settle_slice(self, dropped: Sequence[Unit]) -> str:
        """Writes the asserted versions of the rows of ``staging.settle`` with rowid ``first`` to ``last``."""
        sets = ", ".join(f"{quote(unit.at)} = {self.effective(unit)}" for unit in dropped)
        return f"UPDATE {self.old} SET {sets} WHERE {listed_in('settle', self.layout.key)}"

    def _settled(self, unit: Unit) -> str:
        own, asserted = self.versions(unit)
        return f"{own} >= {asserted}"

    @property
    def _row(self) -> tuple[str, ...]:
        """SQL for the versions up to which snapshots have claimed the entire row."""
        return f"{self.old}._snap_at", f"({self.old}._in_snapshot * {self.asserted})"
