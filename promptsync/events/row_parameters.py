"""Claims about rows of one table as the parameters of its statements.

Owns where each parameter comes from in a claim's groups, and that several claims on one row are made one before they
are merged. Pure, but for what the mirror keeps in memory of its applied snapshots.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from promptsync.events.claims import RowClaim
from promptsync.merge.event_sql import EventStatements
from promptsync.model import Key, Value
from promptsync.store.snapshots import AppliedSnapshots


def combined(rows: Iterable[RowClaim]) -> list[RowClaim]:
    """The same claims, those about one row made one where the rule does not have to compare values."""
    found: dict[Key, RowClaim] = {}
    ties: list[RowClaim] = []
    for row in rows:
        if (have := found.setdefault(row.key, row)) is row:
            continue
        groups = dict(have.groups)
        for name, claim in row.groups.items():
            before = groups.get(name)
            if before is None or claim[0] > before[0]:
                groups[name] = claim
            elif claim[0] == before[0] and claim[1] != before[1]:
                ties.append(row)
                break
        else:
            found[row.key] = RowClaim(row.table, row.key, max(row.seen, have.seen), groups)
    return [*found.values(), *ties]


class _Source(NamedTuple):
    """Where the values of a unit come from: a group of the claim, and their places in it; None: all of them."""

    group: str
    places: tuple[int, ...] | None
    unclaimed: tuple[None, ...]


class RowPlan:
    """The statements of one layout, and what they are given."""

    def __init__(self, statements: EventStatements) -> None:
        self.statements = statements
        layout = statements.layout
        groups = layout.table.groups
        self._units: list[_Source] = []
        for unit in layout.units:
            group = unit.group if unit.split else unit.name
            whole = tuple(column.name for column in groups.get(group, ()))
            places = None if unit.columns == whole else tuple(whole.index(name) for name in unit.columns)
            self._units.append(_Source(group, places, (None,) * len(unit.columns)))
        self._exported = layout.table.exported
        self._seen = bool(layout.table.full_list)
        self._owned = bool(layout.owner)
        self._foreign: dict[int, str] = {}

    def foreign(self, count: int) -> tuple[str, int]:
        """The statement that finds keys of other organizations, and how many keys it takes, at least ``count``: there
        are a few sizes, so that SQLite has prepared each of them before."""
        size = 1 << (count - 1).bit_length()
        if (sql := self._foreign.get(size)) is None:
            sql = self._foreign[size] = self.statements.foreign(size)
        return sql, size

    def parameters(
        self, snapshots: AppliedSnapshots, org: int, revision: int, rows: Iterable[RowClaim]
    ) -> Iterator[tuple[Value, ...]]:
        """One tuple per claim, in the order EventStatements.upsert says."""
        layout, table = self.statements.layout, self.statements.layout.table.name
        owner: tuple[Value, ...] = (org,) if self._owned else ()
        whole, split = snapshots.asserted(layout, org) if self._exported else (0, ())
        for row in rows:
            values, versions = self._claimed(row)
            cells = (*row.key, *owner, *values, *versions, revision)
            if self._exported:
                absent = snapshots.next_after(table, org, row.seen)
                yield (*cells, row.seen, absent, whole, *split)
            elif self._seen:
                yield (*cells, row.seen)
            else:
                yield cells

    def _claimed(self, row: RowClaim) -> tuple[list[Value], list[int]]:
        """The values, unit by unit, and the version of each unit (0: not claimed)."""
        values: list[Value] = []
        versions: list[int] = []
        claim_of = row.groups.get
        for group, places, unclaimed in self._units:
            if (claim := claim_of(group)) is None:
                values += unclaimed
                versions.append(0)
            else:
                version, claimed = claim
                values += claimed if places is None else [claimed[n] for n in places]
                versions.append(version)
        return values, versions
