"""Lists the drop folder without ever leaving it.

Owns the walk and what is refused on it, with the reason in words. Every folder is opened from its parent's descriptor
without following links (openat, O_NOFOLLOW), so that a folder swapped for a link leads nowhere. Reads no content and
changes nothing. Names are relative to the drop folder, parts joined by ``/``. Blocking: for a worker thread.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from promptsync.drop.stability import Mark, is_unfinished
from promptsync.errors import InputRefused, Unavailable, in_words
from promptsync.places.entries import odd_folder, odd_kind, odd_name, printable

ARCHIVE_FOLDERS: Final = ("done", "held")
"""Folders at the top that hold finished files; they are not searched."""

_DEEPEST: Final = 16
_LONGEST_NAME: Final = 200  # bytes; leaves room for a number and ``.reason.txt`` within 255
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SWAPPED: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


@dataclass(slots=True)
class Survey:
    """What is in the folder. ``folder``: its device and inode. ``refused``: printable name to the reason."""

    folder: tuple[int, int]
    files: dict[str, Mark] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def make_folder(root: Path) -> tuple[int, int]:
    """Makes ``root`` (0750) if it is missing; its device and inode. Raises Unavailable."""
    try:
        root.mkdir(0o750, parents=True, exist_ok=True)
        found = root.stat()
    except OSError as error:
        raise Unavailable(f"The drop folder {root} cannot be made: {error.strerror}.") from error
    return found.st_dev, found.st_ino


def survey(root: Path) -> Survey:
    """Everything in ``root``, which is made if it is missing. Raises Unavailable if it cannot be read."""
    make_folder(root)
    try:
        with top_folder(root) as top:
            found = os.fstat(top)
            result = Survey((found.st_dev, found.st_ino))
            pending: list[tuple[str, ...]] = [()]
            while pending:
                pending += _look_into(top, pending.pop(), result)
    except OSError as error:
        raise Unavailable(f"The drop folder {root} cannot be read: {in_words(error)}.") from error
    return result


def confirm(root: Path, name: str) -> Mark | None:
    """Opens the file and returns its mark; None: there is no such regular file any more.

    Raises InputRefused ``unreadable``.
    """
    *parents, last = name.split("/")
    try:
        with top_folder(root) as top, open_folder(top, tuple(parents)) as folder:
            opened = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            try:
                found = os.fstat(opened)
            finally:
                os.close(opened)
    except OSError as error:
        if error.errno in (*_SWAPPED, errno.ENXIO):
            return None
        raise InputRefused("unreadable", f"It cannot be opened: {in_words(error)}.") from error
    return Mark.of(found) if stat.S_ISREG(found.st_mode) else None


def archived_files(root: Path, archive: str) -> dict[str, Mark]:
    """Every file in one archive folder, by its name below ``root``. Raises OSError if ``root`` cannot be opened."""
    result = Survey((0, 0))
    pending: list[tuple[str, ...]] = [(archive,)]
    with top_folder(root) as top:
        while pending:
            pending += _look_into(top, pending.pop(), result)
    return result.files


def marks_of(root: Path, names: Iterable[str]) -> dict[str, Mark]:
    """The marks of the files ``names``, below ``root``, that are still there. Raises OSError as ``archived_files``."""
    folders: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        *above, last = name.split("/")
        folders.setdefault(tuple(above), []).append(last)
    found: dict[str, Mark] = {}
    with top_folder(root) as top:
        for parents, lasts in folders.items():
            with suppress(OSError), open_folder(top, parents) as folder:
                for last in lasts:
                    with suppress(OSError):
                        status = os.stat(last, dir_fd=folder, follow_symlinks=False)
                        if stat.S_ISREG(status.st_mode):
                            found["/".join((*parents, last))] = Mark.of(status)
    return found


@contextmanager
def top_folder(root: Path) -> Iterator[int]:
    """A descriptor of the drop folder, which may itself be reached through links. Raises OSError."""
    opened = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield opened
    finally:
        os.close(opened)


@contextmanager
def open_folder(top: int, parts: tuple[str, ...]) -> Iterator[int]:
    """A descriptor of the folder ``parts`` below ``top``, no link followed on the way. Raises OSError."""
    opened = os.open(".", _FOLDER_FLAGS, dir_fd=top)
    try:
        for part in parts:
            opened = step_into(opened, part)
        yield opened
    finally:
        os.close(opened)


def step_into(folder: int, part: str) -> int:
    """Opens ``part`` in a folder and closes the folder. Raises OSError, and then closes nothing."""
    inner = os.open(part, _FOLDER_FLAGS, dir_fd=folder)
    os.close(folder)
    return inner


def _look_into(top: int, parts: tuple[str, ...], result: Survey) -> list[tuple[str, ...]]:
    """Enters one folder into ``result``; returns the folders in it."""
    inner: list[tuple[str, ...]] = []
    try:
        with open_folder(top, parts) as folder, os.scandir(folder) as entries:
            named = (entry for entry in entries if not is_unfinished(entry.name))
            inner += [(*parts, entry.name) for entry in named if _enter(entry, parts, result)]
    except OSError as error:
        if not parts:
            raise
        if error.errno not in _SWAPPED:
            result.refused[printable("/".join(parts))] = f"The folder cannot be read: {in_words(error)}."
    return inner


def _enter(entry: os.DirEntry[str], parts: tuple[str, ...], result: Survey) -> bool:
    """Enters a file or a refusal into ``result``; True: a folder to look into."""
    name = "/".join((*parts, entry.name))
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    except PermissionError:
        raise  # the folder itself cannot be read
    except OSError as error:
        result.refused[printable(name)] = f"It cannot be looked at: {in_words(error)}."
        return False
    is_folder = stat.S_ISDIR(found.st_mode)
    if not parts and entry.name in ARCHIVE_FOLDERS and is_folder:
        return False
    reason = _why_refused(entry.name, found.st_mode, len(parts))
    if reason:
        result.refused[printable(name)] = reason
    elif not is_folder:
        result.files[name] = Mark.of(found)
    return is_folder and not reason


def _why_refused(name: str, mode: int, depth: int) -> str | None:
    """The reason in plain words; None: an ordinary file or folder."""
    if odd := odd_kind(mode):
        return odd
    if depth == 0 and name in ARCHIVE_FOLDERS:
        return f"The name {name!r} is kept for the folder of finished files. Rename it."
    if len(os.fsencode(name)) > _LONGEST_NAME:
        return f"Its name is longer than {_LONGEST_NAME} bytes. Rename it."
    if odd := odd_name(name):
        return odd
    if stat.S_ISDIR(mode) and (odd := odd_folder(name)):
        return odd
    if stat.S_ISDIR(mode) and depth + 1 >= _DEEPEST:
        return f"It is more than {_DEEPEST} folders deep; what is in it is not read."
    return None
