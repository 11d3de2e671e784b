"""Sorts the rows of one file by key, keeping the newest of each key, in bounded memory.

Owns the sort. What fits into memory is sorted there; the rest is written as sorted runs to Arrow files beside the
staging file, which are merged range by range: a range is as many keys of every run as fit into memory. Keys are
compared as SQLite compares them: numbers by value, text by its bytes.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from promptsync.errors import MirrorFull
from promptsync.store.staging import give_back

_RUN = 10 << 20  # bytes of rows that are sorted at once
_PIECE = 256 << 10  # bytes of a run that are read back at once
_ROWS = 1 << 15  # of a batch given out
VERSION = "_at"
_GROUP = "_group"

Key = tuple[Any, ...]
Cells: TypeAlias = "pa.ChunkedArray[Any]"


class KeyOrder:
    """Takes batches in any order and gives them back sorted. Use as a context manager; its files go when it ends.

    ``beside``: a path to which the names of its files are added. ``key``: columns that are never null; ``_at``: the
    version, of equal keys what has the greatest stays. ``run``: bytes sorted at once. Raises MirrorFull if there
    is no room for the runs.
    """

    def __init__(self, beside: Path, key: Sequence[str], run: int = _RUN) -> None:
        self._beside, self._key, self._most = beside, list(key), run
        self._pending: list[pa.RecordBatch] = []
        self._size = 0
        self._runs: list[_Run] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for run in self._runs:
            run.discard()

    def add(self, rows: pa.RecordBatch) -> None:
        """Take some rows."""
        if rows.num_rows:
            self._pending.append(rows)
            self._size += rows.nbytes
            if self._size > self._most:
                self._spill()

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        if not self._runs:
            if self._pending:
                yield from self._sorted().to_batches(_ROWS)
            return
        if self._pending:
            self._spill()
        for run in self._runs:
            run.end()
        starts = sorted(start for run in self._runs for start in run.starts)
        ranges = max(self._most // 2 // _PIECE, 1)
        for end in (*starts[ranges::ranges], None):
            some = [piece for run in self._runs for piece in run.below(end)]
            if some:
                rows = pa.Table.from_batches(some).combine_chunks()
                del some
                yield from newest_in_order(rows, self._key).to_batches(_ROWS)

    def _sorted(self) -> pa.Table:
        """The pending rows, sorted; none are pending afterwards."""
        rows = pa.Table.from_batches(self._pending).combine_chunks()
        self._pending, self._size = [], 0
        return newest_in_order(rows, self._key)

    def _spill(self) -> None:
        rows = self._sorted()
        first = tuple(rows[column][0].as_py() for column in self._key)
        if not self._runs or self._runs[-1].last >= first:
            if self._runs:
                self._runs[-1].end()
            path = self._beside.with_name(f"{self._beside.name}-{len(self._runs)}.arrow")
            self._runs.append(_Run(path, rows.schema, self._key))
        self._runs[-1].append(rows)
        count = rows.num_rows
        del rows
        give_back(count)


class _Run:
    """Sorted rows in a file. ``starts``: the first key of each piece of it; ``last``: its last key."""

    def __init__(self, path: Path, schema: pa.Schema, key: Sequence[str]) -> None:
        self._path, self._key = path, key
        self.starts: list[Key] = []
        self.last: Key = ()
        self._next = 0
        self._rest: pa.RecordBatch | None = None
        self._ended = False
        self._reader: pa.RecordBatchFileReader | None = None
        try:
            self._file = pa.OSFile(str(path), "wb")
            self._writer = pa.ipc.new_file(self._file, schema)
        except OSError as error:
            raise _full(path, error) from error

    def append(self, rows: pa.Table) -> None:
        """Rows whose keys are greater than all before."""
        at_once = max(_PIECE * rows.num_rows // max(rows.nbytes, 1), 1)
        try:
            for piece in rows.to_batches(at_once):
                self.starts.append(self._at(piece, 0))
                self._writer.write_batch(piece)
        except OSError as error:
            raise _full(self._path, error) from error
        self.last = self._at(piece, piece.num_rows - 1)

    def end(self) -> None:
        """No more is appended. Calling it twice is harmless."""
        if not self._ended:
            try:
                self._writer.close()
                self._file.close()
            except OSError as error:
                raise _full(self._path, error) from error
            self._ended = True

    def below(self, end: Key | None) -> Iterator[pa.RecordBatch]:
        """The remaining rows with a key below ``end`` (None: all)."""
        if self._reader is None:
            self._file = pa.OSFile(str(self._path), "rb")
            self._reader = pa.ipc.open_file(self._file)
        while True:
            if self._rest is None:
                if self._next == len(self.starts) or (end is not None and self.starts[self._next] >= end):
                    return
                self._rest = self._reader.get_batch(self._next)
                self._next += 1
            piece = self._rest
            if end is None or self._at(piece, piece.num_rows - 1) < end:
                self._rest = None
                yield piece
                continue
            place = bisect_left(range(piece.num_rows), end, key=lambda row: self._at(piece, row))
            self._rest = piece.slice(place)
            if place:
                yield piece.slice(0, place)
            return

    def discard(self) -> None:
        """Remove the file."""
        self._rest = self._reader = None
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _at(self, rows: pa.RecordBatch, row: int) -> Key:
        return tuple(rows.column(column)[row].as_py() for column in self._key)


def newest_in_order(rows: pa.Table, key: Sequence[str]) -> pa.Table:
    """These rows sorted by key, of equal keys the one with the greatest version; ties as merge/rule.py has them."""
    keys = [column for column in key if not _is_constant(rows[column])] or [key[0]]
    if len(keys) == 1 and _ascends(rows[keys[0]]):
        return rows
    rows = rows.take(pc.sort_indices(rows, [(column, "ascending") for column in keys]))
    if not pc.any(_repeated(rows, keys)).as_py():
        return rows
    rows = rows.take(pc.sort_indices(rows, [*((column, "ascending") for column in keys), (VERSION, "descending")]))
    if pc.any(_repeated(rows, [*keys, VERSION])).as_py():
        rows = _ties_folded(rows, keys)
    fresh = pa.chunked_array([pa.array([True]), *pc.invert(_repeated(rows, keys)).chunks])
    return rows.filter(fresh).combine_chunks()


def _ties_folded(rows: pa.Table, keys: Sequence[str]) -> pa.Table:
    """These sorted rows, those of one key and version made one: every column takes its greater value on its own."""
    same = _repeated(rows, [*keys, VERSION]).to_numpy()
    number = pa.array(np.concatenate([[0], np.cumsum(~same)]))
    columns = rows.column_names
    folded = rows.append_column(_GROUP, number).group_by(_GROUP, use_threads=False)
    greatest = folded.aggregate([(column, "max") for column in columns])
    return greatest.select([f"{column}_max" for column in columns]).rename_columns(columns).cast(rows.schema)


def _repeated(rows: pa.Table, keys: Sequence[str]) -> Cells:
    """Of each row but the first, whether its key is that of the row before."""
    same: Cells | None = None
    for column in keys:
        cells = rows[column]
        equal: Any = pc.equal(cells.slice(1), cells.slice(0, len(cells) - 1))
        same = equal if same is None else pc.call_function("and", [same, equal])
    return same if same is not None else pa.chunked_array([], pa.bool_())


def _ascends(cells: Cells) -> bool:
    return pc.all(pc.less(cells.slice(0, len(cells) - 1), cells.slice(1))).as_py() is not False


def _is_constant(cells: Cells) -> bool:
    if not pa.types.is_integer(cells.type):
        return False
    ends = pc.min_max(cells)
    return bool(ends["min"] == ends["max"])


def _full(path: Path, error: OSError) -> MirrorFull:
    return MirrorFull(f"{path.parent} cannot be written ({error.strerror or error}); make room, then try again.")
