"""Small files that hold a secret or a setting, written whole: all of the new content is there, or the old as it was.

Owns how such a file is replaced: beside it, with its mode from the first byte, on disk before it takes the name. Says
nothing to people: why it could not be, and what to do, whoever asked knows.
"""

import os
import secrets
from pathlib import Path

PRIVATE = 0o600


def write_whole(path: Path, content: bytes, mode: int = PRIVATE, owner: tuple[int, int] | None = None) -> None:
    """Put ``content`` at ``path`` by rename; nobody ever reads of it what ``mode`` does not let them.

    ``owner``: user and group, if not whoever does it. Raises OSError; the file is then as it was, with nothing beside
    it.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, PRIVATE)
        with os.fdopen(file, "wb") as stream:
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                os.fchown(file, *owner)
            os.fchmod(file, mode)
            stream.write(content)
            stream.flush()
            os.fsync(file)
        beside.replace(path)
        os.fsync(folder)
    finally:
        beside.unlink(missing_ok=True)
        os.close(folder)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk. Raises OSError."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
