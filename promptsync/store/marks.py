"""Marks: small facts by name in ``sync_state``, texts or JSON. Each name belongs to the module that says what it means.

Owns how they are read and written, each within the caller's transaction. A family of marks shares a prefix.
"""

import json
import sqlite3
from typing import Any


def read(connection: sqlite3.Connection, name: str) -> str | None:
    """The text of a mark; None if there is none."""
    row = connection.execute("SELECT value FROM sync_state WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


def read_facts(connection: sqlite3.Connection, name: str) -> dict[str, Any] | None:
    """The facts of a mark that holds a JSON object; None if there is none."""
    text = read(connection, name)
    return None if text is None else dict(json.loads(text))


def family(connection: sqlite3.Connection, prefix: str) -> dict[str, str]:
    """The marks of a family, in order of their names: what follows the prefix, and the text."""
    rows = connection.execute("SELECT name, value FROM sync_state WHERE name GLOB ? ORDER BY 1", (f"{prefix}*",))
    return {name.removeprefix(prefix): value for name, value in rows}


def put(connection: sqlite3.Connection, name: str, text: str) -> None:
    """Set a mark to a text."""
    connection.execute(
        "INSERT INTO sync_state (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value IS NOT excluded.value",
        (name, text),
    )


def put_facts(connection: sqlite3.Connection, name: str, facts: object) -> None:
    """Set a mark to facts, as JSON."""
    put(connection, name, json.dumps(facts, ensure_ascii=False))


def drop(connection: sqlite3.Connection, name: str) -> None:
    """Remove a mark, if it is there."""
    connection.execute("DELETE FROM sync_state WHERE name = ?", (name,))
