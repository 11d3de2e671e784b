"""Deleting for good: rows, deliveries and rejects of a person, and whatever of them SQLite would leave in the file.

Owns these statements and the record of erasures (``sync_erasure``), which never says who. SQLite keeps deleted bytes in
free pages, in the write-ahead log and in full-text segments until they are written over; here they are. Every function
that changes rows is called within a transaction, and takes no more than it is given: slices are the caller's.
"""

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from promptsync.merge.sql import names, quote
from promptsync.model import Key, Kind, Role, Schema, Table
from promptsync.store import day_count, inbox, marks
from promptsync.store.reading import as_dicts

PAGES: Final = 64
"""Free pages that are written over in one step."""
_WIPED: Final = "wiped"
_PLAN: Final = "erasing:"
_SENTENCES: Final = frozenset({"error", "message", "name", "path", "reason", "seen_in"})
"""Columns of promptsync's own records that say what people, or the names of their files, may have said."""


def begin(connection: sqlite3.Connection, at: str, why: str, plan: str) -> int:
    """Put an erasure on record; returns its number. ``plan``: what it takes to go on after a kill; kept until then."""
    sql = "INSERT INTO sync_erasure (begun_at, why, rows, tables, files) VALUES (?, ?, 0, '{}', 0)"
    number = connection.execute(sql, (at, why)).lastrowid or 0
    marks.put(connection, f"{_PLAN}{number}", plan)
    return number


def unfinished(connection: sqlite3.Connection) -> dict[int, str]:
    """Erasures that were begun and not finished: number to plan."""
    return {int(number): plan for number, plan in marks.family(connection, _PLAN).items()}


def finish(connection: sqlite3.Connection, number: int, at: str, tables: Mapping[str, int], files: int) -> None:
    """Record that all is removed, and forget the plan. ``tables``: rows by table; ``at``: ISO."""
    marks.drop(connection, f"{_PLAN}{number}")
    sql = "UPDATE sync_erasure SET finished_at = ?, rows = ?, tables = ?, files = ? WHERE id = ?"
    connection.execute(sql, (at, sum(tables.values()), json.dumps(dict(sorted(tables.items()))), files, number))


def mark_undone(connection: sqlite3.Connection, number: int, at: str) -> None:
    """Record that who was forgotten then is let back in. ``at``: ISO; the first time stays."""
    connection.execute("UPDATE sync_erasure SET undone_at = ifnull(undone_at, ?) WHERE id = ?", (at, number))


def erasures(connection: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every erasure, newest first; ``tables`` as a mapping."""
    sql = "SELECT id, begun_at, finished_at, undone_at, why, rows, tables, files FROM sync_erasure ORDER BY id DESC"
    return [row | {"tables": json.loads(row["tables"])} for row in as_dicts(connection.execute(sql))]


def delete_rows(connection: sqlite3.Connection, table: Table, keys: Sequence[Key]) -> int:
    """Delete rows by their keys; returns how many there were. What is kept by day stays as it was."""
    count_again = day_count.keep_counted(connection, table, keys)
    same = " AND ".join(f"{quote(name)} = ?" for name in table.key)
    if table.blockwise and table.org_scoped:
        org = f"SELECT org_id FROM {quote(table.name)} WHERE {same}"
        touched = f'DELETE FROM sync_touched WHERE "table" = ? AND key = ? AND org_id = ({org})'
        connection.executemany(touched, [(table.name, *key, *key) for key in keys])
    deleted = connection.executemany(f"DELETE FROM {quote(table.name)} WHERE {same}", keys).rowcount
    count_again()
    return deleted


def delete_changes(connection: sqlite3.Connection, keys: Mapping[str, Iterable[Key]]) -> int:
    """Delete what plugins have not been told of these rows yet. ``keys``: by table."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sync_change'").fetchone():
        return 0
    wanted = {(table, tuple(key)) for table, some in keys.items() for key in some}
    rows = connection.execute('SELECT observer, seq, "table", key FROM sync_change').fetchall()
    gone = [(observer, seq) for observer, seq, table, key in rows if (table, tuple(json.loads(key))) in wanted]
    return connection.executemany("DELETE FROM sync_change WHERE observer = ? AND seq = ?", gone).rowcount


def delete_deliveries(connection: sqlite3.Connection, schema: Schema, ids: Sequence[int]) -> dict[str, int]:
    """Delete deliveries with all that happened in them and what of them was rejected; returns rows by table."""
    inbox.keep_numbers(connection)
    given, found = (json.dumps(list(ids)),), {}
    for name in (*(table.name for table in schema if table.role is Role.HAPPENED), "sync_reject"):
        sql = f"DELETE FROM {quote(name)} WHERE event_id IN (SELECT value FROM json_each(?))"
        found[name] = connection.execute(sql, given).rowcount
    sql = "DELETE FROM sync_event WHERE id IN (SELECT value FROM json_each(?))"
    found["sync_event"] = connection.execute(sql, given).rowcount
    return {name: count for name, count in found.items() if count}


def rewrite_delivery(
    connection: sqlite3.Connection, delivery: int, body: str, table: Table | None, items: Sequence[int]
) -> None:
    """Give a delivery the body that it has without some items. ``table``: of what happened, a row for each item, if it
    leaves any: the rows of later items move up, so that applying the delivery again finds them in their places."""
    digest = hashlib.sha256(body.encode()).hexdigest()
    connection.execute("UPDATE sync_event SET body = ?, digest = ? WHERE id = ?", (body, digest, delivery))
    if table is None:
        return
    name = quote(table.name)
    for removed in sorted(items, reverse=True):
        connection.execute(f"DELETE FROM {name} WHERE event_id = ? AND item = ?", (delivery, removed))
        later = f"SELECT item FROM {name} WHERE event_id = ? AND item > ? ORDER BY item"
        for (item,) in connection.execute(later, (delivery, removed)).fetchall():
            up = f"UPDATE {name} SET item = item - 1 WHERE event_id = ? AND item = ?"
            connection.execute(up, (delivery, item))


def delete_rejects(connection: sqlite3.Connection, ids: Sequence[int]) -> int:
    """Delete rejects with their original bytes; returns how many there were."""
    return connection.executemany("DELETE FROM sync_reject WHERE id = ?", [(id_,) for id_ in ids]).rowcount


@dataclass(frozen=True, slots=True)
class Blanked:
    """A cell of promptsync's own records, and what is to stand in it."""

    table: Table
    key: Key
    column: str
    text: str


def texts_with(connection: sqlite3.Connection, schema: Schema, what: re.Pattern[bytes]) -> Iterator[Blanked]:
    """Cells of promptsync's own records (errors, names of files) with what is looked for, as they are without it."""
    for table in schema:
        columns = [column.name for column in table.columns if column.name in _SENTENCES]
        columns = [name for name in columns if name not in table.key]
        if table.role is not Role.OWN or not columns:
            continue
        for row in connection.execute(f"SELECT {names((*table.key, *columns))} FROM {quote(table.name)}"):
            key, cells = row[: len(table.key)], row[len(table.key) :]
            for name, cell in zip(columns, cells, strict=True):
                if isinstance(cell, str) and what.search(raw := cell.encode()):
                    yield Blanked(table, key, name, what.sub(b"...", raw).decode("utf-8", "replace"))


def blank(connection: sqlite3.Connection, cells: Iterable[Blanked]) -> None:
    """Write what is to stand in these cells."""
    for cell in cells:
        same = " AND ".join(f"{quote(one)} = ?" for one in cell.table.key)
        sql = f"UPDATE {quote(cell.table.name)} SET {quote(cell.column)} = ? WHERE {same}"
        connection.execute(sql, (cell.text, *cell.key))


def note_file_gone(connection: sqlite3.Connection, path: str) -> None:
    """Record that a kept file was removed, so that nobody is asked to look at it."""
    sql = "UPDATE sync_file SET state = 'ignored', error = ? WHERE path = ? AND state IN ('held', 'failed')"
    connection.execute(sql, ("Removed, since it held somebody who was forgotten and could not be taken apart.", path))


def merge_search(connection: sqlite3.Connection, table: Table, pages: int, *, first: bool) -> bool:
    """One step of merging a table's full-text index into one, which drops what was deleted; whether more is left."""
    fts, before = quote(f"{table.name}_fts"), connection.total_changes
    connection.execute(f"INSERT INTO {fts} ({fts}, rank) VALUES ('merge', ?)", (-pages if first else pages,))
    return connection.total_changes - before >= 2


def fill_free_pages(connection: sqlite3.Connection, number: int) -> bool:
    """Write zeros over some free pages, by using them; whether any is left. ``empty_filled`` frees them again."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    if free == 0:
        return False
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    half = min(free, PAGES) * (size - 4) // 2
    sql = "INSERT INTO sync_state VALUES (?, hex(zeroblob(?))) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    connection.execute(sql, (f"{_WIPED}:{number}", half))
    return True


def empty_filled(connection: sqlite3.Connection) -> bool:
    """Free the pages of one step again; whether any is left."""
    sql = "DELETE FROM sync_state WHERE name = (SELECT min(name) FROM sync_state WHERE name GLOB ?)"
    return connection.execute(sql, (f"{_WIPED}:*",)).rowcount > 0


def rewrite(connection: sqlite3.Connection) -> None:
    """Write the whole file anew, without anything that deleting left in it. Outside a transaction; takes long."""
    connection.execute("VACUUM")


def still_said(connection: sqlite3.Connection, schema: Schema, texts: Iterable[str]) -> set[str]:
    """Those of the texts that a row still says, since somebody else's says the same."""
    wanted, found = json.dumps(list(texts)), set[str]()
    for table in schema:
        for column in table.columns:
            if column.kind in (Kind.TEXT, Kind.JSON):
                name = quote(column.name)
                sql = (
                    f"SELECT DISTINCT {name} FROM {quote(table.name)} WHERE {name} IN (SELECT value FROM json_each(?))"
                )
                found.update(text for (text,) in connection.execute(sql, (wanted,)))
    return found
