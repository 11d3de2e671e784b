"""Delta tables: files that were folded become, in one commit, what counts for some buckets.

Owns the log of each mirrored table, by delta-rs, without a JVM or a catalog. A commit is made onto the very version
that was read and folded: if anybody has committed since, it is refused, whatever it touched, as two first commits of a
bucket would otherwise both stand. Must not know what the rows mean.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, create_table_with_add_actions

from promptsync.errors import PromptsyncError, Unavailable
from promptsync.lake.engine import BUCKET, ClaimFile
from promptsync.lake.shape import fields_of, layout_of, row_key
from promptsync.lake.storage import TABLES, Storage
from promptsync.model import Table

KEPT_HOURS: Final = 7 * 24
"""For how long what does not count any more can still be read: by whoever began to, or asks for an older version."""


class Overtaken(PromptsyncError):
    """Another run has committed to the table since it was read."""

    retryable = True


@dataclass(frozen=True, slots=True)
class Present:
    """A Delta table at one version. ``files``: key in the lake, bucket and number of rows of each file."""

    delta: DeltaTable
    files: tuple[tuple[str, int, int], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(field.name for field in self.delta.schema().fields)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(rows for _, _, rows in self.files)


class Tables:
    """The mirrored tables of one lake."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def present(self, name: str) -> Present | None:
        """The newest version of a table; None if there is none yet."""
        with translated(name):
            try:
                delta = DeltaTable(self._storage.table_url(name), storage_options=self._storage.options)
            except TableNotFoundError:
                return None
            actions = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
        found = [(f"{TABLES}/{name}/{a['path']}", int(a[f"partition.{BUCKET}"]), a["num_records"]) for a in actions]
        return Present(delta, tuple(sorted(found)))

    def local(self, present: Present | None, buckets: set[int], scratch: Path) -> list[ClaimFile]:
        """The files of some buckets on this machine."""
        found = []
        for key, bucket, _ in present.files if present else ():
            if bucket in buckets:
                path = self._storage.get(key, scratch / key)
                found.append(ClaimFile(path, columns_in(path)))
        return found

    def commit(self, table: Table, onto: Present | None, buckets: set[int], made: Path) -> int:
        """The files below ``made`` become what counts for the buckets; returns how many rows they have. ``onto``: what
        was folded with. Raises Overtaken."""
        actions, shapes, rows = list[AddAction](), [onto.columns] if onto else [], 0
        for path in sorted(made.rglob("*.parquet")):
            key, found = str(path.relative_to(made)), pq.read_metadata(path)
            self._storage.put(f"{TABLES}/{table.name}/{key}", path)
            shapes.append(tuple(found.schema.to_arrow_schema().names))
            bucket = {BUCKET: path.parent.name.removeprefix(f"{BUCKET}=")}
            stats, now = json.dumps({"numRecords": found.num_rows}), time.time_ns() // 1_000_000
            actions.append(AddAction(key, path.stat().st_size, bucket, now, True, stats))
            rows += found.num_rows
        with translated(table.name):
            self._write(table, onto, _schema(table, shapes), buckets, actions)
        return rows

    def tidy(self, name: str) -> None:
        """Delete files that have not counted for a week: of older versions, and of commits that were refused."""
        present = self.present(name)
        if present is not None:
            with translated(name):
                present.delta.vacuum(KEPT_HOURS, False, enforce_retention_duration=False, full=True)

    def _write(
        self,
        table: Table,
        onto: Present | None,
        schema: DeltaSchema,
        buckets: set[int],
        actions: list[AddAction],
    ) -> None:
        if onto is None:
            create_table_with_add_actions(
                self._storage.table_url(table.name),
                schema,
                actions,
                "error",
                [BUCKET],
                description=table.about,
                configuration={"delta.dataSkippingStatsColumns": ",".join(row_key(table))},
                storage_options=self._storage.options,
            )
            return
        onto.delta.create_write_transaction(
            [*actions],
            "overwrite",
            schema,
            [BUCKET],
            partition_filters=[(BUCKET, "in", [str(bucket) for bucket in sorted(buckets)])],
            commit_properties=CommitProperties(max_commit_retries=0),
        )


def columns_in(path: Path) -> tuple[str, ...]:
    """The names of the columns of a Parquet file."""
    return tuple(pq.read_schema(path).names)


def _schema(table: Table, shapes: Sequence[tuple[str, ...]]) -> DeltaSchema:
    """Of the whole table: every column that any of its files has."""
    fields = [pa.field(field.name, field.type) for field in fields_of(layout_of(table, shapes))]
    ends = [pa.field(name, pa.string()) for name in ("_absent_since", "removed_at") if any(name in s for s in shapes)]
    return DeltaSchema.from_arrow(pa.schema([*fields, *ends, pa.field(BUCKET, pa.int32())]))


@contextmanager
def translated(table: str) -> Iterator[None]:
    """Delta's errors, by their type: their texts quote requests and answers."""
    try:
        yield
    except CommitFailedError:
        raise Overtaken(f"Another run has changed {table} meanwhile; run it again.") from None
    except DeltaError as error:
        if "already exists" in str(error):
            raise Overtaken(f"Another run has made {table} meanwhile; run it again.") from None
        raise Unavailable(f"The Delta table {table} cannot be reached now ({type(error).__name__}).") from None
    except OSError as error:
        raise Unavailable(f"The Delta table {table} cannot be reached now ({type(error).__name__}).") from None
