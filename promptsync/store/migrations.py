"""Bringing a mirror made by any earlier version up to date.

Owns the order: hand-written migrations first, append only; then the question whether every table is what it was
declared as; then one step named after the declarations' digest that adds the tables, columns and indexes that the
database lacks. Each step and its record are one transaction.

A table's fingerprint is every fact of its declaration that rows and versions already stored depend on, in words, kept
in ``sync_state`` as ``schema:<table>``. A fact that is new is an addition. One that reads otherwise, or is gone, needs
a written migration, or versions would be lost in silence. A fact that is not on record, because the mirror is older
than fingerprints or the vendor had a column before we declared it, is compared with the table as it stands.
"""

import hashlib
import json
import shlex
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptsync.errors import SchemaMismatch
from promptsync.merge.layout import Layout
from promptsync.merge.sql import quote
from promptsync.model import FilledBy, Kind, Role, Schema, Table
from promptsync.store import marks
from promptsync.store.ddl import statements
from promptsync.store.made_by import refuse_newer, sign
from promptsync.store.reading import path_of

Fingerprint = dict[str, str]
"""Fact to what it is: ``column status`` to ``text in group status``, ``index message_org_id`` to ``org_id``."""

_PREFIX = "schema:"
_SET = "promptsync"


def fingerprint(table: Table) -> Fingerprint:
    """The facts of a declaration that stored rows depend on."""
    facts = {"role": table.role.value, "key": ", ".join(table.key)}
    if table.role is Role.MIRROR:
        facts["owner"] = "an organization" if table.org_scoped else "none"
        facts["version"] = (
            f"{table.order or 'sequence'} of a change set" if table.filled_by is FilledBy.CHANGE_SET else "time"
        )
    if table.search:
        facts["search"] = ", ".join(table.search)
    group_of: dict[str, str] = {}
    for group, columns in table.groups.items():
        facts[f"group {group}"] = "exported" if any(column.exported for column in columns) else "not exported"
        group_of |= {column.name: f" in group {group}" for column in columns}
    for column in table.columns:
        facts[f"column {column.name}"] = column.kind.name.lower() + group_of.get(column.name, "")
    return facts | {f"index {index.name}": index.words for index in table.all_indexes}


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """What needs a migration, each in words."""
    for fact, was in before.items():
        if fact in now:
            if now[fact] != was:
                yield f"{fact} was {was} and is now {now[fact]}"
        elif not _gone_whole(fact, was, now):
            yield f"{fact} ({was}) is no longer declared"


def check(connection: sqlite3.Connection, schema: Schema) -> dict[str, Fingerprint]:
    """Whether every table can go on under these declarations. Returns, by table, the fingerprints to put on record.

    Raises SchemaMismatch for the first table that cannot. Tables that are not declared, such as a disabled plugin's,
    keep theirs.
    """
    on_record, standing = recorded(connection), _standing(connection)
    changed = {}
    for table in schema:
        before, now = on_record.get(table.name, {}), fingerprint(table)
        wrong = list(differences(before, now))
        if table.name in standing:
            wrong += _unlike(table, standing[table.name], before)
        if wrong:
            raise SchemaMismatch(_sentence(connection, table.name, wrong))
        if before != (kept := before | now):
            changed[table.name] = kept
    return changed


def recorded(connection: sqlite3.Connection) -> dict[str, Fingerprint]:
    """The fingerprints on record, by table."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sync_state'").fetchone():
        return {}
    return {table: json.loads(facts) for table, facts in marks.family(connection, _PREFIX).items()}


def record(connection: sqlite3.Connection, fingerprints: Mapping[str, Fingerprint]) -> None:
    """Keep fingerprints by table, in the caller's transaction."""
    for table, facts in fingerprints.items():
        marks.put_facts(connection, _PREFIX + table, facts)


def _gone_whole(fact: str, was: str, now: Mapping[str, str]) -> bool:
    """Whether it is (of) a group no column of which is declared any more, such as a disabled plugin's.

    Values and versions then stay as they are, and come back together.
    """
    what, _, name = fact.partition(" ")
    group = {"group": name, "column": was.partition(" in group ")[2]}.get(what)
    return bool(group) and f"group {group}" not in now


@dataclass
class _Standing:
    """A table as it stands: SQL type by column, primary key columns by place, and what each index is on."""

    types: dict[str, str] = field(default_factory=dict)
    key: dict[int, str] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)


def _standing(connection: sqlite3.Connection) -> dict[str, _Standing]:
    tables: dict[str, _Standing] = {}
    for name, column, kind, place in connection.execute(
        "SELECT m.name, c.name, c.type, c.pk FROM sqlite_master m JOIN pragma_table_info(m.name) c "
        "WHERE m.type = 'table'"
    ):
        table = tables.setdefault(name, _Standing())
        table.types[column] = kind
        if place:
            table.key[place] = column
    for name, index, sql in connection.execute(
        "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ):
        on, where, condition = sql.partition(" (")[2].partition(" WHERE ")
        tables[name].indexes[index] = on.removesuffix(")").replace('"', "") + where + condition
    return tables


def _unlike(table: Table, standing: _Standing, before: Mapping[str, str]) -> Iterator[str]:
    """What of a standing table is not as declared, is not on record, and cannot be mended by adding to it."""
    key = ", ".join(standing.key[place] for place in sorted(standing.key))
    if "key" not in before and key != ", ".join(table.key):
        yield f"key was {key} and is now {', '.join(table.key)}"
    for column in table.columns:
        there = standing.types.get(column.name)
        if there is None or f"column {column.name}" in before:
            continue
        # the vendor's own before we declared it: kept as the text that it came as
        raw = bool(before) and f"_col_{column.name}_at" in standing.types and column.kind is not Kind.TEXT
        if raw or there != column.kind.storage:
            yield f"column {column.name} was {there.lower()} and is now {column.kind.name.lower()}"
    if table.role is Role.MIRROR:
        yield from _unversioned(table, standing, before)
    for index in table.all_indexes:
        there = standing.indexes.get(index.name, index.words)
        if f"index {index.name}" not in before and there != index.words:
            yield f"index {index.name} was {there} and is now {index.words}"


def _unversioned(table: Table, standing: _Standing, before: Mapping[str, str]) -> Iterator[str]:
    """Groups whose version is of another type, or lacks though columns of the group have values."""
    wanted = Layout(table).version_type
    for group, columns in table.groups.items():
        if f"group {group}" in before:
            continue
        there = standing.types.get(f"_{group}_at")
        old = [c.name for c in columns if c.name in standing.types and f"_col_{c.name}_at" not in standing.types]
        if there is None and old:
            yield f"column {old[0]} was in another group and is now in group {group}"
        elif there not in (None, wanted):
            yield f"version of group {group} was {there} and is now {wanted}"


def _sentence(connection: sqlite3.Connection, table: str, wrong: list[str]) -> str:
    path = str(path_of(connection))
    more = f" ({len(wrong) - 1} more differ)" if len(wrong) > 1 else ""
    aside = f"mv -n {shlex.quote(path)} {shlex.quote(f'{path}.before')}"
    return (
        f"The table {table} of {path} was made by another version, and no migration is written for the change: "
        f"{wrong[0]}{more}. Nothing was changed; go back to the version of promptsync (or of the plugin whose table it "
        f"is) that was used before, or set the mirror aside with '{aside}' and load its files again."
    )


@dataclass(frozen=True, slots=True)
class Migration:
    """A written change of one table that no addition can make. Runs once, in every mirror that has the table.

    ``apply`` changes table and rows; ``restate`` turns the fingerprint from before into the one from after, so that
    any other change is still refused. ``name`` is kept for good.
    """

    name: str
    table: str
    apply: Callable[[sqlite3.Connection], object]
    restate: Callable[[Fingerprint], Fingerprint]


def _drop_index(name: str, table: str, index: str) -> Migration:
    """An index that is no longer declared."""

    def restate(before: Fingerprint) -> Fingerprint:
        return {fact: was for fact, was in before.items() if fact != f"index {index}"}

    return Migration(
        name, table, lambda connection: connection.execute(f"DROP INDEX IF EXISTS {quote(index)}"), restate
    )


WRITTEN: tuple[Migration, ...] = (
    _drop_index("message_broadcast_without_null", "message", "message_broadcast_id"),  # message_broadcast has its rows
    _drop_index("contact_opted_out_by_state", "contact", "contact_opt_out_timestamp_open"),  # so has contact_opted_out
    *(
        _drop_index(f"{table}_by_time", table, f"{table}_{column}")  # one that goes on with the time begins with it
        for table, column in (
            ("cio_deliveries", "internal_customer_id"),
            ("cio_inbound", "internal_customer_id"),
            ("qlara_message", "destination"),
            ("qlara_delivery_report", "destination"),
        )
    ),
    *(
        _drop_index(f"{index}_by_org", "message", index)  # made again, with the organization
        for index in ("message_inbound", "message_failed", "message_answered")
    ),
    _drop_index("message_broadcast_by_outcome", "message", "message_broadcast"),  # made again, outcomes before people
)
"""Append only, oldest first. A new one comes with the fixture of the version before it (tests/store/fixtures)."""


def migrate(connection: sqlite3.Connection, schema: Schema, written: Sequence[Migration] = WRITTEN) -> None:
    """Apply what is pending.

    Raises sqlite3.Error, with that step rolled back; SchemaMismatch if a newer version has been here, or if a table was
    declared otherwise when it was made and no migration is written for that.
    """
    refuse_newer(connection)
    _apply(connection, [(migration.name, _written(connection, migration)) for migration in written])
    changed = check(connection, schema)

    def declared() -> None:
        for statement in statements(schema, tables_of(connection)):
            connection.execute(statement)
        record(connection, changed)
        sign(connection)

    if not _apply(connection, [(f"declared_{digest(schema)}", declared)]) and changed:
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            record(connection, changed)


def _apply(connection: sqlite3.Connection, steps: Sequence[tuple[str, Callable[[], None]]]) -> bool:
    """Run the steps that were never run, by sqlite-utils, which keeps the record; returns whether there were any."""
    if {name for name, _ in steps} <= _applied(connection):
        return False
    from sqlite_utils import Database
    from sqlite_utils.migrations import Migrations

    migrations = Migrations(_SET)
    for name, step in steps:
        migrations(name=name)(lambda _, step=step: step())
    migrations.apply(Database(connection, execute_plugins=False))
    return True


def _applied(connection: sqlite3.Connection) -> set[str]:
    """The steps on record."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'").fetchone():
        return set()
    rows = connection.execute("SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (_SET,))
    return {name for (name,) in rows}


def _written(connection: sqlite3.Connection, migration: Migration) -> Callable[[], None]:
    def step() -> None:
        if migration.table not in tables_of(connection):
            return  # it is made as it is declared now
        migration.apply(connection)
        sign(connection)
        before = recorded(connection).get(migration.table)
        if before is not None:
            record(connection, {migration.table: migration.restate(before)})

    return step


def tables_of(connection: sqlite3.Connection) -> dict[str, set[str]]:
    """Every table of the database with its columns."""
    rows = connection.execute(
        "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'"
    )
    tables: dict[str, set[str]] = {}
    for table, column in rows:
        tables.setdefault(table, set()).add(column)
    return tables


def columns_of(connection: sqlite3.Connection, table: str) -> set[str]:
    """The columns of one table."""
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}


def digest(schema: Schema) -> str:
    """Twelve hexadecimal digits that change with any declaration."""
    text = "\n".join(statements(schema, {}))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
