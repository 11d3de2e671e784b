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
from typing import BinaryIO

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
_DIGITS = 18  # so many fit in 64 bits whatever they are
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
    """Where records begin, if no quote is open, whose first cell is digits, a multiple of ``step``.

    Looked for slice by slice: of short lines there can be millions.
    """
    found = [np.zeros(0, np.int64)]
    for start in range(0, len(data), _CHUNK):
        some = _boundaries_within(data[start : start + _CHUNK + _DIGITS + 2], step, delimiter)
        found.append(some[some <= _CHUNK] + start)
    return np.concatenate(found)


def _boundaries_within(data: Bytes, step: int, delimiter: int) -> Ints:
    left = np.flatnonzero(data == _LF)
    found = []
    for width in range(1, _DIGITS + 1):
        left = left[: np.searchsorted(left, len(data) - width - 1)]
        left = left[data[left + width] - np.uint8(_ZERO) < 10]
        ended = data[left + (width + 1)] == delimiter
        some, left = left[ended] + 1, left[~ended]
        found.append(some[_are_multiples(data, some, width, step)])
        if not len(left):
            break
    return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _are_multiples(data: Bytes, starts: Ints, width: int, step: int) -> npt.NDArray[np.bool_]:
    """Which of these cells, ``width`` digits each, are a multiple of ``step``, itself a multiple of ten."""
    good: npt.NDArray[np.bool_] = data[starts + (width - 1)] == _ZERO
    some = np.flatnonzero(good)
    ending = np.zeros(len(some), np.int64)
    for at in range(max(width - len(str(step)), 0), width):
        ending = ending * 10 + data[starts[some] + at] - _ZERO
    good[some] = ending % step == 0
    return good
