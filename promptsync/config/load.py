"""Finding and reading the configuration file.

Owns the search order and the one way from a TOML file to a ``Config``. Opens no secret, makes no folder.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from promptsync.config.problems import InvalidConfig, problems_of
from promptsync.config.sections import Config
from promptsync.errors import ConfigError

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
    for candidate in (cwd / FILE_NAME, SYSTEM_FILE):
        if candidate.is_file():
            return candidate
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
        raise ConfigError(f"{path} is not valid TOML: {error}") from None
    try:
        return Config.read(data, path.absolute().parent)
    except ValidationError as error:
        raise InvalidConfig(path, problems_of(error)) from None


def _named(path: Path, where: str) -> Path:
    if not path.is_file():
        raise ConfigError(f"{where} names {path}, and there is no such file")
    return path
