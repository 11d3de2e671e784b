"""The list of erased people (``sync_erased``), the key beside the mirror that it is made with, and the count of what
was left out since.

Owns these rows, the file ``erased.key`` and the marks ``erased_key`` (which key the list was made with) and
``suppressed`` in ``sync_state``. The key is never in the mirror: without it nobody can tell whose hashes these are,
and so neither can promptsync. Whose identifiers they are is decided elsewhere. Statements run inside the caller's
transaction; what changes the list is adopted by ``Mirror.adopt_forgotten`` once it has committed.
"""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from promptsync.clock import iso_millis
from promptsync.errors import MirrorFull, PromptsyncError
from promptsync.store.forgotten import KEY_BYTES, Forgotten, Secret, same_key
from promptsync.store.reading import as_dicts

KEY_FILE: Final = "erased.key"
_PROBE, _COUNT = "erased_key", "suppressed"
_INSERT = "INSERT INTO sync_erased (kind, hash, erasure_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"


class KeyLost(PromptsyncError):
    """The list cannot be read or added to: its key is missing, or is another one."""


def key_path(database: Path) -> Path:
    """Where the key of a mirror's list lies."""
    return database.with_name(KEY_FILE)


def read_key(database: Path) -> Secret | None:
    """The key beside a mirror; None if there is none that can be used."""
    try:
        key = bytes.fromhex(key_path(database).read_text("ascii").strip())
    except (OSError, ValueError):
        return None
    return Secret(key) if len(key) == KEY_BYTES else None


def key_for(connection: sqlite3.Connection, database: Path) -> Secret:
    """The key to add to the list with; made, with mode 0600, if there is no list yet.

    Raises KeyLost if the list was made with a key that is not there, MirrorFull if the file cannot be written.
    """
    found = read_key(database)
    if (lost := key_problem(connection, database)) is not None:
        raise KeyLost(lost)
    if found is None:
        found = _make_key(key_path(database))
    connection.execute(
        "INSERT INTO sync_state (name, value) VALUES (?, ?) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE value <> excluded.value",
        (_PROBE, found.probe()),
    )
    return found


def key_problem(connection: sqlite3.Connection, database: Path) -> str | None:
    """A sentence for a person to act on if the list cannot be used, as its key is not there; else None."""
    if not connection.execute("SELECT EXISTS (SELECT 1 FROM sync_erased)").fetchone()[0]:
        return None
    path, key = key_path(database), read_key(database)
    row = connection.execute("SELECT value FROM sync_state WHERE name = ?", (_PROBE,)).fetchone()
    if key is not None and (row is None or same_key(key.probe(), row[0])):
        return None
    what = "is not there or cannot be read" if key is None else "is another key than the one people were erased with"
    return (
        f"{path} {what}, so that people who were erased are not recognised and come back: put the right file there and "
        "restart; if it is lost for good, erase them again after 'promptsync erase --undo ID' for each of 'promptsync "
        "erase list'."
    )


def _make_key(path: Path) -> Secret:
    key = secrets.token_bytes(KEY_BYTES)
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"{key.hex()}\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise MirrorFull(f"{path} cannot be written ({error.strerror or error}); nothing was erased.") from error
    return Secret(key)


def load_forgotten(connection: sqlite3.Connection, database: Path, version: int) -> Forgotten:
    """The list as it stands, to be kept in memory. Nobody is on it if its key is not there (``key_problem``)."""
    kept = connection.execute("SELECT DISTINCT kind, hash FROM sync_erased").fetchall()
    if not kept or key_problem(connection, database) is not None:
        return Forgotten(version=version)
    return Forgotten(kept, read_key(database), version)


def remember(
    connection: sqlite3.Connection, secret: Secret, erasure_id: int, identifiers: Iterable[tuple[str, str]]
) -> int:
    """Put identifiers, (kind, value in its one spelling), on the list; returns how many were not on it for this
    erasure. Kinds are those of ``Identity``, or a table's name for the key of one of its rows."""
    rows = [(str(kind), secret.hash(str(kind), value), erasure_id) for kind, value in identifiers]
    before = connection.total_changes
    connection.executemany(_INSERT, rows)
    return connection.total_changes - before


def forget_erasure(connection: sqlite3.Connection, erasure_id: int) -> int:
    """Take an erasure's identifiers off the list; returns how many there were. Those of others stay, of the same
    people too.

    The nights' block indexes go with it: they count parts of files as known that hold rows of the person.
    """
    gone = connection.execute("DELETE FROM sync_erased WHERE erasure_id = ?", (erasure_id,)).rowcount
    if gone:
        connection.execute("UPDATE sync_snapshot SET blocks = NULL WHERE blocks IS NOT NULL")
    return gone


def exported_since(connection: sqlite3.Connection, erasure_id: int) -> Iterator[dict[str, Any]]:
    """The list's rows of erasures after this one (0: all), for a copy kept elsewhere: hashes as hexadecimal digits."""
    sql = (
        "SELECT kind, lower(hex(hash)) AS hash, erasure_id FROM sync_erased WHERE erasure_id > ? "
        "ORDER BY erasure_id, kind, hash"
    )
    return as_dicts(connection.execute(sql, (erasure_id,)))


def take_in(connection: sqlite3.Connection, rows: Iterable[Mapping[str, Any]]) -> int:
    """Add such rows to the list; returns how many were new. They are of use only with the key they were made with."""
    before = connection.total_changes
    connection.executemany(
        _INSERT, [(str(row["kind"]), bytes.fromhex(row["hash"]), int(row["erasure_id"])) for row in rows]
    )
    return connection.total_changes - before


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What was left out since the first erasure. ``rows``: of files; ``deliveries``: of which something was; both
    counted each time they came. ``last_at``: ISO."""

    rows: int = 0
    deliveries: int = 0
    last_at: str | None = None


def suppressed(connection: sqlite3.Connection) -> Suppressed:
    """What was left out so far."""
    row = connection.execute("SELECT value FROM sync_state WHERE name = ?", (_COUNT,)).fetchone()
    return Suppressed(**json.loads(row[0])) if row else Suppressed()


def note_suppressed(connection: sqlite3.Connection, now: int, *, rows: int = 0, deliveries: int = 0) -> None:
    """Count what was left out. ``now``: microseconds."""
    if not rows and not deliveries:
        return
    before = suppressed(connection)
    found = {"rows": before.rows + rows, "deliveries": before.deliveries + deliveries, "last_at": iso_millis(now)}
    connection.execute(
        "INSERT INTO sync_state (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_COUNT, json.dumps(found)),
    )
