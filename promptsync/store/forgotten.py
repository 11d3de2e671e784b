"""Who is forgotten, in memory: is this an identifier of an erased person, and which cells of a column are?

Owns the keyed hash of an identifier and the sieve before it. Of each identifier the mirror keeps 16 bytes that nobody
can make or test without the key, and two numbers of 32 bits, masked under the same key, by which all but about one
cell in a million is passed over without hashing it: the high bits of an odd secret number times the cell, taken as a
64-bit word. A whole number is its own word; that of a text is made of its first and last eight bytes, that of a number
or address of its last eight digits, if it ends in so many. What is spelled in another way is hashed in any case.

Beside people's own identifiers (model/person.py) the keys of their rows can be forgotten, so that what only refers to
such a row is recognised: their kind is the table's name. Pure: reads no table and no file.
"""

import hashlib
import hmac
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Cells: TypeAlias = "pa.Array[Any]"
Test = Callable[[Any], bool]

KEY_BYTES: Final = 32
ADDRESS: Final = "address"
"""What is asked of a column in which identifiers of any of these kinds may stand."""
ADDRESSES: Final = frozenset({"phone", "e-mail", "account"})
"""Kinds of identifiers that are sieved together, as they stand in the same columns."""
_HASH, _TAG, _TAG_BITS = 16, 4, 32
_LEAST_BITS, _MOST_BITS = 16, 22
_SPARSE = 10  # bits more than there are identifiers: of the rest one cell in 1,000 is looked up
_WORD = 8
_DIGITS_MOST = 20  # of a 64-bit number, its sign counted
_ALL = (1 << 64) - 1


def _each(byte: int) -> np.uint64:
    return np.uint64(int(f"{byte:02x}" * _WORD, 16))


_LOWER, _DIGITS, _SIXES, _HIGH, _TOP = map(_each, (0x20, 0x30, 0x06, 0xF0, 0x80))


@dataclass(frozen=True, slots=True)
class Secret:
    """What the key makes of identifiers. ``key``: 32 bytes."""

    key: bytes
    odd: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "odd", int.from_bytes(self._digest(b"sieve", 8), "little") | 1)

    def hash(self, kind: str, value: str) -> bytes:
        """What the mirror keeps of an identifier in its one spelling: sixteen bytes, then its two tags, masked."""
        exact = self._exact(kind, value)
        words = text_word(value, address=kind in ADDRESSES), int_word(value)
        tags = b"".join((word * self.odd & _ALL).to_bytes(_WORD, "little")[-_TAG:] for word in words)
        return exact + self._masked(exact, tags)

    def tags(self, kept: bytes) -> tuple[int, int]:
        """The two tags of what the mirror keeps: of the value as a text, and as a whole number."""
        plain = self._masked(kept[:_HASH], kept[_HASH:])
        return int.from_bytes(plain[:_TAG], "little"), int.from_bytes(plain[_TAG:], "little")

    def number(self, kind: str, value: str) -> int:
        """The first eight of the sixteen bytes, by which an identifier is looked up."""
        return number_of(self._exact(kind, value))

    def probe(self) -> str:
        """What tells this key from another, in hexadecimal digits; says nothing about the key."""
        return self._digest(b"which key", _HASH).hex()

    def _exact(self, kind: str, value: str) -> bytes:
        return self._digest(f"{kind}\0{value}".encode("utf-8", "surrogatepass"), _HASH)

    def _masked(self, exact: bytes, tags: bytes) -> bytes:
        return bytes(a ^ b for a, b in zip(tags, self._digest(b"mask" + exact, 2 * _TAG), strict=True))

    def _digest(self, text: bytes, size: int) -> bytes:
        return hashlib.blake2b(text, key=self.key, digest_size=size, person=b"forgotten").digest()


def number_of(kept: bytes) -> int:
    """The number by which what the mirror keeps is looked up."""
    return int.from_bytes(kept[:8], "little")


def same_key(one: str, other: str) -> bool:
    """Whether two probes are of the same key."""
    return hmac.compare_digest(one, other)


class Forgotten:
    """The identifiers of erased people. ``kept``: (kind, hash) as the mirror has them; ``secret``: None if the key is
    lost, so that nobody is recognised. ``version``: grows with each list."""

    def __init__(self, kept: Iterable[tuple[str, bytes]] = (), secret: Secret | None = None, version: int = 0) -> None:
        self.version = version
        self._secret = secret
        rows = list(kept) if secret else []
        self._kinds = frozenset(kind for kind, _ in rows)
        self._numbers = array("Q", sorted(number_of(hash_) for _, hash_ in rows))
        self._sieves = _sieves(rows, secret) if secret else {}

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def has(self, kind: str, value: str) -> bool:
        """Whether an identifier in its one spelling is one of them."""
        if self._secret is None or kind not in self._kinds:
            return False
        number = self._secret.number(kind, value)
        place = bisect_left(self._numbers, number)
        return place < len(self._numbers) and self._numbers[place] == number

    def knows(self, kind: str) -> bool:
        """Whether there is one of this kind, or of any that a column of numbers and addresses may hold."""
        return _group(kind) in self._sieves

    def among(self, kind: str, cells: Cells, test: Test) -> Places:
        """The places of the cells that pass the ``test``, which only few have to undergo: it must be true of none but
        what ``has``."""
        sieve = self._sieves.get(_group(kind))
        if sieve is None or not len(cells):
            return np.zeros(0, np.int64)
        if pa.types.is_integer(cells.type):
            whole: Cells = cells.fill_null(0)
            some = sieve.numbers.passed(
                whole.to_numpy(zero_copy_only=False).astype(np.int64, copy=False).view(np.uint64)
            )
        else:
            some = _texts_passed(sieve.texts, cells, address=_group(kind) == ADDRESS)
        if not len(some):
            return some
        found = _some(cells, some)
        known = [value for value in pc.unique(found).to_pylist() if value is not None and test(value)]
        right: Mask = pc.is_in(found, value_set=pa.array(known, found.type)).to_numpy(zero_copy_only=False)
        return some[right]


def _some(cells: Cells, places: Places) -> Cells:
    return cells.take(pa.array(places, pa.int64()))


def _group(kind: str) -> str:
    return ADDRESS if kind in ADDRESSES else kind


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


def _sieves(rows: Iterable[tuple[str, bytes]], secret: Secret) -> dict[str, _Sieves]:
    tags: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for kind, kept in rows:
        tags[_group(kind)].append(secret.tags(kept))
    return {kind: _Sieves(*(_sieve(some, secret) for some in zip(*both, strict=True))) for kind, both in tags.items()}


def _sieve(tags: Iterable[int], secret: Secret) -> _Sieve:
    known = np.unique(np.fromiter(tags, np.uint64))
    bits = min(max(len(known).bit_length() + _SPARSE, _LEAST_BITS), _MOST_BITS)
    table = np.zeros(1 << bits, bool)
    table[known >> np.uint64(_TAG_BITS - bits)] = True
    return _Sieve(np.uint64(secret.odd), known, table)


def int_word(value: str) -> int:
    """The word of a whole number of 64 bits; 0 of any other text."""
    usual = value.removeprefix("-").isdecimal() and value.isascii() and len(value) <= _DIGITS_MOST
    return int(value) & _ALL if usual else 0


def text_word(value: str, *, address: bool) -> int:
    """The word of a text. ``address``: of a number or an address."""
    raw = value.encode("utf-8", "surrogatepass").rjust(_WORD, b"0")
    first, last = (np.frombuffer(part, "<u8") for part in (raw[:_WORD], raw[-_WORD:]))
    return int(last[0] if address and _are_digits(last)[0] else _folded(first, last)[0])


def _folded(first: Words, last: Words) -> Words:
    """The word of texts that begin and end with these bytes, in whichever letters."""
    lower = last | _LOWER
    return (first | _LOWER) ^ (lower << np.uint64(29) | lower >> np.uint64(35))


def _are_digits(word: Words) -> Mask:
    digits: Mask = (((word & _HIGH) ^ _DIGITS) | (((word + _SIXES) & _HIGH) ^ _DIGITS)) == 0
    return digits


def _texts_passed(sieve: _Sieve, cells: Cells, *, address: bool) -> Places:
    """The places of cells that pass, and of those that are spelled so that their word says nothing."""
    if not pa.types.is_string(cells.type):
        cells = cells.cast(pa.string())
    starts, ends, data = _bounds(cells)
    long = ends - starts >= _WORD
    if long.all():
        return _long_passed(sieve, (starts, ends, data), address=address)
    usual, short = np.flatnonzero(long), np.flatnonzero(~long & (ends > starts))
    padded: Cells = pc.ascii_lpad(pc.utf8_trim_whitespace(_some(cells, short)), _WORD, "0")
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
    """Where each text begins and ends in the bytes of all; nothing lies between a null's."""
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
    words: Words = np.ndarray((data.nbytes - _WORD + 1,), "<u8", data, strides=(1,))
    last = words[ends - _WORD]
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
