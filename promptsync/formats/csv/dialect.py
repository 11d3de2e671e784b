"""The dialect of a CSV file: what separates its cells, and what precedes its header.

Owns the recognition, from the first bytes of the text alone, so that every reader of one file comes to the same result.
Pure. A separator is believed because the header's names are found between it, not because it is frequent.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from promptsync.formats.csv.records import COMMA, cells_of

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may separate cells, and its name. First found wins where the header leaves it open."""

BOM = b"\xef\xbb\xbf"
_OTHERS = {"^": "carets", "~": "tildes", ":": "colons", "\x01": "control characters (Ctrl-A)", "#": "number signs"}
_SAID = re.compile(rb'"?sep=([,;\t|])"?[ \t]*(?:\r\n|\n|\r)', re.IGNORECASE)
_FIRST_LINE = re.compile(rb"[\r\n]*+([^\r\n]*+)")
_LOOKED_AT = 1 << 16


@dataclass(frozen=True, slots=True)
class Dialect:
    """``delimiter``: one byte. ``start``: bytes in front of the header: a mark, a line ``sep=;``. ``line``: the
    physical line that comes next, from 1."""

    delimiter: bytes = COMMA
    start: int = 0
    line: int = 1

    @property
    def name(self) -> str:
        """Of the separator, in the plural."""
        return SEPARATORS[self.delimiter.decode()]


def dialect_of(head: bytes, names: Collection[str], spelled: Callable[[str], str] = str.casefold) -> Dialect:
    """What the first bytes of a file in UTF-8 say; the whole header should be among them. ``names``: known ones of
    the table as ``spelled`` makes them; without any the separator is the one that cuts the header into the most
    cells."""
    start = len(BOM) if head.startswith(BOM) else 0
    if said := _SAID.match(head, start):
        return Dialect(said[1], said.end(), 2)
    line = _first_line(head, start)
    cells = {sign: cells_of(line, sign.encode()) for sign in SEPARATORS}
    best = max(SEPARATORS, key=lambda sign: (_known(cells[sign], names, spelled), len(cells[sign]) if not names else 0))
    if names and not _known(cells[best], names, spelled):
        best = max(SEPARATORS, key=lambda sign: len(cells[sign]))
    return Dialect(best.encode(), start)


def opened(
    pieces: Iterable[bytes], names: Collection[str] = (), spelled: Callable[[str], str] = str.casefold
) -> tuple[Iterator[bytes], Dialect]:
    """A text, from its header on, and how it is written. Takes as many pieces as that needs, and gives them as one."""
    left = iter(pieces)
    taken, length, lines = [], 0, 0
    for piece in left:
        taken.append(piece)
        length += len(piece)
        lines += piece.count(b"\n")
        if length >= _LOOKED_AT or lines > 1:
            break
    head = b"".join(taken)
    dialect = dialect_of(head, names, spelled)
    return chain((head[dialect.start :],), left), dialect


def strange_separator(head: bytes, names: Collection[str], spelled: Callable[[str], str] = str.casefold) -> str | None:
    """The name of the separator of a file that nothing here can read, if it is one of the usual ones."""
    line = _first_line(head, len(BOM) if head.startswith(BOM) else 0)
    found = (name for sign, name in _OTHERS.items() if _known(cells_of(line, sign.encode()), names, spelled) > 1)
    return next(found, None)


def _first_line(head: bytes, start: int) -> bytes:
    match = _FIRST_LINE.match(head, start, start + _LOOKED_AT)
    return match[1] if match else b""


def _known(cells: Collection[bytes], names: Collection[str], spelled: Callable[[str], str]) -> int:
    return sum(spelled(cell.decode("utf-8", "replace").strip()) in names for cell in cells)
