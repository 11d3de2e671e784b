"""Delta tables: files that were folded become, in one commit, what counts in place of those they were folded from.

Owns the log of each mirrored table, by delta-rs, without a JVM or a catalog. A commit is made onto the very version
that was read and folded: if anybody has committed since, it is refused, whatever it touched, as two first commits of a
bucket would otherwise both stand. Must not know what the rows mean.
"""

import json
import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, RemoveAction, create_table_with_add_actions

from promptsync.errors import PromptsyncError, Unavailable
from promptsync.lake import parquet
from promptsync.lake.engine import BUCKET, ClaimFile
from promptsync.lake.shape import bounded, fields_of, layout_of, row_key, shelf_of
from promptsync.lake.storage import TABLES, Storage
from promptsync.model import Table

KEPT_HOURS: Final = 7 * 24
"""For how long what does not count any more can still be read: by whoever began to, or asks for an older version."""


NO_STATISTICS: Final = {"delta.dataSkippingNumIndexedCols": "0"}
"""Of a table of whose rows nothing is to stand in Delta's log, whoever writes it."""

SMALL_ROWS: Final = 50_000
"""A file with fewer rows is folded with whatever else is in its bucket, so that small files do not pile up."""


class Overtaken(PromptsyncError):
    """Another run has committed to the table since it was read."""

    retryable = True


@dataclass(frozen=True, slots=True)
class PresentFile:
    """One file that counts. ``key``: in the lake; ``low``, ``high``: the least and greatest value in its column
    ``shelf_of``, None if that is not known."""

    key: str
    bucket: int
    rows: int
    low: int | str | None = None
    high: int | str | None = None


@dataclass(slots=True)
class Touched:
    """Which rows of a table may change. ``whole``: buckets of which any may; ``keys``: of the other ``buckets`` those
    with one of these values in the column ``shelf_of``, ascending."""

    buckets: set[int] = field(default_factory=set)
    whole: set[int] = field(default_factory=set)
    keys: list[Any] = field(default_factory=list)

    def __contains__(self, file: PresentFile) -> bool:
        if file.bucket not in self.buckets:
            return False
        if file.bucket in self.whole or file.rows < SMALL_ROWS or file.low is None or file.high is None:
            return True
        return bisect_left(self.keys, file.low) < bisect_right(self.keys, file.high)


@dataclass(frozen=True, slots=True)
class Present:
    """A Delta table at one version."""

    delta: DeltaTable
    files: tuple[PresentFile, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(field.name for field in self.delta.schema().fields)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(file.rows for file in self.files)

    def of(self, touched: "Touched | set[int]") -> tuple[PresentFile, ...]:
        """The files that have such rows; of buckets, all of theirs."""
        where = Touched(touched, touched) if isinstance(touched, set) else touched
        return tuple(file for file in self.files if file in where)


class Tables:
    """The mirrored tables of one lake."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def present(self, table: Table) -> Present | None:
        """The newest version of a table; None if there is none yet."""
        name, shelf = table.name, shelf_of(table)
        with translated(name):
            try:
                delta = DeltaTable(self._storage.table_url(name), storage_options=self._storage.options)
            except TableNotFoundError:
                return None
            actions = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
        found = [
            PresentFile(
                f"{TABLES}/{name}/{one['path']}",
                int(one[f"partition.{BUCKET}"]),
                one["num_records"],
                one.get(f"min.{shelf}"),
                one.get(f"max.{shelf}"),
            )
            for one in actions
        ]
        return Present(delta, tuple(sorted(found, key=lambda file: file.key)))

    def local(self, files: Iterable[PresentFile], scratch: Path) -> list[ClaimFile]:
        """Files on this machine."""
        paths = [self._storage.get(file.key, scratch / file.key) for file in files]
        return [ClaimFile(path, parquet.shape_of(path)[0]) for path in paths]

    def widens(self, table: Table, onto: Present, parts: Iterable[ClaimFile]) -> bool:
        """Whether these claims bring columns, or versions of them, that the table has not."""
        wanted = _schema(table, [onto.columns, *(file.columns for file in parts)])
        return {field.name for field in wanted.fields} != set(onto.columns)

    def commit(self, table: Table, onto: Present | None, replaced: Sequence[PresentFile], made: Path) -> int:
        """The files below ``made`` count from now on, instead of the ``replaced`` ones that were folded into them.

        Returns how many rows they have. If they have more columns than the table ``onto`` which they were folded, all
        files of their buckets must have been folded. Raises Overtaken.
        """
        adds, shapes, rows = list[AddAction](), [onto.columns] if onto else [], 0
        for path in sorted(made.rglob("*.parquet")):
            key, (columns, count) = str(path.relative_to(made)), parquet.shape_of(path)
            self._storage.put(f"{TABLES}/{table.name}/{key}", path)
            shapes.append(columns)
            bucket = {BUCKET: key.split("/")[0].removeprefix(f"{BUCKET}=")}
            stats = json.dumps({"numRecords": count, **_bounds(path, table)})
            adds.append(AddAction(key, path.stat().st_size, bucket, _now(), True, stats))
            rows += count
        try:
            with translated(table.name):
                self._write(table, onto, _schema(table, shapes), replaced, adds)
        except Overtaken:
            self._take_back(table, [add.path for add in adds])
            raise
        return rows

    def _take_back(self, table: Table, made: Iterable[str]) -> None:
        """Delete the files of a commit that was refused. One that counts all the same was not: the answer to the first
        try was lost."""
        present = self.present(table)
        count = {file.key for file in present.files} if present else set()
        self._storage.delete({f"{TABLES}/{table.name}/{key}" for key in made} - count)

    def tidy(self, table: Table) -> None:
        """Delete files that have not counted for a week: of older versions, and of commits that were refused."""
        present = self.present(table)
        if present is not None:
            with translated(table.name):
                present.delta.vacuum(KEPT_HOURS, False, enforce_retention_duration=False, full=True)

    def _write(
        self,
        table: Table,
        onto: Present | None,
        schema: DeltaSchema,
        replaced: Sequence[PresentFile],
        adds: list[AddAction],
    ) -> None:
        if onto is None:
            self._create(table, schema, adds)
            return
        once = CommitProperties(max_commit_retries=0)
        if {field.name for field in schema.fields} != set(onto.columns):
            buckets = sorted({add.partition_values[BUCKET] or "" for add in adds})
            where: Any = [(BUCKET, "in", buckets)]
            onto.delta.create_write_transaction(
                [*adds], "overwrite", schema, [BUCKET], partition_filters=where, commit_properties=once
            )
            return
        prefix = f"{TABLES}/{table.name}/"
        gone = [
            RemoveAction(file.key.removeprefix(prefix), True, _now(), None, {BUCKET: str(file.bucket)})
            for file in replaced
        ]
        onto.delta.create_write_transaction([*gone, *adds], "append", schema, [BUCKET], commit_properties=once)

    def _create(self, table: Table, schema: DeltaSchema, adds: list[AddAction]) -> None:
        """The first commit of a table. Of its being there already Delta has no error of its own."""
        url, options = self._storage.table_url(table.name), self._storage.options
        stated = sorted(name for name in {*row_key(table), shelf_of(table)} if bounded(table, name))
        try:
            create_table_with_add_actions(
                url,
                schema,
                adds,
                "error",
                [BUCKET],
                description=table.about,
                configuration={"delta.dataSkippingStatsColumns": ",".join(stated)} if stated else NO_STATISTICS,
                storage_options=options,
            )
        except DeltaError:
            if DeltaTable.is_deltatable(url, options):
                raise Overtaken(f"Another run has made {table.name} meanwhile; run it again.") from None
            raise


def _now() -> int:
    return time.time_ns() // 1_000_000


def _bounds(path: Path, table: Table) -> dict[str, Any]:
    """The least and greatest value of the column ``shelf_of``, as Delta's statistics have them."""
    shelf = shelf_of(table)
    if not bounded(table, shelf):
        return {}
    found: Any = pc.min_max(parquet.read(path, [shelf]).column(shelf)).as_py()
    if found["min"] is None:
        return {}
    return {"minValues": {shelf: found["min"]}, "maxValues": {shelf: found["max"]}}


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
        raise Unavailable(f"The Delta table {table} cannot be reached now ({type(error).__name__}).") from None
    except OSError as error:
        raise Unavailable(f"The Delta table {table} cannot be reached now ({type(error).__name__}).") from None
