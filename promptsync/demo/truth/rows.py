"""How rows of the truth are put down: by key, with every visible column, spelled as the mirror stores them."""

from collections.abc import Iterable

from promptsync.demo.prompt.snapshot import Row, Value
from promptsync.model import Table

Key = tuple[Value, ...]
Rows = Iterable[Row]
"""Rows with the columns that are known; ``org_id`` may be left out."""


def keyed(table: Table, rows: Rows, org_id: int) -> dict[Key, dict[str, Value]]:
    """Rows by key, unknown columns None. Raises ValueError for a column or a doubled key that cannot be."""
    columns = [column.name for column in table.columns]
    found: dict[Key, dict[str, Value]] = {}
    for row in rows:
        full = dict.fromkeys(columns) | {name: stored(value) for name, value in row.items()}
        if table.org_scoped:
            full["org_id"] = org_id
        key = tuple(full[name] for name in table.key)
        if len(full) != len(columns) or key in found:
            raise ValueError(f"{table.name}: {sorted(set(full) - set(columns))} is no column, or {key} is there twice")
        found[key] = full
    return found


def stored(value: Value) -> Value:
    """A boolean as 0 or 1, an empty text as None, anything else as it is."""
    if isinstance(value, bool):
        return int(value)
    return None if value == "" else value
