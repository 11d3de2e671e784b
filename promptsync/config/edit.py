"""Changing the configuration file for the person who wrote it.

Owns the replacement of the file: comments and order stay, what comes out is checked as a whole before anything is
written, and owner and mode are those of before. Decides nothing about what is changed.
"""

import tomllib
from collections.abc import Callable
from pathlib import Path

import tomlkit
from pydantic import ValidationError

from promptsync.config.load import InvalidConfig, problems_of
from promptsync.config.sections import Config
from promptsync.errors import ConfigError, Unavailable
from promptsync.whole_file import write_whole

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
    write_whole(path, text.encode(), mode, (like.st_uid, like.st_gid))
