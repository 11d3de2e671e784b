"""Where the known blocks of a snapshot go on after a row that was changed, added or left out.

Owns the search for it, by the keys with which the blocks of the night before begin: what lies between is cut as any
text, record by record if it is short. Every place that is found is a boundary as content_blocks.py has it; one that
might stand within quotes is none. Pure.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import xxhash

from promptsync.loading.boundaries import DIGITS, MARGIN
from promptsync.merge.block_index import DIGEST, KnownBlocks, KnownStretch

_MOST_PARTS = 8
"""Of a stretch: one of more is cut as a whole."""
_MOST_MISSING = 3
"""Blocks whose beginnings are looked for in vain."""
_SHORT = 1 << 15
_LF = ord("\n")


@dataclass(frozen=True, slots=True)
class Grammar:
    """How the file is cut. ``step``: of which the keys of boundaries are multiples, ``whole``: of stretches; ``seed``:
    of the digests."""

    delimiter: bytes
    step: int
    whole: int
    seed: int
    record: re.Pattern[bytes]


def grammar(delimiter: bytes, steps: tuple[int, int], seed: int) -> Grammar:
    """``steps``: of boundaries and of stretches. A record is without a carriage return, its quotes where RFC 4180 has
    them, its first cell group 1 if it is a number that a boundary can have."""
    sign = re.escape(delimiter)
    cell = rb'(?:"(?:[^"\r]++|"")*+"|[^"\r\n%b]*+)' % sign
    record = rb"(?:([0-9]{1,%d})(?=%b))?%b(?:%b%b)*+\n" % (DIGITS, sign, cell, sign, cell)
    return Grammar(delimiter, *steps, seed, re.compile(record))


def place_of(data: bytes, key: int, delimiter: bytes, start: int, end: int) -> int:
    """Where a line begins between the two places whose first cell is ``key``, perhaps within quotes; 0: nowhere."""
    return data.find(b"\n%d%b" % (key, delimiter), start, end) + 1


def key_at(data: bytes, at: int, delimiter: bytes) -> int:
    """The first cell of the record there, -1 if it is no number as boundaries have."""
    cell = data[at : max(at, data.find(delimiter, at, at + DIGITS + 1))]
    return int(cell) if cell.isdigit() else -1


def begins_stretch(data: bytes, at: int, cut: Grammar) -> bool:
    """Whether a line begins there with a key as stretches have it."""
    return data[at - 1] == _LF and key_at(data, at, cut.delimiter) % cut.whole == 0


@dataclass(slots=True)
class Passage:
    """Known blocks that follow one another, from ``low`` to ``high`` of the index. ``stretches``: those that begin
    there: block, where in the text, and their digest if all of them is there. ``end``: where the blocks end;
    ``changed``: the known stretch that begins there and has changed; ``waits``: its end is still to come."""

    low: int
    high: int
    stretches: list[tuple[int, int, bytes]]
    end: int = 0
    changed: KnownStretch | None = None
    waits: bool = False


def pass_over(data: bytes, at: int, known: tuple[KnownBlocks, KnownStretch], cut: Grammar, *, last: bool) -> Passage:
    """Pass over a known stretch that begins at ``at``, and those after it, as far as they are what they were. ``last``:
    nothing follows ``data``."""
    view, (blocks, some) = memoryview(data), known
    passage = Passage(some.low, some.low, [], at, some)
    while (stretch := passage.changed) is not None:
        end = passage.end + stretch.size
        passage.waits = not last and end + MARGIN > len(data)
        if passage.waits or not stretch.digest:
            break
        if xxhash.xxh3_128_digest(view[passage.end : end], cut.seed) != stretch.digest:
            break
        after = blocks.next_to(stretch)
        if after is None or not begins_with(data, end, after.key, cut.delimiter):
            if not begins_stretch(data, end, cut) and not (last and end == len(data)):
                break
            after = None
        passage.stretches.append((stretch.low, passage.end, stretch.digest))
        passage.high, passage.end, passage.changed = stretch.high, end, after
    return passage


@dataclass(frozen=True, slots=True)
class Part:
    """Some blocks, one after the other, of which ``bounds`` has the first bound and the last. Either they are those
    from ``low`` to ``high`` of the index, or they have changed, and every bound is there (``low`` is -1)."""

    bounds: list[int]
    low: int = -1
    high: int = -1


def parts_of(data: bytes, start: int, known: KnownStretch, cut: Grammar) -> list[Part] | None:
    """The text from ``start``, where a known stretch begins of which a few blocks have changed, to its end. None if
    that cannot be told, or is not worth it."""
    index, low, high, keys = known.index, known.low, known.high, known.keys
    view, digests, usable = memoryview(data), index.digests[low:high].tobytes(), known.usable[low:high].tolist()
    sizes = index.sizes[low:high].tolist()
    found, place, at, count = list[Part](), 0, start, len(sizes)
    while place < count:
        first, begun = place, at
        while place < count and usable[place]:
            end = at + sizes[place]
            digest = xxhash.xxh3_128_digest(view[at:end], cut.seed)
            if digest != digests[DIGEST * place : DIGEST * (place + 1)]:
                break
            at, place = end, place + 1
        if place > first and not begins_with(data, at, keys[place], cut.delimiter):
            place -= 1  # what follows is of the same block now
            at -= sizes[place]
        if place > first:
            found.append(Part([begun, at], low + first, low + place))
        if place < count:
            changed = _changed(data, at, (keys[place + 1 :], sizes[place:]), cut) if len(found) < _MOST_PARTS else None
            if changed is None:
                return None
            part, passed = changed
            found.append(part)
            at, place = part.bounds[-1], place + passed
    return found


def _changed(data: bytes, at: int, known: tuple[Sequence[int], Sequence[int]], cut: Grammar) -> tuple[Part, int] | None:
    """The text from a boundary to the next one that is known, and how many known blocks that is in place of.
    ``known``: the keys with which the blocks after this one begin, and the sizes from this one on."""
    window = MARGIN
    for passed, (key, size) in enumerate(zip(*known, strict=True), 1):
        window += 4 * size
        end = place_of(data, key, cut.delimiter, at, at + window) if key >= 0 and passed <= _MOST_MISSING else 0
        if end:
            bounds = short_bounds(data, at, end, cut)
            return None if bounds is None else (Part([at, *bounds, end]), passed)
    return None


def begins_with(data: bytes, at: int, key: int, delimiter: bytes) -> bool:
    """Whether a line begins there with that key."""
    return data[at - 1] == _LF and data.startswith(b"%d%b" % (key, delimiter), at)


def short_bounds(data: bytes, start: int, end: int, cut: Grammar) -> list[int] | None:
    """The boundaries between ``start``, where a record begins, and ``end``, where one does that may stand within
    quotes. None if it does, if quotes or carriage returns stand where they mean nothing, or if the text is long."""
    if end - start > _SHORT:
        return None
    found, at = list[int](), start
    while at < end:
        record = cut.record.match(data, at, end)
        if record is None:
            return None
        if at > start and record[1] and int(record[1]) % cut.step == 0:
            found.append(at)
        at = record.end()
    return found
