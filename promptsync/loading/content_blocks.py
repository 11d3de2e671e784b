"""Cutting a snapshot file at content-defined record boundaries, and telling which stretches are known.

Owns the cut and the digests, in the same pass that proves the file complete, and the bytes of the blocks that are not
known, set aside for reading. A boundary is before a record whose key, a plain number in the first cell, is a multiple
of twenty: the same ones every night, whatever was changed, added or left out between them. In a very large file it is
one of fifty, a hundred or more, so that the number of blocks, and what they take in memory, stays within bounds. Says
nothing about what a block holds; a file in which a quote stands where it means nothing has no blocks.
"""

from array import array
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import numpy.typing as npt
import xxhash

from promptsync.formats.buffers import Bytes, Ints
from promptsync.formats.csv.dialect import Dialect, dialect_of
from promptsync.formats.csv.quote_places import well_placed
from promptsync.formats.csv.records import cells_of, first_record
from promptsync.merge.block_index import NOTHING_KNOWN, Cut, KnownBlocks

_CHUNK = 1 << 20
_LONGEST = 8 * _CHUNK
_MOST_BLOCKS = 500_000
_ENOUGH = 10_000
_DIGITS = 18  # any number with this many fits in 64 bits
_MARGIN = 32  # beyond a place where digits are counted
_STEPS = ((20, 160 << 20), (50, 480 << 20), (100, 1 << 30), (1_000, 10 << 30))
"""Step, and the compressed bytes of a file below which it is taken: a few hundred thousand blocks at most."""
_LAST_STEP = 10_000
_VERSION = b"4"  # of how cells are read: another one makes every known block unknown
_LF, _ZERO = b"\n0"


class ContentCutter:
    """Takes a file's raw bytes piece by piece. ``known``: the blocks that need no reading. ``step``: of which the
    keys of boundaries are multiples.

    ``aside``: where the bytes of the others go. ``seed``: of the digests, so that nobody can prepare two blocks with
    the same one. ``salt``: what else the meaning of the bytes depends on. ``names``: that the header may have.
    """

    def __init__(
        self,
        known: KnownBlocks,
        aside: Path | None,
        seed: int,
        salt: bytes,
        step: int = 20,
        names: Collection[str] = (),
    ) -> None:
        self._known = known
        self._file: BinaryIO | None = aside.open("w+b") if aside else None
        self._seed, self._salt, self._step = seed, b"%s %d" % (salt, step), step
        self._pending: list[bytes] = []
        self._have, self._wanted = 0, _CHUNK
        self._digests = bytearray()
        self._first = array("q")
        self._old: list[Ints] = []
        self._header = b""
        self._names, self._dialect = names, Dialect()
        self._broken = False

    def feed(self, piece: bytes) -> None:
        """The next bytes of the file."""
        if self._broken:
            return
        self._pending.append(piece)
        self._have += len(piece)
        if self._have >= self._wanted:
            self._work(last=False)
            if self._broken:
                self._pending = []

    def finish(self) -> Cut | None:
        """Nothing more comes. None if the file has no blocks."""
        if not self._broken:
            self._work(last=True)
        if self._broken or not self._first:
            return None
        identity = xxhash.xxh3_128_digest(_VERSION + self._salt + self._header, self._seed)
        digests = np.frombuffer(self._digests, np.uint64).reshape(-1, 2)
        cut = Cut(identity, digests, np.frombuffer(self._first, np.int64), np.concatenate(self._old))
        self._known, self._old = NOTHING_KNOWN, []
        return cut

    def key_name(self) -> str:
        """The name of the first column, in small letters."""
        record, _ = first_record(self._header[self._dialect.start :], self._dialect.delimiter)
        cells = cells_of(record, self._dialect.delimiter) if record else []
        return cells[0].decode("utf-8", "replace").strip().casefold() if cells else ""

    def unknown(self) -> Iterator[bytes]:
        """The header, then the bytes of all blocks that need reading."""
        yield self._header
        if self._file is not None:
            self._file.seek(0)
            while piece := self._file.read(_CHUNK):
                yield piece

    def close(self) -> None:
        """Discard the bytes set aside."""
        if self._file is not None:
            self._file.close()

    def _work(self, *, last: bool) -> None:
        """Cut what has come, but for what follows the last boundary."""
        data = b"".join(self._pending)
        self._pending, self._have = [], 0
        if not self._header:
            dialect = self._dialect = dialect_of(data, self._names)
            record, end = first_record(data[dialect.start :], dialect.delimiter)
            if not record or (not last and dialect.start + end == len(data)):
                self._broken = True
                return
            self._header, data = data[: dialect.start + end], data[dialect.start + end :]
        array = np.frombuffer(data, np.uint8)
        quotes = well_placed(data, self._dialect.delimiter)
        if quotes is None or b"\r" in data:
            self._broken = True
            return
        starts = _boundaries(array, self._step, self._dialect.delimiter[0])
        starts = starts[~quotes.within(starts)]
        bounds = [0, *starts.tolist()]
        if last:
            bounds.append(len(data))
        self._blocks(data, bounds)
        if not last:
            self._pending, self._have = [data[bounds[-1] :]], len(data) - bounds[-1]
            self._wanted = max(_CHUNK, 2 * self._have)
            self._broken = self._broken or self._have > _LONGEST or self._too_many(len(bounds))

    def _blocks(self, data: bytes, bounds: list[int]) -> None:
        """Whole records, from each bound to the next."""
        view, digests, delimiter = memoryview(data), [], self._dialect.delimiter
        for start, end in pairwise(bounds):
            key = data[start : data.find(delimiter, start, start + _DIGITS + 1)]
            if not key.isdigit():
                self._broken = self._broken or start < end
                return
            digests.append(xxhash.xxh3_128_digest(view[start:end], self._seed))
            self._first.append(int(key))
        together = b"".join(digests)
        places = self._known.find(np.frombuffer(together, np.uint64).reshape(-1, 2))
        self._digests += together
        self._old.append(places)
        if self._file is not None:
            for at in np.flatnonzero(places < 0).tolist():
                self._file.write(view[bounds[at] : bounds[at + 1]])

    def _too_many(self, new: int) -> bool:
        """Whether there are more blocks than such a file can have, or many out of order, so that nobody needs them."""
        if len(self._first) <= _ENOUGH:
            return False
        some = np.array(self._first[-new:], np.int64)
        return len(self._first) > _MOST_BLOCKS or not bool((np.diff(some) > 0).all())


def step_for(size: int) -> int:
    """Of what the keys of boundaries are multiples, in a file of this many compressed bytes."""
    return next((step for step, most in _STEPS if size < most), _LAST_STEP)


def _boundaries(data: Bytes, step: int, delimiter: int) -> Ints:
    """Where records begin, if no quote is open, whose first cell is digits, a multiple of ``step``, itself one of ten.

    Looked for slice by slice: of short lines there can be millions.
    """
    found = [np.zeros(0, np.int64)]
    for start in range(0, len(data), _CHUNK):
        some = data[start : start + _CHUNK + _MARGIN]
        if len(some) < _CHUNK + _MARGIN:
            some = np.append(some, np.zeros(_MARGIN, np.uint8))
        found.append(_within(some, step, delimiter) + start)
    return np.concatenate(found)


def _within(data: Bytes, step: int, delimiter: int) -> Ints:
    """Those after a line end in ``data``, its margin left out."""
    starts = np.flatnonzero(data[:_CHUNK] == _LF) + 1
    ends = starts + _digits(data, starts)
    which = (ends > starts) & (ends <= starts + _DIGITS)
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
