"""The write-ahead log: how much of it a reader holds back, and when its file shrinks.

Owns the checkpoints of the one connection that writes, and their results. SQLite restarts the log only once all of it
was copied back and no reader uses it any more: while a reader keeps a transaction open, every commit makes it longer,
by entire pages. The file is only ever looked at, never opened (see connect.py).
"""

import sqlite3
from pathlib import Path

KEPT = 64 << 20
"""Bytes that the file keeps, to be written again: ``journal_size_limit``."""

_FRAME = 4096 + 24
_HELD_FROM = 1 << 20
_EMPTIED_FROM = 4 << 20


def log_path(database: Path) -> Path:
    """Where the log of a database is."""
    return database.with_name(database.name + "-wal")


def log_size(database: Path) -> int:
    """Bytes of its file; 0 if there is none."""
    try:
        return log_path(database).stat().st_size
    except OSError:
        return 0


class WriteAheadLog:
    """The log of one open mirror. ``held``: whether a reader keeps it from beginning anew; any thread may read it."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._copied = 0
        self.held = False
        self.to_be_emptied = False  # since it holds what was deleted for good

    @property
    def grown(self) -> bool:
        """Whether its file is worth emptying."""
        return log_size(self._database) > (0 if self.to_be_emptied else _EMPTIED_FROM)

    def checkpoint(self, connection: sqlite3.Connection) -> bool:
        """Copy back what no reader needs, without waiting; returns whether that was all. Raises sqlite3.Error."""
        _, frames, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        stays = copied < frames and copied == self._copied  # somebody reads what was the newest a checkpoint ago
        self._copied = copied
        self.held = frames * _FRAME > (_HELD_FROM if stays else KEPT)  # one reader after the other holds it too
        return bool(copied == frames)

    def truncate(self, connection: sqlite3.Connection) -> bool:
        """Copy all of it back and empty its file, unless it is being read; returns whether it is empty. Raises
        sqlite3.Error."""
        (timeout,) = connection.execute("PRAGMA busy_timeout").fetchone()
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {timeout}")
        if not busy:
            self.held = self.to_be_emptied = False
        return not busy
