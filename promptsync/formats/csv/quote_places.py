"""Finds which quotes of a text open and close cells, without going record by record.

Owns that and the positions outside of quotes. Ambiguous quotes are judged in text.py; records.py scans a text that
its quotes do not divide into cells at all. A text is processed in slices, so that one of nothing but quotes takes
little more memory than any other.
"""

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]
_LF, _CR, _QUOTE = b'\n\r"'
_SLICE = 1 << 19
_MOST_KEPT = 1 << 19
_MOST_LETTERS = 1_000_000
_MOST_AT_ONCE = 1 << 23


class TooManyLetters(Exception):
    """A text of about one record holds more cells with quotes out of place than anybody writes."""


@dataclass(frozen=True, slots=True)
class Portion:
    """A slice of a text. ``quotes``: of this slice; ``opened``: 1 if it begins within quotes, else 0."""

    start: int
    bytes: npt.NDArray[np.uint8]
    quotes: Positions
    opened: int

    def outside(self, byte: int) -> Positions:
        """The positions in the text where that byte is outside quotes."""
        at = np.flatnonzero(self.bytes == byte)
        if len(self.quotes) or self.opened:
            at = at[np.searchsorted(self.quotes, at) % 2 == self.opened]
        return at + self.start


@dataclass(frozen=True, slots=True)
class Quotes:
    """The quotes of ``data`` that open a cell, close it or escape one another, so that parity says what is within.

    ``opened``: 1 if the text begins within quotes. ``strict``: there are no others. ``odd``: where the last of an odd
    number of quotes ends that stand inside an unquoted cell, each a letter to us, but an opening quote to another
    reader. ``first``, ``last``: from where to where quotes are such letters. ``found``: the slices, if the quotes in
    them are few enough to be kept.
    """

    data: bytes = field(repr=False)
    opened: int = 0
    strict: bool = True
    odd: Positions = field(default_factory=lambda: np.zeros(0, np.int64))
    first: Positions = field(default_factory=lambda: np.zeros(0, np.int64))
    last: Positions = field(default_factory=lambda: np.zeros(0, np.int64))
    found: tuple[Portion, ...] = field(default=(), repr=False)

    def portions(self) -> Iterator[Portion]:
        """The text, slice by slice."""
        if self.found:
            yield from self.found
            return
        whole, opened = np.frombuffer(self.data, np.uint8), self.opened
        for start in range(0, len(whole), _SLICE):
            part = whole[start : start + _SLICE]
            quotes = self._quotes(part, start)
            yield Portion(start, part, quotes, opened)
            opened ^= len(quotes) & 1

    @property
    def closed(self) -> bool:
        """Whether every quote is closed at the end."""
        return sum(len(part.quotes) for part in self.portions()) % 2 == 0

    def within(self, positions: Positions) -> npt.NDArray[np.bool_]:
        """Which of these ascending positions are within quotes."""
        found = [np.zeros(0, bool)]
        for part in self.portions():
            low, high = np.searchsorted(positions, (part.start, part.start + len(part.bytes)))
            here = positions[low:high] - part.start
            found.append(np.searchsorted(part.quotes, here) % 2 != part.opened)
        beyond = np.zeros(len(positions) - sum(map(len, found)), bool)
        return np.concatenate((*found, beyond))

    def last_outside(self, byte: int, limit: int) -> int:
        """The last place below ``limit`` where the byte stands outside quotes, or -1."""
        sign = bytes((byte,))
        opened = self._opened()
        for number in range(len(opened) - 1, -1, -1):
            start = number * _SLICE
            at = self.data.rfind(sign, start, min(start + _SLICE, limit))
            if at < 0:
                continue
            part = self.found[number] if self.found else self._portion(start, opened[number])
            if int(np.searchsorted(part.quotes, at - start)) % 2 == part.opened:
                return at
            outside = part.outside(byte)
            outside = outside[outside < limit]
            if len(outside):
                return int(outside[-1])
        return -1

    def _opened(self) -> list[int]:
        """Of each slice, whether it begins within quotes."""
        if b'"' not in self.data:
            return [self.opened] * -(-len(self.data) // _SLICE)
        return [part.opened for part in self.portions()]

    def _portion(self, start: int, opened: int) -> Portion:
        part = np.frombuffer(self.data, np.uint8)[start : start + _SLICE]
        return Portion(start, part, self._quotes(part, start), opened)

    def _quotes(self, part: npt.NDArray[np.uint8], start: int) -> Positions:
        quotes: Positions = np.flatnonzero(part == _QUOTE)
        if len(self.first) and len(quotes):
            span = np.searchsorted(self.first, quotes + start, "right") - 1
            quotes = quotes[(span < 0) | (quotes + start >= self.last[span])]
        return quotes


def quotes_of(data: bytes, delimiter: bytes) -> Quotes | None:
    """The quotes of a text that begins with a record. None: text follows a closing quote, and only a scan can tell.

    By induction: an opening quote follows a delimiter, a line end or a closing quote (the two are then an escaped
    one), and a closing one is followed by one of these. A quote that should open and follows text is a letter, as are
    all others of its cell. Raises TooManyLetters.
    """
    return well_placed(data, delimiter) or _all_letters(data, delimiter) or _without_letters(data, delimiter)


def well_placed(data: bytes, delimiter: bytes) -> Quotes | None:
    """All quotes of a text, if each stands where RFC 4180 has one."""
    if b'"' not in data:
        return Quotes(data)
    border = np.zeros(256, bool)
    border[[delimiter[0], _LF, _CR, _QUOTE]] = True
    whole, found, count = np.frombuffer(data, np.uint8), [], 0
    for part in Quotes(data).portions():
        found.append(part)
        count += len(part.quotes)
        if count > _MOST_KEPT:
            found = []
        at = part.quotes + part.start
        before = whole.take(at[part.opened :: 2] - 1, mode="clip")  # at either end of the text that is the quote itself
        after = whole.take(at[1 - part.opened :: 2] + 1, mode="clip")
        if not (border.take(before).all() and border.take(after).all()):
            return None
    return Quotes(data, found=tuple(found) if count <= _MOST_KEPT else ())


def _all_letters(data: bytes, delimiter: bytes) -> Quotes | None:
    """The quotes of a text of ordinary size in which none begins a cell, so that each is a letter; else None."""
    if len(data) > _MOST_AT_ONCE:
        return None
    whole = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(whole == _QUOTE)
    ends = (whole == delimiter[0]) | (whole == _LF) | (whole == _CR)
    if quotes[0] == 0 or ends[quotes - 1].any():
        return None
    borders = np.append(np.flatnonzero(ends), len(data))
    cells, first, count = np.unique(np.searchsorted(borders, quotes), return_index=True, return_counts=True)
    if len(cells) > _MOST_LETTERS:
        raise TooManyLetters
    odd = quotes[(first + count - 1)[count % 2 == 1]] + 1
    return Quotes(data, strict=False, odd=odd, first=quotes[first], last=borders[cells])


def _without_letters(data: bytes, delimiter: bytes) -> Quotes | None:
    """From one cell with a quote to the next, whether it begins with it or not."""
    sign = re.escape(delimiter)
    quoted = rb'(?<![^%b\r\n])"(?:[^"]++|"")*+(?:"(?:(?=[%b\r\n])|\Z|(?P<text>))|\Z)' % (sign, sign)
    cell = re.compile(rb'%b|(?P<letters>"[^%b\r\n]*+)' % (quoted, sign))
    first, last, odd = array("q"), array("q"), array("q")
    for match in cell.finditer(data):
        if match.lastgroup == "letters":
            start, end = match.span()
            first.append(start)
            last.append(end)
            if data.count(b'"', start, end) % 2:
                odd.append(data.rfind(b'"', start, end) + 1)
            if len(first) > _MOST_LETTERS:
                raise TooManyLetters
        elif match.lastgroup:
            return None
    ends, starts, stops = (np.array(found, np.int64) for found in (odd, first, last))
    return Quotes(data, strict=False, odd=ends, first=starts, last=stops)
