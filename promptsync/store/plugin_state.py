"""What the mirror has on record of plugins: which were loaded, what of them fails, how their parts fare.

Owns the marks and what is read from them, for ``status``. What is paused when is decided in plugins/patience.py.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from promptsync.store import marks

_STATE: Final = "plugin:"
_LOADED: Final = "plugins"


def put_trouble(connection: sqlite3.Connection, part: str, facts: Mapping[str, Any] | None) -> None:
    """Record what is the matter with a part of a plugin, which keeps its first ``since``, or (None) that it works
    again."""
    if facts is None:
        marks.drop(connection, _STATE + part)
    else:
        before = marks.read_facts(connection, _STATE + part) or {}
        marks.put_facts(connection, _STATE + part, {**facts, "since": before.get("since", facts["since"])})


def clear_troubles(connection: sqlite3.Connection) -> None:
    """Forget the troubles: every plugin starts anew."""
    for part in marks.family(connection, _STATE):
        marks.drop(connection, _STATE + part)


def troubles(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """What fails of plugins: plugin, hook, name (of an observer or source, or empty), since, error, failures,
    paused. Not what 0.1.0 had paused, which kept fewer facts: the next start of the daemon forgets it."""
    found = (json.loads(value) for value in marks.family(connection, _STATE).values())
    return [one for one in found if "plugin" in one]


def put_loaded(connection: sqlite3.Connection, plugins: Sequence[Mapping[str, Any]]) -> None:
    """Record the plugins that were loaded: each with ``name``, and the names of its ``sources``, ``observers``,
    ``file_kinds`` and the paths of its ``pages``."""
    if plugins or marks.read(connection, _LOADED) is not None:
        marks.put_facts(connection, _LOADED, list(plugins))


def loaded(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """The plugins that whoever opened the mirror last for writing had loaded."""
    return list(json.loads(marks.read(connection, _LOADED) or "[]"))


@dataclass(frozen=True, slots=True)
class KindState:
    """The newest merged file of a plugin's kind. ``at``: when it was loaded, ISO."""

    at: str
    name: str
    rows: int


def newest_of_kind(connection: sqlite3.Connection, kind: str) -> KindState | None:
    """The newest merged file of a plugin's kind."""
    row = connection.execute(
        "SELECT seen_at, name, rows FROM sync_file WHERE state = 'merged' AND substr(source, -length(?1)) = ?1 "
        "ORDER BY id DESC LIMIT 1",
        (f":{kind}",),
    ).fetchone()
    return KindState(*row) if row else None


def waiting_changes(connection: sqlite3.Connection) -> dict[str, int]:
    """How many changes wait, by observer (``plugin.observer``)."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sync_change'").fetchone():
        return {}
    return dict(connection.execute("SELECT observer, count(*) FROM sync_change GROUP BY 1"))
