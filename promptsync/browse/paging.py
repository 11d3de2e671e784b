"""Where a page of a list begins and ends.

Owns the positions that links carry: the values that a list is sorted by and the key, of a row at the edge. A position
comes from an address and so from anyone: what is none begins the list. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_LARGEST = (1 << 63) - 1
_LONGEST = 600

Row = Mapping[str, Any]
Position = tuple[str, int]
"""The sorted text and the key of the row before."""


def written(text: object, key: int) -> str:
    """A position in an address."""
    return f"{'' if text is None else text}~{key}"


def position(text: str | None) -> Position | None:
    """The position that an address carries; None if it carries none."""
    before, mark, key = (text or "").rpartition("~")
    number = whole(key)
    return (before, number) if mark and number is not None and len(before) <= _LONGEST else None


def whole(text: str | None) -> int | None:
    """A key in an address, as the database can hold it; None of anything else.

    >>> whole("12"), whole("-1"), whole("9" * 30), whole("")
    (12, None, None, None)
    """
    if not text or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    return int(text) if int(text) <= _LARGEST else None


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one page. ``next``: the position after its last row, "" if nothing follows."""

    rows: Sequence[Row]
    next: str


def part(rows: Sequence[Row], size: int, by: str, key: str) -> Part:
    """A page of ``size`` rows from one row more, if there are that many."""
    shown = rows[:size]
    return Part(shown, written(shown[-1][by], shown[-1][key]) if len(rows) > size else "")
