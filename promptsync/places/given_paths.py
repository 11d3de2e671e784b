"""What a person gives to be loaded: files, and the files in folders.

Owns the walk, and the words for what is passed over in it: an entry that cannot be read, or is no file, does not keep
the others from being found. Links that are given are followed, those in a folder are not. Reads no content.
"""

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from promptsync.errors import in_words
from promptsync.places.odd_entries import not_utf8, odd_folder, odd_kind, odd_name

_DEAD_LINK: Final = "It is a link to what is not there."
_LINK: Final = "It is a link; those in a folder are not followed. Load what it leads to by its own name."
_NOT_THERE: Final = "It is not there. The daemon, if it runs as a service, cannot see /tmp and home folders."


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
