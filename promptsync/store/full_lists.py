"""Full lists: what a contact's links were at the instants at which a delivery stated all of them.

Owns ``sync_full_list`` and what it makes of the links' ``removed_at``. Everything runs inside the caller's transaction.
"""

import sqlite3
from collections.abc import Iterable

from promptsync.clock import iso_millis
from promptsync.merge.absence import removed_at
from promptsync.merge.layout import Layout
from promptsync.merge.sql import names, quote


def add(connection: sqlite3.Connection, stated: Iterable[tuple[int, str, int]]) -> None:
    """Keep that full lists were stated: (contact, list, microseconds)."""
    connection.executemany("INSERT INTO sync_full_list VALUES (?, ?, ?) ON CONFLICT DO NOTHING", stated)


def settle_links(connection: sqlite3.Connection, layout: Layout, contacts: set[int], revision: int) -> None:
    """Set ``removed_at`` of these contacts' links to what the full lists known so far say."""
    table, key = quote(layout.table.name), names(layout.key)
    same_key = " AND ".join(f"{quote(column)} = ?" for column in layout.key)
    for contact in contacts:
        links = connection.execute(f"SELECT {key}, _seen_at, removed_at FROM {table} WHERE contact_id = ?", (contact,))
        found = links.fetchall()
        if not found:
            continue
        stated = connection.execute(
            "SELECT at FROM sync_full_list WHERE contact_id = ? AND list = ? ORDER BY at",
            (contact, layout.table.full_list),
        )
        full_lists = [at for (at,) in stated]
        for *link, seen, removed in found:
            gone = removed_at(seen, full_lists)
            text = None if gone is None else iso_millis(gone)
            if text != removed:
                connection.execute(
                    f"UPDATE {table} SET removed_at = ?, _rev = ? WHERE {same_key}", (text, revision, *link)
                )
