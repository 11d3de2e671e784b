"""The ledger: files seen, snapshots applied, rejects, drift.

Owns what is written to promptsync's own tables but the inbox's. Everything runs inside the caller's transaction.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from promptsync.clock import parse_iso
from promptsync.merge.sql import names, quote
from promptsync.store import marks
from promptsync.store.erased import note_suppressed

if TYPE_CHECKING:
    from promptsync.merge.block_index import BlockIndex


def insert(connection: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    """Insert one row; returns its id."""
    slots = ", ".join("?" * len(row))
    sql = f"INSERT INTO {quote(table)} ({names(row)}) VALUES ({slots})"
    return connection.execute(sql, tuple(row.values())).lastrowid or 0


def update(connection: sqlite3.Connection, table: str, row_id: int, changes: Mapping[str, Any]) -> None:
    """Change one row by its id."""
    sets = ", ".join(f"{quote(name)} = ?" for name in changes)
    connection.execute(f"UPDATE {quote(table)} SET {sets} WHERE id = ?", (*changes.values(), row_id))


def add_reject(connection: sqlite3.Connection, row: Mapping[str, Any]) -> None:
    """Keep a row or delivery that could not be merged; the same one from the same place is kept once."""
    same = connection.execute(
        'SELECT 1 FROM sync_reject WHERE "class" = ? AND file_id IS ? AND event_id IS ? AND line IS ? AND reason = ?',
        (row["class"], row.get("file_id"), row.get("event_id"), row.get("line"), row["reason"]),
    ).fetchone()
    if same is None:
        insert(connection, "sync_reject", row)


def rejects_like(connection: sqlite3.Connection, file_id: int) -> Iterator[tuple[int, str, str, bytes, bool]]:
    """What is kept of a file and of others of its table and owner: (id, class, reason, original, whether that file is
    a newer one; of files of one instant, the one seen first is the older one)."""
    age = "(ifnull({0}.as_of, ''), ifnull({0}.sequence, ''), {0}.correction, {0}.id)"
    return connection.execute(
        f'SELECT r.id, r."class", r.reason, r.original, {age.format("o")} > {age.format("f")} FROM sync_file f '
        'JOIN sync_reject r ON r."table" = f."table" JOIN sync_file o ON o.id = r.file_id AND o.org_id IS f.org_id '
        "AND o.workspace_id IS f.workspace_id WHERE f.id = ? ORDER BY r.id",
        (file_id,),
    )


def add_drift(connection: sqlite3.Connection, kind: str, table: str, name: str, now: str, seen_in: str) -> None:
    """Note something never seen before, once."""
    connection.execute(
        "INSERT INTO sync_drift VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (kind, table, name, now, seen_in)
    )


def corrections(
    connection: sqlite3.Connection, sha256: str, table: str, org: int, as_of: str
) -> tuple[int | None, int]:
    """Which correction of its instant a file of this content is (None: it was never begun), and the newest there is."""
    number, newest = connection.execute(
        "SELECT max(correction) FILTER (WHERE sha256 = ?), ifnull(max(correction), 0) FROM ("
        "SELECT sha256, ifnull(correction, 0) AS correction FROM sync_file "
        "WHERE \"table\" = ? AND org_id = ? AND as_of = ? AND state IN ('merged', 'staged'))",
        (sha256, table, org, as_of),
    ).fetchone()
    return number, newest


def merged_before(connection: sqlite3.Connection, sha256: str, table: str, org: int, as_of: str, number: int) -> bool:
    """Whether a file of the same content that states the same, as the same correction, has been merged."""
    sql = (
        'SELECT EXISTS (SELECT 1 FROM sync_file WHERE sha256 = ? AND "table" = ? AND org_id = ? AND as_of = ? '
        "AND ifnull(correction, 0) = ? AND state = 'merged')"
    )
    return bool(connection.execute(sql, (sha256, table, org, as_of, number)).fetchone()[0])


def changes_merged_before(
    connection: sqlite3.Connection, sha256: str, table: str, workspace: int, sequence: str
) -> bool:
    """Whether a change set of the same content, workspace and place in the vendor's order has been merged."""
    sql = (
        'SELECT EXISTS (SELECT 1 FROM sync_file WHERE sha256 = ? AND "table" = ? AND workspace_id = ? '
        "AND sequence = ? AND state = 'merged')"
    )
    return bool(connection.execute(sql, (sha256, table, workspace, sequence)).fetchone()[0])


def decoded_before(connection: sqlite3.Connection, sha256: str, kind: str) -> int | None:
    """The number of a file of the same content that has been merged as one of a plugin's kind; None if none was."""
    sql = "SELECT max(id) FROM sync_file WHERE sha256 = ? AND state = 'merged' AND source LIKE ?"
    number: int | None = connection.execute(sql, (sha256, f"%:{kind}")).fetchone()[0]
    return number


def forget_merged(connection: sqlite3.Connection, table: str) -> int:
    """Forget that files of a table were merged, so that they can be loaded again; returns how many there were."""
    sql = "UPDATE sync_file SET state = 'reset' WHERE \"table\" = ? AND state IN ('merged', 'unchanged')"
    return connection.execute(sql, (table,)).rowcount


def open_file(connection: sqlite3.Connection, row: Mapping[str, Any]) -> int:
    """The ledger's row of a file: a new one, or that of the very same file seen before, taken up again.

    What was held of another content at the same place is not there any more, or a newer copy was dropped since.
    """
    seen = connection.execute(
        "SELECT id FROM sync_file WHERE name = ? AND size IS ? AND sha256 IS ? "
        "AND (state <> 'merged' OR ? <> 'unchanged') ORDER BY state = 'merged' DESC, id DESC",
        (row["name"], row.get("size"), row.get("sha256"), row["state"]),
    ).fetchone()
    if seen is None:
        file_id = insert(connection, "sync_file", row)
    else:
        file_id = int(seen[0])
        update(connection, "sync_file", file_id, {"error": None, **row})
    connection.execute(
        f"{_RETIRE} AND (n.path = sync_file.path OR n.source = 'drop' AND sync_file.source = 'drop'))",
        (file_id, file_id),
    )
    return file_id


def close_file(connection: sqlite3.Connection, file_id: int, changes: Mapping[str, Any]) -> None:
    """A file has been merged. Held copies of it, in any place and of any name, need no attention any more, nor does
    what was held of the same night."""
    update(connection, "sync_file", file_id, changes)
    if changes.get("suppressed"):
        note_suppressed(connection, parse_iso(changes["seen_at"]), rows=changes["suppressed"])
    connection.execute(f"{_RETIRE})", (file_id, file_id))
    connection.execute(_RETIRE_NIGHT, (file_id, file_id))


def discard_file(connection: sqlite3.Connection, file_id: int) -> bool:
    """A person has decided that a file needs no attention any more; whether it did."""
    sql = f"UPDATE sync_file SET state = 'discarded' WHERE id = ? AND state IN {_OPEN}"
    return bool(connection.execute(sql, (file_id,)).rowcount)


_OPEN = "('held', 'failed', 'ignored')"

_RETIRE_NIGHT = (
    "UPDATE sync_file SET state = 'unchanged', error = 'another file of the same night was merged' "
    f"WHERE state IN {_OPEN} AND id <> ? AND EXISTS (SELECT 1 FROM sync_file n WHERE n.id = ? "
    'AND n."table" = sync_file."table" AND n.org_id IS sync_file.org_id AND n.as_of >= sync_file.as_of '
    "AND n.as_of < strftime('%Y-%m-%dT%H:%M:%fZ', sync_file.as_of, '+20 hours'))"
)
"""Retires what was held of a night once an export of it has been merged: of the same instant, or made again later that
day. The next night's is 23 hours later at the least."""

_RETIRE = (
    "UPDATE sync_file SET state = 'unchanged', error = 'replaced by another file of this name' "
    f"WHERE state IN {_OPEN} AND id <> ? AND EXISTS (SELECT 1 FROM sync_file n WHERE n.id = ? "
    'AND n.name = sync_file.name AND (sync_file.state = \'ignored\' OR n."table" = sync_file."table" '
    "AND n.org_id IS sync_file.org_id AND n.as_of IS sync_file.as_of "
    "AND n.workspace_id IS sync_file.workspace_id AND n.sequence IS sync_file.sequence)"
)
"""Retires held files that have the same name and state the same. An unrecognised name can belong to a different file
every day, so files with one stay."""


def follow(connection: sqlite3.Connection, file_id: int, before: str, now: str, said_of: Callable[[str], str]) -> None:
    """A file has been moved since it was loaded, and with it every line of the same content at its old path: its rows
    may have been rejected before the process died and the file was found to be known. ``said_of``: rewrites an error
    for the new path."""
    sql = (
        "SELECT f.id, f.error FROM sync_file n JOIN sync_file f ON f.id = n.id OR f.sha256 = n.sha256 "
        "WHERE n.id = ? AND f.path = ?"
    )
    for line, error in connection.execute(sql, (file_id, before)).fetchall():
        update(connection, "sync_file", line, {"path": now, "error": error and said_of(error)})


def needed_of_drop(connection: sqlite3.Connection) -> list[tuple[int, str, int | None, str | None]]:
    """Dropped files that somebody will look for, held or with rejects: number, path, size in bytes, SHA-256."""
    sql = (
        "SELECT id, path, size, sha256 FROM sync_file WHERE (source = 'drop' OR source LIKE 'drop:%') "
        "AND path IS NOT NULL AND (state IN ('held', 'failed') OR id IN (SELECT file_id FROM sync_reject))"
    )
    return connection.execute(sql).fetchall()


def known_rejects(connection: sqlite3.Connection, file_id: int) -> list[tuple[int, str]]:
    """Lines of files that were merged before, with what a file states and holds, and whose rows still can be tried
    again: the number and the path of each."""
    sql = (
        "SELECT f.id, ifnull(f.path, '') FROM sync_file n JOIN sync_file f ON f.sha256 = n.sha256 "
        'AND f."table" = n."table" AND f.org_id IS n.org_id AND f.as_of IS n.as_of '
        "AND f.workspace_id IS n.workspace_id AND f.sequence IS n.sequence WHERE n.id = ? AND f.id <> n.id "
        "AND EXISTS (SELECT 1 FROM sync_reject WHERE file_id = f.id)"
    )
    return connection.execute(sql, (file_id,)).fetchall()


def unfinished(connection: sqlite3.Connection) -> list[str]:
    """Paths of the files whose merging by hand was begun and not finished."""
    sql = "SELECT path FROM sync_file WHERE state = 'staged' AND source IN ('load', 'retry') ORDER BY as_of, sequence"
    return [row[0] for row in connection.execute(sql)]


def forget_unfinished(connection: sqlite3.Connection, name: str, but: int) -> None:
    """A file has been merged: forget earlier downloads of it that were begun and never finished."""
    stale = "SELECT id FROM sync_file WHERE name = ? AND state = 'staged' AND id <> ?"
    connection.execute(f"DELETE FROM sync_reject WHERE file_id IN ({stale})", (name, but))
    connection.execute(f"DELETE FROM sync_file WHERE id IN ({stale})", (name, but))


def touch(connection: sqlite3.Connection, table: str, org: int, keys: Iterable[tuple[Any, int]]) -> None:
    """Record that row-wise claims were made on these rows: (key, time of the newest claim)."""
    connection.executemany(
        "INSERT INTO sync_touched VALUES (?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET at = excluded.at WHERE excluded.at > at",
        [(table, org, key, at) for key, at in keys],
    )


def touched(connection: sqlite3.Connection, table: str, org: int) -> list[int]:
    """Keys of rows that row-wise claims were made on since the newest snapshot."""
    sql = 'SELECT key FROM sync_touched WHERE "table" = ? AND org_id = ?'
    return [row[0] for row in connection.execute(sql, (table, org))]


def blocks_of_newest(connection: sqlite3.Connection, table: str, org: int) -> "BlockIndex | None":
    """The block index of the newest applied snapshot, if it has one."""
    sql = (
        'SELECT id, length(blocks) FROM sync_snapshot WHERE "table" = ? AND org_id = ? '
        "ORDER BY at DESC, id DESC LIMIT 1"
    )
    id_, size = connection.execute(sql, (table, org)).fetchone() or (0, None)
    if size is None:
        return None
    with connection.blobopen("sync_snapshot", "blocks", id_, readonly=True) as blob:
        from promptsync.merge.block_index import BlockIndex

        return BlockIndex.read(blob.read, size)


_VOID: Final = b"no block index"


def void_blocks(connection: sqlite3.Connection, table: str, org: int) -> None:
    """Make the block index none before a snapshot is merged: if that is interrupted, no block may count as unchanged.

    Only its beginning is written over: all of it is, once, when the next one takes its place.
    """
    sql = 'SELECT id, length(blocks) FROM sync_snapshot WHERE "table" = ? AND org_id = ? AND blocks IS NOT NULL'
    for id_, size in connection.execute(sql, (table, org)).fetchall():
        with connection.blobopen("sync_snapshot", "blocks", id_) as blob:
            blob.write(_VOID[:size])


def void_all_blocks(connection: sqlite3.Connection, table: str) -> None:
    """The same for every organization: the next file of each is read whole."""
    connection.execute('UPDATE sync_snapshot SET blocks = NULL WHERE "table" = ? AND blocks IS NOT NULL', (table,))


def keep_blocks(
    connection: sqlite3.Connection, table: str, org: int, snapshot: tuple[int, int], blocks: "BlockIndex | None"
) -> None:
    """Only the newest snapshot, given as (id, instant), keeps a block index; any other one in between voids it.

    It can be large, so it is written in parts, none of which SQLite has to hold.
    """
    connection.execute(
        'UPDATE sync_snapshot SET blocks = NULL WHERE "table" = ? AND org_id = ? AND blocks IS NOT NULL', (table, org)
    )
    if blocks is None:
        return
    parts, id_ = blocks.parts(), snapshot[0]
    connection.execute("UPDATE sync_snapshot SET blocks = zeroblob(?) WHERE id = ?", (sum(map(len, parts)), id_))
    with connection.blobopen("sync_snapshot", "blocks", id_) as blob:
        for part in parts:
            blob.write(part)
    connection.execute(
        'DELETE FROM sync_touched WHERE "table" = ? AND org_id = ? AND at < ?', (table, org, snapshot[1])
    )


def keep_status(connection: sqlite3.Connection, found: Mapping[str, object]) -> None:
    """Put down, in place of the last time, what a running daemon finds when it looks for problems, so that pages read
    one row: ``at`` (ISO), ``problems`` (sentences), ``places`` (of each its ``name`` and ISO ``last_success``)."""
    marks.put_facts(connection, "status", found)


def was_watched(connection: sqlite3.Connection) -> bool:
    """Whether a daemon has ever looked for problems here."""
    return marks.read(connection, "status") is not None
