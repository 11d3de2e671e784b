"""The rows that are about a person: those that state an identifier, and those that refer to a row of theirs.

Owns these reads alone; which of the found rows are the person's is decided by who asks (people/find.py), since a number
can be written in many ways and a condition in SQL finds too much rather than too little. Nothing here writes.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from promptsync.merge.sql import names, quote
from promptsync.model import Column, Identity, Schema, Table
from promptsync.model.person import Identifier
from promptsync.model.table import OWNING
from promptsync.store.migrations import tables_of
from promptsync.store.reading import as_dicts

Row = Mapping[str, Any]

_SOME, _AT_ONCE = 50, 2_000
_DIGITS = 7  # at the end of a number: enough to be rare, and written without the country in every spelling


def there(connection: sqlite3.Connection, schema: Schema) -> list[Table]:
    """The declared tables that the mirror has, which one of another version may not all have."""
    made = tables_of(connection)
    return [table for table in schema if table.name in made]


def undeclared(connection: sqlite3.Connection, schema: Schema) -> list[str]:
    """Tables that nobody declares now, such as those of a plugin that is not enabled: what they hold is not known."""
    shadows = tuple(f"{table.name}_fts" for table in schema if table.search)
    made = sorted(tables_of(connection).keys() - {table.name for table in schema})
    return [name for name in made if not name.startswith((*shadows, "sqlite_", "_sqlite_", "sync_"))]


def stating(connection: sqlite3.Connection, table: Table, wanted: Iterable[Identifier]) -> Iterator[Row]:
    """Rows of which an identifying column may state one of these identifiers; some are found twice, some wrongly."""
    sought = list(wanted)
    for column in table.identifying:
        tests = [test for one in sought if (test := _test(column, one)) is not None]
        for start in range(0, len(tests), _SOME):
            some = tests[start : start + _SOME]
            where = " OR ".join(sql for sql, _ in some)
            sql = f"SELECT * FROM {quote(table.name)} WHERE {where}"
            yield from as_dicts(connection.execute(sql, [value for _, values in some for value in values]))


def _test(column: Column, one: Identifier) -> tuple[str, tuple[object, ...]] | None:
    """Whether a column may hold an identifier, as SQL; None if no column of its kind can."""
    name, kind = quote(column.name), column.identity
    if kind in OWNING:
        if one.kind is not kind:
            return None
        number = (int(one.value),) if kind is Identity.CONTACT and len(one.value) < 19 else ()
        return f"{name} IN ({', '.join('?' * (1 + len(number)))})", (one.value, *number)
    if one.kind is Identity.PHONE and kind is not Identity.EMAIL:
        return f"{name} LIKE ?", ("%" + "%".join(re.sub(r"\D", "", one.value)[-_DIGITS:]) + "%",)
    if one.kind is Identity.EMAIL and kind is not Identity.PHONE:
        escaped = re.sub(r"([\\%_])", r"\\\1", one.value)
        return f"{name} LIKE ? ESCAPE '\\'", (f"%{escaped}%",)
    if one.kind is Identity.ACCOUNT and kind is Identity.ADDRESS:
        return f"{name} = ?", (one.value,)
    return None


def referring(
    connection: sqlite3.Connection, schema: Schema, table: Table, column: Column, rows: Iterable[Row]
) -> Iterator[Row]:
    """Rows of ``table`` whose ``column`` refers to one of these rows, and that state no person's id of their own."""
    target = schema.target(column)
    if target is None:
        return
    ours = (*target.columns[:-1], column.name)
    if not set(ours) <= table.by_name.keys():
        return
    own = [one for one in table.identifying if one.identity in OWNING and one.only_if is None]
    nobody = "".join(f" AND {quote(one.name)} IS NULL" for one in own)
    values = (
        "value" if len(ours) == 1 else ", ".join(f"json_extract(value, '$[{place}]')" for place in range(len(ours)))
    )
    left = quote(ours[0]) if len(ours) == 1 else f"({names(ours)})"
    sql = f"SELECT * FROM {quote(table.name)} WHERE {left} IN (SELECT {values} FROM json_each(?)){nobody}"
    for some in _parts([[row[name] for name in target.columns] for row in rows]):
        given = [key[0] for key in some] if len(ours) == 1 else some
        yield from as_dicts(connection.execute(sql, (json.dumps(given),)))


def _parts(things: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(things), _AT_ONCE):
        yield things[start : start + _AT_ONCE]


def with_keys(connection: sqlite3.Connection, table: Table, keys: Iterable[tuple[Any, ...]]) -> Iterator[Row]:
    """The rows with these keys."""
    same = " AND ".join(f"{quote(name)} = ?" for name in table.key)
    for key in keys:
        yield from as_dicts(connection.execute(f"SELECT * FROM {quote(table.name)} WHERE {same}", key))


def of_events(connection: sqlite3.Connection, table: Table, events: Iterable[int]) -> Iterator[Row]:
    """Rows of a table of what happened that these deliveries left."""
    for some in _parts(list(events)):
        sql = f"SELECT * FROM {quote(table.name)} WHERE event_id IN (SELECT value FROM json_each(?))"
        yield from as_dicts(connection.execute(sql, (json.dumps(some),)))


def identifying(connection: sqlite3.Connection, table: Table) -> Iterator[Row]:
    """Every row of a table, without the columns that say nothing of whose it is."""
    conditions = [column.only_if[0] for column in table.identifying if column.only_if is not None]
    wanted = dict.fromkeys([*(column.name for column in table.identifying), *conditions])
    return as_dicts(connection.execute(f"SELECT {names(wanted)} FROM {quote(table.name)}"))


def deliveries(connection: sqlite3.Connection, limit: int = 2_000) -> Iterator[tuple[int, str, str, str]]:
    """Every delivery, oldest first: number, type, time of receipt, body. Some at a time, so that no reading is long."""
    after = 0
    sql = "SELECT id, type, received_at, body FROM sync_event WHERE id > ? ORDER BY id LIMIT ?"
    while found := connection.execute(sql, (after, limit)).fetchall():
        yield from found
        after = found[-1][0]


def rejects(connection: sqlite3.Connection) -> Iterator[Row]:
    """Every reject, with the name and the path of its file."""
    sql = (
        'SELECT r.id, r."class", r."table", r.event_id, r.line, r.reason, r.original, r.rejected_at, f.name AS file '
        "FROM sync_reject r LEFT JOIN sync_file f ON f.id = r.file_id ORDER BY r.id"
    )
    return as_dicts(connection.execute(sql))


def gone_at_vendor(connection: sqlite3.Connection) -> list[str]:
    """The ids (cio_id) of people who are deleted or suppressed at Customer.io."""
    sql = "SELECT DISTINCT internal_customer_id FROM cio_people_gone WHERE internal_customer_id IS NOT NULL ORDER BY 1"
    return [row[0] for row in connection.execute(sql)]


def own_numbers(connection: sqlite3.Connection) -> set[str]:
    """The organization's own numbers and accounts, as its channels have them."""
    return {key for (key,) in connection.execute("SELECT channel_key FROM channel WHERE channel_key IS NOT NULL")}
