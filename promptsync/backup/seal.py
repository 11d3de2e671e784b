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
    reading, digest = _Pieces(pieces, progress), hashlib.sha256()
    with _written(target, durable=False) as file:
        writing = _Through(file.write, digest.update)
        compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
        compressed = compressor.stream_reader(reading, read_size=_PIECE)  # type: ignore[arg-type]
        try:
            pyrage.encrypt_io(compressed, writing, list(recipients))
        except (pyrage.EncryptError, OSError, zstandard.ZstdError) as error:
            raise reading.error or writing.error or error from None  # pyrage hides what our own ends raised
    return Sealed(target, target.stat().st_size, digest.hexdigest())


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
    with source.open("rb") as sealed, _written(target, durable=durable) as file:
        reading, disk = _Counted(sealed, progress), _Through(file.write, lambda _: None)
        plain = zstandard.ZstdDecompressor().stream_writer(disk, write_size=_PIECE, closefd=False)  # type: ignore[arg-type]
        writing = _Through(plain.write, lambda _: None)
        try:
            pyrage.decrypt_io(reading, writing, list(keys))
        except (pyrage.DecryptError, OSError, zstandard.ZstdError) as error:
            if (ours := reading.error or disk.error) is not None:
                raise ours from None
            if "No matching keys" in str(error):
                raise ConfigError(
                    f"The key does not open {name}: give the one that belongs to its recipient."
                ) from None
            raise InputRefused("damaged", f"{name} is damaged or cut short ({error}); use another backup.") from None
        plain.flush()  # type: ignore[no-untyped-call]


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

    def __init__(self, pieces: Iterable[bytes], progress: Callable[[int], None]) -> None:
        self._pieces, self._progress = iter(pieces), progress
        self._rest = bytearray()
        self._count = 0
        self.error: BaseException | None = None

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes; none at the end."""
        try:
            while len(self._rest) < size or size < 0:
                if (piece := next(self._pieces, None)) is None:
                    break
                self._rest += piece
            found = bytes(self._rest if size < 0 else self._rest[:size])
            del self._rest[: len(found)]
            self._count += len(found)
            self._progress(self._count)
        except (OSError, PromptsyncError) as error:
            self.error = error
            raise
        return found


class _Through:
    """A stream to write to. ``error``: what writing raised."""

    def __init__(self, write: Callable[[bytes], Any], also: Callable[[bytes], None]) -> None:
        self._write, self._also = write, also
        self.error: BaseException | None = None

    def write(self, piece: bytes) -> int:
        """Write all of it."""
        try:
            self._write(piece)
        except (OSError, zstandard.ZstdError) as error:
            self.error = error
            raise
        self._also(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing: the file is flushed once it is whole."""


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
