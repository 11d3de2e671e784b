"""Reading the configuration file: a ``Config``, or everything that is wrong with it, in words.

Owns the one way from a TOML file to a ``Config``, and the translation of pydantic's errors into one sentence per key,
with a suggestion for a misspelt one. Opens no secret, makes no folder. Never repeats a value: it may be a secret in the
wrong place.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from promptsync.config.remotes import BackupConfig
from promptsync.config.section import Section
from promptsync.config.sections import Config
from promptsync.config.values import suggest
from promptsync.errors import ConfigError

_SENTENCES = {
    "missing": "is missing, it has no default",
    "string_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "int_type": "must be a whole number, without quotes",
    "float_type": "must be a number, without quotes",
    "bool_type": "must be true or false, without quotes",
    "finite_number": "must be a finite number",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a list",
}
_LIMITS = {
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than_equal": ("le", "must be at most {}"),
}
_GONE: dict[tuple[type[Section], str], str] = {
    (BackupConfig, "key"): 'is not a key any more: write recipient = "age1..." (an age public key), or passphrase = '
    '{ credential = "backup" }',
}
_LINE: Final = re.compile(r"at line (\d+)")


@dataclass(frozen=True, slots=True)
class Problem:
    """``key``: dotted, list entries counted from 1 (``nightly[2].schedule``). ``says``: what is wrong with it."""

    key: str
    says: str

    def __str__(self) -> str:
        return f"{self.key} {self.says}"


class InvalidConfig(ConfigError):
    """Everything that is wrong with one configuration file, in the order of the file's sections."""

    def __init__(self, path: Path, problems: tuple[Problem, ...]) -> None:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"{path} has {count}, put it right:" + "".join(f"\n  {problem}" for problem in problems))
        self.path = path
        self.problems = problems


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


def problems_of(error: ValidationError) -> tuple[Problem, ...]:
    """One problem per wrong key."""
    details = error.errors(include_url=False, include_input=False)
    return tuple(Problem(_key(detail["loc"]), _says(detail)) for detail in details)


def _key(place: tuple[int | str, ...]) -> str:
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part + 1}]"
        elif part != "[key]":
            text += f".{part}" if text else part
    return text


def _says(detail: ErrorDetails) -> str:
    kind, place, context = detail["type"], detail["loc"], detail.get("ctx", {})
    section = _section_at(place[:-1])
    name = str(place[-1])
    if kind == "extra_forbidden" and section is not None and (section, name) in _GONE:
        return _GONE[section, name]
    said = ("missing", "value_error")  # of a key that a section may have beside its own, its value is what is wrong
    if kind == "extra_forbidden" or (section is not None and name not in section.model_fields and kind not in said):
        return "is not a known key" + _suggestion(name, section)
    if kind == "value_error":
        return str(context["error"])
    if kind == "tuple_type" and len(place) == 1:
        return f"must be a list of tables, write [[{name}]]"
    if kind == "tuple_type" and place == ("webhook", "secrets"):
        return 'must be a list, such as [{ file = "webhook.secret" }]'
    if kind in _LIMITS:
        limit, sentence = _LIMITS[kind]
        return sentence.format(context[limit])
    return _SENTENCES.get(kind, detail["msg"])


def _suggestion(name: str, section: type[Section] | None) -> str:
    """The nearest key of the same section, or else the sections that have a key of exactly this name."""
    near = suggest(name, section.model_fields) if section else ""
    homes = [title for title, inner in _sections().items() if name in inner.model_fields and inner is not section]
    if near or not homes:
        return near
    return f", it belongs in [{'] or ['.join(homes)}]"


def _sections() -> dict[str, type[Section]]:
    found = {name: _inner(field.annotation) for name, field in Config.model_fields.items()}
    return {name: section for name, section in found.items() if section is not None}


def _section_at(place: tuple[int | str, ...]) -> type[Section] | None:
    """The model whose keys stand at ``place``; None inside lists and tables that are none."""
    section: type[Section] | None = Config
    for part in place:
        if isinstance(part, str):
            field = section.model_fields.get(part) if section else None
            section = _inner(field.annotation) if field else None
    return section


def _inner(annotation: Any) -> type[Section] | None:
    """The section within ``X``, ``X | None`` or ``tuple[X, ...]``."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Section):
            return kind
    return None
