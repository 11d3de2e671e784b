"""The block index of a snapshot: which parts of a file are unchanged since the night before.

Owns the arrays and the comparison of two indexes; pure. A block is a run of whole records from one content-defined
boundary to the next, in a file sorted by one integer key. It needs no reading if its digest is known from the newest
applied snapshot and no other source has claimed a row in its range of keys since. Many blocks that follow one another
are a stretch, with a size and a digest of its own: what nobody changed need not even be cut. Correctness never depends
on any of it: without an index everything is read, with the same result.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Digests = npt.NDArray[np.uint64]
"""Shape (n, 2): 128 bits each. Arrays throughout: a file of ten million rows has half a million blocks."""

DIGEST = 16
_EACH, _EACH_STRETCH = DIGEST + 2 * 8 + 2 * 4, DIGEST + 2 * 8
_MAGIC = b"blocks4\0"
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


@dataclass(frozen=True)
class Stretches:
    """Runs of blocks, in the file's order: ``at``, the position of the first block of each, ``count``, how many there
    are, and ``digests`` of their bytes together."""

    at: Ints
    count: Ints
    digests: Digests


_NONE = np.zeros(0, np.int64)
NO_STRETCHES = Stretches(_NONE, _NONE, np.zeros((0, 2), np.uint64))


@dataclass(frozen=True)
class BlockIndex:
    """Blocks in the file's order. ``identity``: a digest, 16 bytes, of the header, the zone and how cells are read.

    For each block, ``digests`` has the digest of its bytes, ``first`` and ``last`` its least and greatest key, ``rows``
    its number of records, ``sizes`` that of its bytes, both below 2**32.
    """

    identity: bytes
    digests: Digests
    first: Ints
    last: Ints
    rows: Ints
    sizes: Ints
    stretches: Stretches = NO_STRETCHES

    def parts(self) -> tuple[bytes | memoryview, ...]:
        """Its bytes as parts, to be stored one after the other."""
        some = self.stretches
        short = self.rows.astype(np.uint32), self.sizes.astype(np.uint32)
        arrays = (self.digests, self.first, self.last, *short, some.at, some.count, some.digests)
        return (
            _MAGIC,
            self.identity,
            len(some.at).to_bytes(8, "little"),
            *(np.ascontiguousarray(array).data.cast("B") for array in arrays if array.size),
        )

    @classmethod
    def read(cls, read: Callable[[int], bytes], size: int) -> "BlockIndex | None":
        """The index in ``size`` stored bytes, None if they are no index. ``read(n)`` returns the next ``n`` of them."""
        head = len(_MAGIC) + DIGEST + 8
        if size < head or read(len(_MAGIC)) != _MAGIC:
            return None
        identity, stretches = read(DIGEST), int.from_bytes(read(8), "little")
        count, rest = divmod(size - head - stretches * _EACH_STRETCH, _EACH)
        if rest or count < 0:
            return None

        def digests(of: int) -> Digests:
            return np.frombuffer(read(DIGEST * of), np.uint64).reshape(of, 2)

        def numbers(of: int) -> list[Ints]:
            return [np.frombuffer(read(8 * of), np.int64) for _ in range(2)]

        def short(of: int) -> list[Ints]:
            return [np.frombuffer(read(4 * of), np.uint32).astype(np.int64) for _ in range(2)]

        found, (first, last), (rows, sizes) = digests(count), numbers(count), short(count)
        at, many = numbers(stretches)
        return cls(identity, found, first, last, rows, sizes, Stretches(at, many, digests(stretches)))

    def known(self, claimed: Iterable[int]) -> "KnownBlocks":
        """The blocks in which no other source has ``claimed`` a key since."""
        keys = np.fromiter(claimed, np.int64)
        place = np.searchsorted(self.first, keys, side="right") - 1
        within = (place >= 0) & (keys <= self.last[place])
        untouched = np.ones(len(self.first), bool)
        untouched[place[within]] = False
        return KnownBlocks(self.digests, np.flatnonzero(untouched), self)


@dataclass(slots=True)
class KnownStretch:
    """A stretch of the night before: the blocks from ``low`` to ``high`` of ``index``. ``number``: which one, ``key``:
    with which it begins. ``size``: its bytes; ``digest``: of these, None if some of its blocks may not be used,
    ``usable`` says which may."""

    index: BlockIndex
    number: int
    key: int
    low: int
    high: int
    size: int
    digest: bytes | None
    usable: npt.NDArray[np.bool_]

    @property
    def keys(self) -> list[int]:
        """The keys with which its blocks begin, and that of the boundary at its end, -1 if the file ended there."""
        keys: list[int] = self.index.first[self.low : self.high + 1].tolist()
        return keys if len(keys) > self.high - self.low else [*keys, -1]


class KnownBlocks:
    """The positions of blocks in an index, by digest. ``places``: positions of the ``digests`` that may be used.
    ``index``: it, if it may have stretches."""

    def __init__(self, digests: Digests, places: Ints, index: BlockIndex | None = None) -> None:
        self._index = index
        self._keys: list[int] = []
        if index is not None:
            some, self._usable = index.stretches, np.zeros(len(digests), bool)
            self._usable[places] = True
            self._keys = index.first[some.at].tolist()
            self._at, self._count = some.at.tolist(), some.count.tolist()
            self._sizes = _over(index.sizes, some).tolist()
            self._whole = (_over(self._usable, some) == some.count).tolist()
        order = np.argsort(digests[places, 0], kind="stable")
        self._places = places[order]
        self._high, self._low = digests[self._places, 0], digests[self._places, 1]

    def stretch_from(self, key: int) -> KnownStretch | None:
        """The stretch whose first key this is."""
        n = bisect_left(self._keys, key)
        return self._stretch(n) if n < len(self._keys) and self._keys[n] == key else None

    def next_to(self, known: KnownStretch) -> KnownStretch | None:
        """The stretch that begins where this one ends."""
        n = known.number + 1
        return self._stretch(n) if n < len(self._keys) and self._at[n] == known.high else None

    def _stretch(self, n: int) -> KnownStretch | None:
        index, low = self._index, self._at[n]
        if index is None:
            return None
        digest = index.stretches.digests[n].tobytes() if self._whole[n] else None
        return KnownStretch(index, n, self._keys[n], low, low + self._count[n], self._sizes[n], digest, self._usable)

    def key_after(self, key: int, count: int) -> int:
        """The first key of the ``count``-th of the stretches that begin after a key; of the last, if they are fewer; -1
        if there is none."""
        n = bisect_right(self._keys, key)
        return self._keys[min(n + count, len(self._keys)) - 1] if n < len(self._keys) else -1

    def find(self, digests: Digests) -> Ints:
        """The position of each digest in the index, -1 if it is unknown."""
        found = np.full(len(digests), -1, np.int64)
        if len(self._places):
            at = np.minimum(np.searchsorted(self._high, digests[:, 0]), len(self._places) - 1)
            same = (self._high[at] == digests[:, 0]) & (self._low[at] == digests[:, 1])
            found[same] = self._places[at[same]]
        return found


def _over(values: npt.NDArray[Any], stretches: Stretches) -> Ints:
    """The sum of what each block has, for every stretch."""
    before = np.concatenate((np.zeros(1, np.int64), np.cumsum(values, dtype=np.int64)))
    sums: Ints = before[stretches.at + stretches.count] - before[stretches.at]
    return sums


NOTHING_KNOWN = KnownBlocks(np.zeros((0, 2), np.uint64), np.zeros(0, np.int64))


@dataclass(frozen=True)
class Cut:
    """How a new file divides into blocks. ``old``: each block's position in the old index, -1 if it has changed;
    ``sizes``: their bytes."""

    identity: bytes
    digests: Digests
    first: Ints
    old: Ints
    sizes: Ints
    stretches: Stretches = NO_STRETCHES

    @property
    def orderly(self) -> bool:
        """Whether the first keys are strictly ascending."""
        return bool((np.diff(self.first) > 0).all())


class BlockCount:
    """Counts, batch by batch, which keys of a new file are in which of its blocks."""

    def __init__(self, cut: Cut, before: BlockIndex | None) -> None:
        self._cut = cut
        count = len(cut.first)
        same = cut.old >= 0
        self._same = same
        self._rows = np.zeros(count, np.int64)
        self._last = np.full(count, _LOWEST, np.int64)
        self._read = np.zeros(count, np.int64)
        if before is not None:
            self._rows[same] = before.rows[cut.old[same]]
            self._last[same] = before.last[cut.old[same]]

    @property
    def skipped(self) -> int:
        """Rows in blocks that need no reading."""
        return int(self._rows[self._same].sum())

    def add(self, keys: Ints) -> None:
        """Keys of rows that were read, ascending."""
        place = np.searchsorted(self._cut.first, keys, side="right") - 1
        np.add.at(self._read, place, 1)
        self._last[place] = keys

    def index(self) -> BlockIndex | None:
        """The index of the new file; None if its blocks do not fit its rows (then read all of it)."""
        fresh = ~self._same
        if self._read[self._same].any() or not self._read[fresh].all():
            return None
        if not (self._last[:-1] < self._cut.first[1:]).all():
            return None
        rows = np.where(self._same, self._rows, self._read)
        cut = self._cut
        return BlockIndex(cut.identity, cut.digests, cut.first, self._last, rows, cut.sizes, cut.stretches)

    def gaps(self) -> list[tuple[int, int]]:
        """Ranges of keys, both ends included, that are in no unchanged block."""
        first, last = self._cut.first[self._same], self._last[self._same]
        low = np.concatenate(([_LOWEST], last + 1))
        high = np.concatenate((first - 1, [_HIGHEST]))
        some = low <= high
        return list(zip(low[some].tolist(), high[some].tolist(), strict=True))
