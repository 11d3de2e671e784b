"""Copies of a mirror, and what is on record of them: the manifest in a copy, what was shipped, made and drilled.

Owns the table ``sync_manifest``, which only copies have, and the marks ``backup...`` in ``sync_state``. A copy is made
by a reading connection within one read transaction, page by page: the daemon writes on, and only the beginning of its
log waits. (Measured with 1 million messages, 346 MiB: 0.5 s, where VACUUM INTO takes 1.9 s and holds the log as long.)
Every page keeps its place, and so every row its rowid, which the search index goes by.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from promptsync.clock import Clock
from promptsync.errors import InputRefused, MirrorFull, PromptsyncError
from promptsync.merge.sql import quote
from promptsync.store import marks
from promptsync.store.connect import open_copy, translate
from promptsync.store.reading import as_dicts

_PAGES: Final = 1024
"""Pages copied in one step; in between the reader can be interrupted and progress is shown."""
MANIFEST: Final = "sync_manifest"


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copy says of itself. ``taken_at``, ``newest_delivery``, ``shipped_to``: ISO, the last two None if there is
    nothing yet; deliveries shipped up to the last are in the copy. ``version``: of promptsync. ``rows``: by table."""

    taken_at: str
    version: str
    newest_delivery: str | None
    shipped_to: str | None
    rows: dict[str, int] = field(default_factory=dict)


def copy_pages(source: sqlite3.Connection, target: Path, clock: Clock, progress: Callable[[int, int], None]) -> int:
    """Copy the database that ``source`` reads into a new file, mode 0600; returns when (microseconds): nothing in it
    was received later. ``progress``: pages done, and in all.

    Raises MirrorFull if there is no room, Unavailable if ``source`` is interrupted.
    """
    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def show(_: int, left: int, total: int) -> None:
        os.fdatasync(file)  # bit by bit: deliveries that wait for the same disk wait less
        progress(total - left, total)

    try:
        with closing(open_copy(target)) as copy:
            source.execute("BEGIN")
            try:
                source.execute("SELECT count(*) FROM sqlite_master").fetchone()
                at = clock()
                source.backup(copy, pages=_PAGES, progress=show, sleep=0)
            finally:
                source.execute("ROLLBACK")
            return at
    except sqlite3.Error as error:
        raise _no_copy(error, target.parent) from error
    except OSError as error:
        raise MirrorFull(
            f"The copy of the mirror cannot be written to {target.parent} ({error.strerror}): make room, try again."
        ) from error
    finally:
        os.close(file)  # nobody else has the copy open, whose locks that drops


def _no_copy(error: sqlite3.Error, folder: Path) -> PromptsyncError:
    """A copy that cannot be written breaks no mirror; one that cannot be read may."""
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return translate(error) or PromptsyncError(str(error))
    return MirrorFull(f"The copy of the mirror cannot be written to {folder} ({error}); make room, then try again.")


def write_manifest(copy: Path, taken_at: str, version: str) -> Manifest:
    """Count the rows of a copy and put its manifest into it; it is one file then, without a log."""
    try:
        with closing(open_copy(copy)) as connection:
            return _with_manifest(connection, taken_at, version)
    except sqlite3.Error as error:
        raise _no_copy(error, copy.parent) from error


def _with_manifest(connection: sqlite3.Connection, taken_at: str, version: str) -> Manifest:
    newest = connection.execute("SELECT max(received_at) FROM sync_event").fetchone()[0]
    shipped = marks.read_facts(connection, SHIPPED)
    manifest = Manifest(taken_at, version, newest, shipped.get("to") if shipped else None, count_rows(connection))
    connection.execute(f"CREATE TABLE {MANIFEST} (name TEXT PRIMARY KEY, value TEXT) STRICT")
    connection.executemany(
        f"INSERT INTO {MANIFEST} VALUES (?, ?)",
        [(name, json.dumps(value)) for name, value in asdict(manifest).items()],
    )
    return manifest


def read_manifest(connection: sqlite3.Connection) -> Manifest:
    """The manifest of a copy. Raises InputRefused if it has none that can be read."""
    try:
        facts = {name: json.loads(value) for name, value in connection.execute(f"SELECT name, value FROM {MANIFEST}")}
        return Manifest(**facts)
    except (sqlite3.DatabaseError, ValueError, TypeError) as error:
        raise InputRefused(
            "manifest", f"There is no manifest in it that can be read ({error}): not a backup."
        ) from error


def drop_manifest(connection: sqlite3.Connection) -> None:
    """Make a copy a mirror."""
    connection.execute(f"DROP TABLE IF EXISTS {MANIFEST}")


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """How many rows each table has; those that belong to a search index, and the manifest, are left out."""
    tables = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT GLOB 'sqlite_*' "
        "AND name <> ? ORDER BY 1",
        (MANIFEST,),
    ).fetchall()
    count = "SELECT count(*) FROM {}"
    return {name: connection.execute(count.format(quote(name))).fetchone()[0] for (name,) in tables}


BACKUP: Final = "backup"
SEGMENTS: Final = "backup segments"
"""What the runs are called in ``sync_run``."""
MADE: Final = "backup"
"""``name``, ``at`` (ISO), ``bytes``, ``seconds`` and more of the newest backup."""
SHIPPED: Final = "backup_shipped"
"""``id`` and ``received_at`` of the last delivery that was shipped; ``to``: the end of the last segment (ISO); its
``name`` and ``bytes``."""
DRILLED: Final = "backup_drill"
"""``name`` of the backup, ``at`` (ISO), ``outcome`` (restorable, intact or failed), ``message``."""


_UNSHIPPED: Final = (
    "SELECT id FROM sync_event WHERE id > :id UNION SELECT id FROM sync_event INDEXED BY sync_event_received_at "
    "WHERE received_at > :at"
)
"""By id, which grows; and by time of receipt, since ids begin anew once every delivery has been swept. Each by its
index: in one condition SQLite would read the whole inbox, every minute."""


def unshipped(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Deliveries that no segment has yet, oldest first: id, received_at (ISO), type, path, body."""
    sql = f"SELECT id, received_at, type, path, body FROM sync_event WHERE id IN ({_UNSHIPPED}) ORDER BY id"
    return as_dicts(connection.execute(sql, _position(connection)))


def oldest_unshipped(connection: sqlite3.Connection, after: str = "") -> str | None:
    """When the oldest of them was received (ISO), of those received ``after`` a time (ISO)."""
    sql = f"SELECT min(received_at) FROM sync_event WHERE id IN ({_UNSHIPPED}) AND +received_at > :after"
    oldest: str | None = connection.execute(sql, _position(connection) | {"after": after}).fetchone()[0]
    return oldest


def _position(connection: sqlite3.Connection) -> dict[str, Any]:
    shipped = marks.read_facts(connection, SHIPPED) or {"id": 0, "received_at": ""}
    return {"id": shipped["id"], "at": shipped["received_at"]}


def newest_position(connection: sqlite3.Connection) -> tuple[int, str]:
    """Id and time of receipt (ISO) that every stored delivery is within."""
    id_, at = connection.execute("SELECT ifnull(max(id), 0), ifnull(max(received_at), '') FROM sync_event").fetchone()
    return int(id_), str(at)
