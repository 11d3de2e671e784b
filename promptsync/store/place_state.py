"""The files at each place and how far each has come.

Owns the reads of ``sync_object`` that status, metrics and expectations of nights ask for. Must not write: how far a
file has come is put on record in place_ledger.py.
"""

import sqlite3
from collections import defaultdict

from promptsync.clock import parse_iso

Series = tuple[str, int]
"""A table and its organization (0 for the table of organizations)."""


def count_at_places(connection: sqlite3.Connection) -> list[tuple[str, str, int]]:
    """Files present at the places they are fetched from: (place, state, how many) each."""
    sql = "SELECT place, state, count(*) FROM sync_object WHERE gone_at IS NULL GROUP BY 1, 2"
    return connection.execute(sql).fetchall()


def count_by_state(connection: sqlite3.Connection, place: str) -> dict[str, int]:
    """How many files of a place are in each state, those gone since among them."""
    sql = "SELECT state, count(*) FROM sync_object WHERE place = ? GROUP BY 1"
    return dict(connection.execute(sql, (place,)).fetchall())


def with_reason(connection: sqlite3.Connection, place: str, state: str) -> tuple[int, str]:
    """How many files of a place in a state lie there with something to be said of them, and what of one of them."""
    sql = (
        "SELECT count(*), ifnull(min(error), '') FROM sync_object WHERE place = ? AND state = ? AND error IS NOT NULL "
        "AND gone_at IS NULL"
    )
    count, why = connection.execute(sql, (place, state)).fetchone()
    return count, why


def instants_by_series(connection: sqlite3.Connection, place: str) -> dict[Series, set[int]]:
    """Of each series that a place has had: the instants of its files (microseconds), whichever way they came."""
    have: defaultdict[Series, set[int]] = defaultdict(set)
    sql = (
        "SELECT \"table\", org_id, as_of FROM sync_object WHERE place = ? AND state IN ('loaded', 'held') "
        "AND as_of IS NOT NULL"
    )
    for table, org, as_of in connection.execute(sql, (place,)):
        have[table, org].add(parse_iso(as_of))
    for table, org, at in connection.execute('SELECT DISTINCT "table", org_id, at FROM sync_snapshot'):
        if (table, org) in have:
            have[table, org].add(at)
    return have


def organizations(connection: sqlite3.Connection) -> list[int]:
    """Every organization known so far, by its id."""
    rows = connection.execute("SELECT id FROM org UNION SELECT org_id FROM sync_snapshot WHERE org_id > 0 ORDER BY 1")
    return [int(row[0]) for row in rows]
