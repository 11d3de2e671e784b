"""Where records begin in a text whose first cell is a round number: where a snapshot may be cut (content_blocks.py).

Owns looking for these places, in whole arrays for a long text. Pure; quotes are the caller's.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from promptsync.formats.buffers import Bytes, Ints

DIGITS = 18  # any number with this many fits in 64 bits
MARGIN = 32  # beyond a place where digits are counted
_CHUNK = 1 << 20
_LF, _ZERO = b"\n0"


def boundaries(data: Bytes, step: int, delimiter: int) -> Ints:
    """Where records begin, if no quote is open, whose first cell is digits, a multiple of ``step``, itself one of ten.

    Looked for slice by slice: of short lines there can be millions.
    """
    found = [np.zeros(0, np.int64)]
    for start in range(0, len(data), _CHUNK):
        some = data[start : start + _CHUNK + MARGIN]
        if len(some) < _CHUNK + MARGIN:
            some = np.append(some, np.zeros(MARGIN, np.uint8))
        found.append(within(some, step, delimiter) + start)
    return np.concatenate(found)


def within(data: Bytes, step: int, delimiter: int) -> Ints:
    """Those after a line end in ``data``, its margin left out."""
    starts = np.flatnonzero(data[:_CHUNK] == _LF) + 1
    ends = starts + _digits(data, starts)
    which = (ends > starts) & (ends <= starts + DIGITS)
    which &= (data[ends] == delimiter) & (data[ends - 1] == _ZERO)
    starts, ends = starts[which], ends[which]
    value = np.zeros(len(starts), np.int64)
    for place in range(len(str(step))):
        at = np.maximum(ends - 1 - place, starts)
        value += np.where(ends - 1 - place >= starts, data[at] - np.int64(_ZERO), 0) * 10**place
    found: Ints = starts[value % step == 0]
    return found


def _digits(data: Bytes, starts: Ints) -> Ints:
    """How many digits follow each of these places; of more than 24, any number above that."""
    words = np.ndarray((len(data) - 7,), "<u8", data, strides=(1,))
    count = _leading(words[starts])
    for more in (8, 16):
        some = np.flatnonzero(count == more)
        if not len(some):
            break
        count[some] += _leading(words[starts[some] + more])
    return count


def _leading(words: npt.NDArray[np.uint64]) -> Ints:
    """How many of the eight bytes of each word, the least significant first, are digits before one that is none.

    In each byte of ``others`` the highest bit says that it is no digit. The lowest of them, 2 ** (8 * n + 7), becomes
    ``n`` by one multiplication.
    """
    bare = words ^ _ZEROS
    others = ((bare & _LOW_BITS) + _TO_HIGH_BIT | bare) & ~_LOW_BITS
    lowest = others & (~others + np.uint64(1))
    count: Ints = (((lowest >> np.uint64(7)) * _PLACES) >> np.uint64(56)).astype(np.int64)
    count[others == 0] = 8
    return count


_ZEROS: Final = np.uint64(0x3030303030303030)
_LOW_BITS: Final = np.uint64(0x7F7F7F7F7F7F7F7F)
_TO_HIGH_BIT: Final = np.uint64(0x7676767676767676)  # from ten on
_PLACES: Final = np.uint64(0x0001020304050607)
