"""A download on its way to disk: it appears under its name only when it is whole and synced.

Owns the file and the translation of what goes wrong with it. Knows nothing of where the bytes come from.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import IO

from promptsync.errors import MirrorFull


class PartFile:
    """Use as a context manager and ``write``. Every failure of the disk is MirrorFull."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self._part = target.with_name(target.name + ".part")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> "PartFile":
        try:
            self._file = self._part.open("wb")
        except OSError as error:
            raise self._full(error) from error
        return self

    def write(self, piece: bytes) -> None:
        """Append bytes."""
        assert self._file is not None  # noqa: S101  opened on entry
        try:
            self._file.write(piece)
        except OSError as error:
            raise self._full(error) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._file is not None  # noqa: S101  opened on entry
        try:
            with self._file as file:
                file.flush()
                os.fsync(file.fileno())
            if kind is None:
                self._part.replace(self._target)
            else:
                self._part.unlink(missing_ok=True)
        except OSError as problem:
            if kind is None:
                raise self._full(problem) from problem

    def _full(self, error: OSError) -> MirrorFull:
        return MirrorFull(f"The download cannot be written to {self._part.parent} ({error.strerror}); make room.")
