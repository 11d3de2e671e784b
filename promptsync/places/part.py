"""The file that a download grows in, until it is whole.

Owns its bytes on disk and what the disk's errors mean. Blocking. Knows nothing of places.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from promptsync.errors import MirrorFull, Unavailable

_SPARE: Final = 256 << 20
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Part:
    """A part file, taken up where an earlier run left it. Raises MirrorFull if there is no room for it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.size = path.stat().st_size if path.exists() else 0

    def make_room(self, whole: int) -> None:
        """Raises MirrorFull if ``whole`` bytes would fill the disk."""
        with _translated(self._path):
            free = shutil.disk_usage(self._path.parent).free
        if free < whole - self.size + _SPARE:
            raise MirrorFull(f"The disk of {self._path.parent} has no room for {whole:,} bytes; make room.")

    def append(self, piece: bytes) -> None:
        """Add bytes at the end."""
        with _translated(self._path), os.fdopen(os.open(self._path, _FLAGS, 0o640), "ab") as file:
            file.write(piece)
        self.size += len(piece)

    def restart(self) -> None:
        """Begin again with nothing."""
        with _translated(self._path):
            self._path.unlink(missing_ok=True)
        self.size = 0

    def digest(self, algorithm: str) -> str:
        """Hex digest of what is there: ``sha256`` or ``md5``."""
        if not self.size:
            return hashlib.new(algorithm, usedforsecurity=False).hexdigest()
        with _translated(self._path), self._path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()

    def finish(self, target: Path) -> int:
        """Make it durable under its final name; returns its size."""
        self.append(b"")
        with _translated(target):
            with self._path.open("rb") as file:
                os.fsync(file.fileno())
            self._path.replace(target)
        return self.size


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = MirrorFull if error.errno in _FULL else Unavailable
        raise kind(f"{path.parent} cannot be written ({error.strerror}); make room or make it writable.") from error
