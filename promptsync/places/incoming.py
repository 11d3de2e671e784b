"""The folder that downloads go to: ``<data>/incoming``, with ``held`` for those that a person must look at, or that
have rows which did and can be tried again.

Owns the paths in it. A folder for each file is named by a digest made here; the file in it keeps its own name, which
must be one that was understood before: one part, no separators, nothing hidden. Blocking.
"""

import hashlib
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from promptsync.clock import MICROS
from promptsync.errors import InputRefused, Unavailable
from promptsync.places.place import Item

_HELD: Final = "held"
_KEEP: Final = 14 * 86_400
_LONGEST: Final = 200


class Incoming:
    """``root``: made when it is needed."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def target(self, where: tuple[str, str], item: Item) -> Path:
        """Where this version of a file at (place, key) is downloaded to."""
        name = item.file_name
        if not name.isascii() or not name.isprintable() or name.startswith(".") or "/" in name or len(name) > _LONGEST:
            raise InputRefused("file_name", "A file has a name that no snapshot has.")
        identity = "\0".join((*where, item.tag, str(item.size)))
        return self._root / hashlib.sha256(identity.encode()).hexdigest()[:16] / name

    def has(self, target: Path, item: Item) -> bool:
        """Whether an earlier run downloaded it whole and could not load it."""
        try:
            return target.is_file() and item.size in (None, target.stat().st_size)
        except OSError:
            return False

    def hold(self, target: Path) -> Path:
        """Put a file aside, for a person; returns where it is. Raises Unavailable."""
        folder = self._root / _HELD / target.parent.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            target.replace(folder / target.name)
            target.parent.rmdir()
        except OSError as error:
            raise Unavailable(f"{target} cannot be moved to {folder} ({error.strerror}).") from error
        return folder / target.name

    def is_kept(self, path: Path) -> bool:
        """Whether a file is there, and no download that is deleted once it is merged."""
        return path.is_file() and (path.is_relative_to(self._root / _HELD) or not path.is_relative_to(self._root))

    def held(self) -> list[Path]:
        """The copies put aside."""
        return sorted(path for path in (self._root / _HELD).glob("*/*") if path.is_file())

    def loaded_from(self, copy: Path) -> Path:
        """Where a copy that is put aside was downloaded to."""
        return self._root / copy.parent.name / copy.name

    def drop(self, targets: Iterable[Path]) -> None:
        """Delete copies that are merged; only those in this folder."""
        for target in targets:
            if target.is_relative_to(self._root):
                target.unlink(missing_ok=True)
                with suppress(OSError):
                    target.parent.rmdir()

    def sweep(self, now: int) -> None:
        """Delete parts that nothing came of for two weeks. ``now``: microseconds."""
        if not self._root.is_dir():
            return
        for folder in os.scandir(self._root):
            if folder.name != _HELD and folder.stat(follow_symlinks=False).st_mtime < now / MICROS - _KEEP:
                shutil.rmtree(folder.path, ignore_errors=True)
