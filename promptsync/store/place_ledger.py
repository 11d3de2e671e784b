"""The ledger of places: which files were seen where, in which version, and how far each has come.

Owns the statements on ``sync_object`` and what they set in ``sync_file``. Everything runs inside the caller's
transaction. What is new is the set difference between a listing and this ledger, never a high-water mark.
"""

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptsync.merge.sql import names
from promptsync.store import ledger

_MOST_NAMES = 200


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger says of one key: the version it last saw, its state there, how often it was tried."""

    tag: str
    state: str
    attempts: int
    gone: bool


def note_seen(connection: sqlite3.Connection, place: str, rows: Iterable[Mapping[str, Any]], now: str) -> None:
    """New keys and new versions of known ones. Rows: key, tag, size, modified_at, state (waiting or skipped), and what
    the name states: table, org_id, as_of, workspace_id, version, sequence, part.

    A held copy of an older version needs no attention any more.
    """
    for row in rows:
        _retire_held(connection, place, row["key"])
        entry = {"place": place, **row, "attempts": 0, "seen_at": now}
        entry |= {"tried_at": None, "gone_at": None, "file_id": None, "error": None}
        slots = ", ".join("?" * len(entry))
        connection.execute(
            f"INSERT OR REPLACE INTO sync_object ({names(entry)}) VALUES ({slots})", tuple(entry.values())
        )


def skips_differ(connection: sqlite3.Connection, place: str, skip: Collection[str]) -> bool:
    """Whether tables have been skipped, or taken up again, since their files were noted."""
    sql = (
        "SELECT EXISTS (SELECT 1 FROM sync_object WHERE place = ? AND state IN ('waiting', 'over_budget', 'skipped') "
        f"AND (state = 'skipped') <> (\"table\" IN ({_slots(skip)})))"
    )
    return bool(connection.execute(sql, (place, *skip)).fetchone()[0])


def note_skips(connection: sqlite3.Connection, place: str, skip: Collection[str]) -> None:
    """Files of these tables are not waited for; those of all others are again."""
    connection.execute(
        f"UPDATE sync_object SET state = iif(\"table\" IN ({_slots(skip)}), 'skipped', 'waiting'), error = NULL "
        f"WHERE place = ? AND state IN ('waiting', 'over_budget', 'skipped') "
        f"AND (state = 'skipped') <> (\"table\" IN ({_slots(skip)}))",
        (*skip, place, *skip),
    )


def _slots(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))


def note_gone(connection: sqlite3.Connection, place: str, keys: Iterable[str], now: str) -> None:
    """These are not listed any more. What was loaded stays loaded."""
    connection.executemany(
        "UPDATE sync_object SET gone_at = ?, "
        "state = iif(state IN ('waiting', 'failed', 'over_budget', 'skipped'), 'gone', state) "
        "WHERE place = ? AND key = ?",
        [(now, place, key) for key in keys],
    )


def note_back(connection: sqlite3.Connection, place: str, keys: Iterable[str]) -> None:
    """These are listed again, in the version that is known."""
    connection.executemany(
        "UPDATE sync_object SET gone_at = NULL, state = CASE state WHEN 'gone' THEN 'waiting' ELSE state END "
        "WHERE place = ? AND key = ?",
        [(place, key) for key in keys],
    )


def note_unrecognised(connection: sqlite3.Connection, place: str, file_names: Iterable[str], now: str) -> None:
    """File names that no kind recognises: each once in ``sync_drift``, at most two hundred of a listing."""
    _note_names(connection, "file name", place, file_names, now)


def note_passed_over(connection: sqlite3.Connection, place: str, entries: Iterable[str], now: str) -> None:
    """Entries that could not be listed, the same way."""
    _note_names(connection, "passed over", place, entries, now)


def _note_names(connection: sqlite3.Connection, kind: str, place: str, found: Iterable[str], now: str) -> None:
    for name in sorted(set(found))[:_MOST_NAMES]:
        plain = name[:200].encode("utf-8", "replace").decode()
        ledger.add_drift(connection, kind, "", plain, now, place)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt on a file: ``place``, ``key``, the state it is in after it, when (ISO), what went wrong."""

    place: str
    key: str
    state: str
    at: str
    error: str | None = None


def note_tried(connection: sqlite3.Connection, attempt: Attempt) -> None:
    """An attempt that ended before the file could be loaded."""
    connection.execute(
        "UPDATE sync_object SET state = ?, attempts = attempts + 1, tried_at = ?, error = ? "
        "WHERE place = ? AND key = ?",
        (attempt.state, attempt.at, attempt.error, attempt.place, attempt.key),
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of loading a file: the attempt, the number of its row in the ledger of files, where its copy was moved,
    and the numbers of other rows whose rejects are tried again from there."""

    attempt: Attempt
    file_id: int | None
    kept_at: Path | None = None
    serves: tuple[int, ...] = ()


def note_loaded(connection: sqlite3.Connection, files: Iterable[Loaded]) -> None:
    """Files were loaded or held."""
    for file in files:
        _note_loaded(connection, file)


def _note_loaded(connection: sqlite3.Connection, loaded: Loaded) -> None:
    attempt, file_id, kept_at = loaded.attempt, loaded.file_id, loaded.kept_at
    if file_id is not None:
        _retire_held(connection, attempt.place, attempt.key, but=file_id)
    note_tried(connection, attempt)
    connection.execute(
        "UPDATE sync_object SET file_id = ? WHERE place = ? AND key = ?", (file_id, attempt.place, attempt.key)
    )
    if kept_at is not None and file_id is not None:
        changes = {"path": str(kept_at), "error": attempt.error}
        ledger.update(connection, "sync_file", file_id, changes)
        for other in loaded.serves:
            ledger.update(connection, "sync_file", other, {"path": str(kept_at)})


def note_replaced(connection: sqlite3.Connection, loaded_from: Path) -> None:
    """The damaged copy at that path is gone: the file was fetched again."""
    connection.execute(
        "UPDATE sync_file SET state = 'unchanged', path = NULL, error = 'came damaged and was fetched once more' "
        "WHERE path = ? AND state IN ('held', 'failed', 'ignored')",
        (str(loaded_from),),
    )


@dataclass(frozen=True, slots=True)
class HeldCopy:
    """A held copy, not yet accepted, discarded or replaced. ``state``: that of the file at its place."""

    key: str
    path: str
    error: str
    state: str


def held_copies(connection: sqlite3.Connection, place: str) -> list[HeldCopy]:
    """Those of a place, by key."""
    sql = (
        "SELECT o.key, coalesce(f.path, ''), coalesce(f.error, ''), o.state FROM sync_object o "
        "JOIN sync_file f ON f.id = o.file_id "
        "WHERE o.place = ? AND f.state IN ('held', 'failed', 'ignored') ORDER BY 1"
    )
    return [HeldCopy(*row) for row in connection.execute(sql, (place,))]


def note_wanted(connection: sqlite3.Connection, place: str, keys: Iterable[str]) -> None:
    """Files that are held are waited for again: their copies are damaged or gone."""
    connection.executemany(
        "UPDATE sync_object SET state = 'waiting' WHERE place = ? AND key = ? AND state = 'held'",
        [(place, key) for key in keys],
    )


def note_waits(connection: sqlite3.Connection, place: str, key: str, state: str, error: str) -> None:
    """A file waits for something other than its turn; this does not count as an attempt."""
    connection.execute(
        "UPDATE sync_object SET state = ?, error = ? WHERE place = ? AND key = ?", (state, error, place, key)
    )


def note_content(connection: sqlite3.Connection, place: str, key: str, size: int) -> None:
    """How many bytes the selected columns of a file have, decompressed."""
    connection.execute("UPDATE sync_object SET content_bytes = ? WHERE place = ? AND key = ?", (size, place, key))


def content_of(connection: sqlite3.Connection, place: str, key: str) -> int | None:
    """What was noted of a file; None if nothing was."""
    sql = "SELECT content_bytes FROM sync_object WHERE place = ? AND key = ?"
    row = connection.execute(sql, (place, key)).fetchone()
    return None if row is None else row[0]


def content_loaded(connection: sqlite3.Connection, place: str, table: str) -> int:
    """The tally: how many bytes of content the files of a table have brought, since it was emptied last."""
    sql = (
        "SELECT coalesce(sum(content_bytes), 0) FROM sync_object o LEFT JOIN sync_file f ON f.id = o.file_id "
        "WHERE place = ? AND o.\"table\" = ? AND o.state = 'loaded' AND content_bytes > 0 AND f.state IS NOT 'reset'"
    )
    return int(connection.execute(sql, (place, table)).fetchone()[0])


def note_put_away(connection: sqlite3.Connection, place: str, key: str, now: str) -> None:
    """A loaded file was deleted or moved at its place."""
    connection.execute(
        "UPDATE sync_object SET gone_at = ?, error = NULL WHERE place = ? AND key = ? AND state = 'loaded'",
        (now, place, key),
    )


def note_left(connection: sqlite3.Connection, place: str, key: str, error: str) -> None:
    """A loaded file could not be deleted or moved; the next run tries again."""
    connection.execute(
        "UPDATE sync_object SET error = ? WHERE place = ? AND key = ? AND state = 'loaded'", (error, place, key)
    )


def settle_held(connection: sqlite3.Connection, place: str) -> None:
    """Held files that a person has accepted meanwhile count as loaded."""
    connection.execute(
        "UPDATE sync_object SET state = 'loaded', error = NULL WHERE place = ? AND state = 'held' "
        "AND file_id IN (SELECT id FROM sync_file WHERE state IN ('merged', 'unchanged'))",
        (place,),
    )


def unknown_copies(connection: sqlite3.Connection, copies: Iterable[Path]) -> list[Path]:
    """Those of the kept copies that no line names: the process died before it was written."""
    sql = "SELECT EXISTS (SELECT 1 FROM sync_file WHERE path = ?)"
    return [copy for copy in copies if connection.execute(sql, (str(copy),)).fetchone() == (0,)]


def note_kept(connection: sqlite3.Connection, copies: Iterable[tuple[Path, Path]]) -> None:
    """Copies are kept: where each was loaded from, and where it is now."""
    moved = [(str(now), str(before)) for before, now in copies]
    connection.executemany("UPDATE sync_file SET path = ? WHERE path = ?", moved)


def done_with(connection: sqlite3.Connection, copies: Iterable[Path]) -> list[Path]:
    """Those of the kept copies that are not needed any more: merged, and either without rejects to be tried again or
    followed by a newer file of the same table and organization, which has the same rejects."""
    sql = (
        "SELECT state IN ('merged', 'unchanged') AND NOT EXISTS ("
        "SELECT 1 FROM sync_file f JOIN sync_reject ON file_id = f.id WHERE f.path = newest.path "
        'AND NOT EXISTS (SELECT 1 FROM sync_file n WHERE n.state = \'merged\' AND n."table" = f."table" '
        "AND n.org_id IS f.org_id AND n.as_of > f.as_of)) FROM sync_file newest WHERE path = ? ORDER BY id DESC LIMIT 1"
    )
    return [copy for copy in copies if connection.execute(sql, (str(copy),)).fetchone() == (1,)]


def _retire_held(connection: sqlite3.Connection, place: str, key: str, but: int = 0) -> None:
    connection.execute(
        "UPDATE sync_file SET state = 'unchanged', error = 'replaced by a newer copy from where it was fetched' "
        "WHERE state IN ('held', 'failed', 'ignored') AND id <> ? "
        "AND id = (SELECT file_id FROM sync_object WHERE place = ? AND key = ?)",
        (but, place, key),
    )
