"""What the lake has taken in, and what it found: small Delta tables that are only ever added to.

Owns their columns and what is asked of them. Of several rows about one input the newest counts, so that a run that is
killed, or done twice, leaves nothing to mend. Written after the rows that they speak of: an input is taken too often
rather than never.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from promptsync.clock import iso_millis
from promptsync.lake import delta
from promptsync.lake.shape import FULL_LISTS
from promptsync.lake.storage import Storage
from promptsync.lake.tables import KEPT_HOURS

_COLUMNS: Final[Mapping[str, Mapping[str, pa.DataType]]] = {
    "sync_input": {
        **{"name": pa.string(), "tag": pa.string(), "table": pa.string(), "org_id": pa.int64(), "as_of": pa.string()},
        **{"state": pa.string(), "reason": pa.string(), "error": pa.string(), "rows": pa.int64()},
        **{"rejected": pa.int64(), "sha256": pa.string(), "seen_at": pa.string(), "seen": pa.int64()},
    },
    "sync_snapshot": {
        **{"table": pa.string(), "org_id": pa.int64(), "instant": pa.int64(), "iso": pa.string()},
        "rows": pa.int64(),
    },
    "sync_reject": {
        **{"class": pa.string(), "table": pa.string(), "name": pa.string(), "line": pa.int64()},
        **{"reason": pa.string(), "original": pa.binary(), "rejected_at": pa.string()},
    },
    "sync_drift": {
        **{"kind": pa.string(), "table": pa.string(), "name": pa.string()},
        **{"seen_at": pa.string(), "seen_in": pa.string()},
    },
    "sync_run": {
        **{"started_at": pa.string(), "seconds": pa.float64(), "inputs": pa.int64(), "held": pa.int64()},
        **{"rows": pa.int64(), "tables": pa.int64()},
    },
}
_MOST_FILES: Final = 50
SCHEMAS: Final = {name: pa.schema(dict(columns)) for name, columns in _COLUMNS.items()} | {"sync_full_list": FULL_LISTS}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An applied one. ``org``: 0 for the table of organizations; ``instant``: microseconds since 1970, UTC."""

    table: str
    org: int
    instant: int
    rows: int


class Ledger:
    """The ledger of one lake, as it was when it was asked."""

    def __init__(self, storage: Storage, check: delta.Check = lambda: None) -> None:
        self._storage, self._check = storage, check

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of one of its tables."""
        found = delta.opened(self._storage, table)
        return delta.rows_of(found, table) if found else []

    def add(self, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """More rows; columns that one does not give are NULL."""
        schema = SCHEMAS[table]
        some = [{name: row.get(name) for name in schema.names} for row in rows]
        if some:
            self.append(table, pa.Table.from_pylist(some, schema))

    def append(self, table: str, rows: pa.Table) -> None:
        """The same of an Arrow table."""
        delta.append(self._storage, table, rows, self._check)

    def add_snapshots(self, applied: Iterable[Snapshot]) -> None:
        """That snapshots were applied; once of each, even if a run that was killed has said so before."""
        new = list(dict.fromkeys(applied))
        known = self.snapshots() if new else set()
        stamps = ((one, iso_millis(one.instant)) for one in new if one not in known)
        rows = [{"table": s.table, "org_id": s.org, "instant": s.instant, "rows": s.rows, "iso": i} for s, i in stamps]
        self.add("sync_snapshot", rows)

    def tidy(self) -> None:
        """Put the many small files of its tables together, and delete those put together a week ago."""
        for table in SCHEMAS:
            found = delta.opened(self._storage, table)
            with suppress(delta.Overtaken), delta.translated(table):
                if found and len(delta.counting(found)) > _MOST_FILES:
                    found.optimize.compact(commit_properties=delta.ONCE)
                    found.vacuum(KEPT_HOURS, False, enforce_retention_duration=False, full=True)

    def inputs(self) -> dict[str, dict[str, Any]]:
        """What is known of each input, by its name: the newest row about it."""
        found: dict[str, dict[str, Any]] = {}
        for row in sorted(self.rows("sync_input"), key=lambda row: int(row["seen"])):
            found[row["name"]] = row
        return found

    def snapshots(self) -> set[Snapshot]:
        """Every snapshot that was applied."""
        rows = self.rows("sync_snapshot")
        return {Snapshot(row["table"], row["org_id"], row["instant"], row["rows"]) for row in rows}
