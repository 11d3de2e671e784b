"""Changing the configuration file for the person who wrote it.

Owns the replacement of the file: comments and order stay, what comes out is checked as a whole before anything is
written, and owner and mode are those of before. Decides nothing about what is changed.
"""

import os
import secrets
import tomllib
from collections.abc import Callable
from pathlib import Path

import tomlkit
from pydantic import ValidationError

from promptsync.config.load import InvalidConfig, problems_of
from promptsync.config.sections import Config
from promptsync.errors import ConfigError, Unavailable

Change = Callable[[tomlkit.TOMLDocument], None]


def edit_config(path: Path, change: Change) -> None:
    """Let ``change`` work on the parsed file, and put the result in its place at once.

    Raises InvalidConfig if the result would not be a right configuration, ConfigError if the file is no TOML now,
    Unavailable if it cannot be read or written; the file is then as it was.
    """
    path = path.resolve()
    try:
        document = tomlkit.parse(path.read_bytes().decode("utf-8"))
        change(document)
        text = tomlkit.dumps(document)
        Config.read(tomllib.loads(text), path.parent)
        write_like(path, text, path)
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be changed ({error.strerror}); run this as the user that the file belongs to, or as root."
        ) from error
    except ValidationError as error:
        raise InvalidConfig(path, problems_of(error)) from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from None


def write_like(path: Path, text: str, model: Path) -> None:
    """Put ``text`` at ``path`` by rename, owned as ``model`` is and no more open than it; others never read it.

    Raises OSError.
    """
    like = model.stat()
    mode = like.st_mode & (0o777 if path == model else 0o640)
    write_whole(path, text, mode, (like.st_uid, like.st_gid))


def write_whole(path: Path, text: str, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Put ``text`` at ``path`` by rename: all of it is on disk there or none, and others never read what they may not.

    ``owner``: user and group, if not whoever does it. Raises OSError.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            if owner is not None and owner != (os.geteuid(), os.getegid()):
                os.fchown(file, *owner)
            os.fchmod(file, mode)
            stream.write(text)
            stream.flush()
            os.fsync(file)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
