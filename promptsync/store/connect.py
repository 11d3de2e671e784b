"""Opening SQLite: one connection that writes, any number that only read, one lock, and the files they have open.

Owns the pragmas, the translation of SQLite's errors, the lock file, and whether the files that the writer has open are
still those at their paths. Exactly one connection of one process writes and checkpoints the mirror (before SQLite
3.51.3 two could corrupt it); every other one is ``mode=ro``. Nothing here touches the database file, its ``-wal`` or
its ``-shm`` with plain file calls while a connection is open: closing such a descriptor would drop SQLite's locks, so
they are compared by stat alone. SQLite goes on writing into a file that was deleted or moved away, in silence: all that
is committed there is lost when the process ends.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from promptsync.errors import MirrorBroken, MirrorFull, MirrorLocked, PromptsyncError, Unavailable
from promptsync.store.made_by import refuse_newer
from promptsync.store.owner import refuse_others, unreadable, unwritable
from promptsync.store.wal import KEPT

_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}
_BROKEN = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}


def translate(error: sqlite3.Error) -> PromptsyncError | None:
    """What a SQLite error means for the mirror, by its code; None if it is about the statement alone."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF
    if primary in _FULL:
        return MirrorFull(f"The mirror cannot be written ({error}); make room or make it writable, then try again.")
    if primary in _BROKEN:
        return MirrorBroken(f"The mirror's storage fails ({error}); check the disk, then start again.")
    if primary in _BUSY:
        return Unavailable(f"The mirror is busy ({error}); try again.")
    return None


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection holds a lock that was needed."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BUSY


def open_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes: WAL, explicit transactions, checkpoints only on request. Used by one thread."""
    once = ("auto_vacuum = INCREMENTAL",) if _is_new(path) else ()  # so that free pages can be given back
    pragmas = (
        *once,
        "busy_timeout = 5000",
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 0",
        f"journal_size_limit = {KEPT}",
        "cache_size = -65536",
        "secure_delete = ON",  # what is deleted is not left in free pages
        "temp_store = MEMORY",
    )
    try:
        return _opened(path.absolute().as_uri(), pragmas, cached_statements=512)
    except sqlite3.Error as error:
        raise _locked_out(path, error) or MirrorFull(f"The mirror {path} cannot be opened: {error}.") from error


def _locked_out(path: Path, error: sqlite3.Error) -> PromptsyncError | None:
    """The error that it is, with the file that may not be written if that is why."""
    found = translate(error)
    why = unwritable(path) if isinstance(found, MirrorFull) else None
    return MirrorFull(why) if why else found


def _is_new(path: Path) -> bool:
    """Whether the database is made now. What is said of it once, before its first table, is for good."""
    try:
        return not path.stat().st_size
    except OSError:
        return True


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that can only read the mirror. May be used by any thread, one at a time.

    Raises SchemaMismatch if a newer version has changed the mirror's tables.
    """
    try:
        connection = _opened(f"{path.absolute().as_uri()}?mode=ro", ("busy_timeout = 5000", "temp_store = MEMORY"))
        with ExitStack() as undo:
            undo.callback(connection.close)
            refuse_newer(connection)
            undo.pop_all()
        return connection
    except sqlite3.Error as error:
        found = translate(error)
        why = unreadable(path) if isinstance(found, MirrorFull) else None
        raise (Unavailable(why) if why else found) or Unavailable(
            f"The mirror {path} cannot be read: {error}."
        ) from error


def open_copy(path: Path) -> sqlite3.Connection:
    """A connection to a copy that nobody else has open: no log is left beside it, and nothing waits for the disk."""
    try:
        return _opened(path.absolute().as_uri(), ("journal_mode = DELETE", "synchronous = OFF", "temp_store = MEMORY"))
    except sqlite3.Error as error:
        raise translate(error) or Unavailable(f"The copy {path} cannot be opened: {error}.") from error


def open_beside(path: Path, source: Path) -> sqlite3.Connection:
    """A connection to a file that need not survive anything, with another database attached as ``source``, only to be
    read. May be used by any thread, one at a time."""
    try:
        connection = _opened(path.absolute().as_uri(), ("journal_mode = OFF", "synchronous = OFF"))
        with ExitStack() as undo:
            undo.callback(connection.close)
            connection.execute("ATTACH ? AS source", (f"{source.absolute().as_uri()}?mode=ro",))
            undo.pop_all()
        return connection
    except sqlite3.Error as error:
        raise translate(error) or Unavailable(f"The file {path} cannot be opened: {error}.") from error


def _opened(uri: str, pragmas: Iterable[str], cached_statements: int = 128) -> sqlite3.Connection:
    """A connection whose file has been read once; closed again if that fails, so that no descriptor is left open."""
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=cached_statements
    )
    with ExitStack() as undo:
        undo.callback(connection.close)
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        undo.pop_all()
    return connection


class WriteLock:
    """An exclusive ``flock`` beside the database, for the user whose mirror it is."""

    def __init__(self, database: Path) -> None:
        self.path = database.with_name(database.name + ".lock")
        self._database = database
        self._file: IO[bytes] | None = None

    def acquire(self) -> None:
        """Take the lock. Raises at once: NotOwner for another user, MirrorLocked if another process holds it (it is
        named), MirrorFull if there can be none."""
        refuse_others(self._database)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self._locked()
            while not self._is_at_path(file):  # deleted between the opening and the locking
                file.close()
                file = self._locked()
        except OSError as error:
            why = unwritable(self._database) or f"The folder {self.path.parent} cannot be written ({error.strerror})."
            raise MirrorFull(why) from error
        self._file = file
        with suppress(OSError):  # a courtesy to the refused process; there may be no room for it
            file.truncate(0)
            file.write(b"pid %d" % os.getpid())

    def keep(self) -> None:
        """Make the lock file again if somebody has deleted it. Raises MirrorBroken if another process has got it."""
        mine = self._file
        if mine is None or self._is_at_path(mine):
            return
        self._file = None
        try:
            self.acquire()
        except MirrorFull:
            self._file = mine  # no room for it now; the next look tries again
            return
        except MirrorLocked as error:
            mine.close()
            raise MirrorBroken(f"{self.path} was deleted, and another process took the lock: {error}") from error
        mine.close()

    def release(self) -> None:
        """Give the lock back. Calling it twice is harmless."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _is_at_path(self, file: IO[bytes]) -> bool:
        try:
            return os.path.samestat(self.path.stat(), os.fstat(file.fileno()))
        except FileNotFoundError:
            return False

    def _locked(self) -> IO[bytes]:
        file = self.path.open("a+b", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().decode(errors="replace").strip()
            file.close()
            raise MirrorLocked(
                f"Another process{f' ({holder})' if holder else ''} is writing this mirror; stop it or try again later."
            ) from error
        return file


def leave_for_readers(database: Path) -> None:
    """Once no connection is open: leave an empty ``-wal`` and ``-shm``, without which a pure reader cannot open it."""
    like = database.stat()
    mode = like.st_mode & 0o777
    for suffix in ("-wal", "-shm"):
        path = database.with_name(database.name + suffix)
        if not path.exists():
            path.touch(mode=mode)
            path.chmod(mode)
            if os.geteuid() == 0:
                os.chown(path, like.st_uid, like.st_gid)


def attempt(connection: sqlite3.Connection, work: Callable[[], None]) -> Exception | None:
    """Do it within a transaction; or undo it and return why. Raises what is about the mirror, not what was sent."""
    connection.execute("SAVEPOINT batch")
    try:
        work()
    except Exception as error:
        storage = isinstance(error, sqlite3.Error) and translate(error) is not None
        if storage or not connection.in_transaction:
            raise
        connection.execute("ROLLBACK TO batch")
        return error
    finally:
        if connection.in_transaction:
            connection.execute("RELEASE batch")
    return None


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
