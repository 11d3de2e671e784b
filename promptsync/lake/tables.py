"""Delta tables: files that were folded become, in one commit, what counts in place of those they were folded from.

Owns the log of each mirrored table, by delta-rs, without a JVM or a catalog. A commit is made onto the very version
that was read and folded: if anybody has committed since, it is refused, whatever it touched, as two first commits of a
bucket would otherwise both stand. Must not know what the rows mean.
"""

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from deltalake import DeltaTable
from deltalake import Schema as DeltaSchema
from deltalake.transaction import AddAction, RemoveAction

from promptsync.lake import parquet
from promptsync.lake.delta import (
    NO_STATISTICS,
    ONCE,
    Check,
    Refused,
    commit,
    create,
    now,
    opened,
    take_back,
    translated,
)
from promptsync.lake.engine import BUCKET, ClaimFile, MadeFile
from promptsync.lake.shape import bounded, fields_of, layout_of, row_key, shelf_of
from promptsync.lake.storage import TABLES, Storage, Stored
from promptsync.model import Table

KEPT_HOURS: Final = 7 * 24
"""For how long what does not count any more can still be read: by whoever began to, or asks for an older version."""


SMALL_ROWS: Final = 50_000
"""A file with fewer rows is folded with whatever else is in its bucket, so that small files do not pile up."""


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

    def __init__(self, storage: Storage, check: Check = lambda: None) -> None:
        self._storage, self._check = storage, check

    def present(self, table: Table) -> Present | None:
        """The newest version of a table; None if there is none yet."""
        name, shelf = table.name, shelf_of(table)
        delta = opened(self._storage, name)
        if delta is None:
            return None
        with translated(name):
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

    def stored(self, present: Present, files: Iterable[PresentFile]) -> list[ClaimFile]:
        """Present files where they are."""
        return [ClaimFile(Stored(self._storage, file.key), present.columns, file.rows) for file in files]

    def local(self, files: Iterable[PresentFile], scratch: Path) -> list[ClaimFile]:
        """Files on this machine."""
        paths = [self._storage.get(file.key, scratch / file.key) for file in files]
        return [ClaimFile(path, *parquet.shape_of(path)) for path in paths]

    @contextmanager
    def reading(self, file: PresentFile, scratch: Path) -> Iterator[ClaimFile]:
        """One file on this machine, and no longer than it is read."""
        (found,) = self.local([file], scratch)
        try:
            yield found
        finally:
            if self._storage.folder is None:
                (scratch / file.key).unlink(missing_ok=True)

    def widens(self, table: Table, onto: Present, parts: Iterable[ClaimFile]) -> bool:
        """Whether these claims bring columns, or versions of them, that the table has not."""
        wanted = _schema(table, [onto.columns, *(file.columns for file in parts)])
        return {field.name for field in wanted.fields} != set(onto.columns)

    def commit(
        self, table: Table, onto: Present | None, replaced: Sequence[PresentFile], made: Sequence[MadeFile]
    ) -> int:
        """The files ``made`` count from now on, instead of the ``replaced`` ones that were folded into them.

        Returns how many rows they have. If they have more columns than the table ``onto`` which they were folded, all
        files of their buckets must have been folded. Raises Refused.
        """
        adds, shapes, rows = list[AddAction](), [onto.columns] if onto else [], 0
        for file in made:
            if file.path is not None:
                self._storage.put(f"{TABLES}/{table.name}/{file.key}", file.path)
            shapes.append(file.columns)
            stats = json.dumps({"numRecords": file.rows, **_bounds(file, table)})
            adds.append(AddAction(file.key, file.size, {BUCKET: file.bucket}, now(), True, stats))
            rows += file.rows
        try:
            self._write(table, onto, _schema(table, shapes), replaced, adds)
        except Refused:
            take_back(self._storage, table.name, [add.path for add in adds])
            raise
        return rows

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
            onto = Present(self._create(table, schema), ())
        if {field.name for field in schema.fields} != set(onto.columns):
            buckets = sorted({add.partition_values[BUCKET] or "" for add in adds})
            where: Any = [(BUCKET, "in", buckets)]
            self._check()
            with translated(table.name):
                onto.delta.create_write_transaction(
                    [*adds], "overwrite", schema, [BUCKET], partition_filters=where, commit_properties=ONCE
                )
            return
        commit(onto.delta, table.name, [*removing(table, replaced), *adds], self._check)

    def _create(self, table: Table, schema: DeltaSchema) -> DeltaTable:
        """Without rows, so that an erasure that has not seen it is on the list before the first commit of some."""
        stated = sorted(name for name in {*row_key(table), shelf_of(table)} if bounded(table, name))
        return create(
            self._storage,
            table.name,
            schema,
            partition_by=[BUCKET],
            description=table.about,
            configuration={"delta.dataSkippingStatsColumns": ",".join(stated)} if stated else dict(NO_STATISTICS),
        )


def removing(table: Table, files: Iterable[PresentFile]) -> list[RemoveAction]:
    """The actions by which files count no more."""
    prefix = f"{TABLES}/{table.name}/"
    return [
        RemoveAction(file.key.removeprefix(prefix), True, now(), None, {BUCKET: str(file.bucket)}) for file in files
    ]


def _bounds(file: MadeFile, table: Table) -> dict[str, Any]:
    """The least and greatest value of the column ``shelf_of``, as Delta's statistics have them."""
    shelf = shelf_of(table)
    if file.low is None or not bounded(table, shelf):
        return {}
    return {"minValues": {shelf: file.low}, "maxValues": {shelf: file.high}}


def _schema(table: Table, shapes: Sequence[tuple[str, ...]]) -> DeltaSchema:
    """Of the whole table: every column that any of its files has."""
    fields = [pa.field(field.name, field.type) for field in fields_of(layout_of(table, shapes))]
    ends = [pa.field(name, pa.string()) for name in ("_absent_since", "removed_at") if any(name in s for s in shapes)]
    return DeltaSchema.from_arrow(pa.schema([*fields, *ends, pa.field(BUCKET, pa.int32())]))
