"""A listing of a place compared with the ledger, inside SQLite: a hundred thousand known files need no Python objects.

Owns the temporary table that a listing is written to, on a reading connection, and the set difference by key and
version. Writes nothing to the mirror.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

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
