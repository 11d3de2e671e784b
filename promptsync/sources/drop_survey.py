"""Looking into the drop folder without ever leaving it.

Owns the walk and what is refused there, with the words for it. Every folder is opened from its parent's descriptor
without following links (openat, O_NOFOLLOW), so that a folder swapped for a link leads nowhere. Reads no content and
changes nothing. Names are relative to the drop folder, parts joined by ``/``. Blocking: for a worker thread.
"""

import errno
import os
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from promptsync.errors import InputRefused, Unavailable
from promptsync.sources.drop_stability import Mark, is_unfinished

SHELVES: Final = ("done", "held")
"""Folders at the top that hold what is finished; they are not looked into."""

_DEEPEST: Final = 16
_LONGEST_NAME: Final = 200  # bytes; leaves room for a number and ``.reason.txt`` within 255
_FILE_ENDINGS: Final = (".csv", ".gz", ".parquet")
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SWAPPED: Final = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_KINDS: Final = {
    stat.S_IFLNK: "It is a symbolic link; links are not followed. Put the file itself here.",
    stat.S_IFIFO: "It is a pipe, not a file.",
    stat.S_IFSOCK: "It is a socket, not a file.",
    stat.S_IFBLK: "It is a device, not a file.",
    stat.S_IFCHR: "It is a device, not a file.",
}


@dataclass(slots=True)
class Survey:
    """What lies in the folder. ``folder``: its device and inode. ``refused``: printable name to the reason."""

    folder: tuple[int, int]
    files: dict[str, Mark] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def make_folder(root: Path) -> None:
    """Makes ``root`` (0750) if it is missing. Raises Unavailable."""
    try:
        root.mkdir(0o750, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"The drop folder {root} cannot be made: {error.strerror}.") from error


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
        raise Unavailable(f"The drop folder {root} cannot be read: {error.strerror}.") from error
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
        raise InputRefused("unreadable", f"It cannot be opened: {error.strerror}.") from error
    return Mark.of(found) if stat.S_ISREG(found.st_mode) else None


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
    """Trades the descriptor of a folder for that of ``part`` in it. Raises OSError, and then closes nothing."""
    inner = os.open(part, _FOLDER_FLAGS, dir_fd=folder)
    os.close(folder)
    return inner


def printable(name: str) -> str:
    """``name`` for logs and people: bytes that are not UTF-8 and control characters escaped."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(sign.encode("unicode_escape").decode() if _is_control(sign) else sign for sign in text)


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
            result.refused[printable("/".join(parts))] = f"The folder cannot be opened: {error.strerror}."
    return inner


def _enter(entry: os.DirEntry[str], parts: tuple[str, ...], result: Survey) -> bool:
    """Enters a file or a refusal into ``result``; True: a folder to look into."""
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    is_folder = stat.S_ISDIR(found.st_mode)
    if not parts and entry.name in SHELVES and is_folder:
        return False
    name = "/".join((*parts, entry.name))
    reason = _why_refused(entry.name, found.st_mode, len(parts))
    if reason:
        result.refused[printable(name)] = reason
    elif not is_folder:
        result.files[name] = Mark.of(found)
    return is_folder and not reason


def _why_refused(name: str, mode: int, depth: int) -> str | None:
    """The reason in plain words; None: a file or a folder like any other."""
    kind = stat.S_IFMT(mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR):
        return _KINDS.get(kind, "It is not a file.")
    if depth == 0 and name in SHELVES:
        return f"The name {name!r} is kept for the folder of finished files. Rename it."
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "Its name is not UTF-8. Rename it."
    if size > _LONGEST_NAME:
        return f"Its name is longer than {_LONGEST_NAME} bytes. Rename it."
    if any(_is_control(sign) for sign in name):
        return "Its name has control characters. Rename it."
    if kind == stat.S_IFDIR and name.lower().endswith(_FILE_ENDINGS):
        return "It is a folder named like a file; what is in it is not read. Rename it."
    if kind == stat.S_IFDIR and depth + 1 >= _DEEPEST:
        return f"It lies more than {_DEEPEST} folders deep; what is in it is not read."
    return None


def _is_control(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "C"
