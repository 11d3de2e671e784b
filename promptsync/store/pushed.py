"""Rows of a mirror as claims, for elsewhere where the rule is applied: into a lake. The way back of pulled.py.

Owns these statements. A row that the newest snapshot holds is not written each night (merge/coverage.py): here it comes
with the versions that it has all the same. Everything is read inside one transaction of the caller's connection, begun
by ``begin``, so that rows and what covers them are of one moment. Writes nothing.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from promptsync.merge.coverage import Coverage
from promptsync.merge.layout import Layout
from promptsync.merge.sql import later, names_of, quote
from promptsync.merge.version import PER_MICRO
from promptsync.model import Schema
from promptsync.store.mirror import layout_in
from promptsync.store.reading import as_dicts, columns_of
from promptsync.store.snapshots import AppliedSnapshots

_BATCH = 20_000


def begin(connection: sqlite3.Connection) -> AppliedSnapshots:
    """From now on the connection sees one moment; returns the snapshots that were applied by then."""
    connection.execute("BEGIN")
    applied = AppliedSnapshots()
    applied.load(connection)
    return applied


def layout(connection: sqlite3.Connection, schema: Schema, table: str) -> Layout:
    """The layout of a table in this mirror."""
    return layout_in(schema, table, set(columns_of(connection, table)))


def batches(cursor: sqlite3.Cursor) -> Iterator[list[tuple[Any, ...]]]:
    """What a statement gives, some rows at a time."""
    while some := cursor.fetchmany(_BATCH):
        yield some


def claims(
    connection: sqlite3.Connection, of: Layout, applied: AppliedSnapshots, key: Sequence[str]
) -> Iterator[list[tuple[Any, ...]]]:
    """The rows of a table: ``key``, of each unit its version and values, when each was last claimed (if that is known
    of the table), and the newest snapshot if that holds it (if it has snapshots). NULL for a version that is none."""
    table, split = of.table, [unit for unit in of.units if unit.split]
    asserted = {unit.name: f"ifnull(n.split_{number}, 0)" for number, unit in enumerate(split)}
    coverage = Coverage(of, "ifnull(n.whole, 0)", asserted)
    picked = [names_of(coverage.old, key)]
    for unit in of.units:
        picked.append(f"nullif({coverage.effective(unit)}, {of.no_version})")
        picked += [f"{coverage.old}.{quote(column)}" for column in unit.columns]
    old = coverage.old
    if table.exported:
        held = f"{old}._in_snapshot * {coverage.asserted}"
        snapshots = later(f"{old}._snap_at", f"({held})")
        picked.append(f"nullif({later(f'{old}._seen_at', f'({snapshots}) / {PER_MICRO}')}, 0)")
        picked.append(f"nullif(({held}) / {PER_MICRO}, 0)")
    elif table.full_list:
        picked.append(f"nullif({old}._seen_at, 0)")
    columns = ", ".join(f"json_extract(value, '$[{n + 2}]') AS split_{n}" for n in range(len(split)))
    newest = "SELECT json_extract(value, '$[0]') AS org, json_extract(value, '$[1]') AS whole"
    newest += f"{', ' + columns if columns else ''} FROM json_each(?)"
    owner = f"{old}.org_id" if of.owner else "0"
    sql = f"WITH newest AS ({newest}) SELECT {', '.join(picked)} FROM {old} LEFT JOIN newest n ON n.org = {owner}"
    orgs = connection.execute('SELECT DISTINCT org_id FROM sync_snapshot WHERE "table" = ?', (table.name,)).fetchall()
    known = [(org, *_flat(*applied.asserted(of, org))) for (org,) in orgs]
    yield from batches(connection.execute(sql, (json.dumps(known),)))


def _flat(whole: int, split: tuple[int, ...]) -> tuple[int, ...]:
    return whole, *split


def happened(connection: sqlite3.Connection, table: str, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
    """Rows of what happened: when the delivery was received (ISO), its path and body, all NULL if it is not kept any
    more; then these columns."""
    sql = (
        f"SELECT e.received_at, e.path, e.body, {names_of('t', columns)} FROM {quote(table)} t "
        "LEFT JOIN sync_event e ON e.id = t.event_id ORDER BY t.event_id, t.item"
    )
    yield from batches(connection.execute(sql))


def snapshots(connection: sqlite3.Connection) -> Iterator[tuple[str, int, int, int]]:
    """Every applied snapshot: table, organization, microseconds, rows."""
    yield from connection.execute('SELECT "table", org_id, at, rows FROM sync_snapshot ORDER BY at, id')


def full_lists(connection: sqlite3.Connection) -> Iterator[tuple[int, int, str, int]]:
    """When all links of a contact were stated: organization, contact, list, microseconds."""
    sql = "SELECT c.org_id, f.contact_id, f.list, f.at FROM sync_full_list f JOIN contact c ON c.id = f.contact_id"
    yield from connection.execute(sql)


def merged_files(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """Every file that was merged, as the ledger has it."""
    sql = (
        'SELECT name, sha256, "table", org_id, as_of, rows, rejected, seen_at FROM sync_file '
        "WHERE state = 'merged' AND sha256 IS NOT NULL ORDER BY id"
    )
    yield from as_dicts(connection.execute(sql))


def deliveries(connection: sqlite3.Connection) -> Iterator[tuple[bool, dict[str, Any]]]:
    """Every delivery as it is exported, oldest first, and whether it waits to be applied."""
    sql = "SELECT state = 'pending', received_at, type, path, body FROM sync_event ORDER BY id"
    for waits, at, type_, path, body in connection.execute(sql):
        yield bool(waits), {"received_at": at, "type": type_, "path": path, "body": body}


def drift(connection: sqlite3.Connection) -> Iterator[dict[str, Any]]:
    """What was never seen before, as the mirror has it."""
    yield from as_dicts(connection.execute('SELECT kind, "table", name, first_seen, seen_in FROM sync_drift'))
