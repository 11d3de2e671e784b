"""Whose a mirror is: one user writes it, and every file of it belongs to that user.

Owns who that is, what becomes of any other who wants to write, and which of the mirror's files that user cannot write.
A file that somebody else left there (a ``-wal`` of root's is enough) keeps the daemon from ever starting again, so
nobody else may write at all, and root becomes that user first. Opens none of these files.
"""

import grp
import os
import pwd
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from promptsync.errors import ConfigError, NotOwner, user_name

ROOT: Final = 0


def owner_of(database: Path) -> os.stat_result | None:
    """Of whom the mirror is: of whom its file is, and before there is one, its folder; None if it may be anyone's.

    A folder of root's is a place that several share, such as ``/tmp``, or one that nobody else can write to.
    """
    for path in (database, database.parent):
        try:
            found = path.stat()
        except OSError:
            continue
        return found if path == database or found.st_uid != ROOT else None
    return None


def refuse_others(database: Path) -> None:
    """Raises NotOwner if another user than ours writes this mirror. Root may: what it makes is left to the owner."""
    owner, me = owner_of(database), os.geteuid()
    if owner is None or me in (owner.st_uid, ROOT):
        return
    name = user_name(owner.st_uid)
    raise NotOwner(
        f"The mirror in {database.parent} belongs to the user {name}, and files that {user_name(me)} leaves there "
        f"would lock {name} out; run this as {name}.",
        name,
    )


def become_owner(database: Path) -> None:
    """What root starts goes on as the user whose mirror it is, for good; nothing is done for anyone else.

    Raises ConfigError if promptsync is installed where that user cannot read it.
    """
    owner = owner_of(database)
    if os.geteuid() != ROOT or owner is None or owner.st_uid == ROOT:
        return
    name = user_name(owner.st_uid)
    try:
        os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
    except KeyError:  # a number without a name, as in a container
        os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    for folder in (Path(os.__file__).parent, Path(__file__).parent, *map(Path, sys.path)):
        with suppress(FileNotFoundError, NotADirectoryError):  # a place that Python would look at
            try:
                folder.stat()
            except PermissionError as error:
                raise ConfigError(
                    f"The mirror in {database.parent} belongs to the user {name}, who cannot read {folder}, where "
                    "promptsync is installed; install it where all can read it, such as in /opt."
                ) from error
    os.seteuid(ROOT)
    os.setgid(owner.st_gid)
    os.setuid(owner.st_uid)


def of_mirror(database: Path) -> Iterator[Path]:
    """The folder, and the files there that whoever writes the mirror must be able to write; those that are there."""
    names = ("", "-wal", "-shm", ".lock")
    for path in (database.parent, *(Path(f"{database}{name}") for name in names)):
        with suppress(PermissionError):  # the folder has been named before
            if path.exists():
                yield path


def unwritable(database: Path) -> str | None:
    """Why this user cannot write the mirror, as a sentence with what to run; None if it is not for permission."""
    for path in of_mirror(database):
        if os.access(path, os.W_OK) or os.statvfs(path).f_flag & os.ST_RDONLY:
            continue
        found, me = path.stat(), os.geteuid()
        if found.st_uid == me:
            return f"{path} is closed for writing to its owner; run: chmod u+w {path}"
        return (
            f"{path} belongs to {user_name(found.st_uid)}, and {user_name(me)} may not write it; run: "
            f"{give_back(user_name(me), [path])}"
        )
    return None


def unreadable(database: Path) -> str | None:
    """Why this user cannot read the mirror, as a sentence; None if it is not for permission."""
    for path in of_mirror(database):
        if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
            found = path.stat()
            owner, group = user_name(found.st_uid), _group_name(found.st_gid)
            return (
                f"{path} belongs to {owner} and the group {group}, and {user_name(os.geteuid())} may not read it; run "
                "this as the user whose mirror it is, or as a member of a group that may read it."
            )
    return None


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def strangers(database: Path) -> list[Path]:
    """Files of the mirror that belong to another user than the database does."""
    try:
        owner = database.stat().st_uid
    except OSError:
        return []
    return [path for path in of_mirror(database) if path.is_file() and path.stat().st_uid != owner]


def give_back(name: str, paths: Sequence[Path]) -> str:
    """The command that gives files to a user."""
    return f"sudo chown {name}: {' '.join(map(str, paths))}"
