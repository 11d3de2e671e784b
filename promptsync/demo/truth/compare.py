"""The truth, every row the mirror must hold after what it received, and the mirror held against it.

Owns the assembly, and counts and examples of every difference, table by table. The values come from the simulated
world's own past, at the instants that ``Knowledge`` names as the last word; no version is computed and no claim is
merged here. The mirror is read as any other program would: a SQLite file, opened read only, and plain SELECTs. Rows
marked absent do not count. An empty text and NULL are the same here: the specification does not tell them apart.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from promptsync.clock import parse_iso
from promptsync.demo.prompt.snapshot import Row, Value
from promptsync.demo.truth import prompt
from promptsync.demo.truth.knowledge import Knowledge
from promptsync.demo.truth.rows import Key, Rows, keyed, stored
from promptsync.demo.world.world import World
from promptsync.errors import Unavailable
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


EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Difference:
    """One cell of a row that is not what it must be."""

    key: Key
    column: str
    expected: Value
    found: Value


@dataclass(frozen=True, slots=True)
class TableResult:
    """``expected``, ``found``: numbers of rows. ``missing``, ``extra``: examples of keys. ``different``: of cells."""

    table: str
    expected: int
    found: int
    missing: list[Key] = field(default_factory=list)
    extra: list[Key] = field(default_factory=list)
    different: list[Difference] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether the mirror's table is the truth."""
        return not (self.missing or self.extra or self.different)


@contextmanager
def reading(database: Path) -> Iterator[sqlite3.Connection]:
    """The mirror, to read. Raises ``Unavailable`` when it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise Unavailable(f"Try again when the mirror can be read: {error}.") from error


def pending(connection: sqlite3.Connection) -> int:
    """How many deliveries are stored and not applied yet."""
    waiting = "state = 'pending' AND state <> 'applied'"  # the second condition is the index's
    return int(connection.execute(f"SELECT count(*) FROM sync_event WHERE {waiting}").fetchone()[0])


def deliveries(connection: sqlite3.Connection) -> dict[int, tuple[int, str, str]]:
    """Every delivery that was stored, by id: when it was received, its path and its body."""
    found = connection.execute("SELECT id, received_at, path, body FROM sync_event")
    return {id_: (parse_iso(at), path, body) for id_, at, path, body in found}


def compare(truth: Truth, connection: sqlite3.Connection) -> list[TableResult]:
    """One result for each table of the truth. Raises ``Unavailable`` when the mirror cannot be read."""
    try:
        keys = truth.keys
        states = [_compare_rows(connection, table, rows, keys.get(table)) for table, rows in truth.rows.items()]
        return states + [_compare_counts(connection, table, rows) for table, rows in truth.happened.items()]
    except sqlite3.Error as error:
        raise Unavailable(f"Try again when the mirror can be read: {error}.") from error


def _compare_rows(
    connection: sqlite3.Connection, table: str, expected: dict[Key, dict[str, Value]], key: tuple[str, ...] | None
) -> TableResult:
    """``key``: its columns, if it is not the primary key."""
    present = _columns(connection, table)
    columns = next((list(row) for row in expected.values()), [])
    wanted = [name for name in columns if name in present]
    condition = ' WHERE "_absent_since" IS NULL' if "_absent_since" in present else ""
    primary = [name for _, name in sorted((place, name) for name, place in present.items() if place)]
    key_columns = list(key) if key and present else primary
    order = [*key_columns, *wanted]
    found: dict[Key, dict[str, Value]] = {}
    for cells in _select(connection, table, order, condition) if key_columns else ():
        found[tuple(cells[: len(key_columns)])] = dict(zip(wanted, cells[len(key_columns) :], strict=True))
    different = (
        Difference(key, name, value, found[key].get(name))
        for key, row in expected.items()
        if key in found
        for name, value in row.items()
        if found[key].get(name) != value
    )
    return TableResult(
        table, len(expected), len(found), _some(k for k in expected if k not in found),
        _some(k for k in found if k not in expected), list(islice(different, EXAMPLES)),
    )  # fmt: skip


def _compare_counts(connection: sqlite3.Connection, table: str, rows: Counter[tuple[Value, ...]]) -> TableResult:
    expected = Counter({tuple(stored(value) for value in row): count for row, count in rows.items()})
    found: Counter[tuple[Value, ...]] = Counter()
    if _columns(connection, table):
        found.update(tuple(cells) for cells in _select(connection, table, HAPPENED[table], ""))
    missing, extra = expected - found, found - expected
    return TableResult(table, expected.total(), found.total(), _some(missing), _some(extra))


def _columns(connection: sqlite3.Connection, table: str) -> dict[str, int]:
    """Column names of a table and their place in its primary key, from 1 (0: not in it); empty: no such table."""
    return dict(connection.execute("SELECT name, pk FROM pragma_table_info(?)", (table,)).fetchall())


def _select(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], condition: str
) -> Iterable[list[Value]]:
    names = ", ".join(f'"{name}"' for name in columns)
    for cells in connection.execute(f'SELECT {names} FROM "{table}"{condition}'):
        yield [stored(cell) for cell in cells]


def _some(keys: Iterable[Key]) -> list[Key]:
    return list(islice(keys, EXAMPLES))
