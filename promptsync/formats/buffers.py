"""A column of cells for numpy: one run of bytes and the position of each cell in it.

Owns the step between Arrow's buffers and numpy arrays, without copies where there is a choice. Knows no types.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Bools = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Cells:
    """``array``: the cells, blank ones null. ``starts``, ``lengths``: of each cell in ``data``; 0 long where blank."""

    array: pa.BinaryArray
    data: Bytes
    starts: Ints
    lengths: Ints

    @classmethod
    def of(cls, array: pa.BinaryArray) -> "Cells":
        """Views a binary array; null and empty cells are both blank."""
        _, offset_buffer, data_buffer = array.buffers()
        if not len(array) or offset_buffer is None:
            nothing = np.zeros(0, np.int64)
            return cls(array, np.zeros(0, np.uint8), nothing, nothing)
        offsets = np.frombuffer(memoryview(offset_buffer), np.int32)[array.offset : array.offset + len(array) + 1]
        bounds = offsets.astype(np.int64)
        data = np.frombuffer(memoryview(data_buffer) if data_buffer else b"", np.uint8)
        lengths = np.diff(bounds)
        if array.null_count:
            lengths[mask_of(array.is_null())] = 0
        if int(np.count_nonzero(lengths == 0)) != array.null_count:
            array = _with_nulls(array, lengths > 0)
        return cls(array, data, bounds[:-1], lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def run(self) -> Bytes:
        """All bytes of the cells, from the first cell to the last."""
        return self.data[self.starts[0] : self.starts[-1] + self.lengths[-1]] if len(self) else self.data[:0]

    def value(self, row: int) -> bytes:
        """The bytes of one cell."""
        return self.data[self.starts[row] : self.starts[row] + self.lengths[row]].tobytes()

    def matrix(self, rows: Ints, width: int) -> Bytes:
        """Cells that are all ``width`` long, shape (rows, width); ``rows`` ascend. No copy if they are adjacent."""
        if not len(rows):
            return np.zeros((0, width), np.uint8)
        starts = self.starts[rows]
        if starts[-1] - starts[0] == (len(rows) - 1) * width:
            return self.data[starts[0] : starts[-1] + width].reshape(-1, width)
        view = np.lib.stride_tricks.sliding_window_view(self.data, width)
        return np.ascontiguousarray(view[starts])

    def rows_with(self, wrong: Bools) -> Bools:
        """Which cells hold a byte that ``wrong``, a mask over ``run``, marks."""
        found = np.zeros(len(self), bool)
        at = np.flatnonzero(wrong)
        if len(at):
            rows = np.searchsorted(self.starts, at + self.starts[0], "right") - 1
            found[rows] = self.starts[rows] + self.lengths[rows] > at + self.starts[0]
        return found

    def distinct(self, rows: Ints) -> Iterator[tuple[bytes, Ints]]:
        """Each distinct cell among ``rows``, and the rows that have it."""
        if not len(rows):
            return
        encoded = self.array.take(rows).dictionary_encode()
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(len(encoded.dictionary) + 1))
        for code, value in enumerate(cast("list[bytes]", encoded.dictionary.to_pylist())):
            yield value, rows[order[bounds[code] : bounds[code + 1]]]


def mask_of(array: "pa.Array[pa.BooleanScalar]") -> Bools:
    """A boolean Arrow array without nulls as numpy's."""
    return np.asarray(array.to_numpy(zero_copy_only=False), bool)


def validity(valid: Bools) -> pa.Buffer:
    """Arrow's bitmap."""
    return pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())


def integers(values: Ints, valid: Bools) -> pa.Int64Array:
    """``values``, null where not ``valid``."""
    return pa.array(values, pa.int64(), mask=~valid)


def strings_of_width(text: Bytes, valid: Bools) -> pa.StringArray:
    """Rows of the matrix ``text`` (ASCII, one for each valid row) as strings, null where not ``valid``."""
    offsets = np.zeros(len(valid) + 1, np.int32)
    np.cumsum(valid * np.int32(text.shape[1]), out=offsets[1:])
    data = pa.py_buffer(np.ascontiguousarray(text).data)
    nulls = None if bool(valid.all()) else validity(valid)
    return pa.StringArray.from_buffers(len(valid), pa.py_buffer(offsets.data), data, nulls)


def _with_nulls(array: pa.BinaryArray, valid: Bools) -> pa.BinaryArray:
    _, offsets, data = array.buffers()
    shifted = np.concatenate((np.zeros(array.offset, bool), valid))
    whole = pa.Array.from_buffers(pa.binary(), len(shifted), [validity(shifted), offsets, data])
    return cast("pa.BinaryArray", whole.slice(array.offset))
