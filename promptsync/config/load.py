"""Finding and reading the configuration file.

Owns the search order and the one way from a TOML file to a ``Config``. Opens no secret, makes no folder.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from promptsync.config.problems import InvalidConfig, problems_of
from promptsync.config.sections import Config
from promptsync.errors import ConfigError, NotOwner, in_words, user_name

VARIABLE = "PROMPTSYNC_CONFIG"
FILE_NAME = "promptsync.toml"
SYSTEM_FILE = Path("/etc/promptsync/promptsync.toml")


def find_config(explicit: Path | None, env: Mapping[str, str], cwd: Path) -> Path:
    """The file to read: ``explicit``, else ``$PROMPTSYNC_CONFIG``, ``./promptsync.toml``, the system's one.

    A file that was named must exist, the next one is not tried. Raises ConfigError when there is none.
    """
    if explicit is not None:
        return _named(cwd / explicit, "--config")
    if env.get(VARIABLE):
        return _named(cwd / env[VARIABLE], f"${VARIABLE}")
    with suppress(PermissionError):  # a folder that others may not enter, as root's is
        if (cwd / FILE_NAME).is_file():
            return cwd / FILE_NAME
    if _is_readable(SYSTEM_FILE):
        return SYSTEM_FILE
    raise ConfigError(
        f"no configuration: neither {FILE_NAME} in this folder nor {SYSTEM_FILE}; run 'promptsync init', or name "
        "a file with --config"
    )


def load_config(path: Path) -> Config:
    """The configuration in ``path``, checked whole. Relative paths in it start at the file's folder.

    Raises InvalidConfig with every wrong key at once, or ConfigError when the file cannot be read or is no TOML.
    """
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text, save it as UTF-8 (byte {error.start})") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}{_hint(path, error)}") from None
    try:
        return Config.read(data, path.absolute().parent)
    except ValidationError as error:
        raise InvalidConfig(path, problems_of(error)) from None


_LINE: Final = re.compile(r"at line (\d+)")


def _hint(path: Path, error: Exception) -> str:
    """What people usually mean who write that line."""
    found = _LINE.search(str(error))
    lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    line = lines[int(found[1]) - 1] if found and int(found[1]) <= len(lines) else ""
    if "\\" in line:
        return "; write \\\\ for each backslash, or the text in single quotes"
    if any(sign in line for sign in "\u201c\u201d\u2018\u2019\u00ab\u00bb"):
        return '; use straight quotes ("), not curly ones'
    return ""


def _named(path: Path, where: str) -> Path:
    try:
        if not path.is_file():
            what = "that is a folder" if path.is_dir() else "there is no such file"
            raise ConfigError(f"{where} names {path}, and {what}")
    except PermissionError as error:
        raise ConfigError(f"{path} cannot be read: {in_words(error)}") from error
    return path


def _is_readable(service: Path) -> bool:
    """Whether there is a service's file. Raises NotOwner if the service's user alone can know."""
    try:
        return service.is_file()
    except PermissionError as error:
        raise NotOwner(
            f"{service.parent} cannot be entered by the user {user_name(os.geteuid())}; run this as the service's user",
            "promptsync",
        ) from error
