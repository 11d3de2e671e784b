"""The truth: every row the mirror must hold after what it was told, computed from the simulated world's own past.

Owns the assembly. The values come from the world at the instants that ``Told`` names as the last word; no version is
computed and no claim is merged here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from promptsync.demo.prompt.snapshot import Value
from promptsync.demo.truth import inbox, people, traffic
from promptsync.demo.truth.knowledge import Told
from promptsync.demo.truth.rows import Key, Rows, keyed
from promptsync.demo.world.world import World
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt import tables_happened

HAPPENED = {
    table.name: tuple(column.name for column in table.columns if column.name not in ("event_id", "item", "org_id"))
    for table in tables_happened.TABLES
}
"""Tables of what happened and the columns by which their rows are counted (the key names the delivery)."""


@dataclass(frozen=True, slots=True)
class Truth:
    """``rows``: table to key to column to value, as the mirror stores them (booleans 0 or 1, times as text).

    ``happened``: table to the number of rows with each combination of the columns in ``HAPPENED``. Nothing is absent.
    ``keys``: what names the rows of those that have no primary key, as they are views.
    """

    rows: dict[str, dict[Key, dict[str, Value]]]
    happened: dict[str, Counter[tuple[Value, ...]]]
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def beside(self, rows: dict[str, dict[Key, dict[str, Value]]], keys: Mapping[str, tuple[str, ...]]) -> "Truth":
        """This, and the rows of another vendor's tables and views."""
        return Truth(self.rows | rows, self.happened, {**self.keys, **keys})


def truth(world: World, told: Told) -> Truth:
    """What the mirror must hold once everything told is merged, in any order."""
    schema = declared_schema()
    tables: dict[str, Rows] = {
        **people.exported(world, told),
        **people.contacts(world, told),
        **people.staff(world, told),
        "message": traffic.messages(world, told),
        "broadcast": traffic.broadcasts(world, told),
        **traffic.conversations(told),
    }
    tables = inbox.overlaid(tables, told)
    rows = {name: keyed(schema[name], found, world.org_id) for name, found in tables.items()}
    return Truth(rows, {table: told.happened.get(table, Counter()) for table in HAPPENED})
