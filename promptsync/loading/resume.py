"""Where the known blocks of a snapshot go on after a row that was changed, added or left out.

Owns the search for it, by the keys with which the blocks of the night before begin: what lies between is cut as any
text, record by record if it is short. Every place that is found is a boundary as content_blocks.py has it; one that
might stand within quotes is none. Pure.
"""

import re
from dataclasses import dataclass

import xxhash

from promptsync.loading.boundaries import DIGITS, MARGIN
from promptsync.merge.block_index import KnownStretch

_MOST_CHANGED = 3
"""Blocks of a stretch, beyond which it is cut as a whole."""
_SHORT = 1 << 15


@dataclass(frozen=True, slots=True)
class Grammar:
    """How the file is cut. ``step``: of which the keys of boundaries are multiples; ``seed``: of the digests."""

    delimiter: bytes
    step: int
    seed: int
    record: re.Pattern[bytes]


def grammar(delimiter: bytes, step: int, seed: int) -> Grammar:
    """A record without a carriage return, its quotes where RFC 4180 has them, its first cell group 1 if it is a number
    that a boundary can have."""
    sign = re.escape(delimiter)
    cell = rb'(?:"(?:[^"\r]++|"")*+"|[^"\r\n%b]*+)' % sign
    record = rb"(?:([0-9]{1,%d})(?=%b))?%b(?:%b%b)*+\n" % (DIGITS, sign, cell, sign, cell)
    return Grammar(delimiter, step, seed, re.compile(record))


def place_of(data: bytes, key: int, delimiter: bytes, start: int, end: int) -> int:
    """Where a line begins between the two places whose first cell is ``key``, perhaps within quotes; 0: nowhere."""
    return data.find(b"\n%d%b" % (key, delimiter), start, end) + 1


def bounds_in(data: bytes, start: int, known: KnownStretch, cut: Grammar) -> list[int] | None:
    """The bounds of the blocks from ``start``, where a known stretch begins of which a few blocks have changed, to its
    end. None if that cannot be told, or is not worth it."""
    if known.following < 0:
        return None
    window = 4 * known.size // len(known.first) + MARGIN
    view, bounds, changed = memoryview(data), [start], 0
    for place, key in enumerate((*known.first[1:].tolist(), known.following)):
        end = place_of(data, key, cut.delimiter, start, start + window)
        if not end:
            continue
        if xxhash.xxh3_128_digest(view[start:end], cut.seed) != known.digests[place].tobytes():
            within = short_bounds(data, start, end, cut) if changed < _MOST_CHANGED else None
            if within is None:
                return None
            changed += 1
            bounds += within
        bounds.append(end)
        start = end
    return bounds if end else None


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
