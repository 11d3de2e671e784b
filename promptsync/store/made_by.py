"""Which version of promptsync last changed the tables of a mirror, so that an older one leaves it alone.

Owns that mark and the refusal. An older version would pass over what it does not know, and that would be missing once
the newer one is back. Only a version that changes tables leaves its mark: others can be gone back from.
"""

import re
import sqlite3
from typing import Final

from promptsync import __version__
from promptsync.errors import SchemaMismatch
from promptsync.store import marks
from promptsync.store.reading import path_of

_MARK: Final = "tables_by"


def refuse_newer(connection: sqlite3.Connection) -> None:
    """Raises SchemaMismatch if a newer version than this one has changed the mirror's tables; nothing is changed."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sync_state'").fetchone():
        return
    by = marks.read(connection, _MARK)
    if by is not None and _parts(by) > _parts(__version__):
        raise SchemaMismatch(
            f"{path_of(connection)} was brought up to date by promptsync {by}, and this is {__version__}, which would "
            f"lose what came with {by}: install promptsync {by} or newer, or restore a backup that was made before "
            "('promptsync help backup')."
        )


def sign(connection: sqlite3.Connection) -> None:
    """Put on record, in the caller's transaction, that this version has changed the tables."""
    marks.put(connection, _MARK, __version__)


def _parts(version: str) -> tuple[int, ...]:
    """The numbers of a version, in order; what follows them is no later version of its own."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3])
