"""Which configuration file a command reads.

Owns the search order, and a glance at what a file enables. Imports nothing that takes time: help and completion ask,
too.
"""

import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from promptsync.errors import ConfigError, NotOwner, in_words, user_name

VARIABLE = "PROMPTSYNC_CONFIG"
FILE_NAME = "promptsync.toml"
SYSTEM_FILE = Path("/etc/promptsync/promptsync.toml")


def find_config(explicit: Path | None, env: Mapping[str, str], cwd: Path) -> Path:
    """The file to read: ``explicit``, else ``$PROMPTSYNC_CONFIG``, ``./promptsync.toml``, the user's, the system's.

    A file that was named must exist, the next one is not tried. Raises ConfigError when there is none.
    """
    if explicit is not None:
        return _named(cwd / explicit, "--config")
    if env.get(VARIABLE):
        return _named(cwd / env[VARIABLE], f"${VARIABLE}")
    with suppress(PermissionError):  # a folder that others may not enter, as root's is
        if (cwd / FILE_NAME).is_file():
            return cwd / FILE_NAME
    of_user = user_file(env)
    with suppress(PermissionError):
        if of_user is not None and of_user.is_file():
            return of_user
    if _is_readable(SYSTEM_FILE):
        return SYSTEM_FILE
    places = f"neither {FILE_NAME} in this folder nor {f'{of_user} nor ' if of_user else ''}{SYSTEM_FILE}"
    raise ConfigError(f"no configuration: {places}; run 'promptsync init', or name a file with --config")


def user_file(env: Mapping[str, str]) -> Path | None:
    """The user's own (XDG Base Directory Specification); None for one without a home.

    >>> str(user_file({"HOME": "/home/ana"})), str(user_file({"XDG_CONFIG_HOME": "/c"}))
    ('/home/ana/.config/promptsync/config.toml', '/c/promptsync/config.toml')
    """
    given, home = env.get("XDG_CONFIG_HOME", ""), env.get("HOME", "")
    if given.startswith("/"):
        return Path(given) / "promptsync" / "config.toml"
    return Path(home) / ".config" / "promptsync" / "config.toml" if home.startswith("/") else None


def enables_plugins(path: Path) -> bool:
    """Whether a file enables any plugin, as far as one can tell without checking it: a file with mistakes in it may."""
    try:
        plugins = tomllib.loads(path.read_bytes().decode("utf-8")).get("plugins", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return False
    return not isinstance(plugins, dict) or bool(plugins.get("enabled"))


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
