"""Cutting a snapshot file at content-defined record boundaries, and telling which stretches are known.

Owns the cut and the digests, in the same pass that proves the file complete, and the bytes of the blocks that are not
known, set aside for reading. A boundary is before a record whose key, a plain number in the first cell, ends in 00: about
every hundredth, the same ones every night, and found without looking at each record. Says nothing about what a block
holds; a file in which a quote stands where it means nothing has no blocks.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import xxhash

from promptsync.formats.records import Block, cells_of, first_record, last_end, line_ends, well_placed
from promptsync.merge.block_index import Cut

_BOM = b"\xef\xbb\xbf"
_CHUNK = 4 << 20
_DIGITS = 20
_ENDING = b"00,"
_VERSION = b"1"  # of how cells are read: another one makes every known block unknown


class ContentCutter:
    """Takes a file's raw bytes piece by piece. ``known``: digest to (place, rows, lines) of blocks that need no reading.

    ``aside``: where the bytes of the others go. ``seed``: of the digests, so that nobody can prepare two blocks with the
    same one. After ``finish`` the cut is whole; ``cut`` is None if the file has no blocks.
    """

    def __init__(self, known: Mapping[bytes, tuple[int, int, int]], aside: Path | None, seed: int, salt: bytes) -> None:
        self._known = known
        self._file: BinaryIO | None = aside.open("w+b") if aside else None
        self._seed, self._salt = seed, salt
        self._pending: list[bytes] = []
        self._have = 0
        self._digests: list[bytes] = []
        self._first: list[int] = []
        self._lines: list[int] = []
        self._old: list[int] = []
        self._runs: list[tuple[int, int, int, int]] = []  # offset, length, line, rows left out before it
        self._line = 1
        self._left_out = 0
        self._run = bytearray()
        self._run_line = 1
        self.header = b""
        self._broken = False

    def feed(self, piece: bytes) -> None:
        """The next bytes of the file."""
        if self._broken:
            return
        self._pending.append(piece)
        self._have += len(piece)
        if self._have >= _CHUNK:
            self._work(last=False)

    def finish(self) -> Cut | None:
        """Nothing more comes."""
        if not self._broken:
            self._work(last=True)
            self._end_run()
        if self._broken or not self._first:
            return None
        return Cut(
            self.identity(),
            tuple(self._digests),
            np.array(self._first, np.int64),
            np.array(self._lines, np.int64),
            np.array(self._old, np.int64),
        )

    def identity(self) -> bytes:
        """Stands for the header, the salt (zone and table) and the way cells are read."""
        return xxhash.xxh3_128_digest(_VERSION + self._salt + self.header, self._seed)

    def key_name(self) -> str:
        """The name of the first column, in small letters."""
        cells = cells_of(self.header.removeprefix(_BOM)) if self.header else []
        return cells[0].decode("utf-8", "replace").strip().casefold() if cells else ""

    def unknown(self) -> Iterator[Block]:
        """The header, then the blocks that need reading, joined to a few megabytes where they follow each other."""
        yield Block(self.header, 1)
        if self._file is None:
            return
        for offset, length, line, left_out in self._runs:
            self._file.seek(offset)
            yield Block(self._file.read(length), line, left_out)

    def close(self) -> None:
        """Let go of the bytes set aside."""
        if self._file is not None:
            self._file.close()

    def _work(self, *, last: bool) -> None:
        data = b"".join(self._pending)
        self._pending, self._have = [], 0
        if not self.header:
            record, end = first_record(data.removeprefix(_BOM))
            if not record or end == 0:
                self._broken = True
                return
            end += len(_BOM) if data.startswith(_BOM) else 0
            self.header = data[:end]
            self._line += line_ends(self.header)
            data = data[end:]
        start = 0
        for boundary in _boundaries(data):
            self._block(data, start, boundary)
            start = boundary
        if last and start < len(data):
            self._block(data, start, len(data))
        elif start < len(data):
            self._pending, self._have = [data[start:]], len(data) - start

    def _block(self, data: bytes, start: int, end: int) -> None:
        if start == end or self._broken:
            return
        comma = data.find(b",", start, start + _DIGITS)
        key = data[start:comma]
        if not key.isdigit():
            self._broken = True
            return
        digest = xxhash.xxh3_128_digest(memoryview(data)[start:end], self._seed)
        place, rows, lines = self._known.get(digest, (-1, 0, 0))
        self._digests.append(digest)
        self._first.append(int(key))
        self._old.append(place)
        if place >= 0:
            self._end_run()
            self._left_out += rows
        else:
            lines = data.count(b"\n", start, end)
            if not self._run:
                self._run_line = self._line
            self._run += data[start:end]
            if len(self._run) >= _CHUNK:
                self._end_run()
        self._lines.append(lines)
        self._line += lines

    def _end_run(self) -> None:
        """Set a run of unknown blocks aside, once it is certain that it is whole records."""
        if not self._run:
            return
        run = bytes(self._run)
        self._run.clear()
        if well_placed(run) is None or b"\r" in run or (last_end(run) != len(run) and run.endswith(b"\n")):
            self._broken = True
            return
        if self._file is not None:
            self._runs.append((self._file.tell(), len(run), self._run_line, self._left_out))
            self._file.write(run)
        self._left_out = 0


def _boundaries(data: bytes) -> Iterator[int]:
    """Where records begin whose key ends in 00, but for the first byte; never within quotes."""
    before = 0
    hit = data.find(_ENDING)
    while hit >= 0:
        line_end = data.rfind(b"\n", max(before, hit - _DIGITS), hit)
        if line_end >= 0 and data[line_end + 1 : hit + 2].isdigit() and not data.count(b'"', before, line_end) % 2:
            before = line_end + 1
            yield before
        hit = data.find(_ENDING, hit + 1)
