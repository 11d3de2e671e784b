"""Where CSV records begin and end (RFC 4180; a quote opens only at a cell's start).

Owns the cutting of a byte stream into blocks of complete records, and of a block into its records. Does not look into
cells. A record ends with LF, CR LF or CR outside quotes; empty lines are no records. What is no RFC 4180 is cut as
Arrow's reader would, and marked: whether it may stand is decided in text.py.
"""

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from promptsync.errors import Held
from promptsync.formats.csv.quote_places import Positions, Quotes, TooManyLetters, quotes_of

COMMA = b","

_LF, _CR, _QUOTE = b'\n\r"'
_CROWDED_SIZE = 1 << 19
_QUOTED = rb'"(?:[^"]++|"")*+"'
_END = rb"(\r\n|\n|\r|\Z)"


@dataclass(frozen=True, slots=True)
class Block:
    """``data``: complete records. ``line``: the physical line that the first begins at, from 1.

    ``tidy``: every quote is known to stand where RFC 4180 has one. ``quotes``: if not, what is known of them.
    """

    data: bytes
    line: int
    tidy: bool = False
    quotes: Quotes | None = field(default=None, compare=False, repr=False)


def blocks(
    pieces: Iterable[bytes],
    max_record: int,
    size: int = 4 << 20,
    delimiter: bytes = COMMA,
    line: int = 1,
    *,
    keep_cut: bool = False,
) -> Generator[Block, None, None]:
    """Cuts a stream into blocks of about ``size`` bytes, longer only where one record is. ``line``: of its first byte.

    Where lines are a few bytes long, or quotes everywhere, blocks are smaller: what is done with them takes memory for
    each. The last record may lack its line end. Raises Held ``last_record_cut`` if the stream ends within quotes,
    unless ``keep_cut`` wants that as a record, and ``too_long`` if a record has more than ``max_record`` bytes, give or
    take two pieces.
    """
    wanted, have, grown = size, 0, 0
    pending: list[bytes] = []
    for piece in pieces:
        pending.append(piece)
        have += len(piece)
        if wanted > _CROWDED_SIZE and crowded(piece):
            wanted = _CROWDED_SIZE
        if have < max(wanted, grown):
            continue
        data = b"".join(pending)
        pending.clear()
        end, quotes = _last_end(data, delimiter, line)
        if end:
            block, data = _block(data[:end], line, quotes), data[end:]
            del quotes  # which has the bytes of both
            yield block
            line += line_ends(block.data)
            wanted, grown = size, 0
        elif have > max_record:
            raise _too_long(data, line, max_record)
        else:
            grown = min(2 * have, max_record + 1)
        pending.append(data)
        have = len(data)
    data = b"".join(pending)
    pending.clear()
    yield from _last_block(data, line, max_record, delimiter, keep_cut=keep_cut)


def crowded(piece: bytes) -> bool:
    """Whether lines are shorter than eight bytes on average, or quotes as frequent."""
    array = np.frombuffer(piece, np.uint8)
    most = len(array) // 8
    return any(int(np.count_nonzero(array == sign)) > most for sign in (_LF, _CR, _QUOTE))


def _block(data: bytes, line: int, quotes: Quotes | None) -> Block:
    if quotes is None or quotes.strict:
        return Block(data, line, quotes is not None)
    return Block(data, line, quotes=replace(quotes, data=data, odd=quotes.odd[quotes.odd <= len(data)]))


def _last_block(data: bytes, line: int, max_record: int, delimiter: bytes, *, keep_cut: bool) -> Iterator[Block]:
    if not data:
        return
    end, quotes = _last_end(data, delimiter, line)
    tail = data[end:]
    cut = sum(found.end - found.start for found in scan(tail, delimiter)) < len(tail)
    if cut and not keep_cut:
        at = line + line_ends(data[:end])
        raise Held(
            "last_record_cut",
            f"The file ends within the quoted record at line {at:,}: it was cut, or a quote in it is out of place"
            f"{backslashes(tail)}.",
        )
    if len(tail) > max_record:
        raise _too_long(tail, line + line_ends(data[:end]), max_record)
    yield _block(data, line, None if cut else quotes)


def _too_long(data: bytes, line: int, max_record: int) -> Held:
    perhaps = ", or a quote in it is never closed" if data.count(b'"', 0, 1 << 16) else ""
    return Held("too_long", f"The record at line {line:,} is longer than {max_record:,} bytes{perhaps}.")


def backslashes(record: bytes) -> str:
    """What to add about a record whose quotes are out of place, if it is written in a dialect of its own."""
    if b'\\"' not in record:
        return ""
    return '; it seems to be written with backslashes (\\") where CSV doubles a quote'


def line_ends(data: bytes) -> int:
    """Physical lines that end in ``data``: LF, CR LF or CR, within quotes too."""
    carriage = data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else 0
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == _LF)) + carriage


class TextEnd:
    """Whether a text seen so far ends with a line end: LF, or CR in a text without any LF; else half of a CR LF."""

    def __init__(self) -> None:
        self._last, self._lf = b"", False

    def see(self, piece: bytes) -> None:
        """Take the next piece of the text."""
        self._lf = self._lf or b"\n" in piece
        self._last = piece[-1:] or self._last

    @property
    def there(self) -> bool:
        """Whether the text so far ends with a line end."""
        return self._last == b"\n" or (self._last == b"\r" and not self._lf)


def _last_end(data: bytes, delimiter: bytes, line: int) -> tuple[int, Quotes | None]:
    """The end of the last complete record, and the quotes that divide the text, if any do."""
    try:
        quotes = quotes_of(data, delimiter)
    except TooManyLetters:
        raise Held("quoting", f"From line {line:,} on quotes stand within more cells than can be read.") from None
    if quotes is None:
        ends = [found.end for found in scan(data, delimiter) if found.end > found.stop]
        if ends and data.endswith(b"\r") and ends[-1] == len(data):
            ends.pop()  # the LF of a CR LF may follow
        return (ends[-1] if ends else 0), None
    end = quotes.last_outside(_LF, len(data)) + 1 or quotes.last_outside(_CR, len(data) - 1) + 1
    return end, quotes


@dataclass(frozen=True, slots=True)
class Extent:
    """A record or an empty line: where it begins, where its line end does, where it ends. ``strange``: text follows
    a closing quote in it."""

    start: int
    stop: int
    end: int
    strange: bool


def scan(data: bytes, delimiter: bytes = COMMA, at: int = 0) -> Iterator[Extent]:
    """Every record and empty line from ``at`` on, by the grammar; stops at a record that does not end."""
    strict, lenient = _grammar(delimiter, lenient=False), _grammar(delimiter, lenient=True)
    while at < len(data):
        strange = False
        match = strict.match(data, at)
        if match is None:
            strange, match = True, lenient.match(data, at)
        if match is None:
            return
        yield Extent(at, match.start(1), match.end(), strange)
        at = match.end()


def _grammar(delimiter: bytes, *, lenient: bool) -> re.Pattern[bytes]:
    """A record with its line end, group 1. ``lenient``: text may follow a closing quote, and is part of the cell."""
    sign = re.escape(delimiter)
    text = rb"[^%b\r\n]*+" % sign
    cell = rb'(?:%b%b|(?!")%b)' % (_QUOTED, text if lenient else b"", text)
    return re.compile(rb"(?:%b%b)*+%b%b" % (cell, sign, cell, _END))


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one block, without empty lines. ``starts``, ``ends``: offsets, line end included. ``cells``: how
    many each has. ``strange``: whether text follows a closing quote in it, or a quote is never closed."""

    block: Block
    starts: Positions
    ends: Positions
    cells: Positions
    strange: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.starts)

    def original(self, index: int) -> bytes:
        """The record's exact bytes, without its line end."""
        raw = self.block.data[int(self.starts[index]) : int(self.ends[index])]
        return raw[:-2] if raw.endswith(b"\r\n") else raw[:-1] if raw.endswith((b"\n", b"\r")) else raw

    def line(self, index: int) -> int:
        """The physical line it begins at, from 1."""
        return self.block.line + line_ends(self.block.data[: int(self.starts[index])])

    def lines(self, indices: Positions) -> Positions:
        """The physical lines that these records begin at, from 1."""
        array = np.frombuffer(self.block.data, np.uint8)
        ended = array == _LF
        if b"\r" in self.block.data:
            lone = array == _CR
            lone[:-1] &= array[1:] != _LF
            ended |= lone
        lines: Positions = np.searchsorted(np.flatnonzero(ended), self.starts[indices]) + self.block.line
        return lines

    def only(self, wanted: npt.NDArray[np.bool_]) -> bytes:
        """The bytes of the wanted records, one after the other."""
        data = self.block.data
        spans = zip(self.starts[wanted].tolist(), self.ends[wanted].tolist(), strict=True)
        return b"".join(data[start:end] for start, end in spans)


def split(block: Block, delimiter: bytes = COMMA) -> Records:
    """Finds the records of a block."""
    quotes = block.quotes or quotes_of(block.data, delimiter)
    if not block.data or quotes is None or not quotes.closed:
        return _split_by_scan(block, delimiter)
    array = np.frombuffer(block.data, np.uint8)
    ends, last = _line_ends_outside(quotes, array), 0
    cells = np.zeros(len(ends), np.int64)
    for part in quotes.portions():  # delimiters up to each line end
        between = part.outside(delimiter[0])
        low, high = np.searchsorted(ends, (part.start, part.start + len(part.bytes)), "right")
        cells[low:high] = np.searchsorted(between, ends[low:high]) + last
        last += len(between)
    cells = np.diff(cells, prepend=0) + 1
    starts = np.concatenate(([0], ends[:-1]))
    real = (array[starts] != _LF) & (array[starts] != _CR)
    return Records(block, starts[real], ends[real], cells[real], np.zeros(int(real.sum()), bool))


def _line_ends_outside(quotes: Quotes, array: npt.NDArray[np.uint8]) -> Positions:
    """Where records and empty lines end: LF, CR LF, CR or the end of the text."""
    found = []
    for part in quotes.portions():
        ends = part.outside(_LF)
        if _CR in part.bytes:
            carriages = part.outside(_CR)
            lone = carriages[array.take(carriages + 1, mode="clip") != _LF]
            ends = np.sort(np.concatenate((ends, lone)))
        found.append(ends + 1)
    ends = np.concatenate(found)
    return ends if len(ends) and ends[-1] == len(array) else np.append(ends, len(array))


def _split_by_scan(block: Block, delimiter: bytes = COMMA) -> Records:
    rows, whole = [], 0
    for found in scan(block.data, delimiter):
        if found.stop > found.start:
            cells = sum(1 for _ in cells_within(block.data, found.start, found.stop, delimiter))
            rows.append((found.start, found.end, cells, found.strange))
        whole = found.end
    if whole < len(block.data):  # a quote that is never closed: all that follows is one record
        rows.append((whole, len(block.data), 0, True))
    table = np.array(rows, np.int64).reshape(-1, 4)
    return Records(block, table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(bool))


def cells_within(data: bytes, start: int, stop: int, delimiter: bytes = COMMA) -> Iterator[re.Match[bytes]]:
    """The cells of a record: groups 1 and 2 what is within quotes and after them, or 3 all of it."""
    sign = re.escape(delimiter)
    cell = re.compile(rb'(?:"((?:[^"]++|"")*+)"([^%b\r\n]*+)|((?!")[^%b\r\n]*+))(?=[%b\r\n]|\Z)' % (sign, sign, sign))
    while start <= stop and (match := cell.match(data, start, stop)):
        yield match
        start = match.end() + 1


def cells_of(record: bytes, delimiter: bytes = COMMA) -> list[bytes]:
    """The cells of one record without its line end, quotes resolved."""
    matches = cells_within(record, 0, len(record), delimiter)
    return [m[3] if m[1] is None else m[1].replace(b'""', b'"') + m[2] for m in matches]


def first_record(data: bytes, delimiter: bytes = COMMA) -> tuple[bytes, int]:
    """The first record, without its line end, and where the next begins; ``b""`` if there are only empty lines."""
    start = len(data) - len(data.lstrip(b"\r\n"))
    found = next(scan(data, delimiter, start), None)
    if found is None:
        return b"", len(data)
    return data[start : found.stop], found.end
