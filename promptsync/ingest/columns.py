"""The columns that a file has and its table has not, and the other way round.

Owns what is done about them before anything is merged: an unknown column gets a place in the mirror, a column that the
file lacks a version of its own, so that neither depends on the order of files.
"""

import sqlite3
from collections.abc import Iterable

from promptsync.errors import Held
from promptsync.merge.layout import Layout
from promptsync.store import ledger
from promptsync.store.mirror import Mirror, add_column, split_column
from promptsync.store.snapshots import record_lacks

_MOST_COLUMNS = 1_900
"""Of a table, hidden ones included: SQLite takes 2,000, and expressions of a depth of 1,000."""


def spelling(layout: Layout, unknown: Iterable[str]) -> dict[str, str]:
    """Unknown columns as the mirror spells them: to SQLite, names that differ in ASCII case are the same."""
    known = {column.encode().lower(): column for column in layout.extra}
    return {column: known.get(column.encode().lower(), column) for column in unknown}


def prepare_columns(
    mirror: Mirror, layout: Layout, unknown: Iterable[str], lacking: Iterable[str], seen: tuple[str, str]
) -> Layout:
    """The layout with which the file can be merged. ``unknown``: as spelled; ``seen``: (ISO time, file name).

    Raises Held ``too_many`` if the table can take no more columns.
    """
    table = layout.table.name
    new = [column for column in unknown if column not in layout.extra]
    apart = [column for column in lacking if column not in layout.split]
    if not new and not apart:
        return layout

    def change(connection: sqlite3.Connection) -> Layout:
        have = connection.execute("SELECT count(*) FROM pragma_table_info(?)", (table,)).fetchone()[0]
        if have + 2 * len(new) + len(apart) > _MOST_COLUMNS:
            raise Held("too_many", f"{seen[1]} has {len(new):,} columns that {table} has not, more than it can take.")
        for column in new:
            add_column(connection, layout, column)
            ledger.add_drift(connection, "column", table, column, *seen)
        for column in apart:
            split_column(connection, layout, column)
        record_lacks(connection, table, new)
        return mirror.relayout(connection, table)

    def adopt(layout: Layout) -> None:
        mirror.adopt(layout)
        mirror.snapshots.lack(table, new)

    return mirror.writer.run(change, committed=adopt)
