"""Merging the claims of single events, in batches, on the writer's connection.

Owns the step from ``Claims`` to executed statements: grouping by table and organization, keys of other organizations,
links that a full list lacks. A large delivery is merged in parts, so
that the answers to others do not wait for it, and marked after the last, in a transaction of its own, as SQLite writes
its long body once more. Claims can be merged twice and in any order, so after a kill, or beside anything else that is
applied meanwhile, doing it all again ends in the same rows.
"""

import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from promptsync.clock import parse_iso
from promptsync.events.claims import Claims, RowClaim
from promptsync.events.row_parameters import RowPlan, combined
from promptsync.events.suppression import Suppression
from promptsync.merge.event_sql import EventStatements, happened_sql
from promptsync.model import Kept, Key, Table, Value
from promptsync.store import ledger
from promptsync.store.mirror import Mirror
from promptsync.store.snapshots import add_full_lists, settle_links
from promptsync.store.swept import EVENTS
from promptsync.store.writer import Lane

_CHUNK = 200
_SECONDS: Final = 0.01
_FIRST, _LEAST, _MOST = 100, 10, 2_000


@dataclass(frozen=True, slots=True)
class Collision:
    """A claim on a key that belongs to another organization: it was not merged."""

    table: str
    key: Key
    org_id: int
    event_id: int


@dataclass(slots=True)
class Merged:
    """What a batch did. ``rows``: the claims it merged, by table and organization; ``suppressed``: how many more there
    were, about people who were erased. ``inserted``, ``written``, ``named``: how many rows are new, were written at
    all, and were claimed; counted only if asked for."""

    collisions: list[Collision] = field(default_factory=list)
    rows: dict[tuple[str, int], list[RowClaim]] = field(default_factory=dict)
    suppressed: int = 0
    inserted: int = 0
    written: int = 0
    named: int = 0


class ClaimMerger:
    """Merges batches of claims into one mirror, those about erased people apart; remembers the statements per
    layout."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._suppression = Suppression(mirror)
        self._plans: dict[str, RowPlan] = {}
        self._happened_sql: dict[tuple[str, bool], str] = {}

    def merge(self, connection: sqlite3.Connection, batch: Sequence[Claims], *, count: bool = False) -> Merged:
        """Merge a batch inside the caller's transaction. ``count``: the rows too."""
        revision = self._mirror.next_revision(connection)
        allowed = self._suppression.claims(batch)
        merged = Merged(suppressed=_rows_in(batch) - _rows_in(allowed) if allowed is not batch else 0)
        batch = allowed
        grouped: dict[tuple[str, int], list[tuple[int, RowClaim]]] = defaultdict(list)
        for claims in batch:
            for row in claims.rows:
                grouped[row.table, claims.org_id].append((claims.event_id, row))
        for (table, org), rows in grouped.items():
            plan = self._plan(table)
            mine = self._entering(table, self._of_this_org(connection, plan, org, rows, merged.collisions))
            once = combined(mine)
            keys = {row.key for row in once} if count else set()
            merged.inserted += len(keys) - self._present(connection, plan, keys)
            parameters = plan.parameters(self._mirror.snapshots, org, revision, once)
            written = connection.executemany(plan.statements.upsert, parameters).rowcount
            merged.written += max(written, 0)
            merged.named += len(keys)
            merged.rows[table, org] = mine
            if self._mirror.schema[table].blockwise:
                ledger.touch(connection, table, org, [(row.key[0], max(row.times())) for row in once])
        self._mention(connection, batch, revision)
        self._happened(connection, batch)
        self._full_lists(connection, batch, revision, merged.collisions)
        return merged

    def _plan(self, table: str) -> RowPlan:
        layout = self._mirror.layout(table).declared
        plan = self._plans.get(table)
        if plan is None or plan.statements.layout != layout:
            plan = self._plans[table] = RowPlan(EventStatements(layout))
        return plan

    def _present(self, connection: sqlite3.Connection, plan: RowPlan, keys: set[Key]) -> int:
        """How many of these rows are there."""
        wanted, found = list(keys), 0
        for start in range(0, len(wanted), _CHUNK):
            some = wanted[start : start + _CHUNK]
            sql = plan.statements.present(len(some))
            found += connection.execute(sql, [*chain.from_iterable(some)]).fetchone()[0]
        return found

    def _of_this_org(
        self,
        connection: sqlite3.Connection,
        plan: RowPlan,
        org: int,
        rows: list[tuple[int, RowClaim]],
        collisions: list[Collision],
    ) -> list[RowClaim]:
        keys = list({row.key for _, row in rows})
        foreign: set[Key] = set()
        for start in range(0, len(keys), _CHUNK):
            some = keys[start : start + _CHUNK]
            sql, takes = plan.foreign(len(some))
            some += some[-1:] * (takes - len(some))
            foreign.update(map(tuple, connection.execute(sql, [*chain.from_iterable(some), org])))
        if not foreign:
            return [row for _, row in rows]
        table = plan.statements.layout.table.name
        collisions += [Collision(table, row.key, org, event_id) for event_id, row in rows if row.key in foreign]
        return [row for _, row in rows if row.key not in foreign]

    def _entering(self, table: str, rows: list[RowClaim]) -> list[RowClaim]:
        """The claims, without texts that have been swept. One that does not say how old its row is keeps them: the
        mirror's trigger knows."""
        declared = self._mirror.schema[table]
        found = self._mirror.swept.texts(declared)
        return rows if found is None else [without_texts(declared, *found, row) for row in rows]

    def _mention(self, connection: sqlite3.Connection, batch: Sequence[Claims], revision: int) -> None:
        mentioned: dict[str, dict[tuple[Key, int], None]] = defaultdict(dict)
        for claims in batch:
            for table, key in claims.mentions:
                mentioned[table][key, claims.org_id] = None
        for table, keys in mentioned.items():
            sql = self._plan(table).statements.mention
            connection.executemany(sql, [(*key, org, revision) for key, org in keys])

    def _happened(self, connection: sqlite3.Connection, batch: Sequence[Claims]) -> None:
        schema, swept = self._mirror.schema, self._mirror.swept
        mark = swept.mark(EVENTS)
        inbox_from = parse_iso(mark.before) if mark else 0
        rows: dict[tuple[str, bool], list[Sequence[Value]]] = defaultdict(list)
        for claims in batch:
            again = claims.received_at < inbox_from  # an import: its first time may have been swept from the inbox
            for table, cells in claims.happened:
                rows[table, again].append(cells)
        for (name, again), cells_of in rows.items():
            declared, before = schema[name], swept.rows_before(schema[name])
            place = list(declared.by_name).index("at") if before else 0
            if before:
                cells_of = [cells for cells in cells_of if str(cells[place] or before) >= before]
            if (sql := self._happened_sql.get((name, again))) is None:
                sql = self._happened_sql[name, again] = happened_sql(declared, again=again)
            connection.executemany(sql, cells_of)

    def _full_lists(
        self,
        connection: sqlite3.Connection,
        batch: Sequence[Claims],
        revision: int,
        collisions: Iterable[Collision],
    ) -> None:
        foreign = {(one.event_id, one.key[0]) for one in collisions if one.table == "contact"}
        stated = [row for claims in batch for row in claims.full_lists if (claims.event_id, row[0]) not in foreign]
        add_full_lists(connection, stated)
        contacts = {contact for contact, _, _ in stated}
        links: dict[str, dict[Key, None]] = defaultdict(dict)
        for claims in batch:
            for row in claims.rows:
                if self._mirror.schema[row.table].full_list:
                    links[row.table][row.key] = None
        for table in self._mirror.schema:
            if table.full_list and (contacts or table.name in links):
                layout = self._mirror.layout(table.name)
                settle_links(connection, layout, contacts, links[table.name], revision)


def without_texts(table: Table, kept: Kept, before: str, row: RowClaim) -> RowClaim:
    """The claim, with the texts blank if it says that its row is from before then (ISO)."""
    where = {column.name: (name, n) for name, columns in table.groups.items() for n, column in enumerate(columns)}
    group, place = where[kept.at]
    at = row.groups[group][1][place] if group in row.groups else None
    if not isinstance(at, str) or at >= before:
        return row
    groups = dict(row.groups)
    for text in kept.texts:
        group, place = where[text]
        if group in groups:
            claimed, values = groups[group]
            groups[group] = (claimed, (*values[:place], None, *values[place + 1 :]))
    return replace(row, groups=groups)


def _rows_in(batch: Iterable[Claims]) -> int:
    return sum(len(claims.rows) + len(claims.happened) for claims in batch)


class Parts:
    """Claims, some at a time. What a full list says of a contact comes with the contact's own row: whether that belongs
    to another organization decides about both."""

    def __init__(self, claims: Claims) -> None:
        self._rest = claims
        self._done = 0
        self._lists: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
        for stated in claims.full_lists:
            self._lists[stated[0]].append(stated)
        self._whole = max(len(claims.rows), len(claims.mentions), len(claims.happened))
        self._foreign: set[int] = set()

    def take(self, count: int) -> tuple[Claims, bool]:
        """The next claims, at most this many of each kind, and whether they are the last."""
        first, self._done = self._done, self._done + count
        last, claims = self._done >= self._whole, self._rest
        rows, some = claims.rows[first : self._done], slice(first, self._done)
        contacts = [int(row.key[0] or 0) for row in rows if row.table == "contact"]
        lists = [stated for contact in contacts for stated in self._lists.pop(contact, ())]
        if last:
            lists += [one for contact, all_ in self._lists.items() if contact not in self._foreign for one in all_]
        part = replace(
            claims, rows=rows, mentions=claims.mentions[some], happened=claims.happened[some], full_lists=lists
        )
        return part, last

    def exclude(self, collisions: list[Collision]) -> None:
        """These keys belong to another organization."""
        self._foreign.update(int(one.key[0] or 0) for one in collisions if one.table == "contact")


Merge = Callable[[sqlite3.Connection, Claims], list[Collision] | None]
"""Merges some claims. Returns what collided; None: nothing more is to be merged."""


def merge_in_parts(mirror: Mirror, claims: Claims, merge: Merge) -> bool:
    """Hand claims to ``merge`` part by part, each in a transaction of its own; returns whether all were merged. Not for
    the writer's thread."""
    parts, size, last = Parts(claims), _FIRST, False
    while not last:
        part, last = parts.take(size)

        def timed(connection: sqlite3.Connection, part: Claims = part) -> tuple[list[Collision] | None, float]:
            started = time.perf_counter()
            return merge(connection, part), time.perf_counter() - started

        collisions, spent = mirror.writer.run(timed, Lane.APPLY, durable=False)
        if collisions is None:
            return False
        parts.exclude(collisions)
        size = min(max(int(size * _SECONDS / max(spent, 1e-6)), _LEAST), 2 * size, _MOST)
    return True
