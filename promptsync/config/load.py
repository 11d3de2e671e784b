"""Reading the configuration file.

Owns the one way from a TOML file to a ``Config``. Opens no secret, makes no folder.
"""

import re
import tomllib
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from promptsync.config.problems import InvalidConfig, problems_of
from promptsync.config.sections import Config
from promptsync.errors import ConfigError


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
