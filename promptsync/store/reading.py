"""Reading a mirror by the names of its tables, and what SQLite itself says of the file.

Owns the reads that belong to no table of promptsync's own. Must not write.
"""

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from promptsync.merge.sql import names, quote

_MOST_ERRORS = 10
_STEPS = 10_000


def as_dicts(cursor: sqlite3.Cursor) -> Iterator[dict[str, Any]]:
    """The rows of a cursor by the names of their columns."""
    columns = [column[0] for column in cursor.description or ()]
    for row in cursor:
        yield dict(zip(columns, row, strict=True))


def row_of(connection: sqlite3.Connection, table: str, id_: int) -> dict[str, Any] | None:
    """The row of a table with this id; None if there is none."""
    return next(as_dicts(connection.execute(f"SELECT * FROM {quote(table)} WHERE id = ?", (id_,))), None)


def select_of(text: str) -> str:
    """A statement as it is; of a table's name, the one that reads all of the table."""
    return text if text.lstrip().upper().startswith(("SELECT", "WITH")) else f"SELECT * FROM {quote(text)}"


def columns_of(connection: sqlite3.Connection, table: str) -> dict[str, int]:
    """Column names of a table and their place in its primary key, from 1 (0: not in it); empty: no such table."""
    return dict(connection.execute("SELECT name, pk FROM pragma_table_info(?)", (table,)).fetchall())


def newest_rows(
    connection: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    span: tuple[str, str, str],
    equal: Mapping[str, str | None],
    limit: int,
) -> list[dict[str, Any]]:
    """Rows of a table, newest first. ``span``: a column of times, the first and the last of them (ISO); ``equal``:
    columns and their value, None for any."""
    at, *bounds = span
    wanted = {name: value for name, value in equal.items() if value is not None}
    conditions = [f"{quote(at)} >= ?", f"{quote(at)} <= ?", *(f"{quote(name)} = ?" for name in wanted)]
    sql = (
        f"SELECT {names(columns)} FROM {quote(table)} WHERE {' AND '.join(conditions)} "
        f"ORDER BY {quote(at)} DESC LIMIT ?"
    )
    return list(as_dicts(connection.execute(sql, (*bounds, *wanted.values(), limit))))


def path_of(connection: sqlite3.Connection) -> Path:
    """The file that a connection is open on."""
    return next(Path(row[2]) for row in connection.execute("PRAGMA database_list") if row[1] == "main")


def first_damage(connection: sqlite3.Connection, *, deep: bool, seconds: float) -> str | None:
    """What SQLite's own check of the file finds wrong first, "ok" if nothing, None if it did not end in time.

    The quick check for at most ``seconds``, or all of it with ``deep``.
    """
    until = time.monotonic() + seconds
    if not deep:
        connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    try:
        sql = f"PRAGMA {'integrity_check' if deep else 'quick_check'}({_MOST_ERRORS})"
        return str(connection.execute(sql).fetchall()[0][0])
    except sqlite3.DatabaseError as error:
        return None if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT else str(error)
    finally:
        connection.set_progress_handler(None, 0)


def is_json(text: str) -> bool:
    """Whether SQLite takes a text for JSON (RFC 8259). Blocking, but holds the interpreter for no more than a copy."""
    with closing(sqlite3.connect(":memory:")) as connection:
        return bool(connection.execute("SELECT json_valid(?)", (text,)).fetchone()[0])


def count_since(connection: sqlite3.Connection, table: str, ids: Sequence[str | None], revision: int) -> int:
    """How many of the rows with these ids there are, changed at this revision or later."""
    sql = f"SELECT count(*) FROM {quote(table)} WHERE id IN ({', '.join('?' * len(ids))}) AND _rev >= ?"
    return int(connection.execute(sql, (*ids, revision)).fetchone()[0])
