"""The statement that merges one row-wise claim (a delivery's, an export row's).

Owns its text and the order of its parameters. Executed once per claim, with ``executemany``.
"""

from dataclasses import dataclass
from functools import cached_property

from promptsync.merge.absence import Absence
from promptsync.merge.coverage import Coverage
from promptsync.merge.layout import Layout
from promptsync.merge.rule import Rule
from promptsync.merge.sql import assigned, later, names, quote
from promptsync.merge.version import PER_MICRO
from promptsync.model import Table


@dataclass(frozen=True)
class EventStatements:
    """Statements for one layout.

    Parameters of ``upsert``, in order: key, org_id (if the table has it), a value for every column of
    ``layout.values``, a version for every unit (0: not claimed), ``_rev``, then for exported tables ``_seen_at``
    (microseconds), ``_absent_since`` (the first applied snapshot after that, or NULL), the version of the newest
    applied snapshot and the same for each split column; for full-list tables only ``_seen_at``.
    """

    layout: Layout

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns inserted, in the order of the parameters."""
        layout = self.layout
        fixed = (*layout.key, *layout.owner, *layout.values, *(unit.at for unit in layout.units), "_rev")
        if layout.table.exported:
            return (*fixed, "_seen_at", "_absent_since")
        return (*fixed, "_seen_at") if layout.table.full_list else fixed

    @cached_property
    def upsert(self) -> str:
        """Inserts the row, or lets each unit take the claim if it wins there; writes nothing if it wins nowhere."""
        sets = self._sets()
        slots = ", ".join(f"?{n}" for n in range(1, len(self.columns) + 1))
        head = f"INSERT INTO {self._rule.old} ({names(self.columns)}) VALUES ({slots}) ON CONFLICT ({self._key})"
        if not sets:
            return f"{head} DO NOTHING"
        return (
            f"{head} DO UPDATE SET {assigned(sets)} WHERE {self._rule.ours('excluded')} AND ({self._worth_writing()})"
        )

    @cached_property
    def mention(self) -> str:
        """Inserts a row with only its key, unless it exists. Parameters: key, org_id, ``_rev``."""
        columns = (*self.layout.key, *self.layout.owner, "_rev")
        slots = ", ".join("?" * len(columns))
        return f"INSERT INTO {self._rule.old} ({names(columns)}) VALUES ({slots}) ON CONFLICT DO NOTHING"

    @cached_property
    def known(self) -> str:
        """Whether the organization has the row. Parameters: key, org_id (if the table has it)."""
        where = " AND ".join(f"{quote(column)} = ?" for column in (*self.layout.key, *self.layout.owner))
        return f"SELECT 1 FROM {self._rule.old} WHERE {where}"

    def present(self, count: int) -> str:
        """How many of ``count`` keys there are. Parameters: the keys, one after the other."""
        row = "(" + ", ".join("?" * len(self.layout.key)) + ")"
        wanted = ", ".join([row] * count)
        same = " AND ".join(f"have.{quote(column)} = wanted.{quote(column)}" for column in self.layout.key)
        return (
            f"WITH wanted ({self._key}) AS (VALUES {wanted}) "
            f"SELECT count(*) FROM wanted CROSS JOIN {self._rule.old} AS have WHERE {same}"
        )

    def foreign(self, count: int) -> str:
        """Which of ``count`` keys belong to another organization. Parameters: the keys, one after the other, org_id."""
        row = "(" + ", ".join("?" * len(self.layout.key)) + ")"
        wanted = ", ".join([row] * count)
        same = " AND ".join(f"have.{quote(column)} = wanted.{quote(column)}" for column in self.layout.key)
        found = ", ".join(f"have.{quote(column)}" for column in self.layout.key)
        return (
            f"WITH wanted ({self._key}) AS (VALUES {wanted}) "
            f"SELECT {found} FROM wanted CROSS JOIN {self._rule.old} AS have WHERE {same} AND have.org_id <> ?"
        )

    @property
    def _key(self) -> str:
        return names(self.layout.key)

    @cached_property
    def _coverage(self) -> Coverage:
        first = len(self.columns) + 1
        split = [unit for unit in self.layout.units if unit.split]
        return Coverage(self.layout, f"?{first}", {unit.name: f"?{first + 1 + n}" for n, unit in enumerate(split)})

    @property
    def _rule(self) -> Rule:
        return Rule(self._coverage)

    @property
    def _absence(self) -> Absence:
        return Absence(self._coverage)

    def _sets(self) -> dict[str, str]:
        rule, old = self._rule, self._rule.old
        sets: dict[str, str] = {}
        for unit in self.layout.units:
            claimed = f"excluded.{quote(unit.at)}"
            sets |= rule.taken(unit, "excluded", claimed, given=f"{claimed} > 0")
            have = self._coverage.effective(unit) if unit.split else f"{old}.{quote(unit.at)}"
            sets[unit.at] = later(f"excluded.{quote(unit.at)}", have)
        if self._seen:
            sets["_seen_at"] = later("excluded._seen_at", f"{old}._seen_at")
        if sets:
            sets["_rev"] = f"CASE WHEN {self._real_change()} THEN excluded._rev ELSE {old}._rev END"
        if self.layout.table.exported:
            sets["_absent_since"] = self._absence.after("excluded._absent_since")
        return sets

    @property
    def _seen(self) -> bool:
        return self.layout.table.exported or bool(self.layout.table.full_list)

    def _real_change(self) -> str:
        won = [
            f"excluded.{quote(unit.at)} > 0 AND {self._rule.changes(unit, 'excluded', f'excluded.{quote(unit.at)}')}"
            for unit in self.layout.units
        ]
        if self.layout.table.exported:
            won.append(self._absence.changed_by("excluded._absent_since"))
        return " OR ".join(f"({w})" for w in won) or "1 = 0"

    def _worth_writing(self) -> str:
        rule, old = self._rule, self._rule.old
        tests = [
            f"(excluded.{quote(unit.at)} > 0 AND {rule.takes(unit, 'excluded', f'excluded.{quote(unit.at)}')})"
            for unit in self.layout.units
        ]
        if self._seen:
            fresh = f"excluded._seen_at > {old}._seen_at"
            if self.layout.table.exported:
                fresh += f" AND {self._coverage.beyond(f'(excluded._seen_at * {PER_MICRO})')}"
            tests.append(f"({fresh})")
        return " OR ".join(tests)


def happened_sql(table: Table, *, again: bool = False) -> str:
    """Writes one row of what happened, once. Parameters: its columns, in order.

    ``again``: nor if another delivery has said the very same, as the one that is applied may be that one, under a new
    number.
    """
    columns = [column.name for column in table.columns]
    slots = [f"?{n}" for n in range(1, len(columns) + 1)]
    head = f"INSERT INTO {quote(table.name)} ({names(columns)})"
    if not again:
        return f"{head} VALUES ({', '.join(slots)}) ON CONFLICT DO NOTHING"
    same = " AND ".join(
        f"{quote(name)} IS {slot}" for name, slot in zip(columns, slots, strict=True) if name != "event_id"
    )
    unless = f"WHERE NOT EXISTS (SELECT 1 FROM {quote(table.name)} WHERE {same})"
    return f"{head} SELECT {', '.join(slots)} {unless} ON CONFLICT DO NOTHING"
