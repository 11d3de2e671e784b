"""A folder of this machine, mounted shares included, as a place.

Owns the walk: regular files only, links are not followed, names that begin with a dot are left out; what cannot be
read, or has a name that cannot be written down, is passed over. Reading, deleting and moving go down from the root one
folder at a time and refuse links too. Nothing in the folder is changed but what is stored, deleted or moved on order.
"""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Final

from promptsync.errors import ConfigError, FileUnavailable, InputRefused, PromptsyncError, Unavailable
from promptsync.places.entries import odd_name
from promptsync.places.place import Item, Pass, PassedOver, ignore, is_partial, partial_key
from promptsync.places.safe_http import Gone

_CHUNK: Final = 1 << 20
_SYNCED: Final = 4 << 20
"""Bytes written at a time. With one fsync for 100 MiB another one on that disk takes 150 ms, with these 30 ms."""
_DEEPEST: Final = 64
_PAGE: Final = 1000
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class FolderPlace:
    """Files below ``root``."""

    ranged = True
    settles = True

    def __init__(self, root: Path) -> None:
        self._root = root

    async def pages(self, passed: Pass = ignore) -> AsyncIterator[list[Item]]:
        """Every regular file, subfolders included."""
        try:
            found = _walk(await asyncio.to_thread(_entries, self._root), "", passed)
            while page := await asyncio.to_thread(lambda: list(islice(found, _PAGE))):
                yield page
        except OSError as error:
            raise _of_root(self._root, error) from error

    async def read(self, item: Item, offset: int = 0) -> AsyncIterator[bytes]:
        """The file's bytes; Gone too if another file has taken its place."""
        opened = await asyncio.to_thread(self._open, item, offset)
        try:
            while piece := await asyncio.to_thread(_some, opened, item):
                yield piece
        finally:
            os.close(opened)

    async def md5(self, item: Item, *, sure: bool = False) -> str | None:
        """None: a folder states no digest."""
        return None

    async def remove(self, item: Item) -> None:
        """Delete the file."""
        await asyncio.to_thread(self._put_away, item, None)

    async def move(self, item: Item, folder: str) -> None:
        """Move the file; folders are made."""
        await asyncio.to_thread(self._put_away, item, folder)

    async def put(self, key: str, source: Path) -> None:
        """Copy a file into the folder, mode 0600; it has its name once all of it is on disk. Folders are made."""
        await asyncio.to_thread(self._put, key, source)

    async def tidy(self, prefix: str) -> None:
        """Remove parts of files in the folder itself."""
        await asyncio.to_thread(self._tidy, prefix)

    def _put(self, key: str, source: Path) -> None:
        with _storing(self._root, key), _folder_of(self._root, partial_key(key), make=True) as (folder, part):
            with ExitStack() as undo:
                undo.callback(_unlink, folder, part)
                _copy(source, folder, part)
                os.rename(part, key.rpartition("/")[2], src_dir_fd=folder, dst_dir_fd=folder)
                undo.pop_all()
            os.fsync(folder)

    def _tidy(self, prefix: str) -> None:
        with _storing(self._root, prefix), os.scandir(self._root) as entries:
            for entry in entries:
                if is_partial(entry.name, prefix):
                    os.unlink(entry.path)  # noqa: PTH108  a link is removed, not followed

    def _open(self, item: Item, offset: int) -> int:
        with _translated(item.key), _folder_of(self._root, item.key) as (folder, name):
            opened = os.open(name, _FILE, dir_fd=folder)
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or _tag(found) != item.tag:
            os.close(opened)
            raise Gone(f"{item.key} has changed since it was listed.")
        os.lseek(opened, offset, os.SEEK_SET)
        return opened

    def _put_away(self, item: Item, below: str | None) -> None:
        with _translated(item.key), _folder_of(self._root, item.key) as (folder, name):
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISREG(found.st_mode) or _tag(found) != item.tag:
                raise Gone(f"{item.key} has changed since it was loaded.")
            if below is None:
                os.unlink(name, dir_fd=folder)
                return
            with _folder_of(self._root, f"{below}/{item.key}", make=True) as (target, _):
                os.rename(name, name, src_dir_fd=folder, dst_dir_fd=target)


@contextmanager
def _folder_of(root: Path, key: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """The open folder that a key is in, and the key's last part. Raises OSError, InputRefused."""
    *folders, name = key.split("/")
    if any(part in ("", ".", "..") for part in (*folders, name)):
        raise InputRefused("key", f"{key!r} is no name of a file below {root}.")
    opened = os.open(root, _FOLDER)
    try:
        for folder in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(folder, 0o750, dir_fd=opened)
            inner = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=opened)
            os.close(opened)
            opened = inner
        yield opened, name
    finally:
        os.close(opened)


def _unlink(folder: int, name: str) -> None:
    with suppress(OSError):
        os.unlink(name, dir_fd=folder)


def _copy(source: Path, folder: int, name: str) -> None:
    """Copy a file to a name in an open folder, and wait for the disk. Raises FileUnavailable for the source."""
    try:
        reading = source.open("rb")
    except OSError as error:
        raise FileUnavailable(f"{source} cannot be read ({error.strerror}).") from error
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with reading, os.fdopen(os.open(name, flags, 0o600, dir_fd=folder), "wb") as writing:
        while piece := reading.read(_SYNCED):
            writing.write(piece)
            writing.flush()
            os.fdatasync(writing.fileno())  # bit by bit: others that wait for the same disk wait less
        os.fsync(writing.fileno())


@contextmanager
def _storing(root: Path, key: str) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        says = f"The folder {root} may not be written ({error.strerror}); let this user write it."
        raise ConfigError(says) from error
    except NotADirectoryError:
        raise ConfigError(f"{root} is no folder; correct the location.") from None
    except OSError as error:
        raise Unavailable(
            f"{key} cannot be stored in {root} ({error.strerror}); is it mounted, and is there room?"
        ) from error


@contextmanager
def _translated(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise Gone(f"{key} is not there any more.") from None
    except PermissionError as error:
        says = f"{key} may not be read, deleted or moved ({error.strerror}); change its permissions, or its folder's."
        raise InputRefused("permission", says) from error
    except OSError as error:
        raise Unavailable(f"{key} cannot be opened, deleted or moved ({error.strerror}).") from error


def _of_root(root: Path, error: OSError) -> PromptsyncError:
    if isinstance(error, PermissionError):
        return ConfigError(f"The folder {root} may not be read ({error.strerror}); let this user read it.")
    if isinstance(error, NotADirectoryError):
        return ConfigError(f"{root} is no folder; correct the location.")
    return Unavailable(f"The folder {root} cannot be read ({error.strerror}); is it mounted?")


def _some(opened: int, item: Item) -> bytes:
    try:
        return os.read(opened, _CHUNK)
    except OSError as error:
        raise Unavailable(f"{item.key} cannot be read ({error.strerror}).") from error


def _walk(entries: list[os.DirEntry[str]], prefix: str, passed: Pass) -> Iterator[Item]:
    """Every file of a folder and below it. What is wrong with an entry is that entry's."""
    for entry in entries:
        key = f"{prefix}{entry.name}"
        if entry.name.startswith("."):
            continue
        if odd_name(entry.name):
            passed(PassedOver(key, "its name has control signs, or is not UTF-8; rename it."))
            continue
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry, f"{key}/", passed)
            elif entry.is_file(follow_symlinks=False):
                found = entry.stat(follow_symlinks=False)
                yield Item(key, _tag(found), found.st_size, found.st_mtime_ns // 1000)
        except FileNotFoundError:
            continue  # it went while we looked
        except OSError as error:
            passed(PassedOver(key, f"it cannot be looked at ({error.strerror})."))


def _below(folder: os.DirEntry[str], prefix: str, passed: Pass) -> Iterator[Item]:
    if prefix.count("/") > _DEEPEST:
        passed(PassedOver(prefix, f"it is more than {_DEEPEST} folders deep; move it up."))
        return
    try:
        entries = _entries(folder.path)
    except FileNotFoundError:
        return
    except OSError as error:
        passed(PassedOver(prefix, f"the folder cannot be read ({error.strerror}); let this user read it, or move it."))
        return
    yield from _walk(entries, prefix, passed)


def _entries(folder: Path | str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _tag(found: os.stat_result) -> str:
    return f"{found.st_size}-{found.st_mtime_ns}"
