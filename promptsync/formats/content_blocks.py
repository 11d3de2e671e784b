"""Cutting a snapshot file at content-defined record boundaries, and telling which stretches are known.

Owns the cut and the digests, in the same pass that proves the file complete, and the bytes of the blocks that are not
known, set aside for reading. A boundary is before a record whose key, a plain number in the first cell, ends in 00:
about every hundredth, the same ones every night, and found without looking at each record. Says nothing about what a
block holds; a file in which a quote stands where it means nothing has no blocks.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import xxhash

from promptsync.formats.records import cells_of, first_record, last_end, well_placed
from promptsync.merge.block_index import Cut

_BOM = b"\xef\xbb\xbf"
_CHUNK = 4 << 20
_LONGEST = 16 * _CHUNK
_DIGITS = 20
_BOUNDARY = re.compile(rb"\n(?=[0-9]{0,17}00,)")
_VERSION = b"1"  # of how cells are read: another one makes every known block unknown


class ContentCutter:
    """Takes a file's raw bytes piece by piece. ``known``: digest to place of the blocks that need no reading.

    ``aside``: where the bytes of the others go. ``seed``: of the digests, so that nobody can prepare two blocks with
    the same one. ``salt``: what else the meaning of the bytes depends on.
    """

    def __init__(self, known: Mapping[bytes, int], aside: Path | None, seed: int, salt: bytes) -> None:
        self._known = known
        self._file: BinaryIO | None = aside.open("w+b") if aside else None
        self._seed, self._salt = seed, salt
        self._pending: list[bytes] = []
        self._have = 0
        self._digests: list[bytes] = []
        self._first: list[int] = []
        self._old: list[int] = []
        self._run = bytearray()
        self._header = b""
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
        """Nothing more comes. None if the file has no blocks."""
        if not self._broken:
            self._work(last=True)
            self._end_run()
        if self._broken or not self._first:
            return None
        identity = xxhash.xxh3_128_digest(_VERSION + self._salt + self._header, self._seed)
        return Cut(identity, tuple(self._digests), np.array(self._first, np.int64), np.array(self._old, np.int64))

    def key_name(self) -> str:
        """The name of the first column, in small letters."""
        cells = cells_of(self._header.removeprefix(_BOM)) if self._header else []
        return cells[0].decode("utf-8", "replace").strip().casefold() if cells else ""

    def unknown(self) -> Iterator[bytes]:
        """The header, then the bytes of all blocks that need reading."""
        yield self._header
        if self._file is not None:
            self._file.seek(0)
            while piece := self._file.read(_CHUNK):
                yield piece

    def close(self) -> None:
        """Let go of the bytes set aside."""
        if self._file is not None:
            self._file.close()

    def _work(self, *, last: bool) -> None:
        """Cut what has come, but for what follows the last boundary."""
        data = b"".join(self._pending)
        self._pending, self._have = [], 0
        if not self._header:
            record, end = first_record(data.removeprefix(_BOM))
            end += len(_BOM) if data.startswith(_BOM) else 0
            self._header, data = data[:end], data[end:]
            self._broken = not record
        start = 0
        for match in _BOUNDARY.finditer(data):
            end = match.end()
            if end > start and not data.count(b'"', start, end) % 2:
                self._block(data, start, end)
                start = end
        if last:
            self._block(data, start, len(data))
        else:
            self._pending, self._have = [data[start:]], len(data) - start
            self._broken = self._broken or self._have > _LONGEST

    def _block(self, data: bytes, start: int, end: int) -> None:
        if start == end or self._broken:
            return
        key = data[start : data.find(b",", start, start + _DIGITS)]
        if not key.isdigit():
            self._broken = True
            return
        digest = xxhash.xxh3_128_digest(memoryview(data)[start:end], self._seed)
        place = self._known.get(digest, -1)
        self._digests.append(digest)
        self._first.append(int(key))
        self._old.append(place)
        if place >= 0:
            self._end_run()
            return
        self._run += memoryview(data)[start:end]
        if len(self._run) >= _CHUNK:
            self._end_run()

    def _end_run(self) -> None:
        """Set a run of unknown blocks aside, once it is certain that it is whole records."""
        if not self._run:
            return
        run = bytes(self._run)
        self._run.clear()
        whole = last_end(run) == len(run) or not run.endswith(b"\n")
        if not whole or well_placed(run) is None or b"\r" in run:
            self._broken = True
        elif self._file is not None:
            self._file.write(run)
