"""Cutting a snapshot file at content-defined record boundaries, and telling which stretches are known.

Owns the cut and the digests, in the same pass that proves the file complete, and the bytes of the blocks that are not
known, set aside for reading. A boundary is before a record whose key, a plain number in the first cell, is a multiple
of twenty: the same ones every night, whatever was changed, added or left out between them. In a very large file it is
one of fifty, a hundred or more, so that the number of blocks, and what they take in memory, stays within bounds. About
every sixteenth boundary begins a stretch of blocks too; one that is known as a whole is passed over without looking for
the boundaries in it. Says nothing about what a block holds; a file in which a quote stands where it means nothing has
no blocks.
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
from promptsync.merge.block_index import NO_STRETCHES, NOTHING_KNOWN, Cut, KnownBlocks, Stretches

_CHUNK = 1 << 20
_LONGEST = 8 * _CHUNK
_MOST_BLOCKS = 500_000
_ENOUGH = 10_000
_DIGITS = 18  # any number with this many fits in 64 bits
_MARGIN = 32  # beyond a place where digits are counted
_STEPS = ((20, 160 << 20), (50, 480 << 20), (100, 1 << 30), (1_000, 10 << 30))
"""Step, and the compressed bytes of a file below which it is taken: a few hundred thousand blocks at most."""
_LAST_STEP = 10_000
_STRETCH = 16
"""Of how many steps the first key of a stretch is a multiple."""
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
        self._stretches: list[tuple[int, int, int, bytes]] = []
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
        first, old = np.frombuffer(self._first, np.int64), np.concatenate(self._old)
        cut = Cut(identity, digests, first, old, self._found_stretches())
        self._known, self._old = NOTHING_KNOWN, []
        return cut

    def _found_stretches(self) -> Stretches:
        if not self._stretches:
            return NO_STRETCHES
        *numbers, digests = zip(*self._stretches, strict=True)
        at, count, sizes = (np.array(some, np.int64) for some in numbers)
        return Stretches(at, count, sizes, np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2))

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
        data, waits = self._pass_over(data, last=last)
        if waits:
            self._keep(data)
            return
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
        else:
            bounds = bounds[: self._last_stretch(data, bounds) + 1]
        self._blocks(data, bounds)
        if not last:
            self._keep(data[bounds[-1] :])
            self._broken = self._broken or self._have > _LONGEST or self._too_many(len(bounds))

    def _keep(self, data: bytes) -> None:
        """Bytes from a boundary on that are cut with those that come next."""
        self._pending, self._have = [data], len(data)
        self._wanted = max(_CHUNK, 2 * self._have)

    def _pass_over(self, data: bytes, *, last: bool) -> tuple[bytes, bool]:
        """What follows the known stretches that ``data``, from a boundary on, begins with; and whether that may begin
        with another one, whose end is still to come."""
        at, view = 0, memoryview(data)
        while (known := self._known.stretch_from(self._key(data, at))) is not None:
            end = at + known.size
            if not last and end + _MARGIN > len(data):
                return data[at:], True
            digest = xxhash.xxh3_128_digest(view[at:end], self._seed)
            if digest != known.digest or not (self._begins_stretch(data, end) or (last and end == len(data))):
                break
            self._stretches.append((len(self._first), len(known.first), known.size, digest))
            self._first.frombytes(known.first.tobytes())
            self._digests += known.digests.tobytes()
            self._old.append(np.arange(known.low, known.low + len(known.first)))
            at = end
        return data[at:], False

    def _key(self, data: bytes, at: int) -> int:
        """The first cell of the record there, -1 if it is no number as boundaries have."""
        cell = data[at : max(at, data.find(self._dialect.delimiter, at, at + _DIGITS + 1))]
        return int(cell) if cell.isdigit() else -1

    def _begins_stretch(self, data: bytes, at: int) -> bool:
        return data[at - 1] == _LF and self._key(data, at) % (_STRETCH * self._step) == 0

    def _last_stretch(self, data: bytes, bounds: list[int]) -> int:
        """The place in ``bounds`` of the last one where a stretch begins, so that it is cut as a whole; of the last
        of all if that is far behind."""
        for place in range(len(bounds) - 1, 0, -1):
            if bounds[-1] - bounds[place] > _CHUNK // 2:
                break
            if self._begins_stretch(data, bounds[place]):
                return place
        return len(bounds) - 1

    def _blocks(self, data: bytes, bounds: list[int]) -> None:
        """Whole records, from each bound to the next, and the stretches among them."""
        view, digests, delimiter = memoryview(data), [], self._dialect.delimiter
        for start, end in pairwise(bounds):
            key = data[start : data.find(delimiter, start, start + _DIGITS + 1)]
            if not key.isdigit():
                self._broken = self._broken or start < end
                return
            digests.append(xxhash.xxh3_128_digest(view[start:end], self._seed))
            self._first.append(int(key))
        self._note_stretches(data, bounds, len(self._first) - len(digests))
        together = b"".join(digests)
        places = self._known.find(np.frombuffer(together, np.uint64).reshape(-1, 2))
        self._digests += together
        self._old.append(places)
        if self._file is not None:
            for at in np.flatnonzero(places < 0).tolist():
                self._file.write(view[bounds[at] : bounds[at + 1]])

    def _note_stretches(self, data: bytes, bounds: list[int], before: int) -> None:
        """``before``: how many blocks there are before these. One that has no end here is none."""
        whole = _STRETCH * self._step
        starts = [n for n in range(len(bounds) - 1) if self._first[before + n] % whole == 0]
        if len(bounds) > 1 and (bounds[-1] == len(data) or self._begins_stretch(data, bounds[-1])):
            starts.append(len(bounds) - 1)
        for low, high in pairwise(starts):
            start, end = bounds[low], bounds[high]
            if end - start <= _CHUNK:
                digest = xxhash.xxh3_128_digest(memoryview(data)[start:end], self._seed)
                self._stretches.append((before + low, high - low, end - start, digest))

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
