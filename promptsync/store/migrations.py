"""Bringing a mirror made by any earlier version up to date.

Owns the order: hand-written migrations first, append only; then the question whether every table is what it was
declared as (store/fingerprints.py); then one step named after the declarations' digest that adds whatever tables,
columns and indexes they have and the database has not. Each step and its record are one transaction.
"""

import hashlib
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from promptsync.model import Schema
from promptsync.store import fingerprints
from promptsync.store.ddl import statements
from promptsync.store.fingerprints import Fingerprint


@dataclass(frozen=True, slots=True)
class Migration:
    """A written change of one table that no addition can make. Runs once, in every mirror that has the table.

    ``apply`` changes table and rows; ``restate`` turns the fingerprint from before into the one from after, so that
    whatever else has changed is still refused. ``name`` is kept for good.
    """

    name: str
    table: str
    apply: Callable[[sqlite3.Connection], None]
    restate: Callable[[Fingerprint], Fingerprint]


WRITTEN: tuple[Migration, ...] = ()
"""Append only, oldest first. A new one comes with the fixture of the version before it (tests/store/fixtures)."""


def migrate(connection: sqlite3.Connection, schema: Schema, written: Sequence[Migration] = WRITTEN) -> None:
    """Apply what is pending.

    Raises sqlite3.Error, with that step rolled back; SchemaMismatch if a table was declared otherwise when it was made
    and no migration is written for that.
    """
    database = Database(connection, execute_plugins=False)
    _apply(database, [(migration.name, _written(connection, migration)) for migration in written])
    changed = fingerprints.check(connection, schema)

    def declared() -> None:
        for statement in statements(schema, tables_of(connection)):
            connection.execute(statement)
        fingerprints.record(connection, changed)

    if not _apply(database, [(f"declared_{digest(schema)}", declared)]) and changed:
        with database.atomic():
            fingerprints.record(connection, changed)


def _apply(database: Database, steps: Sequence[tuple[str, Callable[[], None]]]) -> bool:
    """Run the steps that were never run; returns whether there were any."""
    migrations = Migrations("promptsync")
    for name, step in steps:
        migrations(name=name)(lambda _, step=step: step())
    if not migrations.pending(database):
        return False
    migrations.apply(database)
    return True


def _written(connection: sqlite3.Connection, migration: Migration) -> Callable[[], None]:
    def step() -> None:
        if migration.table not in tables_of(connection):
            return  # it is made as it is declared now
        migration.apply(connection)
        before = fingerprints.recorded(connection).get(migration.table)
        if before is not None:
            fingerprints.record(connection, {migration.table: migration.restate(before)})

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


def digest(schema: Schema) -> str:
    """Twelve hexadecimal digits that change with any declaration."""
    text = "\n".join(statements(schema, {}))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
