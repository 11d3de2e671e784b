"""Moves a finished file into an archive folder (``done``, or ``held`` with the reason beside it) and back out of it.

Owns the names there and the rule that nothing is ever overwritten: a name is reserved with an empty file (O_EXCL) and
the rename replaces only that. A file that is not the one handed over goes back. Blocking: for a worker thread.
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


def archive_file(root: Path, name: str, mark: Mark, archive: str, reason: str | None = None) -> str | None:
    """Moves ``root/name`` to the same subfolder of ``root/archive``; with a reason, ``<name>.reason.txt`` beside it.

    A path in the reason that names the file is replaced by its new path. Returns the new name, below ``root``; None if
    the file is no longer in the state ``mark`` and stays where it is. Raises Unavailable if it cannot be moved.
    """
    *parents, last = name.split("/")
    try:
        with (
            top_folder(root) as top,
            open_folder(top, tuple(parents)) as source,
            _made_folder(top, archive, parents) as (target, folders),
        ):
            if _mark(source, last) != mark:
                return None
            named = _Named(reason, root / name, root.joinpath(*folders)) if reason is not None else None
            archived = _move(source, target, last, mark, named)
            return archived and "/".join((*folders, archived))
    except OSError as error:
        raise Unavailable(f"It cannot be moved to {archive}: {error.strerror}.") from error


def take_back(root: Path, archived: str, name: str) -> bool:
    """Moves an archived file back to ``root/name`` and removes the reason beside it; False: that name is taken, or the
    file is gone.

    A program that is writing to it can go on writing. Raises Unavailable if it cannot be moved.
    """
    *origin, last = name.split("/")
    *folders, held = archived.split("/")
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


def remove(root: Path, name: str) -> bool:
    """Deletes ``root/name`` and the reason beside it, for good; whether it was there. Raises Unavailable."""
    *folders, last = name.split("/")
    try:
        with top_folder(root) as top, open_folder(top, tuple(folders)) as folder:
            os.unlink(last, dir_fd=folder)
            with suppress(FileNotFoundError):
                os.unlink(reason_name(last), dir_fd=folder)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unavailable(f"{root / name} cannot be deleted: {error.strerror}.") from error
    return True


def discard_reason(root: Path, archived: str) -> None:
    """Removes the reason beside a file that somebody has taken out of ``held``; does nothing if the file is there."""
    *folders, held = archived.split("/")
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
    """Why a file is held. ``path``: the path that the text names it by; ``archive``: the folder it will be in."""

    text: str
    path: Path
    archive: Path

    def of(self, archived: str) -> str:
        """The reason once the file has its name in the archive."""
        return self.text.replace(shlex.quote(str(self.path)), shlex.quote(str(self.archive / archived)))


def _move(source: int, target: int, name: str, mark: Mark, reason: "_Named | None") -> str | None:
    archived = _reserve(target, name, reason)
    moved = False
    try:
        os.rename(name, archived, src_dir_fd=source, dst_dir_fd=target)
        moved = _mark(target, archived) == mark
        if not moved:  # another file took the name, or it was written to, since the last look
            _put_back(source, target, name, archived)
    finally:
        if not moved:
            _unreserve(target, archived, reason)
    return archived if moved else None


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


def _unreserve(target: int, archived: str, reason: "_Named | None") -> None:
    """Undoes ``_reserve`` where the file did not stay; never removes content."""
    with suppress(FileNotFoundError):
        if os.stat(archived, dir_fd=target, follow_symlinks=False).st_size == 0:
            os.unlink(archived, dir_fd=target)
    if reason is not None:
        with suppress(FileNotFoundError):
            os.unlink(reason_name(archived), dir_fd=target)


def _put_back(source: int, target: int, name: str, archived: str) -> None:
    """Moves a file back where it came from, under a numbered name if a newer file has taken its own."""
    for candidate in _numbered(name):
        if _move_unless_taken(target, source, archived, candidate):
            return


@contextmanager
def _made_folder(top: int, archive: str | None, parents: list[str]) -> Iterator[tuple[int, list[str]]]:
    """A descriptor of ``archive/parents``, made where missing (0750), and its parts. A parent whose name is taken by a
    file gets a number."""
    opened, parts = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=top), list[str]()
    try:
        if archive is not None:
            opened = _step_into_made(opened, archive)
            parts.append(archive)
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
