"""A folder of this machine, mounted shares included, as a place.

Owns the walk: regular files only, links are not followed, names that begin with a dot are left out, as are names that
are not UTF-8. Reading refuses links too. Nothing in the folder is ever changed.
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from promptsync.errors import InputRefused, Unavailable
from promptsync.sources.places.place import Item
from promptsync.sources.safe_http import Gone

_CHUNK: Final = 1 << 20
_DEEPEST: Final = 8


class FolderPlace:
    """Files below ``root``."""

    ranged = True
    settles = True

    def __init__(self, root: Path) -> None:
        self._root = root

    async def items(self) -> list[Item]:
        """Every regular file, subfolders included."""
        try:
            return await asyncio.to_thread(lambda: list(_walk(self._root, "", 0)))
        except OSError as error:
            raise Unavailable(f"The folder {self._root} cannot be read ({error.strerror}); is it mounted?") from error

    async def read(self, item: Item, offset: int = 0) -> AsyncIterator[bytes]:
        """The file's bytes; Gone too if another file has taken its place."""
        opened = await asyncio.to_thread(self._open, item, offset)
        try:
            while piece := await asyncio.to_thread(_some, opened, item):
                yield piece
        finally:
            os.close(opened)

    def _open(self, item: Item, offset: int) -> int:
        parts = item.key.split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise InputRefused("key", f"{item.key!r} is no name of a file below {self._root}.")
        try:
            opened = os.open(self._root.joinpath(*parts), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise Gone(f"{item.key} is not there any more.") from None
        except OSError as error:
            raise Unavailable(f"{item.key} cannot be opened ({error.strerror}).") from error
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or _tag(found) != item.tag:
            os.close(opened)
            raise Gone(f"{item.key} has changed since it was listed.")
        os.lseek(opened, offset, os.SEEK_SET)
        return opened


def _some(opened: int, item: Item) -> bytes:
    try:
        return os.read(opened, _CHUNK)
    except OSError as error:
        raise Unavailable(f"{item.key} cannot be read ({error.strerror}).") from error


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[Item]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") or not entry.name.isprintable():
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    if depth < _DEEPEST:
                        yield from _walk(folder / entry.name, f"{prefix}{entry.name}/", depth + 1)
                elif entry.is_file(follow_symlinks=False):
                    found = entry.stat(follow_symlinks=False)
                    yield Item(f"{prefix}{entry.name}", _tag(found), found.st_size, found.st_mtime_ns // 1000)
            except FileNotFoundError:
                continue  # it went while we looked


def _tag(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"
