"""Whether the files that the writer has open are still those at their paths.

Owns the comparison, by stat alone and never by an open, and what is left at the path of a database that is no longer
ours. SQLite goes on writing into a file that was deleted or moved away, in silence: all that is committed there is lost
when the process ends.
"""

import os
from contextlib import suppress
from pathlib import Path

from promptsync.errors import MirrorBroken

Identity = tuple[int, int]
"""Device and inode."""


class OpenFiles:
    """The database at ``path``, its ``-wal`` and its ``-shm``, as they are now: a connection to it has read."""

    def __init__(self, path: Path) -> None:
        self._path = str(path.absolute())
        self._database, self._wal, self._shm = (self._found(suffix) for suffix in ("", "-wal", "-shm"))
        self.moved = False  # whether the database was found to be another, or gone

    def wal_is_ours(self) -> bool:
        """False: the ``-wal`` was deleted; a reader may have made an empty one. What is committed is in no file with a
        name until it is copied back into the database.

        Raises MirrorBroken if the database, the ``-shm`` or a ``-wal`` that holds something is not what is open.
        """
        now = self._found("")
        if now != self._database:
            self.moved = True
            raise MirrorBroken(
                f"Another file was put in the place of the mirror {self._path} while promptsync wrote to it; see that "
                "it is the right one, then start promptsync again."
                if now
                else f"The mirror {self._path} was deleted or moved away while promptsync wrote to it; put it back or "
                "restore a backup, then start promptsync again."
            )
        if self._found("-shm") != self._shm:
            raise MirrorBroken(
                f"{self._path}-shm was deleted or replaced while promptsync used it; start promptsync again."
            )
        wal = self._found("-wal")
        if wal not in (None, self._wal) and self._size("-wal"):
            raise MirrorBroken(
                f"Another file was put in the place of {self._path}-wal while promptsync wrote to it; start promptsync "
                "again, then check the mirror: promptsync doctor --deep"
            )
        return wal == self._wal

    def take_leave(self) -> None:
        """Once nothing of ours is open: remove the ``-wal`` and ``-shm`` of a database which is no longer at the path,
        so that they are not replayed onto the database that is there now."""
        if self.moved:
            for suffix, ours in (("-wal", self._wal), ("-shm", self._shm)):
                with suppress(OSError):
                    if self._found(suffix) == ours:
                        os.unlink(self._path + suffix)  # noqa: PTH108  the paths are kept as text

    def _found(self, suffix: str) -> Identity | None:
        try:
            found = os.stat(self._path + suffix)  # noqa: PTH116  as text: with every commit
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise MirrorBroken(
                f"{self._path}{suffix} cannot be looked at ({error.strerror}); put that right, then start promptsync "
                "again."
            ) from error
        return found.st_dev, found.st_ino

    def _size(self, suffix: str) -> int:
        with suppress(OSError):
            return os.stat(self._path + suffix).st_size  # noqa: PTH116
        return 0
