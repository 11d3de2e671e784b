"""How large the mirror's write-ahead log is, and who keeps it so.

Owns from what size on a person should know, and the sentences. Looks at files and locks; opens nothing.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from promptsync.errors import size_in_words
from promptsync.store.lock_holders import lasting_readers
from promptsync.store.reading import path_of
from promptsync.store.wal import KEPT, log_size

LARGE: Final = 256 << 20
"""Bytes. Where no reader stays it is a quarter of that at most, for long."""


@dataclass(frozen=True, slots=True)
class LogState:
    """``bytes``: of its file. ``readers``: name and process id of who keeps it from shrinking; looked for if large."""

    bytes: int
    readers: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """How large it is, and if it is larger than it stays by itself, until when."""
        size = f"The write-ahead log has {size_in_words(self.bytes)}"
        if self.bytes <= KEPT:
            return f"{size}."
        if self.readers:
            keep = "keeps" if len(self.readers) == 1 else "keep"
            return f"{size}, since {_named(self.readers)} {keep} a transaction open; it shrinks once that ends."
        return f"{size}: it shrinks as soon as nothing has been written for a second."

    @property
    def problem(self) -> str | None:
        """A sentence for a person to act on, if it has grown too large, its size in parentheses (daemon/alerts.py)."""
        if self.bytes <= LARGE:
            return None
        size = size_in_words(self.bytes)
        if self.readers:
            who = f"{_named(self.readers)} keep{'' if len(self.readers) > 1 else 's'} a transaction open"
            return f"The mirror's write-ahead log grows ({size}) because {who}: end what it does there."
        return (
            f"The mirror's write-ahead log has grown ({size}): nobody reads it now, so it shrinks as soon "
            "as the daemon has a quiet second; if it does not, look for a program that keeps a transaction open."
        )


def _named(readers: tuple[str, ...]) -> str:
    return " and ".join(readers)


def log_state(connection: sqlite3.Connection, large: int = KEPT) -> LogState:
    """Of the database that the connection is open on. Blocking for a moment if it is larger than ``large`` bytes."""
    path = path_of(connection)
    found = log_size(path)
    return LogState(found, tuple(map(str, lasting_readers(path))) if found > large else ())
