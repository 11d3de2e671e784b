"""The files at each place and how far each has come, read from the ledger of places.

Owns the reads of ``sync_object`` that fetching, status, metrics and expectations of nights ask for. A listing is
compared with it inside SQLite, in a temporary table of the reading connection: a hundred thousand known files need no
Python objects. Must not write to the mirror: how far a file has come is put on record in place_ledger.py.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from promptsync.clock import parse_iso
from promptsync.store.place_ledger import Known

_COLUMNS: Final = "key, tag, size, modified, sha256, name"
Entry = Sequence[Any]
"""One listed file: key, tag, size (bytes), modified (microseconds), sha256, name; see places/place.py."""


class Listing:
    """One listing of ``place``. ``connection``: may read the mirror, and has this listing to itself."""

    def __init__(self, connection: sqlite3.Connection, place: str) -> None:
        self._connection = connection
        self._place = place
        connection.execute("DROP TABLE IF EXISTS temp.listed")
        connection.execute(
            "CREATE TEMP TABLE listed (key TEXT PRIMARY KEY, tag TEXT, size INTEGER, modified INTEGER, sha256 TEXT, "
            "name TEXT) WITHOUT ROWID"
        )

    def add(self, entries: Iterable[Entry]) -> None:
        """Some of what is listed; of a key named twice the last counts."""
        self._connection.execute("BEGIN")
        self._connection.executemany("INSERT OR REPLACE INTO temp.listed VALUES (?, ?, ?, ?, ?, ?)", entries)
        self._connection.execute("COMMIT")

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM temp.listed").fetchone()[0])

    def differences(self, *, loaded: bool = False) -> Iterator[tuple[Entry, Known | None]]:
        """What is listed and may need something done, by key: new, in another version, back, or not come to its end;
        with ``loaded`` what was loaded too. Each with what the ledger says of its key."""
        states = ("held", "skipped") if loaded else ("loaded", "held", "skipped")
        listed = ", ".join(f"l.{name}" for name in _COLUMNS.split(", "))
        sql = (
            f"SELECT {listed}, o.tag, o.state, o.attempts, o.gone_at IS NOT NULL FROM temp.listed l "
            "LEFT JOIN sync_object o ON o.place = ? AND o.key = l.key WHERE o.key IS NULL OR o.tag <> l.tag "
            f"OR o.gone_at IS NOT NULL OR o.state NOT IN ({', '.join('?' * len(states))}) ORDER BY l.key"
        )
        for *entry, tag, state, attempts, gone in self._connection.execute(sql, (self._place, *states)):
            yield entry, None if state is None else Known(tag, state, attempts, bool(gone))

    def close(self) -> None:
        """Drop the listing: the connection goes back to its owner."""
        self._connection.execute("DROP TABLE temp.listed")

    def vanished(self) -> list[str]:
        """Keys that the ledger has as being there, and that are not listed."""
        sql = (
            "SELECT key FROM sync_object o WHERE place = ? AND gone_at IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM temp.listed l WHERE l.key = o.key)"
        )
        return [row[0] for row in self._connection.execute(sql, (self._place,))]


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
