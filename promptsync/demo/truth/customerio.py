"""The truth about Customer.io's tables: what each row is once these change sets are there, in any order.

The vendor's own order is not looked at: files say how things were at an instant, so each cell is what the file of the
latest instant said of it. Values as the mirror stores them (booleans 0 or 1, times as text, lists as JSON).
"""

import json
from collections.abc import Callable, Iterable

from promptsync.clock import iso_millis
from promptsync.demo.customerio.columns import CioColumn, columns_of, tables
from promptsync.demo.customerio.files import CioFile
from promptsync.demo.customerio.messages import CioValue
from promptsync.demo.prompt.snapshot import Value
from promptsync.demo.truth.rows import Key, stored

KEYS = {
    "deliveries": ("delivery_id",),
    "delivery_content": ("delivery_id",),
    "metrics": ("event_id",),
    "outputs": ("output_id",),
    "subjects": ("subject_name",),
    "campaigns": ("campaign_id", "version"),
    "actions": ("campaign_id", "action_id", "version"),
    "broadcasts": ("broadcast_id", "updated_at"),
    "people": ("internal_customer_id",),
    "attributes": ("internal_customer_id", "attribute_name", "timestamp"),
    "objects": ("internal_object_id",),
    "object_types": ("object_type_id",),
    "object_attributes": ("internal_object_id", "attribute_name", "timestamp"),
    "events": ("event_id",),
    "inbound": ("event_id",),
}
"""What names a row of each table, within its workspace."""
CURRENT = ("attributes", "object_attributes", "campaigns", "actions", "broadcasts")
"""Tables whose rows are changes, by the last column of their key; the newest of each thing is in a view."""

CioRows = dict[Key, dict[str, Value]]


def change_sets(files: Iterable[CioFile]) -> tuple[dict[str, CioRows], dict[str, tuple[str, ...]]]:
    """Rows by table and view, under the mirror's names, and the columns that name them."""
    rows: dict[str, CioRows] = {f"cio_{table}": {} for table in tables()}
    for file in sorted(files, key=lambda file: file.end):
        _apply(rows[f"cio_{file.table}"], file)
    found: dict[str, CioRows] = {}
    keys: dict[str, tuple[str, ...]] = {}
    for table, key in KEYS.items():
        name = f"cio_{table}"
        views = {f"{name}_current": _newest(rows[name])} if table in CURRENT else {}
        if table == "people":
            views["cio_people_gone"] = {k: row for k, row in rows[name].items() if row["deleted"] or row["suppressed"]}
        found |= {name: rows[name], **views}
        keys |= dict.fromkeys((name, *views), ("workspace_id", *key))
    return found, keys


def _apply(rows: CioRows, file: CioFile) -> None:
    """A file's cells take the place of earlier ones; columns that it lacks stay as they are."""
    key = ("workspace_id", *KEYS[file.table])
    empty = dict.fromkeys(column.name for column in columns_of(file.table, 5))
    spellings = [(column.name, _spelling(column)) for column in file.columns]
    for row in file.rows:
        cells = {name: spelled(row[name]) for name, spelled in spellings}
        rows.setdefault(tuple(cells[name] for name in key), {**empty}).update(cells)


def _newest(rows: CioRows) -> CioRows:
    """Of each thing the row whose key ends with the greatest version or time."""
    newest: dict[Key, Key] = {}
    for key in rows:
        newest[key[:-1]] = max(key, newest.get(key[:-1], key))
    return {key: rows[key] for key in newest.values()}


def _spelling(column: CioColumn) -> Callable[[CioValue], Value]:
    if column.kind == "t":
        return lambda value: iso_millis(value) if isinstance(value, int) else None
    if column.kind == "l":
        return lambda value: None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return stored  # type: ignore[return-value]
