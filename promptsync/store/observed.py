"""What has been observed of what the vendors leave open: how often each form of something came.

Owns the marks in ``sync_state`` whose names begin with ``observed``. Forms are spellings, never values: a time is noted
as ``9999-99-99``. The number of forms is bounded. Everything runs inside the caller's transaction.
"""

import sqlite3
from collections.abc import Mapping

SIGNATURE, TIME, BOOLEAN, STATUS = "signature", "time", "boolean", "export status"
_PREFIX = "observed"
_MOST_FORMS = 40
_LONGEST = 40


def note(connection: sqlite3.Connection, kind: str, forms: Mapping[str, int]) -> None:
    """Add these counts of forms. A form beyond the fortieth of its kind is not kept."""
    known = observed(connection).get(kind, {})
    for form, count in forms.items():
        if form[:_LONGEST] in known or len(known) < _MOST_FORMS:
            known[form[:_LONGEST]] = known.get(form[:_LONGEST], 0) + count
            connection.execute(
                "INSERT INTO sync_state (name, value) VALUES (?, ?) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                (f"{_PREFIX}:{kind}:{form[:_LONGEST]}", str(known[form[:_LONGEST]])),
            )


def observed(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Kind to form to how often, most frequent first."""
    found: dict[str, dict[str, int]] = {}
    sql = "SELECT name, value FROM sync_state WHERE name >= ? AND name < ? ORDER BY CAST(value AS INTEGER) DESC, name"
    for name, value in connection.execute(sql, (f"{_PREFIX}:", f"{_PREFIX};")):
        _, kind, form = name.split(":", 2)
        found.setdefault(kind, {})[form] = int(value)
    return found
