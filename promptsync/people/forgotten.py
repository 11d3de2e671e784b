"""Erased people stay away: put on the list, let back in, erased once more from a mirror that was restored.

Owns when the list of the erased (store/erased.py) changes, and that what is kept of it in memory follows the commit.
Who is recognised by it is decided in events/recognition.py. Blocking: for a worker thread or a command.
"""

import sqlite3
from collections.abc import Iterator
from typing import Any

from promptsync.clock import iso_millis
from promptsync.engine.engine import Engine
from promptsync.errors import ConfigError
from promptsync.events.mentions import Record
from promptsync.events.recognition import has
from promptsync.model import Identity
from promptsync.model.person import Identifier, identifiers_in
from promptsync.people.erase import Remember, erase
from promptsync.store import erased, erasing, person_rows
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Progress
from promptsync.store.writer import Lane


def remembering(mirror: Mirror) -> Remember:
    """What an erasure calls first, in the transaction that puts it on record: from its commit on nothing about these
    people comes in. Raises KeyLost and MirrorFull, before anything is removed."""

    def remember(
        connection: sqlite3.Connection,
        erasure_id: int,
        identifiers: frozenset[Identifier],
        records: frozenset[Record],
    ) -> None:
        secret = erased.key_for(connection, mirror.path)
        people = [(one.kind.value, one.value) for one in identifiers]
        erased.remember(connection, secret, erasure_id, [*people, *((table, str(id_)) for table, id_ in records)])
        # next, before any delivery, once this has committed; should it not, the list is read as it was
        mirror.writer.submit(mirror.adopt_forgotten, Lane.DELIVERY)

    return remember


def undo(engine: Engine, erasure_id: int) -> int:
    """Let people back in: an erasure's identifiers leave the list. What was removed stays removed, and comes again with
    the next files and deliveries. Returns how many identifiers there were. Raises ConfigError if it is unknown."""

    def work(connection: sqlite3.Connection) -> int:
        if erasure_id not in {row["id"] for row in erasing.erasures(connection)}:
            raise ConfigError(f"There is no erasure {erasure_id}; 'promptsync erase list' shows them.")
        erasing.mark_undone(connection, erasure_id, iso_millis(engine.clock()))
        return erased.forget_erasure(connection, erasure_id)

    gone = engine.mirror.writer.run(work)
    engine.mirror.writer.run(engine.mirror.adopt_forgotten, Lane.DELIVERY)
    return gone


def erase_again(engine: Engine, progress: Progress = lambda *_: None) -> dict[str, Any]:
    """Erase once more everyone in the mirror who is on the list: after a backup from before an erasure was restored,
    before anything is served. Returns what ``erase`` does, and ``people``: the identifiers by which they were found.

    Raises KeyLost if the list cannot be read, since nobody would be found.
    """
    mirror = engine.mirror
    with mirror.reading_apart() as connection:
        if (lost := erased.key_problem(connection, mirror.path)) is not None:
            raise erased.KeyLost(lost)
        found = sorted(set(_listed(connection, mirror)), key=lambda one: (one.kind.value, one.value))
    if not found:
        return {"id": None, "tables": {}, "files": 0, "removed": [], "log_emptied": True, "people": 0}
    done = erase(engine, [frozenset({one}) for one in found], "again", remembering(mirror), progress)
    return done | {"people": len(found)}


def _listed(connection: sqlite3.Connection, mirror: Mirror) -> Iterator[Identifier]:
    """The identifiers on the list that rows of the mirror state."""
    forgotten = mirror.forgotten
    for table in person_rows.there(connection, mirror.schema):
        columns = [column for column in table.identifying if column.identity is not Identity.TEXT]
        if forgotten and columns:
            for row in person_rows.identifying(connection, table):
                yield from (one for one in identifiers_in(table, row) if has(forgotten, one))
