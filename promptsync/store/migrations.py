"""Bringing a mirror made by any earlier version up to date.

Owns the order: hand-written steps first, append only, then one step named after the declarations' digest that adds
whatever tables, columns and indexes they have and the database has not. Each step and its record are one transaction.
"""

import hashlib
import sqlite3

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from promptsync.model import Schema
from promptsync.store.ddl import statements


def migrate(connection: sqlite3.Connection, schema: Schema) -> None:
    """Apply what is pending. Raises sqlite3.Error, with that step rolled back."""
    steps = Migrations("promptsync")

    @steps(name=f"declared_{digest(schema)}")
    def declared(database: Database) -> None:
        for statement in statements(schema, tables_of(connection)):
            database.conn.execute(statement)

    database = Database(connection, execute_plugins=False)
    if steps.pending(database):
        steps.apply(database)


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
