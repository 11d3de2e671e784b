"""The mirror's file, opened so that nothing can be written through it.

Owns the read-only opening, the order of paged rows, and the sentences for when it does not work. SQLite can read a
WAL database in a folder it may not write only while the ``-wal`` and ``-shm`` files exist; the daemon leaves them in
place when it stops.
"""

import sqlite3
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasette.database import Database, QueryInterrupted  # type: ignore[import-untyped]

from promptsync.browse.queries.tables import TABLES
from promptsync.browse.row_paging import pages
from promptsync.errors import ConfigError, Unavailable
from promptsync.store.made_by import refuse_newer

_FIRST = 'start "promptsync run" or load a file first'


def open_read_only(path: Path) -> sqlite3.Connection:
    """A connection that can neither write nor attach another file. Opens the file at the first statement."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    return connection


def tables_of(path: Path) -> dict[str, tuple[str, ...]]:
    """Every table of the mirror with its columns.

    Raises Unavailable if there is nothing to read yet or the file cannot be read now, ConfigError if it is no mirror or
    a newer version's.
    """
    try:
        if not path.is_file():
            raise Unavailable(f"There is no mirror at {path} yet: {_FIRST}.")
        if path.stat().st_size == 0:
            raise Unavailable(f"The mirror at {path} is still empty: {_FIRST}.")
        with path.open("rb"):
            pass
    except PermissionError as error:
        raise Unavailable(f"This user may not read {path}: give its group the right to read it.") from error
    connection = open_read_only(path)
    try:
        refuse_newer(connection)
        rows = connection.execute(TABLES).fetchall()
    except sqlite3.DatabaseError as error:
        raise _translated(error, path) from error
    finally:
        connection.close()
    if not rows:
        raise Unavailable(f"The mirror at {path} has no tables yet: {_FIRST}.")
    tables: dict[str, tuple[str, ...]] = {}
    for table, column in rows:
        tables[table] = (*tables.get(table, ()), column)
    return tables


def _translated(error: sqlite3.DatabaseError, path: Path) -> ConfigError | Unavailable:
    if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
        return ConfigError(f"{path} is not a SQLite database: correct mirror.database.")
    missing = [f"{path.name}{end}" for end in ("-wal", "-shm") if not path.with_name(path.name + end).exists()]
    if missing:
        return Unavailable(
            f'{" and ".join(missing)} beside {path} cannot be made by this user: start "promptsync run" once, '
            "it leaves them in place."
        )
    return Unavailable(f"The mirror at {path} cannot be read now ({error}): try again in a moment.")


@dataclass(slots=True)
class Paging:
    """How a table page goes through its rows. ``keys``: of the table. ``by_key``: not by the table's usual sort.
    ``counts``: whether it was asked what values a column has and how often; ``large``: found to have too many rows for
    that to be shown unasked.

    Datasette orders the first page by the sorted column alone and later ones by the key too, so that rows with equal
    values get lost between the pages; and each later page of a sorted table reads all its rows.
    """

    keys: tuple[str, ...]
    by_key: bool
    counts: bool = False
    large: bool = False


PAGING: ContextVar[Paging | None] = ContextVar("paging", default=None)
"""Set while a table page asks for its rows."""

_COUNT_MS = 25  # of each table; a large one is shown as "many rows"
_COUNT, _VALUES = "select count(*) from ", " as value, count(*) as count from ("
MOST_COUNTED = 100_000
"""Rows of a table page that are counted; beyond it reads "many rows"."""


class MirrorDatabase(Database):  # type: ignore[misc]
    """Datasette's view of the mirror: read-only connections, and no statement with people's data on standard error."""

    def connect(self, write: bool = False) -> sqlite3.Connection:
        """A read-only connection. Raises Unavailable when asked for one that writes."""
        if write:
            raise Unavailable("The mirror is read-only here: use the promptsync command to change anything.")
        connection = open_read_only(Path(self.path))
        self._all_file_connections.append(connection)
        return connection

    async def table_counts(self, limit: int = 10) -> dict[str, int | None]:
        """As Datasette's, but a table gets more than its 5 ms, which a busy machine takes to count a few rows."""
        found: dict[str, int | None] = await super().table_counts(max(limit, _COUNT_MS))
        return found

    async def execute(self, sql: str, params: Any = None, **options: Any) -> Any:
        """As Datasette's, but pages are read along an index, ties ordered, and failed statements are not logged with
        their parameters."""
        options |= {"log_sql_errors": False}
        paging = PAGING.get()
        if paging and sql.startswith(_COUNT):
            return await self._counted(paging, sql, params, options)
        if paging and paging.large and not paging.counts and _VALUES in sql:
            raise QueryInterrupted(None, sql, params)
        statements, size = pages(sql, paging.keys) if paging else ([sql], 0)
        found = await super().execute(statements[0], params, **options)
        for statement in statements[1:]:
            if len(found.rows) < size:
                more = await super().execute(statement, params, **options)
                found.rows = [*found.rows, *more.rows][:size]
        return found

    async def _counted(self, paging: Paging, sql: str, params: Any, options: dict[str, Any]) -> Any:
        """How many rows a table page has. Raises QueryInterrupted, as if it took too long, where they are too many."""
        rows = f"select 1 from {sql.removeprefix(_COUNT)} limit {MOST_COUNTED + 1}"
        found = await super().execute(f"{_COUNT}({rows})", params, **options)
        if found.rows[0][0] > MOST_COUNTED:
            paging.large = True
            raise QueryInterrupted(None, sql, params)
        return found
