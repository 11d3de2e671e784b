"""Keeping full-text search up to date, in batches, after the rows.

Owns entering rows into the FTS5 tables. An entry is taken out by a trigger before its text changes (store/ddl.py), so
an entered row is one whose id has a document size; everything else is missing and entered here, by the code that wrote
the rows or, after a file, by catching up.
"""

import sqlite3
from collections.abc import Sequence

from promptsync.merge.sql import names, quote
from promptsync.model import Schema, Table

_CHUNK = 500


def enter(connection: sqlite3.Connection, table: Table, ids: Sequence[int]) -> None:
    """Enter those of these rows that are not entered."""
    for start in range(0, len(ids), _CHUNK):
        some = ids[start : start + _CHUNK]
        slots = ", ".join("?" * len(some))
        connection.execute(f"{_enter(table)} AND {quote(table.key[0])} IN ({slots})", some)


def missing(connection: sqlite3.Connection, table: Table, after: int, limit: int) -> list[int]:
    """Ids of rows that are not entered, ascending, greater than ``after``."""
    sql = (
        f"SELECT {quote(table.key[0])} FROM {quote(table.name)} WHERE {quote(table.key[0])} > ? AND {_absent(table)} "
        f"ORDER BY {quote(table.key[0])} LIMIT ?"
    )
    return [row[0] for row in connection.execute(sql, (after, limit))]


def lag(connection: sqlite3.Connection, schema: Schema) -> dict[str, int]:
    """How many rows of each searchable table are not entered."""
    return {
        table.name: _count(connection, table.name) - _count(connection, f"{table.name}_fts_docsize")
        for table in schema
        if table.search
    }


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {quote(table)}").fetchone()[0])


def _enter(table: Table) -> str:
    columns = names(table.search)
    return (
        f"INSERT INTO {quote(f'{table.name}_fts')} (rowid, {columns}) "
        f"SELECT {quote(table.key[0])}, {columns} FROM {quote(table.name)} WHERE {_absent(table)}"
    )


def _absent(table: Table) -> str:
    docsize = quote(f"{table.name}_fts_docsize")
    return f"NOT EXISTS (SELECT 1 FROM {docsize} d WHERE d.id = {quote(table.name)}.{quote(table.key[0])})"
