"""Which cells of a column are identifiers of erased people.

Owns the sieve: by the tags of the identifiers (erased.py) all but about one cell in a million is passed over without
hashing it, and whole columns at a time. What is spelled in another way than usual is hashed in any case.

Beside people's own identifiers (model/person.py) the keys of their rows can be forgotten, so that what only refers to
such a row is recognised: their kind is the table's name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from promptsync.store.erased import ADDRESS, TURN, WORD, ErasedList, group_of

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Cells: TypeAlias = "pa.Array[Any]"
Test = Callable[[Any], bool]

_TAG_BITS = 32
_LEAST_BITS, _MOST_BITS = 16, 22
_SPARSE = 6  # bits more than there are identifiers: of the rest one cell in 64 is looked up


def _each(byte: int) -> np.uint64:
    return np.uint64(int(f"{byte:02x}" * WORD, 16))


_LOWER, _DIGITS, _SIXES, _HIGH, _TOP = map(_each, (0x20, 0x30, 0x06, 0xF0, 0x80))


class Forgotten:
    """The list with its sieves, by which whole columns are looked through."""

    def __init__(self, people: ErasedList) -> None:
        self._people = people
        odd = people.odd
        self._sieves = {
            kind: _Sieves(_sieve(texts, odd), _sieve(whole, odd)) for kind, (texts, whole) in people.tags.items()
        }

    def has(self, kind: str, value: str) -> bool:
        """As ErasedList has it."""
        return self._people.has(kind, value)

    def knows(self, kind: str) -> bool:
        """Whether there is one of this kind, or of any that a column of numbers and addresses may hold."""
        return group_of(kind) in self._sieves

    def among(self, kind: str, cells: Cells, test: Test) -> Places:
        """The places of the cells that pass the ``test``, which only few have to undergo: it must be true of none but
        what ``has``."""
        sieve = self._sieves.get(group_of(kind))
        if sieve is None or not len(cells):
            return np.zeros(0, np.int64)
        if pa.types.is_integer(cells.type):
            whole: Cells = cells.fill_null(0) if cells.null_count else cells
            some = sieve.numbers.passed(
                whole.to_numpy(zero_copy_only=False).astype(np.int64, copy=False).view(np.uint64)
            )
        else:
            some = _texts_passed(sieve.texts, cells, address=group_of(kind) == ADDRESS)
        if not len(some):
            return some
        found = _some(cells, some)
        known = [value for value in pc.unique(found).to_pylist() if value is not None and test(value)]
        right: Mask = pc.is_in(found, value_set=pa.array(known, found.type)).to_numpy(zero_copy_only=False)
        return some[right]


def _some(cells: Cells, places: Places) -> Cells:
    return cells.take(pa.array(places, pa.int64()))


@dataclass(frozen=True, slots=True)
class _Sieve:
    """Lets pass the words of some tags, and few others. ``table``: by the tag's high bits, whether there is one."""

    odd: np.uint64
    tags: Words
    table: Mask

    def passed(self, words: Words) -> Places:
        """The places of words that pass."""
        bits = self.table.size.bit_length() - 1
        spread = words * self.odd
        maybe = np.flatnonzero(self.table[spread >> np.uint64(64 - bits)])
        tags = spread[maybe] >> np.uint64(64 - _TAG_BITS)
        at = np.minimum(np.searchsorted(self.tags, tags), len(self.tags) - 1)
        found: Places = maybe[self.tags[at] == tags]
        return found


@dataclass(frozen=True, slots=True)
class _Sieves:
    """Of cells that are texts, and of whole numbers."""

    texts: _Sieve
    numbers: _Sieve


def _sieve(tags: Sequence[int], odd: int) -> _Sieve:
    known = np.unique(np.array(tags, np.uint64))
    bits = min(max(len(known).bit_length() + _SPARSE, _LEAST_BITS), _MOST_BITS)
    table = np.zeros(1 << bits, bool)
    table[known >> np.uint64(_TAG_BITS - bits)] = True
    return _Sieve(np.uint64(odd), known, table)


def _folded(first: Words, last: Words) -> Words:
    """The word of texts that begin and end with these bytes, in whichever letters."""
    lower = last | _LOWER
    return (first | _LOWER) ^ (lower << np.uint64(TURN) | lower >> np.uint64(64 - TURN))


def _are_digits(word: Words) -> Mask:
    digits: Mask = (((word & _HIGH) ^ _DIGITS) | (((word + _SIXES) & _HIGH) ^ _DIGITS)) == 0
    return digits


def _texts_passed(sieve: _Sieve, cells: Cells, *, address: bool) -> Places:
    """The places of cells that pass, and of those that are spelled so that their word says nothing."""
    if not pa.types.is_string(cells.type):
        cells = cells.cast(pa.string())
    starts, ends, data = _bounds(cells)
    long = ends - starts >= WORD
    if long.all():
        return _long_passed(sieve, (starts, ends, data), address=address)
    usual, short = np.flatnonzero(long), np.flatnonzero(~long & (ends > starts))
    padded: Cells = pc.ascii_lpad(pc.utf8_trim_whitespace(_some(cells, short)), WORD, "0")
    return np.sort(
        np.concatenate(
            [
                usual[_long_passed(sieve, (starts[usual], ends[usual], data), address=address)],
                short[_long_passed(sieve, _bounds(padded), address=address)],
            ]
        )
    )


Bounds = tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], memoryview]


def _bounds(cells: Cells) -> Bounds:
    """Where each text begins and ends in the bytes of all; nothing is between a null's."""
    _, offsets, data = cells.buffers()
    held = memoryview(cast("bytes", data)) if data is not None else memoryview(b"")
    if offsets is None or not len(cells):
        nothing = np.zeros(len(cells), np.int32)
        return nothing, nothing, held
    places = np.frombuffer(memoryview(cast("bytes", offsets)), np.int32)[cells.offset : cells.offset + len(cells) + 1]
    return places[:-1], places[1:], held


def _long_passed(sieve: _Sieve, texts: Bounds, *, address: bool) -> Places:
    """The same of texts of eight bytes and more."""
    starts, ends, data = texts
    if not len(starts):
        return np.zeros(0, np.int64)
    words: Words = np.ndarray((data.nbytes - WORD + 1,), "<u8", data, strides=(1,))
    last = words[ends - WORD]
    if not address:
        return _others_passed(sieve, words[starts], last, address=False)
    digits = _are_digits(last)
    if digits.all():
        return sieve.passed(last)
    usual, others = np.flatnonzero(digits), np.flatnonzero(~digits)
    found = others[_others_passed(sieve, words[starts[others]], last[others], address=True)]
    return np.sort(np.concatenate([usual[sieve.passed(last[usual])], found]))


def _others_passed(sieve: _Sieve, first: Words, last: Words, *, address: bool) -> Places:
    """The places of texts that pass, and of those that may be spelled in another way than the identifier they are: with
    blanks at an end, in letters that have no small ones of the same length, a number with signs among its digits."""
    passed, end = sieve.passed(_folded(first, last)), last >> np.uint64(56)
    odd = ((first | last) & _TOP != 0) | (first & np.uint64(0xFF) <= ord(" ")) | (end <= ord(" "))
    if address:
        odd |= end < ord("A")
    return np.union1d(passed, np.flatnonzero(odd)) if odd.any() else passed
