"""Rows of people who are on the list leave the tables: the mirrored ones, and promptsync's own.

Owns the rewriting of the files that hold such rows, and of those alone. Every table gets a commit, even where nothing
has to go: one that is under way, of rows that were decoded before they were on the list, is refused by it.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc

from promptsync.events.recognition import watched
from promptsync.events.suppression import Suppression
from promptsync.lake import delta, parquet
from promptsync.lake.engine import ClaimFile, MadeFile, made_file
from promptsync.lake.purge import files_of, purge
from promptsync.lake.storage import Storage
from promptsync.lake.tables import PresentFile, Tables
from promptsync.model import Role, Table

_ATTEMPTS: Final = 50
_EVENT: Final = "event_id"


@dataclass(frozen=True, slots=True)
class Leaving:
    """Whose rows go. ``door``: asks the list; ``events``: deliveries that were about nobody else, all of whose rows
    go."""

    door: Suppression
    events: frozenset[int] = frozenset()

    def stay(self, table: Table, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that stay."""
        left = self.door.rows(table.name, batch)
        if table.role is Role.HAPPENED and self.events:
            gone = pc.is_in(left.column(_EVENT), value_set=pa.array(sorted(self.events), pa.int64()))
            left = left.filter(pc.invert(gone))
        return left

    def count(self, table: Table, file: ClaimFile) -> int:
        """How many rows of a file go."""
        asked = watched(self.door.schema)[table.name].names | {_EVENT}
        columns = [name for name in file.columns if name in asked]
        batches = parquet.read_batches(file.path, columns) if columns else ()
        return sum(batch.num_rows - self.stay(table, batch).num_rows for batch in batches)


class Sieve(Protocol):
    """What says which rows of a table go."""

    def stay(self, table: Table, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that stay, as they stay."""

    def count(self, table: Table, file: ClaimFile) -> int:
        """How many rows of a file go, or become other."""


def count(storage: Storage, table: Table, leaving: Sieve, scratch: Path) -> int:
    """How many rows of a mirrored table would go."""
    tables = Tables(storage)
    present = tables.present(table)
    found = 0
    for kept in present.files if present else ():
        with tables.reading(kept, scratch) as file:
            found += leaving.count(table, file)
    return found


def leave(storage: Storage, table: Table, leaving: Sieve, scratch: Path, *, at_once: bool = True) -> int:
    """Take the rows out of a mirrored table; returns how many they were. ``at_once``: with all that Delta keeps of
    them, which otherwise goes a week later."""
    tables = Tables(storage)
    for attempt in range(1, _ATTEMPTS + 1):
        before = files_of(storage, table.name) if at_once else set[str]()
        present = tables.present(table)
        if present is None:
            purge(storage, table.name, before)
            return 0
        inner = scratch / uuid4().hex
        try:
            gone, replaced, made = 0, list[PresentFile](), list[MadeFile]()
            for kept in present.files:
                with tables.reading(kept, inner / "was") as file:
                    if some := leaving.count(table, file):
                        gone += some
                        replaced.append(kept)
                        name = f"_bucket={kept.bucket}/{uuid4().hex}.parquet"
                        if path := _write(table, file, leaving, inner / name):
                            made.append(made_file(table, path, name))
            if at_once or replaced:
                tables.commit(table, present, replaced, made)
            if at_once:
                purge(storage, table.name, before)
            return gone
        except delta.Overtaken:
            if attempt == _ATTEMPTS:
                raise
        finally:
            shutil.rmtree(inner, ignore_errors=True)
    raise AssertionError


def _write(table: Table, file: ClaimFile, leaving: Sieve, path: Path) -> Path | None:
    """The rows of a file that stay; None if none does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with parquet.PartWriter(path) as writer:
        for batch in parquet.read_batches(file.path):
            if (left := leaving.stay(table, batch)).num_rows:
                writer.write(left)
    return path if path.exists() else None


def rewrite(storage: Storage, name: str, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> int:
    """The same for one of promptsync's own tables, which are small. ``change``: a row as it is to be, itself if it
    stays, None if it goes. Returns how many are gone or other."""
    for attempt in range(1, _ATTEMPTS + 1):
        before = files_of(storage, name)
        present = delta.opened(storage, name)
        if present is None:
            purge(storage, name, before)
            return 0
        rows = delta.rows_of(present, name)
        changed = [change(row) for row in rows]
        differing = sum(now is not row for row, now in zip(rows, changed, strict=True))
        left = pa.Table.from_pylist([row for row in changed if row is not None], delta.schema_of(present))
        try:
            delta.replace(storage, present, name, left if differing else None)
            purge(storage, name, before)
            return differing
        except delta.Overtaken:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError
