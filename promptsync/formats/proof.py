"""Proof that a snapshot file arrived complete: one pass over its bytes, before any of it is believed.

Owns the verdict on the container and on the file's end. The records are read by csv/reader.py. One pass in
bounded memory: compressed bytes are hashed, decompressed to the very end, and the quotes of the CSV (RFC 4180) counted.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from promptsync.errors import Held
from promptsync.formats.ahead import ahead
from promptsync.formats.csv.dialect import opened
from promptsync.formats.csv.encoding import UTF8
from promptsync.formats.csv.quote_places import Quotes
from promptsync.formats.csv.records import TextEnd, blocks
from promptsync.formats.foreign import refuse_foreign
from promptsync.formats.limits import Limits, size_of
from promptsync.formats.stream import RawStream

_AHEAD = 8
_HEAD = 1 << 12
_LARGE = 1 << 18
"""The size of a file, in bytes, from which a thread that reads ahead is worth starting."""
_LOOKED_THROUGH = 1 << 30
_QUOTE = ord('"')


@dataclass(frozen=True, slots=True)
class Proof:
    """What is certain about a complete file. ``sha256``: hex, of the bytes as they came; ``size``: their number.

    ``raw_bytes``: after decompression. ``members``: gzip members, 0 for a plain file. ``encoding``: of its text.
    """

    sha256: str
    size: int
    raw_bytes: int
    members: int
    encoding: str = UTF8


class Proving:
    """The pass over one file. Iterates once over the decompressed pieces; ``verdict`` counts after the last.

    ``progress`` gets the number of compressed bytes read so far; ``raw`` gets every decompressed piece. Raises Held:
    the reasons of stream.py, ``not_csv``, ``last_record_cut`` and, if it is to ``watch`` for it, ``too_long``;
    Unavailable if the file cannot be read.
    """

    def __init__(
        self,
        path: Path,
        limits: Limits,
        progress: Callable[[int], None] | None = None,
        raw: Callable[[bytes], None] | None = None,
        *,
        watch: bool = True,
    ) -> None:
        self._path, self._limits = path, limits
        self._progress, self._raw, self._watch = progress, raw, watch
        self._digest = hashlib.sha256()
        self._stream = RawStream(path, limits, self._digest.update)
        self._quotes = self._stretch = 0
        self._head = b""
        self._end = TextEnd()

    def __iter__(self) -> Iterator[bytes]:
        for piece in ahead(self._stream, _AHEAD, worth=size_of(self._path) > _LARGE):
            self._head = self._head or piece[:_HEAD]
            self._count(piece)
            self._end.see(piece)
            if self._raw:
                self._raw(piece)
            if self._progress:
                self._progress(self._stream.size)
            yield piece

    def _count(self, piece: bytes) -> None:
        """The quotes, and the bytes since the last line end that is not within them. It is looked for only once there
        are many: in a file as usual in one piece of a few dozen."""
        self._stretch += len(piece)
        if self._watch and self._stretch > self._limits.max_record // 2:
            found = Quotes(piece, opened=self._quotes % 2)
            last = max(found.last_outside(sign, len(piece)) for sign in b"\n\r")
            if last >= 0:
                self._stretch = len(piece) - last - 1
            elif self._stretch > self._limits.max_record:
                self._watch = False  # a quote out of place can mislead it: reading the records cannot
                refuse_damage(self._path, self._limits)
                _refuse_unreadable(self._path, self._limits)
        self._quotes += int(np.count_nonzero(np.frombuffer(piece, np.uint8) == _QUOTE))

    def verdict(self) -> Proof:
        """What is certain, once all pieces have been read.

        A last record without its line end is trusted only if one gzip member with a good checksum is the whole file: a
        plain file, or several members, can have been cut there.
        """
        stream, ended = self._stream, self._end.there
        if not self._limits.accept:
            refuse_foreign(self._head)  # what it is says more than that it seems to be cut
            if not ended and stream.members != 1:
                raise Held("last_record_cut", f"{self._path.name} ends within a record: its last line has no end.")
            if self._quotes % 2:
                _refuse_unreadable(self._path, self._limits)
        digest = self._digest.hexdigest()
        return Proof(digest, stream.size, stream.raw_bytes, stream.members, stream.encoding)


def prove(
    path: Path,
    limits: Limits,
    progress: Callable[[int], None] | None = None,
    raw: Callable[[bytes], None] | None = None,
) -> Proof:
    """Reads the file to its end and says what is certain about it. As ``Proving``."""
    proving = Proving(path, limits, progress, raw)
    for _ in proving:
        pass
    return proving.verdict()


def refuse_damage(path: Path, limits: Limits) -> None:
    """Check a faulty file for damage to its compression: a damaged copy says nothing about its original.

    Raises Held, the reasons of stream.py. Of a very large file only the first GiB is looked at.
    """
    stream = RawStream(path, limits)
    for _ in stream:
        if not stream.gzip or stream.raw_bytes > _LOOKED_THROUGH:
            return


def _refuse_unreadable(path: Path, limits: Limits) -> None:
    """An odd number of quotes is a cut record, or a stray quote within a cell, and a record that seems too long may
    have one: only reading the records can tell."""
    pieces, dialect = opened(RawStream(path, limits))
    for _ in blocks(pieces, limits.max_record, limits.block, dialect.delimiter, dialect.line, keep_cut=limits.accept):
        pass
