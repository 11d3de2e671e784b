"""Cutting a snapshot file at content-defined record boundaries, and telling which stretches are known.

Owns the cut and the digests, in the same pass that proves the file complete, and the bytes of the blocks that are not
known, set aside for reading. A boundary is before a record whose key, a plain number in the first cell, is a multiple
of ten: the same ones every night, whatever was changed, added or left out between them. In a large file it is
one of twenty, fifty or more, so that the number of blocks, and what they take in memory, stays within bounds. About
every thirtieth boundary begins a stretch of blocks too; one that is known as a whole is passed over without looking for
the boundaries in it. Says nothing about what a block holds; a file in which a quote stands where it means nothing has
no blocks.
"""

from array import array
from collections.abc import Collection, Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
import xxhash

from promptsync.formats.csv.dialect import Dialect, dialect_of
from promptsync.formats.csv.quote_places import well_placed
from promptsync.formats.csv.records import cells_of, first_record
from promptsync.loading.boundaries import DIGITS, boundaries
from promptsync.loading.resume import (
    Part,
    Passage,
    begins_stretch,
    grammar,
    key_at,
    parts_of,
    pass_over,
    place_of,
)
from promptsync.merge.block_index import DIGEST, NO_STRETCHES, NOTHING_KNOWN, Cut, KnownBlocks, KnownStretch, Stretches

_CHUNK = 1 << 20
_LONGEST = 8 * _CHUNK
_MOST_BLOCKS = 500_000
_ENOUGH = 10_000
_STEPS = ((10, 80 << 20), (20, 160 << 20), (50, 480 << 20), (100, 1 << 30), (1_000, 10 << 30))
"""Step, and the compressed bytes of a file below which it is taken: a few hundred thousand blocks at most."""
_LAST_STEP = 10_000
_STRETCH, _LEAST = 16, 320
"""Of how many steps, and at least of what, the first key of a stretch is a multiple."""
_VERSION = b"4"  # of how cells are read: another one makes every known block unknown
_FEW, _FARTHEST = 4, 64
"""Changed stretches in a row of which single blocks are looked for; how far ahead, at most, a known one is."""
_LF = ord("\n")


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
        self._whole = max(_STRETCH * step, _LEAST)
        self._pending: list[bytes] = []
        self._have, self._wanted = 0, _CHUNK
        self._digests = bytearray()
        self._first = array("q")
        self._old, self._sizes = array("q"), array("q")
        self._fresh: list[tuple[int, int, int]] = []  # of the text at hand: block, start and end of what may be unknown
        self._marks: list[tuple[int, int, bytes]] = []  # and where stretches begin: block, start, known digest
        self._stretches: list[tuple[int, int, bytes]] = []
        self._header = b""
        self._names, self._dialect = names, Dialect()
        self._grammar = grammar(self._dialect.delimiter, (step, self._whole), seed)
        self._ahead = 1  # how many stretches ahead the next known one is looked for
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
        """Nothing more comes. None if the file has no blocks: then nothing is set aside either."""
        if not self._broken:
            self._work(last=True)
        if self._broken and self._file is not None:
            self._file.truncate(0)
        if self._broken or not self._first:
            return None
        identity = xxhash.xxh3_128_digest(_VERSION + self._salt + self._header, self._seed)
        digests = np.frombuffer(self._digests, np.uint64).reshape(-1, 2)
        first, old, sizes = (np.frombuffer(some, np.int64) for some in (self._first, self._old, self._sizes))
        cut = Cut(identity, digests, first, old, sizes, self._found_stretches())
        self._known = NOTHING_KNOWN
        return cut

    def _found_stretches(self) -> Stretches:
        if not self._stretches:
            return NO_STRETCHES
        *numbers, digests = zip(*self._stretches, strict=True)
        at, count = (np.array(some, np.int64) for some in numbers)
        return Stretches(at, count, np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2))

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
            self._grammar = grammar(dialect.delimiter, (self._step, self._whole), self._seed)
        before = len(self._first)
        at = self._cut_known(data, last=last)
        if at is not None:
            self._settle(data, at)
            if not last:
                self._keep(data[at:])
                self._broken = self._broken or self._have > _LONGEST or self._too_many(len(self._first) - before)

    def _keep(self, data: bytes) -> None:
        """Bytes from a boundary on that are cut with those that come next."""
        self._pending, self._have = [data], len(data)
        self._wanted = max(_CHUNK, 2 * self._have)

    def _cut_known(self, data: bytes, *, last: bool) -> int | None:
        """Cut ``data``, from a boundary on, passing over what is known of it. Returns the end of what is cut, a
        boundary too; None if the file has no blocks."""
        at = 0
        while at < len(data):
            key = key_at(data, at, self._dialect.delimiter)
            known, parts = self._known.stretch_from(key), None
            if known is not None:
                passage = pass_over(data, at, (self._known, known), self._grammar, last=last)
                self._take(known, passage)
                if passage.waits:
                    return passage.end
                self._ahead = 1 if passage.end > at else self._ahead
                at, known = passage.end, passage.changed
                if known is None:
                    continue
                key = known.key
                parts = parts_of(data, at, known, self._grammar) if self._ahead <= _FEW else None
            if parts is None:
                end = self._resumed(data, at, key)
                self._ahead = min(2 * self._ahead, _FARTHEST)
                bounds = self._bounds(data, at, end) if end else None
                if bounds is None:
                    return self._cut_rest(data, at, last=last)
                parts = [Part(bounds)]
            for part in parts:
                if known is not None and part.low >= 0:
                    self._take(
                        known, Passage(part.low, part.high, [(known.low, at, b"")] if part.low == known.low else [])
                    )
                else:
                    self._blocks(data, part.bounds)
            at = parts[-1].bounds[-1]
        return at

    def _resumed(self, data: bytes, at: int, key: int) -> int:
        """Where a known stretch may begin, some stretches after the boundary with that key; 0: nowhere here."""
        following = self._known.key_after(key, self._ahead) if key >= 0 else -1
        return place_of(data, following, self._dialect.delimiter, at, len(data)) if following >= 0 else 0

    def _bounds(self, data: bytes, start: int, end: int) -> list[int] | None:
        """The bounds of the blocks between two places, the first a boundary; None if the second is within quotes, or
        what is between them cannot be cut."""
        some = data[start:end] if start or end < len(data) else data
        quotes = well_placed(some, self._dialect.delimiter)
        if quotes is None or b"\r" in some or (end < len(data) and not quotes.closed):
            return None
        starts = boundaries(np.frombuffer(some, np.uint8), self._step, self._dialect.delimiter[0])
        return [start, *(starts[~quotes.within(starts)] + start).tolist(), end]

    def _cut_rest(self, data: bytes, start: int, *, last: bool) -> int | None:
        """Cut all from a boundary on."""
        bounds = self._bounds(data, start, len(data))
        if bounds is None:
            self._broken = True
            return None
        if not last:
            bounds.pop()
            bounds = bounds[: self._last_stretch(data, bounds) + 1]
        self._blocks(data, bounds)
        return bounds[-1]

    def _take(self, known: KnownStretch, passage: Passage) -> None:
        """Some blocks that are all known, of this stretch and those after it."""
        index, low, high = known.index, passage.low, passage.high
        before = len(self._first) - low
        self._marks += [(before + block, at, digest) for block, at, digest in passage.stretches]
        self._first.frombytes(index.first[low:high].tobytes())
        self._sizes.frombytes(index.sizes[low:high].tobytes())
        self._digests += index.digests[low:high].tobytes()
        self._old.extend(range(low, high))

    def _last_stretch(self, data: bytes, bounds: list[int]) -> int:
        """The place in ``bounds`` of the last one where a stretch begins, so that it is cut as a whole; of the last
        of all if that is far behind."""
        for place in range(len(bounds) - 1, 0, -1):
            if bounds[-1] - bounds[place] > _CHUNK // 2:
                break
            if begins_stretch(data, bounds[place], self._grammar):
                return place
        return len(bounds) - 1

    def _blocks(self, data: bytes, bounds: list[int]) -> None:
        """Whole records, from each bound to the next."""
        view, whole, delimiter = memoryview(data), self._whole, self._dialect.delimiter
        for start, end in pairwise(bounds):
            key = data[start : data.find(delimiter, start, start + DIGITS + 1)]
            if not key.isdigit():
                self._broken = self._broken or start < end
                return
            place, first = len(self._first), int(key)
            if first % whole == 0:
                self._marks.append((place, start, b""))
            self._digests += xxhash.xxh3_128_digest(view[start:end], self._seed)
            self._first.append(first)
            self._old.append(-1)
            self._sizes.append(end - start)
            self._fresh.append((place, start, end))

    def _settle(self, data: bytes, end: int) -> None:
        """What was cut of the text at hand, up to ``end``: find its blocks, set aside those that are not known, note
        the stretches. One that has no end here is none."""
        view, fresh, marks = memoryview(data), self._fresh, self._marks
        if fresh:
            digests = np.frombuffer(bytes(self._digests[DIGEST * fresh[0][0] :]), np.uint64).reshape(-1, 2)
            olds = self._known.find(digests[[place - fresh[0][0] for place, _, _ in fresh]]).tolist()
            for (place, start, stop), old in zip(fresh, olds, strict=True):
                self._old[place] = old
                if old < 0 and self._file is not None:
                    self._file.write(view[start:stop])
        if marks and end > 0 and (end == len(data) or begins_stretch(data, end, self._grammar)):
            marks.append((len(self._first), end, b""))
        for (low, start, known), (high, stop, _) in pairwise(marks):
            if stop - start <= _CHUNK and high > low:
                digest = known or xxhash.xxh3_128_digest(view[start:stop], self._seed)
                self._stretches.append((low, high - low, digest))
        self._fresh, self._marks = [], []

    def _too_many(self, new: int) -> bool:
        """Whether there are more blocks than such a file can have, or many out of order, so that nobody needs them."""
        if len(self._first) <= _ENOUGH:
            return False
        some = np.array(self._first[-new:], np.int64)
        return len(self._first) > _MOST_BLOCKS or not bool((np.diff(some) > 0).all())


def step_for(size: int) -> int:
    """Of what the keys of boundaries are multiples, in a file of this many compressed bytes."""
    return next((step for step, most in _STEPS if size < most), _LAST_STEP)
