"""Moving a finished file onto a shelf, ``done`` or ``held`` with the reason beside it, and back from there.

Owns the names there and that nothing is ever overwritten: a name is reserved with an empty file (O_EXCL) and the
rename replaces that alone. A file that is not what was handed over goes back. Blocking: for a worker thread.
"""

import errno
import itertools
import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptsync.drop.stability import Mark
from promptsync.drop.survey import open_folder, step_into, top_folder
from promptsync.errors import Unavailable

REASON: Final = ".reason.txt"
_NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def shelve(root: Path, name: str, mark: Mark, shelf: str, reason: str | None = None) -> str | None:
    """Moves ``root/name`` to the same subfolder of ``root/shelf``; with a reason, ``<name>.reason.txt`` beside it.

    Where the reason names the file by its path, it does so by the one it has there. Returns its name there, below
    ``root``. None: it is not in the state ``mark`` any more, and stays. Raises
    Unavailable if it cannot be moved.
    """
    *parents, last = name.split("/")
    try:
        with (
            top_folder(root) as top,
            open_folder(top, tuple(parents)) as source,
            _made_folder(top, shelf, parents) as (target, folders),
        ):
            if _mark(source, last) != mark:
                return None
            named = _Named(reason, root / name, root.joinpath(*folders)) if reason is not None else None
            shelved = _move(source, target, last, mark, named)
            return shelved and "/".join((*folders, shelved))
    except OSError as error:
        raise Unavailable(f"It cannot be moved to {shelf}: {error.strerror}.") from error


def take_back(root: Path, shelved: str, name: str) -> bool:
    """Moves a file on a shelf back to ``root/name`` and removes the reason beside it; False: that name is taken, or the
    file has gone.

    Whoever is writing to it may go on doing so. Raises Unavailable if it cannot be moved.
    """
    *origin, last = name.split("/")
    *folders, held = shelved.split("/")
    try:
        with (
            top_folder(root) as top,
            open_folder(top, tuple(folders)) as source,
            _made_folder(top, None, origin) as (target, _),
        ):
            if not _move_unless_taken(source, target, held, last):
                return False
            with suppress(FileNotFoundError):
                os.unlink(reason_name(held), dir_fd=source)
            return True
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unavailable(f"It has changed and cannot be moved back to {name}: {error.strerror}.") from error


def discard_reason(root: Path, shelved: str) -> None:
    """Removes the reason beside a file that somebody has taken off the shelf; nothing if the file is still there."""
    *folders, held = shelved.split("/")
    with suppress(OSError), top_folder(root) as top, open_folder(top, tuple(folders)) as folder:
        try:
            os.stat(held, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            os.unlink(reason_name(held), dir_fd=folder)


def reason_name(name: str) -> str:
    """The name of the file that says why the file ``name`` is held."""
    return f"{name}{REASON}"


@dataclass(frozen=True, slots=True)
class _Named:
    """Why a file is held. ``path``: by which it is named there; ``shelf``: the folder it will be in."""

    text: str
    path: Path
    shelf: Path

    def of(self, shelved: str) -> str:
        """The reason once the file has its name on the shelf."""
        return self.text.replace(shlex.quote(str(self.path)), shlex.quote(str(self.shelf / shelved)))


def _move(source: int, target: int, name: str, mark: Mark, reason: "_Named | None") -> str | None:
    shelved = _reserve(target, name, reason)
    moved = False
    try:
        os.rename(name, shelved, src_dir_fd=source, dst_dir_fd=target)
        moved = _mark(target, shelved) == mark
        if not moved:  # another file took the name, or it was written to, since the last look
            _put_back(source, target, name, shelved)
    finally:
        if not moved:
            _unreserve(target, shelved, reason)
    return shelved if moved else None


def _move_unless_taken(source: int, target: int, name: str, wanted: str) -> bool:
    """Renames ``name`` to ``wanted`` in another folder; False: that name is taken."""
    try:
        os.link(name, wanted, src_dir_fd=source, dst_dir_fd=target, follow_symlinks=False)
    except FileExistsError:
        return False
    except FileNotFoundError:
        raise
    except OSError:  # no hard links here, or none to the files of other users
        try:
            _write(target, wanted, b"")
        except FileExistsError:
            return False
        try:
            os.rename(name, wanted, src_dir_fd=source, dst_dir_fd=target)
        except OSError:
            _unreserve(target, wanted, None)
            raise
    else:
        os.unlink(name, dir_fd=source)
    return True


def _reserve(target: int, name: str, reason: "_Named | None") -> str:
    """A free name: ``name``, else ``name.1`` and so on. Leaves an empty file of it, and the reason's file."""
    for candidate in _numbered(name):
        try:
            _write(target, candidate, b"")
        except FileExistsError:
            continue
        try:
            if reason is not None:
                _write(target, reason_name(candidate), f"{reason.of(candidate)}\n".encode("utf-8", "replace"))
        except OSError as error:
            os.unlink(candidate, dir_fd=target)
            if isinstance(error, FileExistsError):
                continue
            raise
        return candidate
    raise AssertionError  # the numbers do not end


def _unreserve(target: int, shelved: str, reason: "_Named | None") -> None:
    """Takes back what ``_reserve`` made, where the file itself did not stay; never removes content."""
    with suppress(FileNotFoundError):
        if os.stat(shelved, dir_fd=target, follow_symlinks=False).st_size == 0:
            os.unlink(shelved, dir_fd=target)
    if reason is not None:
        with suppress(FileNotFoundError):
            os.unlink(reason_name(shelved), dir_fd=target)


def _put_back(source: int, target: int, name: str, shelved: str) -> None:
    """Back where it came from; if a still newer file has taken its name, under a numbered one."""
    for candidate in _numbered(name):
        if _move_unless_taken(target, source, shelved, candidate):
            return


@contextmanager
def _made_folder(top: int, shelf: str | None, parents: list[str]) -> Iterator[tuple[int, list[str]]]:
    """A descriptor of ``shelf/parents``, made where missing (0750), and its parts; a parent whose name a file has taken
    is numbered."""
    opened, parts = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=top), list[str]()
    try:
        if shelf is not None:
            opened = _step_into_made(opened, shelf)
            parts.append(shelf)
        for parent in parents:
            for name in _numbered(parent):
                if (inner := _step_unless_taken(opened, name)) is not None:
                    opened = inner
                    parts.append(name)
                    break
        yield opened, parts
    finally:
        os.close(opened)


def _step_unless_taken(folder: int, name: str) -> int | None:
    try:
        return _step_into_made(folder, name)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            return None
        raise


def _step_into_made(folder: int, name: str) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, 0o750, dir_fd=folder)
    return step_into(folder, name)


def _write(folder: int, name: str, content: bytes) -> None:
    opened = os.open(name, _NEW_FILE, 0o640, dir_fd=folder)
    with os.fdopen(opened, "wb") as file:
        file.write(content)


def _mark(folder: int, name: str) -> Mark | None:
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Mark.of(found) if stat.S_ISREG(found.st_mode) else None


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in itertools.count(1):
        yield f"{name}.{number}"
