"""Statistics of spellings that the vendors leave open: of values, of the names of files, of contacts' phone numbers.

Owns the marks in ``sync_state`` whose names begin with ``observed``. Forms are spellings, never values: a time is noted
as ``9999-99-99``. The number of forms is bounded. Everything runs inside the caller's transaction.
"""

import sqlite3
from collections.abc import Iterator, Mapping

from promptsync.store import marks

SIGNATURE, TIME, BOOLEAN, STATUS = "signature", "time", "boolean", "export status"
_PREFIX = "observed"
_MOST_FORMS = 40
_LONGEST = 40


def add(connection: sqlite3.Connection, kind: str, forms: Mapping[str, int]) -> None:
    """Add these counts of forms. A form beyond the fortieth of its kind is not kept."""
    known = read(connection).get(kind, {})
    for form, count in forms.items():
        if form[:_LONGEST] in known or len(known) < _MOST_FORMS:
            known[form[:_LONGEST]] = known.get(form[:_LONGEST], 0) + count
            marks.put(connection, f"{_PREFIX}:{kind}:{form[:_LONGEST]}", str(known[form[:_LONGEST]]))


def read(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Kind to form to how often, most frequent first."""
    found: dict[str, dict[str, int]] = {}
    sql = "SELECT name, value FROM sync_state WHERE name >= ? AND name < ? ORDER BY CAST(value AS INTEGER) DESC, name"
    for name, value in connection.execute(sql, (f"{_PREFIX}:", f"{_PREFIX};")):
        _, kind, form = name.split(":", 2)
        found.setdefault(kind, {})[form] = int(value)
    return found


def nightly_names(connection: sqlite3.Connection, limit: int) -> list[str]:
    """Names of the newest nightly files, newest first."""
    sql = "SELECT name FROM sync_file WHERE name LIKE '%.csv%' AND \"table\" IS NOT NULL ORDER BY id DESC LIMIT ?"
    return [row[0] for row in connection.execute(sql, (limit,))]


def change_set_names(connection: sqlite3.Connection) -> Iterator[str]:
    """Names of the change sets that have been loaded."""
    sql = "SELECT name FROM sync_file WHERE sequence IS NOT NULL AND state IN ('merged', 'unchanged')"
    return (row[0] for row in connection.execute(sql))


def phone_numbers(connection: sqlite3.Connection) -> Iterator[tuple[int, str, str]]:
    """Contacts known from exports and from webhooks: (id, number in the exports, number in a webhook) each."""
    return connection.execute(
        "SELECT c.id, c.phone, k.key FROM contact c JOIN contact_channel k ON k.contact_id = c.id "
        "WHERE k.identity_type = 'SMS' AND k.removed_at IS NULL AND c.phone IS NOT NULL ORDER BY c.id"
    )
