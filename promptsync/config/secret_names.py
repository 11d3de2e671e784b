"""Which secrets a configuration can name, by their keys, and naming one in its file.

Owns the walk over the models' secrets and the lines of TOML that name one. Opens none.
"""

import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, get_args, get_origin

import tomlkit
from tomlkit.items import Array, InlineTable

from promptsync.config.secret import Secret
from promptsync.config.section import Section
from promptsync.config.sections import Config
from promptsync.config.values import suggest
from promptsync.errors import ConfigError

ANY = "NAME"
"""The last part of a key where people choose it."""
_OF_USERS = ("browse.users.", "browse.tokens.")


def secret_keys(config: Config) -> tuple[str, ...]:
    """Every key at which the configuration can name a secret, places counted from 1 (``nightly.1.secret_key``): but for
    users and tokens of the pages, which a command of their own enters."""
    return tuple(key for key in _keys(Config, config, "") if not key.startswith(_OF_USERS))


def find_secret(config: Config, key: str) -> tuple[Secret, ...]:
    """What is named at a key now; several only where the key is a list. Raises ConfigError for a key that names none,
    with those that can."""
    known, parts = secret_keys(config), key.split(".")
    if (key not in known and ".".join((*parts[:-1], ANY)) not in known) or parts[-1] in ("", ANY):
        if f"{key}.".startswith(_OF_USERS):
            raise ConfigError("Users and tokens of the pages are entered by 'promptsync user'.")
        raise ConfigError(f"'{key}' names no secret{suggest(key, known) or '.'} There are: {', '.join(known)}.")
    found: Any = config
    for part in parts:
        if isinstance(found, tuple):
            found = found[int(part) - 1]
        else:
            found = found.get(part) if isinstance(found, dict) else getattr(found, part, None)
    return found if isinstance(found, tuple) else () if found is None else (found,)


def plain_key(text: str) -> str:
    """A key as it stands in other messages, ``nightly[1].password``, in the form that is used here."""
    return re.sub(r"\[(\d+)\]", r".\1", text)


def name_secret(document: tomlkit.TOMLDocument, key: str, way: Mapping[str, str], *, beside: bool = False) -> None:
    """Have a key name a secret: the only one, or (``beside``) one more of its list. Comments stay."""
    *path, last = key.split(".")
    place: Any = document
    for part in path:
        place = place[int(part) - 1] if part.isdigit() else _table(place, part)
    value = _inline(way)
    if key != "webhook.secrets":
        place[last] = value
        return
    there = place.get(last)
    if isinstance(there, Array) and len(there) and not beside:
        there[0] = value
    elif isinstance(there, Array):
        there.append(value)
    else:
        place[last] = tomlkit.array()
        place[last].append(value)


def _table(place: MutableMapping[str, Any], name: str) -> Any:
    if name not in place:
        place[name] = tomlkit.table()
    return place[name]


def _inline(way: Mapping[str, str]) -> InlineTable:
    value = tomlkit.inline_table()
    value.update(way)
    return value


def _keys(section: type[Section], value: object, prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        key, annotation, inner = f"{prefix}{name}", field.annotation, getattr(value, name, None)
        kinds = set(_kinds(annotation))
        if Secret in kinds:
            yield f"{key}.{ANY}" if get_origin(annotation) is dict else key
        for kind in kinds:
            if not (isinstance(kind, type) and issubclass(kind, Section)):
                continue
            if isinstance(inner, tuple):
                for number, one in enumerate(inner, 1):
                    yield from _keys(kind, one, f"{key}.{number}.")
            elif inner is not None or _needs_only_secrets(kind):
                yield from _keys(kind, inner, f"{key}.")


def _kinds(annotation: Any) -> Iterator[Any]:
    yield annotation
    for inner in get_args(annotation):
        yield from _kinds(inner)


def _needs_only_secrets(section: type[Section]) -> bool:
    return all(Secret in _kinds(field.annotation) for field in section.model_fields.values() if field.is_required())
