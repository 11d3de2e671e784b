"""The version of a change set's rows: 28 bytes whose order IS the vendor's order.

Owns the layout, all parts big-endian: the row's own order (8), the file's sequence (8), its part (8), the row's
position in the file from 1 (4). Built for a whole batch at once.
"""

import numpy as np
import pyarrow as pa

from promptsync.formats.buffers import Ints
from promptsync.model.file_name import VERSION_BYTES, ChangeSetName

MOST_ROWS = (1 << 32) - 1


def row_versions(order: Ints, name: ChangeSetName, first: int) -> pa.BinaryArray:
    """``order``: of each row, numbers or microseconds; 0 orders before all others, as does what is negative.

    ``first``: position of the first of them, from 1; they follow one another.
    """
    rows = len(order)
    versions = np.empty((rows, VERSION_BYTES), np.uint8)
    versions[:, :8] = _big(np.maximum(order, 0), ">u8")
    versions[:, 8:16] = _big(np.array([name.sequence]), ">u8")
    versions[:, 16:24] = _big(np.array([name.part]), ">u8")
    versions[:, 24:] = _big(np.arange(first, first + rows), ">u4")
    offsets = np.arange(0, (rows + 1) * VERSION_BYTES, VERSION_BYTES, dtype=np.int32)
    buffers = [None, pa.py_buffer(offsets.data), pa.py_buffer(versions.data)]
    return pa.Array.from_buffers(pa.binary(), rows, buffers)  # type: ignore[return-value]


def _big(numbers: Ints, spelling: str) -> np.ndarray:
    return numbers.astype(spelling).view(np.uint8).reshape(len(numbers), -1)
