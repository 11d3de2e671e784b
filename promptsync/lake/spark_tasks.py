"""What the machines of a Spark cluster do of a lake's run: decode inputs, bring files to Spark, write files of rows.

Owns these three as plain functions of Arrow batches, which Spark sends there with what they need. A machine needs
promptsync and reaches the lake and the places as the one that asks does; it needs neither a Spark library in Python nor
one of Delta. All may be done twice, or amid the death of another try: names of files are never used again, and only
what a finished task has answered counts.
"""

import pickle
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa

from promptsync.errors import PromptsyncError
from promptsync.lake import parquet
from promptsync.lake.engine import BUCKET, SHELF_ROWS, ClaimFile, MadeFile, made_file
from promptsync.lake.inputs import Input
from promptsync.lake.kept import Keeping
from promptsync.lake.parts import Decoded, Decoder
from promptsync.lake.scratch import scratch_folder
from promptsync.lake.shape import claiming, fields_of, folded
from promptsync.lake.storage import TABLES, Storage, Stored
from promptsync.merge.layout import Layout
from promptsync.model import Role

ANSWER: Final = pa.schema([("answer", pa.binary())])
"""What a task that makes files answers: pickled, a list, or why promptsync gave up."""

_BATCH: Final = 20_000
Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class DecodeTask:
    """Decodes groups of inputs, given their numbers. ``part``: of the lake, where the parts are put."""

    decoder: Decoder
    groups: Sequence[Sequence[Input]]
    storage: Storage
    part: str

    def __call__(self, batches: Batches) -> Batches:
        for number in _numbers(batches):
            yield _answer(lambda number=number: self._decode(self.groups[number]))

    def _decode(self, some: Sequence[Input]) -> list[Decoded]:
        with scratch_folder() as scratch:
            done = replace(self.decoder, folder=scratch).take(some)
            for one in done:
                one.parts = [(table, store(self.storage, self.part, file)) for table, file in one.parts]
        return done


@dataclass(frozen=True)
class ReadTask:
    """The rows of groups of files, given their numbers, in the shape of a layout."""

    groups: Sequence[Sequence[ClaimFile]]
    layout: Layout

    def __call__(self, batches: Batches) -> Batches:
        for number in _numbers(batches):
            for file in self.groups[number]:
                yield from aligned(_rows(file), self.layout)


@dataclass(frozen=True)
class WriteTask:
    """Rows to files of their table in the lake. They come by bucket, which is their last column, and within it in
    order. ``columns``: all others; ``keeping``: what of them is not written any more."""

    layout: Layout
    columns: pa.Schema
    storage: Storage
    keeping: Keeping

    def __call__(self, batches: Batches) -> Batches:
        with scratch_folder() as scratch:
            yield _answer(lambda: list(self._written(batches, scratch)))

    def _written(self, batches: Batches, scratch: Path) -> Iterator[MadeFile]:
        bucket, writer = -1, parquet.PartWriter(scratch / "rows")
        for number, batch in _slices(batches):
            if writer.rows and (number != bucket or writer.rows + batch.num_rows > SHELF_ROWS):
                yield self._stored(bucket, writer)
                writer = parquet.PartWriter(scratch / "rows")
            bucket = number
            columns = [batch.column(n).cast(field.type) for n, field in enumerate(self.columns)]
            left = self.keeping.stay(self.layout.table, pa.RecordBatch.from_arrays(columns, schema=self.columns))
            if left.num_rows:
                writer.write(left)
        if writer.rows:
            yield self._stored(bucket, writer)

    def _stored(self, bucket: int, writer: parquet.PartWriter) -> MadeFile:
        writer.close()
        key, table = f"{BUCKET}={bucket}/{uuid4().hex}.parquet", self.layout.table
        self.storage.put(f"{TABLES}/{table.name}/{key}", writer.path)
        return replace(made_file(table, writer.path, key), path=None)


def store(storage: Storage, part: str, file: ClaimFile) -> ClaimFile:
    """A part in the lake, where every machine can read it."""
    if isinstance(file.path, Stored):
        return file
    key = f"{part}/{uuid4().hex}.parquet"
    storage.put(key, file.path)
    return replace(file, path=Stored(storage, key))


def schema_of(layout: Layout) -> pa.Schema:
    """The shape of a layout, its ends apart."""
    return pa.schema([(field.name, field.type) for field in fields_of(layout)])


def aligned(batches: Batches, layout: Layout) -> Batches:
    """Batches in the shape of a layout: a file's own columns decide what it claims, as in fold_sql.py."""
    schema = schema_of(layout)
    for batch in batches:
        have = {folded(name): name for name in batch.schema.names}
        taken = {name: have.get(folded(name)) for name in schema.names}
        if layout.table.role is not Role.HAPPENED:
            for unit in layout.units:
                at = claiming(unit, have)
                taken[unit.at] = at
                taken |= dict.fromkeys(unit.columns) if at is None else {}
        arrays = [_column(batch, taken[field.name], field.type) for field in schema]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _column(batch: pa.RecordBatch, name: str | None, type_: pa.DataType) -> Any:
    return pa.array([None] * batch.num_rows, type_) if name is None else batch.column(name).cast(type_)


def _rows(file: ClaimFile) -> Batches:
    """The rows of a file. All of it is needed, so it is copied first."""
    if not isinstance(file.path, Stored):
        yield from parquet.read_batches(file.path, size=_BATCH)
        return
    with scratch_folder() as scratch:
        path = file.path.storage.get(file.path.key, scratch / "rows.parquet")
        yield from parquet.read_batches(path, size=_BATCH)


def _slices(batches: Batches) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches of one bucket each, with its number, the last column."""
    for batch in batches:
        buckets = batch.column(batch.num_columns - 1)
        start = 0
        while start < batch.num_rows:
            bucket = buckets[start].as_py()
            end = start + _same(buckets, start)
            yield bucket, batch.slice(start, end - start)
            start = end


def _same(buckets: Any, start: int) -> int:
    """How many cells from one on are equal to it."""
    rest = buckets.slice(start).to_numpy()
    return int((rest != rest[0]).argmax()) if rest[-1] != rest[0] else len(rest)


def _numbers(batches: Batches) -> Iterator[int]:
    for batch in batches:
        numbers: list[Any] = batch.column(0).to_pylist()
        yield from numbers


def _answer(work: Any) -> pa.RecordBatch:
    """What came of a task. That promptsync gave up is no reason to try again elsewhere, and is said in its words."""
    try:
        found: Any = work()
    except PromptsyncError as error:
        with suppress(AttributeError):
            error.__traceback__ = None
        found = error
    return pa.RecordBatch.from_arrays([pa.array([pickle.dumps(found)], pa.binary())], schema=ANSWER)
