"""Rows written into a fresh mirror as they are, from elsewhere where the rule was applied: out of a lake.

Owns these statements. What is written here has its versions with it, so whatever is merged later competes with it as if
everything had come to this mirror. Merges nothing itself; everything runs inside the caller's transaction.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from promptsync.merge.layout import Layout
from promptsync.merge.sql import names, quote
from promptsync.store import ledger
from promptsync.store.mirror import Mirror, add_column, split_column


def prepare_layout(connection: sqlite3.Connection, mirror: Mirror, wanted: Layout) -> Layout:
    """Give the table the columns and versions that another's layout has; ``adopt`` the result after the commit."""
    have = mirror.layout(wanted.table.name)
    for column in wanted.extra:
        if column not in have.extra:
            add_column(connection, have, column)
    for column in wanted.split:
        if column not in have.split:
            split_column(connection, have, column)
    return mirror.relayout(connection, wanted.table.name)


def write_rows(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> int:
    """Insert rows; of two with one key the first stays. Returns how many there are now that were not."""
    slots = ", ".join("?" * len(columns))
    sql = f"INSERT INTO {quote(table)} ({names(columns)}) VALUES ({slots}) ON CONFLICT DO NOTHING"
    return connection.executemany(sql, rows).rowcount


def write_snapshot(connection: sqlite3.Connection, row: Mapping[str, Any], lacks: Iterable[str]) -> None:
    """That a snapshot was applied. ``lacks``: columns whose versions are in the rows themselves."""
    ledger.insert(connection, "sync_snapshot", {**row, "lacks": json.dumps(sorted(lacks))})


def write_full_lists(connection: sqlite3.Connection, stated: Iterable[tuple[int, str, int]]) -> None:
    """When all links of a contact were stated: contact, list, microseconds."""
    write_rows(connection, "sync_full_list", ("contact_id", "list", "at"), stated)
