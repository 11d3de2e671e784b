"""The columns that a file has and its table has not, and the other way round.

Owns what is done about them before anything is merged: an unknown column gets a place in the mirror, a column that the
file lacks a version of its own, so that neither depends on the order of files.
"""

import sqlite3
import time
from collections.abc import Iterable

from promptsync.errors import Held
from promptsync.merge.layout import Layout
from promptsync.store import ledger
from promptsync.store.mirror import Mirror, add_column, split_column
from promptsync.store.snapshots import record_lacks
from promptsync.store.writer import Lane

_MOST_COLUMNS = 1_900
"""Of a table, hidden ones included: SQLite takes 2,000, and expressions of a depth of 1,000."""
_SECONDS = 0.006
"""How long one transaction goes on adding columns."""


def spelling(layout: Layout, unknown: Iterable[str]) -> dict[str, str]:
    """Unknown columns as the mirror spells them: to SQLite, names that differ in ASCII case are the same."""
    known = {column.encode().lower(): column for column in layout.extra}
    return {column: known.get(column.encode().lower(), column) for column in unknown}


def is_prepared(layout: Layout, unknown: Iterable[str], lacking: Iterable[str]) -> bool:
    """Whether the layout has all that a file with these columns needs. As ``prepare_columns``."""
    return set(unknown) <= set(layout.extra) and set(lacking) <= set(layout.split)


def prepare_columns(
    mirror: Mirror, layout: Layout, unknown: Iterable[str], lacking: Iterable[str], seen: tuple[str, str]
) -> Layout:
    """The layout with which the file can be merged. ``unknown``: as spelled; ``seen``: (ISO time, file name).

    Raises Held ``too_many`` if the table can take no more columns.
    """
    table = layout.table.name
    new = [column for column in unknown if column not in layout.extra]
    apart = [column for column in lacking if column not in layout.split]
    if is_prepared(layout, new, apart):
        return layout
    with mirror.reading() as connection:
        have = connection.execute("SELECT count(*) FROM pragma_table_info(?)", (table,)).fetchone()[0]
    if have + 2 * len(new) + len(apart) > _MOST_COLUMNS:
        raise Held("too_many", f"{seen[1]} has {len(new):,} columns that {table} has not, more than it can take.")
    while new or apart:
        _prepare_some(mirror, layout, new, apart, seen)
    return mirror.layout(table)


def _prepare_some(mirror: Mirror, layout: Layout, new: list[str], apart: list[str], seen: tuple[str, str]) -> None:
    """One transaction's worth of columns, taken off the lists: each costs SQLite a look at the whole schema, and
    deliveries are committed in between.

    Which of them the table has by then is asked on the writer's thread: two exports may bring the same new column.
    """
    table = layout.table.name
    added: list[str] = []
    split: list[str] = []

    def change(connection: sqlite3.Connection) -> Layout:
        until, now = time.perf_counter() + _SECONDS, mirror.layout(table)
        have = {column.encode().lower() for column in now.extra}
        new[:] = [column for column in new if column.encode().lower() not in have]
        apart[:] = [column for column in apart if column not in now.split]
        while len(added) < len(new) and (not added or time.perf_counter() < until):
            column = new[len(added)]
            add_column(connection, layout, column)
            ledger.add_drift(connection, "column", table, column, *seen)
            added.append(column)
        while len(split) < len(apart) and (not (added or split) or time.perf_counter() < until):
            split_column(connection, layout, apart[len(split)])
            split.append(apart[len(split)])
        record_lacks(connection, table, added)
        return mirror.relayout(connection, table)

    def adopt(layout: Layout) -> None:
        mirror.adopt(layout)
        mirror.snapshots.lack(table, added)

    mirror.writer.run(change, Lane.BULK, durable=False, committed=adopt)
    del new[: len(added)], apart[: len(split)]
