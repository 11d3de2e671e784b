"""Building the full-text index of a whole table beside the mirror, and taking it over in one short transaction.

Owns the way for a table most of which is not entered yet: the first load of a large one. Entered in small pieces, the
index is rewritten several times over while they are merged. Here FTS5 builds it in a file of its own, from one snapshot
of the rows or from those staged for an initial load, while the mirror is read and written as usual; then its pages,
which are the same in any database, are copied. What the writer changed meanwhile is noted, with the text that was
entered, by triggers of its connection alone. An entry whose row has changed since is taken out again, so that the row
is missing, and entered like any other.

The index that is taken over is a single segment, on a level so deep that entering rows later does not soon merge it:
FTS5 merges what is on one level, all of it in the transaction of whoever comes last.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from promptsync.errors import MirrorFull, PromptsyncError
from promptsync.merge.sql import names, quote
from promptsync.model import Table
from promptsync.store import ddl
from promptsync.store.connect import open_beside, translate
from promptsync.store.mirror import Mirror
from promptsync.store.staging import attached_to_writer, discard
from promptsync.store.writer import Lane, Preempted, Writer

WORTH: Final = 20_000
"""Rows to be entered from which on this takes less time than entering them one by one."""
_FIRST, _SOME = 160_000, 40_000
"""Rows of one statement, after each of which FTS5 writes a segment. The first one must remain the larger: FTS5 moves
segments that are smaller than a new one up to its level again."""
_DEEPER = 3
"""How often it is moved two levels down, by merging it with the segment of a single row."""
_SETTINGS = {"hashsize": 16 << 20, "automerge": 0, "crisismerge": 1_999}
_TRIES = 3
_LOOK_SECONDS = 0.2
_NOTED = "search_noted"


def build(mirror: Mirror, table: Table, progress: Callable[[int], None]) -> bool:
    """Enter all rows of a searchable table as they are now, whether or not some are entered already.

    False: deliveries came in between time and again; nothing was done. ``progress``: gets the rows so far, and may
    raise to stop. Blocking, for a worker thread. Raises MirrorFull if there is no room.
    """
    path = _path(mirror, table)
    with mirror.indexing, ExitStack() as undo:
        undo.callback(discard, path)
        with _translated(path), closing(open_beside(path, mirror.path)) as connection:
            connection.execute(ddl.create_search(table, content=""))
            undo.callback(_forget, mirror.writer)

            def begin(writing: sqlite3.Connection) -> None:
                """Note the changes from the instant on that is read: nothing is written in between."""
                _note(writing, table)
                connection.execute("BEGIN")
                connection.execute(f"SELECT 1 FROM source.{quote(table.name)} LIMIT 1").fetchone()

            def done(rows: int) -> None:
                mirror.writer.submit(lambda _: None, Lane.IDLE, bare=True)  # refused once it is closing
                progress(rows)

            mirror.writer.run(begin, Lane.IDLE, durable=False)
            rows = _fill(connection, table, done)
        return _taken_over(mirror.writer, table, path, rows)


class StagedIndex:
    """The index of rows staged for an initial load, built on a thread of its own while they are copied. Use as a
    context manager: what is not taken over by its end is entered later, like any rows."""

    def __init__(self, mirror: Mirror, table: Table, staged: Path) -> None:
        self._mirror, self._table, self._staged = mirror, table, staged
        self._path = _path(mirror, table)
        self._rows = 0
        self._copied = self._complete = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._build, name="search", daemon=True)

    def __enter__(self) -> "StagedIndex":
        self._mirror.indexing.acquire()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
            if self._copied:
                _forget(self._mirror.writer)
            discard(self._path)
        finally:
            self._mirror.indexing.release()

    def note(self, writing: sqlite3.Connection) -> None:
        """Note the changes from here on: to be called in the transaction that copies the staged rows."""
        _note(writing, self._table)

    def copied(self) -> None:
        """That transaction has committed."""
        self._copied = True

    def stop(self) -> None:
        """The index is not needed, or not any more."""
        self._stopped.set()
        self._thread.join()

    def take_over(self, progress: Callable[[int], None]) -> None:
        """Wait for it and take it over, if it is of any use. ``progress``: gets the rows so far, and may raise to
        stop."""
        while self._copied:
            self._thread.join(_LOOK_SECONDS)
            progress(self._rows)
            if not self._thread.is_alive():
                break
        if self._copied and self._complete:
            _taken_over(self._mirror.writer, self._table, self._path, self._rows)

    def _build(self) -> None:
        with suppress(PromptsyncError, _Stopped), _translated(self._path):
            with closing(open_beside(self._path, self._staged)) as connection:
                connection.execute(ddl.create_search(self._table, content=""))
                connection.execute("BEGIN")
                self._rows = _fill(connection, self._table, self._step)
            self._complete = True

    def _step(self, rows: int) -> None:
        self._rows = rows
        if self._stopped.is_set():
            raise _Stopped


class _Stopped(Exception):
    """Nobody wants the index any more."""


def _path(mirror: Mirror, table: Table) -> Path:
    path = mirror.folder / "staging" / f"{table.name}-search.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    discard(path)
    return path


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error) or MirrorFull(f"The file {path} cannot be written: {error}.") from error


def _note(writing: sqlite3.Connection, table: Table) -> None:
    """From here on, note the first change of each row, with the text that it had."""
    key, columns = quote(table.key[0]), names(table.search)
    old = ", ".join(f"old.{quote(c)}" for c in (table.key[0], *table.search))
    noted = f"INSERT INTO {_NOTED} SELECT {old} WHERE NOT EXISTS (SELECT 1 FROM {_NOTED} n WHERE n.id = old.{key})"
    on = f"ON main.{quote(table.name)} BEGIN {noted}; END"
    writing.execute(f"CREATE TEMP TABLE {_NOTED} (id INTEGER PRIMARY KEY, {columns})")
    writing.execute(f"CREATE TEMP TRIGGER {_NOTED}_changed AFTER UPDATE OF {columns} {on}")
    writing.execute(f"CREATE TEMP TRIGGER {_NOTED}_gone AFTER DELETE {on}")


def _forget(writer: Writer) -> None:
    def drop(connection: sqlite3.Connection) -> None:
        connection.execute(f"DROP TRIGGER IF EXISTS temp.{_NOTED}_changed")
        connection.execute(f"DROP TRIGGER IF EXISTS temp.{_NOTED}_gone")
        connection.execute(f"DROP TABLE IF EXISTS temp.{_NOTED}")

    with suppress(PromptsyncError):  # with its connection they are gone as well
        writer.run(drop, Lane.IDLE, durable=False)


def _fill(connection: sqlite3.Connection, table: Table, progress: Callable[[int], None]) -> int:
    """Build the index; returns its number of rows. The snapshot ends before it is merged into one segment."""
    fts, key, columns = quote(f"{table.name}_fts"), quote(table.key[0]), names(table.search)
    docsize = quote(f"{table.name}_fts_docsize")
    rows, last = 0, -(1 << 63)

    def enter(most: int) -> bool:
        nonlocal rows, last
        entered = connection.execute(
            f"INSERT INTO {fts} (rowid, {columns}) SELECT {key}, {columns} FROM source.{quote(table.name)} "
            f"WHERE {key} > ? ORDER BY {key} LIMIT ?",
            (last, most),
        ).rowcount
        (last,) = connection.execute(f"SELECT ifnull(max(id), ?) FROM {docsize}", (last,)).fetchone()
        rows += entered
        progress(rows)
        return entered == most

    for name, value in _SETTINGS.items():
        connection.execute(f"INSERT INTO {fts} ({fts}, rank) VALUES (?, ?)", (name, value))
    more = enter(_FIRST)
    for _ in range(_DEEPER):
        connection.execute(f"INSERT INTO {fts} ({fts}) VALUES ('optimize')")
        more = more and enter(1)
    while more:
        more = enter(_SOME)
    connection.execute("COMMIT")
    connection.execute(f"INSERT INTO {fts} ({fts}) VALUES ('optimize')")
    return rows


def _taken_over(writer: Writer, table: Table, path: Path, rows: int) -> bool:
    """Whether the index at ``path``, closed by now, could be taken over between deliveries."""
    with attached_to_writer(writer, path, rows):
        for _ in range(_TRIES):
            with suppress(Preempted):
                writer.run(lambda connection: _take_over(connection, table), Lane.IDLE, durable=False, preemptible=True)
                return True
    return False


def _take_over(connection: sqlite3.Connection, table: Table) -> None:
    """In place of the mirror's index, the one that is attached. FTS5 empties its own first and with it all that it
    remembers; then the tables behind it are copied, page by page as far as SQLite can."""
    fts, columns = quote(f"{table.name}_fts"), names(table.search)
    connection.execute(f"INSERT INTO main.{fts} ({fts}) VALUES ('delete-all')")
    for part in ("data", "idx", "docsize"):
        behind = quote(f"{table.name}_fts_{part}")
        connection.execute(f"DELETE FROM main.{behind}")
        connection.execute(f"INSERT INTO main.{behind} SELECT * FROM staging.{behind}")
    connection.execute(
        f"INSERT INTO main.{fts} ({fts}, rowid, {columns}) SELECT 'delete', id, {columns} FROM temp.{_NOTED} n "
        f"WHERE EXISTS (SELECT 1 FROM main.{quote(f'{table.name}_fts_docsize')} d WHERE d.id = n.id)"
    )
