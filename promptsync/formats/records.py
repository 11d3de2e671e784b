"""Where CSV records begin and end (RFC 4180, as lenient as Arrow's reader: a quote opens only at a cell's start).

Owns the cutting of a byte stream into blocks of whole records, and of a block into its records. Does not look into
cells. A record ends with LF, CR LF or CR outside quotes; empty lines are no records.
"""

import re
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptsync.errors import Held

Positions = npt.NDArray[np.int64]

_COMMA, _LF, _CR, _QUOTE = b',\n\r"'
_CELL = rb'(?:"(?:[^"]++|"")*+"[^,\r\n]*+|(?!")[^,\r\n]*+)'
_RECORD = re.compile(rb"(?:%b,)*+%b(\r\n|\n|\r|\Z)" % (_CELL, _CELL))
_ONE_CELL = re.compile(rb'(?:"((?:[^"]++|"")*+)"([^,\r\n]*+)|((?!")[^,\r\n]*+))(?=[,\r\n]|\Z)')


@dataclass(frozen=True, slots=True)
class Block:
    """``data``: whole records. ``line``: the physical line that the first begins at, from 1."""

    data: bytes
    line: int


def blocks(pieces: Iterable[bytes], max_record: int, size: int = 4 << 20) -> Generator[Block, None, None]:
    """Cuts a stream into blocks of about ``size`` bytes, longer only where one record is.

    The last record may lack its line end. Raises Held ``last_record_cut`` if the stream ends within quotes and
    ``too_long`` if a record has more than ``max_record`` bytes, give or take two pieces.
    """
    line, wanted, have = 1, size, 0
    pending: list[bytes] = []
    for piece in pieces:
        pending.append(piece)
        have += len(piece)
        if have < wanted:
            continue
        data = b"".join(pending)
        if end := last_end(data):
            yield Block(data[:end], line)
            line += line_ends(data[:end])
            data, wanted = data[end:], size
        elif have > max_record:
            raise Held("too_long", f"The record at line {line:,} is longer than {max_record:,} bytes.")
        else:
            wanted = min(2 * have, max_record + 1)
        pending, have = [data], len(data)
    yield from _last_block(b"".join(pending), line, max_record)


def _last_block(data: bytes, line: int, max_record: int) -> Iterator[Block]:
    if not data:
        return
    end = last_end(data)
    tail = data[end:]
    if sum(len(match[0]) for match in _scan(tail)) < len(tail):
        at = line + line_ends(data[:end])
        raise Held("last_record_cut", f"The file ends within the quoted record at line {at:,}.")
    if len(tail) > max_record:
        raise Held("too_long", f"The last record is longer than {max_record:,} bytes.")
    yield Block(data, line)


def line_ends(data: bytes) -> int:
    """Physical lines that end in ``data``: LF, CR LF or CR, within quotes too."""
    carriage = data.count(b"\r") - data.count(b"\r\n") if b"\r" in data else 0
    return int(np.count_nonzero(np.frombuffer(data, np.uint8) == _LF)) + carriage


def last_end(data: bytes) -> int:
    """Bytes up to the end of the last whole record of ``data``, which begins with a record. 0: none ends in it."""
    quotes = well_placed(data)
    if quotes is None:
        ends = [match.end() for match in _scan(data) if match[1]]
        if ends and data.endswith(b"\r") and ends[-1] == len(data):
            ends.pop()  # the LF of a CR LF may follow
        return ends[-1] if ends else 0
    return _last_outside(data, b"\n", quotes, len(data)) or _last_outside(data, b"\r", quotes, len(data) - 1)


def _last_outside(data: bytes, line_end: bytes, quotes: Positions, limit: int) -> int:
    """Where the last such line end outside quotes ends, or 0. From the back, skipping whole quoted cells."""
    while (at := data.rfind(line_end, 0, max(limit, 0))) >= 0:
        before = int(np.searchsorted(quotes, at))
        if before % 2 == 0:
            return at + 1
        limit = int(quotes[before - 1])
    return 0


def well_placed(data: bytes) -> Positions | None:
    """Positions of all quotes, if each that opens by parity stands at a cell's start, so that parity says which do.

    By induction: an opening quote must follow a delimiter, a line end or a closing quote (the two are then an escaped
    one). Text after a closing quote is part of the cell, and a quote in it fails the test as it follows text. None:
    only a scan can tell what the quotes mean.
    """
    array = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(array == _QUOTE)
    opening = quotes[0::2]
    before = array[opening[opening > 0] - 1]
    good = np.zeros(256, bool)
    good[[_COMMA, _LF, _CR, _QUOTE]] = True
    return quotes if bool(good[before].all()) else None


def _scan(data: bytes) -> Iterator[re.Match[bytes]]:
    """Every record and empty line, by the grammar; stops at a record that does not end."""
    at = 0
    while at < len(data) and (match := _RECORD.match(data, at)):
        yield match
        at = match.end()


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one block, without empty lines. ``starts``, ``ends``: offsets, line end included. ``cells``: how
    many each has."""

    block: Block
    starts: Positions
    ends: Positions
    cells: Positions

    def __len__(self) -> int:
        return len(self.starts)

    def original(self, index: int) -> bytes:
        """The record's exact bytes, without its line end."""
        raw = self.block.data[int(self.starts[index]) : int(self.ends[index])]
        return raw[:-2] if raw.endswith(b"\r\n") else raw[:-1] if raw.endswith((b"\n", b"\r")) else raw

    def line(self, index: int) -> int:
        """The physical line it begins at, from 1."""
        return self.block.line + line_ends(self.block.data[: int(self.starts[index])])

    def only(self, wanted: npt.NDArray[np.bool_]) -> bytes:
        """The bytes of the wanted records, one after the other."""
        data = self.block.data
        spans = zip(self.starts[wanted].tolist(), self.ends[wanted].tolist(), strict=True)
        return b"".join(data[start:end] for start, end in spans)


def split(block: Block) -> Records:
    """Finds the records of a block."""
    quotes = well_placed(block.data)
    array = np.frombuffer(block.data, np.uint8)
    if not len(array) or quotes is None or not _only_before_lf(array, _outside(array, _CR, quotes)):
        return _split_by_scan(block)
    ends = _outside(array, _LF, quotes) + 1
    if not len(ends) or ends[-1] != len(array):
        ends = np.append(ends, len(array))
    starts = np.concatenate(([0], ends[:-1]))
    commas = _outside(array, _COMMA, quotes)
    cells = np.searchsorted(commas, ends) - np.searchsorted(commas, starts) + 1
    real = (array[starts] != _LF) & (array[starts] != _CR)
    return Records(block, starts[real], ends[real], cells[real])


def _outside(array: npt.NDArray[np.uint8], byte: int, quotes: Positions) -> Positions:
    at = np.flatnonzero(array == byte)
    outside: Positions = at[np.searchsorted(quotes, at) % 2 == 0]
    return outside


def _only_before_lf(array: npt.NDArray[np.uint8], carriages: Positions) -> bool:
    after = carriages + 1
    return not len(after) or bool(after[-1] < len(array) and (array[after] == _LF).all())


def _split_by_scan(block: Block) -> Records:
    found = [(m.start(), m.end(), m.start(1)) for m in _scan(block.data)]
    rows = [(start, end, _count(block.data, start, stop)) for start, end, stop in found if stop > start]
    table = np.array(rows, np.int64).reshape(-1, 3)
    return Records(block, table[:, 0], table[:, 1], table[:, 2])


def _count(data: bytes, start: int, stop: int) -> int:
    return sum(1 for _ in _cells(data, start, stop))


def _cells(data: bytes, start: int, stop: int) -> Iterator[re.Match[bytes]]:
    while start <= stop and (match := _ONE_CELL.match(data, start, stop)):
        yield match
        start = match.end() + 1


def cells_of(record: bytes) -> list[bytes]:
    """The cells of one record without its line end, quotes resolved."""
    matches = _cells(record, 0, len(record))
    return [m[3] if m[1] is None else m[1].replace(b'""', b'"') + m[2] for m in matches]


def first_record(data: bytes) -> tuple[bytes, int]:
    """The first record, without its line end, and where the next begins; ``b""`` if there are only empty lines."""
    for match in _scan(data):
        if match.start(1) > match.start():
            return data[match.start() : match.start(1)], match.end()
    return b"", len(data)
