"""What folders of this machine hold: which entries are files to load, and the words for those that are not.

Owns the judgement of a single entry by its name and its mode, how a name is shown, and the walk through what a person
gives to be loaded: an entry that cannot be read, or is no file, does not keep the others from being found. Links that
are given are followed, those in a folder are not. Reads no content.
"""

import os
import stat
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from promptsync.errors import in_words

_FILE_ENDINGS: Final = (".csv", ".gz", ".parquet")
_KINDS: Final = {
    stat.S_IFLNK: "It is a symbolic link; links are not followed. Put the file itself here.",
    stat.S_IFIFO: "It is a pipe, not a file.",
    stat.S_IFSOCK: "It is a socket, not a file.",
    stat.S_IFBLK: "It is a device, not a file.",
    stat.S_IFCHR: "It is a device, not a file.",
}
_DEAD_LINK: Final = "It is a link to what is not there."
_LINK: Final = "It is a link; those in a folder are not followed. Load what it leads to by its own name."
_NOT_THERE: Final = "It is not there. The daemon, if it runs as a service, cannot see /tmp and home folders."


def odd_kind(mode: int) -> str | None:
    """Why an entry of this mode is neither file nor folder; None: it is one of them."""
    kind = stat.S_IFMT(mode)
    return None if kind in (stat.S_IFREG, stat.S_IFDIR) else _KINDS.get(kind, "It is not a file.")


def odd_name(name: str) -> str | None:
    """Why the name of a file says nothing that could be written down: not UTF-8, or with control characters."""
    if any(_is_control(sign) for sign in name):
        return not_utf8(name) or "Its name has control characters. Rename it."
    return None


def not_utf8(name: str) -> str | None:
    """Why a name or a path cannot be written down at all."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "Its name is not UTF-8. Rename it."
    return None


def odd_folder(name: str) -> str | None:
    """Why a folder of this name is not looked into: most likely it was meant to be a file."""
    if name.lower().endswith(_FILE_ENDINGS):
        return "It is a folder named like a file; what is in it is not read. Rename it."
    return None


def printable(name: str) -> str:
    """``name`` for logs and people: bytes that are not UTF-8 and control characters escaped."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(sign.encode("unicode_escape").decode() if _is_control(sign) else sign for sign in text)


def _is_control(sign: str) -> bool:
    return unicodedata.category(sign)[0] == "C"


@dataclass(slots=True)
class Given:
    """What was found, by its path. ``named``: files that were given themselves; ``files``: those in folders, with their
    sizes in bytes. ``odd``: what is no file to load, ``unreadable``: what cannot be looked at, each with a sentence."""

    named: list[Path] = field(default_factory=list)
    files: dict[Path, int] = field(default_factory=dict)
    odd: dict[Path, str] = field(default_factory=dict)
    unreadable: dict[Path, str] = field(default_factory=dict)


def look_through(paths: Iterable[Path]) -> Given:
    """Everything that was given. Names that begin with a dot are left out of folders in silence."""
    found = Given()
    for path in paths:
        _take(path, found)
    return found


def _take(path: Path, found: Given) -> None:
    """A path that was given itself; a link is what it leads to."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        found.unreadable[path] = _DEAD_LINK if os.path.islink(path) else _unseen(error)  # noqa: PTH114  never raises
        return
    if reason := not_utf8(str(path)) or odd_kind(mode):
        found.odd[path] = reason
    elif stat.S_ISDIR(mode):
        _walk(path, found)
    else:
        found.named.append(path)


def _walk(root: Path, found: Given) -> None:
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                shown = (entry for entry in entries if not entry.name.startswith("."))
                pending.extend(folder / entry.name for entry in shown if _enter(entry, root, found))
        except OSError as error:
            found.unreadable[folder] = f"The folder cannot be read: {in_words(error)}."


def _enter(entry: os.DirEntry[str], root: Path, found: Given) -> bool:
    """Enters a file, or what is passed over; True: a folder to look into. Raises PermissionError for its folder."""
    path = Path(entry.path)
    try:
        status = entry.stat(follow_symlinks=False)
    except PermissionError:
        raise
    except OSError as error:
        found.unreadable[path] = _unseen(error)
        return False
    if stat.S_ISLNK(status.st_mode):
        _enter_link(path, root, found)
        return False
    is_folder = stat.S_ISDIR(status.st_mode)
    odd_of_name = not_utf8(path.name) or odd_folder(path.name) if is_folder else odd_name(path.name)
    if reason := odd_kind(status.st_mode) or odd_of_name:
        found.odd[path] = reason
    elif not is_folder:
        found.files[path] = status.st_size
    return is_folder and not reason


def _enter_link(path: Path, root: Path, found: Given) -> None:
    """Enters a link, unless it leads to what is found in the same folder under its own name."""
    try:
        target = Path(os.path.realpath(path, strict=True))
    except OSError:
        found.unreadable[path] = _DEAD_LINK
        return
    top = Path(os.path.realpath(root))
    if not target.is_relative_to(top) or any(part.startswith(".") for part in target.relative_to(top).parts):
        found.odd[path] = _LINK


def _unseen(error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return _NOT_THERE
    return f"It cannot be looked at: {in_words(error)}."
