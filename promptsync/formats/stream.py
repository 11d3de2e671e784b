"""The decompressed bytes of a file, in bounded memory, with every check of its container.

Owns gzip (RFC 1952): members, their checksums and lengths, what may follow them, and how far a file may inflate. Zeros
after a member are padding, as gzip itself has it. Text in UTF-16 comes out as UTF-8; nothing else of CSV is known
here. A file is recognised as gzip by its first bytes, not by its name.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from isal import igzip_lib

from promptsync.errors import Held
from promptsync.formats.csv.encoding import UTF8, as_utf8
from promptsync.formats.limits import Limits, open_file, unreadable

MAGIC = b"\x1f\x8b"
_READ = 1 << 18
_OUT = 1 << 19
_SMALL = 1 << 12
_MANY_MEMBERS, _LEAST = 100_000, 16
_BROKEN = cast(type[Exception], igzip_lib.IsalError)


class RawStream:
    """Iterates once over the decompressed content of ``path`` in pieces of at most 512 KiB.

    ``size``: compressed bytes read so far; ``raw_bytes``: bytes given out; ``members``: gzip members completed, 0 for a
    plain file; ``gzip``: whether it is one; ``encoding``: what it was written in. ``seen`` gets every compressed piece.
    Raises Held (``empty``, ``not_gzip``, ``truncated``, ``checksum``, ``damaged``, ``trailing_bytes``, ``bomb``, and as
    encoding.py) and FileUnavailable if it cannot be read.
    """

    def __init__(self, path: Path, limits: Limits, seen: Callable[[bytes], None] | None = None) -> None:
        self._path, self._limits, self._seen = path, limits, seen
        self.size = self.raw_bytes = self.members = 0
        self.gzip = False
        self.encoding = UTF8

    def __iter__(self) -> Iterator[bytes]:
        try:
            with open_file(self._path, self._limits) as file:
                yield from as_utf8(self._pieces(file), self._set_encoding)
        except OSError as error:
            raise unreadable(self._path, error) from error

    def _set_encoding(self, encoding: str) -> None:
        self.encoding = encoding

    def _pieces(self, file: BinaryIO) -> Iterator[bytes]:
        first = self._read(file)
        if not first:
            raise self._held("empty", "is empty")
        gzip = self.gzip = first.startswith(MAGIC)
        if not gzip and self._path.suffix == ".gz":
            raise self._held("not_gzip", "is named .gz but is no gzip file")
        for piece in self._inflate(file, first) if gzip else self._plain(file, first):
            self._count(piece)
            yield piece
        if not self.raw_bytes:
            raise self._held("empty", "holds nothing")

    def _plain(self, file: BinaryIO, piece: bytes) -> Iterator[bytes]:
        while piece:
            yield piece
            piece = self._read(file)

    def _inflate(self, file: BinaryIO, piece: bytes) -> Iterator[bytes]:
        feed = _Feed(lambda: self._read(file), piece)
        while feed.more():
            if self.members and not feed.starts_with(MAGIC):
                if not feed.skip_zeros():
                    raise self._held("trailing_bytes", "goes on after the end of its gzip data")
                continue
            yield from self._member(feed)
            self.members += 1
            if self.members > _MANY_MEMBERS and self.raw_bytes < _LEAST * self.members:
                raise self._held(
                    "bomb", f"is made of more than {_MANY_MEMBERS:,} gzip members that hold almost nothing"
                )

    def _member(self, feed: "_Feed") -> Iterator[bytes]:
        """One member to its end. It is fed small pieces first, so that many tiny members do not cost copies."""
        inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        span = _SMALL
        try:
            while not inflater.eof:
                given = feed.take(span) if inflater.needs_input else b""
                if inflater.needs_input and not given:
                    raise self._held("truncated", "ends before its gzip data does")
                if out := inflater.decompress(given, _OUT):
                    yield out
                span = min(span * 4, _READ)
        except _BROKEN as error:
            if "checksum" in str(error):
                raise self._held("checksum", "fails its gzip checksum") from error
            raise self._held("damaged", "is not whole gzip data") from error
        feed.give_back(len(inflater.unused_data))

    def _read(self, file: BinaryIO) -> bytes:
        piece = file.read(_READ)
        self.size += len(piece)
        if piece and self._seen:
            self._seen(piece)
        return piece

    def _count(self, piece: bytes) -> None:
        self.raw_bytes += len(piece)
        limits = self._limits
        if self.raw_bytes > limits.max_raw_bytes:
            raise self._held("bomb", f"holds more than {limits.max_raw_bytes:,} bytes")
        if self.raw_bytes > limits.ratio_free and self.raw_bytes > limits.max_ratio * self.size:
            raise self._held("bomb", f"inflates to more than {limits.max_ratio} times its size")

    def _held(self, reason: str, what: str) -> Held:
        return Held(reason, f"{self._path.name} {what}.")


class _Feed:
    """Compressed bytes, some of which can be given back after they were taken."""

    def __init__(self, read: Callable[[], bytes], piece: bytes) -> None:
        self._read, self._piece, self._at = read, memoryview(piece), 0

    def more(self) -> bool:
        if self._at == len(self._piece):
            self._piece, self._at = memoryview(self._read()), 0
        return len(self._piece) > 0

    def starts_with(self, magic: bytes) -> bool:
        """Whether the next bytes are ``magic``, as far as there are any."""
        have = bytes(self._piece[self._at : self._at + len(magic)])
        if len(have) < len(magic) and (next_piece := self._read()):
            self._piece, self._at = memoryview(have + next_piece), 0
            have = bytes(self._piece[: len(magic)])
        return have == magic[: len(have)]

    def skip_zeros(self) -> bool:
        """Pass over the zeros that come next, and say whether there were any."""
        skipped = False
        while self.more():
            rest = bytes(self._piece[self._at :])
            zeros = len(rest) - len(rest.lstrip(b"\0"))
            self._at += zeros
            skipped = skipped or zeros > 0
            if zeros < len(rest):
                break
        return skipped

    def take(self, length: int) -> memoryview:
        self.more()
        taken = self._piece[self._at : self._at + length]
        self._at += len(taken)
        return taken

    def give_back(self, length: int) -> None:
        """Put back the last ``length`` of the bytes that were taken last."""
        self._at -= length
