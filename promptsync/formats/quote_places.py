"""Which quotes of a text open and close cells, found without looking at one record after the other.

Owns that and nothing else. What its quotes leave open is judged in quoting.py; records.py scans a text that they do not
divide into cells at all.
"""

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Positions = npt.NDArray[np.int64]
_LF, _CR, _QUOTE = b'\n\r"'


@dataclass(frozen=True, slots=True)
class Quotes:
    """``at``: positions of the quotes that open a cell, close it or escape one another, so that parity says what is
    within. ``strict``: there are no others. ``odd``: where the last of an odd number of quotes ends that stand inside
    an unquoted cell, each a letter to us, but an opening quote to another reader."""

    at: Positions
    strict: bool = True
    odd: list[int] = field(default_factory=list)


def quotes_of(data: bytes, delimiter: bytes) -> Quotes | None:
    """The quotes of a text that begins with a record. None: text follows a closing quote, and only a scan can tell.

    By induction: an opening quote follows a delimiter, a line end or a closing quote (the two are then an escaped
    one), and a closing one is followed by one of these. A quote that should open and follows text is a letter, as are
    all others of its cell.
    """
    array = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(array == _QUOTE)
    if not len(quotes):
        return Quotes(quotes)
    border = np.zeros(256, bool)
    border[[delimiter[0], _LF, _CR, _QUOTE]] = True
    before = array.take(quotes[0::2] - 1, mode="clip")  # at either end of the text that is the quote itself
    after = array.take(quotes[1::2] + 1, mode="clip")
    if border.take(before).all() and border.take(after).all():
        return Quotes(quotes)
    return _without_letters(data, quotes, border, re.compile(b"[%b\r\n]" % re.escape(delimiter)))


def well_placed(data: bytes, delimiter: bytes) -> Positions | None:
    """Positions of all quotes, if each stands where RFC 4180 has one."""
    quotes = quotes_of(data, delimiter)
    return quotes.at if quotes is not None and quotes.strict else None


def _without_letters(
    data: bytes, quotes: Positions, border: npt.NDArray[np.bool_], cell_end: re.Pattern[bytes]
) -> Quotes | None:
    """From one quote out of place to the next; each costs the same, however long the text is."""
    array = np.frombuffer(data, np.uint8)
    no_opening = ~border[array[np.maximum(quotes - 1, 0)]] & (quotes > 0)
    no_closing = ~border[array[np.minimum(quotes + 1, len(array) - 1)]] & (quotes < len(array) - 1)
    even = np.arange(len(quotes)) % 2 == 0
    wrong = [np.flatnonzero(np.where(even, no_opening, no_closing))]  # if quotes with an even number open
    wrong.append(np.flatnonzero(np.where(even, no_closing, no_opening)))
    letters = np.zeros(len(quotes), bool)
    odd: list[int] = []
    at = 0
    while True:
        some = wrong[at % 2]
        place = int(np.searchsorted(some, at))
        if place == len(some):
            return Quotes(quotes[~letters], strict=False, odd=odd)
        first = int(some[place])
        if (first - at) % 2:
            return None
        end = cell_end.search(data, int(quotes[first]))
        at = int(np.searchsorted(quotes, end.start() if end else len(data)))
        letters[first:at] = True
        if (at - first) % 2:
            odd.append(int(quotes[at - 1]) + 1)
