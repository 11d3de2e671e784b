"""The truth: every row the mirror must hold after what it received, computed from the simulated world's own past.

Owns the assembly. The values come from the world at the instants that ``Knowledge`` names as the last word; no version
is computed and no claim is merged here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from promptsync.demo.prompt.snapshot import Row, Value
from promptsync.demo.truth import prompt
from promptsync.demo.truth.knowledge import Knowledge
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


def truth(world: World, knowledge: Knowledge) -> Truth:
    """What the mirror must hold once everything known is merged, in any order."""
    schema = declared_schema()
    tables: dict[str, Rows] = {
        **prompt.exported(world, knowledge), **prompt.contacts(world, knowledge), **prompt.staff(world, knowledge),
        "message": prompt.messages(world, knowledge), "broadcast": prompt.broadcasts(world, knowledge),
        **prompt.conversations(knowledge),
    }  # fmt: skip
    tables = _with_facts(tables, knowledge)
    rows = {name: keyed(schema[name], found, world.org_id) for name, found in tables.items()}
    return Truth(rows, {table: knowledge.happened.get(table, Counter()) for table in HAPPENED})


_FACTS = ("conversation_config", "scheduled_message", "instant_app", "team_member", "channel", "broadcast")


def _with_facts(tables: dict[str, Rows], knowledge: Knowledge) -> dict[str, Rows]:
    """These tables, and those that only the inbox fills, with what is known of each row."""
    schema = declared_schema()
    return {**tables, **{name: _overlaid(schema[name].key, tables.get(name, ()), name, knowledge) for name in _FACTS}}


def _overlaid(key: tuple[str, ...], rows: Rows, table: str, knowledge: Knowledge) -> list[Row]:
    found = {tuple(row[name] for name in key): row for row in rows}
    for id_, groups in knowledge.facts[table].items():
        row = {**found.get(id_, {}), **dict(zip(key, id_, strict=True))}
        for _, columns in groups.values():
            row |= columns
        found[id_] = row
    return list(found.values())
