"""Compressed and encrypted: zstd within the age format, from file to file, in a few MiB of memory.

Owns the two streams and what their errors mean. Specifications: age-encryption.org/v1, RFC 8878. Who may open a file is
decided in keys.py.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import pyrage  # type: ignore[import-untyped]
import zstandard

from promptsync.errors import ConfigError, InputRefused, MirrorFull, PromptsyncError

_LEVEL: Final = 1
"""Of zstd. Level 3 makes a mirror 4 % smaller in twice the time (1 million messages: 85 and 88 MiB, 2.4 and 1.2 s)."""
_PIECE: Final = 1 << 20

Recipient: TypeAlias = Any
"""A ``pyrage.x25519.Recipient``; pyrage has no types."""
Key: TypeAlias = Any
"""A ``pyrage.x25519.Identity``."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file that was made. ``bytes``: its size; ``sha256``: hex."""

    path: Path
    bytes: int
    sha256: str


def seal(
    pieces: Iterable[bytes],
    target: Path,
    recipients: Sequence[Recipient],
    progress: Callable[[int], None] = lambda _: None,
) -> Sealed:
    """Compress and encrypt ``pieces`` into a new file, mode 0600, not durable yet. ``progress``: bytes read.

    Raises MirrorFull if it cannot be written; what iterating raises is passed on.
    """
    digest = hashlib.sha256()
    with _written(target, durable=False) as file:

        def keep(piece: bytes) -> None:
            file.write(piece)
            digest.update(piece)

        reading, writing = _Pieces(_compressed(pieces, progress)), _Gathering(keep)
        try:
            pyrage.encrypt_io(reading, writing, list(recipients))
            writing.finish()
        except (pyrage.EncryptError, OSError, zstandard.ZstdError) as error:
            raise reading.error or writing.error or error from None  # pyrage hides what our own ends raised
    return Sealed(target, target.stat().st_size, digest.hexdigest())


def _compressed(pieces: Iterable[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compressobj()
    count = 0
    for piece in pieces:
        yield compressor.compress(piece)
        count += len(piece)
        progress(count)
    yield compressor.flush()


def unseal(
    source: Path,
    target: Path,
    keys: Sequence[Key],
    progress: Callable[[int], None] = lambda _: None,
    *,
    durable: bool = False,
) -> None:
    """Decrypt and decompress a file into a new one, mode 0600. ``progress``: bytes read of ``source``. ``durable``: it
    is on disk when this returns.

    Raises ConfigError if none of ``keys`` opens it, InputRefused (``damaged``) if it is not whole, MirrorFull if there
    is no room. Then the new file is not whole either.
    """
    name = source.name
    if not keys:
        raise ConfigError(f"{name} is encrypted: give the private key with --identity FILE, or as backup.identity.")
    with source.open("rb", buffering=_PIECE) as sealed, _written(target, durable=durable) as file:
        disk = _Gathering(file.write)
        plain = zstandard.ZstdDecompressor().stream_writer(disk, write_size=_PIECE, closefd=False)  # type: ignore[arg-type]
        reading, writing = _Counted(sealed, progress), _Gathering(plain.write)
        try:
            pyrage.decrypt_io(reading, writing, list(keys))
            writing.finish()
            plain.flush()  # type: ignore[no-untyped-call]
            disk.finish()
        except (pyrage.DecryptError, OSError, zstandard.ZstdError) as error:
            if (ours := reading.error or disk.error) is not None:
                raise ours from None
            if "No matching keys" in str(error):
                raise ConfigError(
                    f"The key does not open {name}: give the one that belongs to its recipient."
                ) from None
            raise InputRefused("damaged", f"{name} is damaged or cut short ({error}); use another backup.") from None


@contextmanager
def _written(target: Path, *, durable: bool) -> Iterator[IO[bytes]]:
    """A new file, on disk at the end if it is to be durable."""
    try:
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
    except OSError as error:
        raise MirrorFull(
            f"{target} cannot be written ({error.strerror or error}); make room, then try again."
        ) from error


class _Pieces:
    """Pieces as a stream to read from. ``error``: what iterating raised."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Some bytes, ``size`` at the most; none at the end."""
        try:
            while not self._rest:
                if (piece := next(self._pieces, None)) is None:
                    return b""
                self._rest = memoryview(piece)
        except (OSError, PromptsyncError) as error:
            self.error = error
            raise
        found = bytes(self._rest if size < 0 else self._rest[:size])
        self._rest = self._rest[len(found) :]
        return found


class _Gathering:
    """A stream to write to, which hands on a MiB at a time: each time other threads may run, and run on. ``error``:
    what handing on raised."""

    def __init__(self, write: Callable[[bytes], Any]) -> None:
        self._write = write
        self._rest = bytearray()
        self.error: BaseException | None = None

    def write(self, piece: bytes) -> int:
        """Take all of it."""
        self._rest += piece
        if len(self._rest) >= _PIECE:
            self.finish()
        return len(piece)

    def finish(self) -> None:
        """Hand on what is left."""
        piece, self._rest = bytes(self._rest), bytearray()
        try:
            self._write(piece)
        except (OSError, zstandard.ZstdError) as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Nothing: ``finish`` says when it is whole."""


class _Counted:
    """A file to read from. ``error``: what reading raised."""

    def __init__(self, file: IO[bytes], progress: Callable[[int], None]) -> None:
        self._file, self._progress, self._count = file, progress, 0
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """As the file's own."""
        try:
            piece = self._file.read(size)
            self._count += len(piece)
            self._progress(self._count)
        except (OSError, PromptsyncError) as error:
            self.error = error
            raise
        return piece


def pieces_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file. Raises OSError."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
