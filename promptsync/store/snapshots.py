"""What snapshots have been applied, and what full lists a contact's links have had: what absence is judged by.

Owns the questions that every merge asks, in memory for the writer: which applied snapshot of a table and organization
is the newest, which is the first after an instant, which split columns the newest one asserts. Loaded at start and
updated after the commit of each change; with several changes in one transaction, within it. Owns ``sync_full_list``,
the instants at which a delivery stated all links of a contact, and what it makes of the links' ``removed_at``.
"""

import json
import sqlite3
from bisect import bisect_right, insort
from collections.abc import Iterable
from dataclasses import dataclass, field

from promptsync.clock import iso_millis
from promptsync.merge.absence import removed_at
from promptsync.merge.layout import Layout
from promptsync.merge.sql import names, quote
from promptsync.merge.version import Rank, version
from promptsync.model import Key


@dataclass(slots=True)
class _Applied:
    instants: list[int] = field(default_factory=list)
    lacks: set[str] = field(default_factory=set)  # of the newest
    rows: dict[int, int] = field(default_factory=dict)


class AppliedSnapshots:
    """Applied snapshots by table and organization (0 for the table of organizations). Instants in microseconds."""

    def __init__(self) -> None:
        self._applied: dict[tuple[str, int], _Applied] = {}
        self._uncommitted = False

    def load(self, connection: sqlite3.Connection) -> None:
        """Read what the mirror knows."""
        self._applied.clear()
        self._uncommitted = False
        for table, org, at, rows, lacks in connection.execute(
            'SELECT "table", org_id, at, rows, lacks FROM sync_snapshot ORDER BY at, id'
        ):
            self.add(table, org, at, rows, json.loads(lacks))

    def add(self, table: str, org: int, at: int, rows: int, lacks: list[str]) -> None:
        """One more snapshot has been applied."""
        applied = self._applied.setdefault((table, org), _Applied())
        newest = applied.instants[-1] if applied.instants else -1
        if at > newest:
            applied.lacks = set(lacks)
        elif at == newest:
            applied.lacks |= set(lacks)
        if at not in applied.rows:
            insort(applied.instants, at)
        applied.rows[at] = rows

    def add_uncommitted(self, table: str, org: int, at: int, rows: int, lacks: list[str]) -> None:
        """The same within the transaction that applies it, so that what else is merged in it knows. Call ``committed``
        after it; the writer calls ``forget_uncommitted`` if it is rolled back."""
        self._uncommitted = True
        self.add(table, org, at, rows, lacks)

    def committed(self) -> None:
        """All that was added stands in the mirror."""
        self._uncommitted = False

    def forget_uncommitted(self, connection: sqlite3.Connection) -> None:
        """A transaction was rolled back: if any was added in it, read anew what the mirror knows."""
        if self._uncommitted:
            self.load(connection)

    def lack(self, table: str, columns: Iterable[str], org: int | None = None) -> None:
        """What ``record_lacks`` has written down."""
        for (name, owner), applied in self._applied.items():
            if name == table and org in (None, owner):
                applied.lacks.update(columns)

    def newest(self, table: str, org: int) -> int | None:
        """The instant of the newest one."""
        applied = self._applied.get((table, org))
        return applied.instants[-1] if applied else None

    def has(self, table: str, org: int, at: int) -> bool:
        """Whether one of this very instant has been applied."""
        applied = self._applied.get((table, org))
        return applied is not None and at in applied.rows

    def lacks_at_newest(self, table: str, org: int) -> set[str]:
        """The columns that the newest one did not have."""
        applied = self._applied.get((table, org))
        return applied.lacks if applied else set()

    def next_after(self, table: str, org: int, at: int) -> str | None:
        """The first one later than an instant, as ISO text."""
        applied = self._applied.get((table, org))
        if not applied or applied.instants[-1] <= at:
            return None
        return iso_millis(applied.instants[bisect_right(applied.instants, at)])

    def rows_before(self, table: str, org: int, at: int) -> int | None:
        """How many rows the newest one not later than an instant had."""
        applied = self._applied.get((table, org))
        if not applied:
            return None
        place = bisect_right(applied.instants, at)
        return applied.rows[applied.instants[place - 1]] if place else None

    def asserted(self, layout: Layout, org: int) -> tuple[int, tuple[int, ...]]:
        """The version that rows in the newest one have without being written, and the same per split column."""
        newest = self.newest(layout.table.name, org)
        whole = version(newest, Rank.SNAPSHOT) if newest is not None else 0
        lacks = self.lacks_at_newest(layout.table.name, org)
        split = tuple(0 if unit.name in lacks else whole for unit in layout.units if unit.split)
        return whole, split


def record_lacks(connection: sqlite3.Connection, table: str, columns: Iterable[str], org: int | None = None) -> None:
    """Write down that the snapshots applied so far, of one organization or of all, do not assert these columns: their
    files did not have them, or what they asserted is now written in the rows.
    """
    rows = connection.execute('SELECT id, org_id, lacks FROM sync_snapshot WHERE "table" = ?', (table,)).fetchall()
    more = set(columns)
    connection.executemany(
        "UPDATE sync_snapshot SET lacks = ? WHERE id = ?",
        [
            (json.dumps(sorted(more.union(json.loads(lacks)))), id_)
            for id_, owner, lacks in rows
            if org in (None, owner)
        ],
    )


def add_full_lists(connection: sqlite3.Connection, stated: Iterable[tuple[int, str, int]]) -> None:
    """Keep that full lists were stated: (contact, list, microseconds)."""
    connection.executemany("INSERT INTO sync_full_list VALUES (?, ?, ?) ON CONFLICT DO NOTHING", stated)


def settle_links(
    connection: sqlite3.Connection, layout: Layout, contacts: set[int], links: Iterable[Key], revision: int
) -> None:
    """Set ``removed_at`` to what the full lists known so far say: of every link of these contacts, and of these links.

    A link alone costs the same however many its contact has.
    """
    table, key = quote(layout.table.name), names(layout.key)
    same_key = " AND ".join(f"{quote(column)} = ?" for column in layout.key)
    wanted: dict[int, list[Key] | None] = dict.fromkeys(contacts)
    for link in links:
        if (some := wanted.setdefault(int(link[0] or 0), [])) is not None:
            some.append(link)
    sql = f"SELECT {key}, _seen_at, removed_at FROM {table} WHERE"
    for contact, some in wanted.items():
        if some is None:
            found = connection.execute(f"{sql} contact_id = ?", (contact,)).fetchall()
        else:
            found = [row for link in some for row in connection.execute(f"{sql} {same_key}", link)]
        if not found:
            continue
        stated = connection.execute(
            "SELECT at FROM sync_full_list WHERE contact_id = ? AND list = ? ORDER BY at",
            (contact, layout.table.full_list),
        )
        full_lists = [at for (at,) in stated]
        for *found_key, seen, removed in found:
            gone = removed_at(seen, full_lists)
            text = None if gone is None else iso_millis(gone)
            if text != removed:
                connection.execute(
                    f"UPDATE {table} SET removed_at = ?, _rev = ? WHERE {same_key}", (text, revision, *found_key)
                )
