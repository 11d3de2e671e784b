"""Whether what a plugin declares can be what it means, asked at the start so that each mistake is a sentence.

Owns the checks of one declaration by itself (types, names, addresses) and of what a plugin's code imports. What needs
to see all tables and kinds of files is asked in engine/built_in.py. Pure, but for reading the code of a plugin.
"""

import ast
import inspect
import re
import types
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

from promptsync.errors import ConfigError
from promptsync.plugins.declared import FileKind, Observer, Page, Source

_PATH = re.compile(r"/?[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*/?")
_PUBLIC = ("promptsync", "promptsync.testing")


def check_declaration(item: object) -> None:
    """Raises ConfigError, beginning with what it is, unless each field has the type that it states and a usable
    value."""
    for says in _misfits(item):
        raise ConfigError(says)
    if isinstance(item, Page) and not _PATH.fullmatch(item.path):
        raise ConfigError(
            f"Page({item.path!r}): a path is made of letters, digits and . _ ~ - between slashes, such as shifts/open"
        )
    if isinstance(item, Page) and not item.title.strip():
        raise ConfigError(f"Page({item.path!r}): it needs a title")
    if isinstance(item, Observer | Source) and not item.name.isidentifier():
        raise ConfigError(f"{_called(item)}: its name must be an identifier: letters, digits and _, not a digit first")
    if isinstance(item, FileKind) and (not item.pattern or "/" in item.pattern):
        raise ConfigError(f"{_called(item)}: its pattern is of names without folders, such as orders_*.csv")
    if isinstance(item, Observer | Source | FileKind) and item.limit <= 0:
        raise ConfigError(f"{_called(item)}: its limit is a number of seconds above 0")


def _misfits(item: object) -> Iterator[str]:
    """Sentences about fields of a dataclass, and of those in it, that hold something of another type."""
    if not is_dataclass(item) or isinstance(item, type):
        return
    for name, hint, fits in _hints(type(item)):
        value = getattr(item, name)
        if type(value) in fits:
            continue
        if (wanted := _wanted(value, hint)) is not None:
            yield f"{_called(item)}: {name} takes {wanted}, not {_shown(value)}"
            continue
        for inner in value if isinstance(value, list | tuple) else (value,):
            if is_dataclass(inner):
                yield from _misfits(inner)


@lru_cache(maxsize=128)
def _hints(kind: type) -> tuple[tuple[str, Any, frozenset[type]], ...]:
    """The fields of a dataclass, each with its type and the classes whose own values need no second look: every start
    asks all this of hundreds of columns."""
    hints = get_type_hints(kind)
    return tuple((field.name, hints[field.name], _fitting(hints[field.name])) for field in fields(kind))


def _fitting(hint: Any) -> frozenset[type]:
    alternatives = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    classes = {one for one in alternatives if isinstance(one, type) and get_origin(one) is None}
    return frozenset(one for one in classes if not is_dataclass(one) and not issubclass(one, list | tuple))


def _called(item: object) -> str:
    """``Column('id')``: the class and what the declaration is called."""
    name = getattr(item, "name", getattr(item, "path", getattr(item, "table", "")))
    return f"{type(item).__name__}({name!r})"


def _wanted(value: object, hint: Any) -> str | None:
    """What a type asks for, in words, if the value is not of it; a list is taken for a tuple."""
    if hint is Any:
        return None
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        asked = [_wanted(value, one) for one in arguments if one is not type(None)]
        return None if None in asked else " or ".join(filter(None, asked))
    if origin is Callable:
        return None if callable(value) else "a function"
    if origin in (tuple, list, Sequence):
        return _sequence(value, arguments)
    if origin in (Mapping, dict):
        good = isinstance(value, Mapping) and not any(_wanted(key, arguments[0]) for key in value)
        return None if good and not any(_wanted(one, arguments[1]) for one in value.values()) else "a mapping"  # type: ignore[attr-defined]
    if origin in (frozenset, Set):
        return None if isinstance(value, Set) else "a set"
    if hint is float:
        return None if isinstance(value, int | float) and not isinstance(value, bool) else "a number"
    if hint is int and isinstance(value, bool):
        return "a whole number"
    return None if not isinstance(hint, type) or isinstance(value, hint) else _type_in_words(hint, value)


def _sequence(value: object, arguments: tuple[Any, ...]) -> str | None:
    if isinstance(value, str) or not isinstance(value, list | tuple):
        return "a tuple"
    hints = arguments[:1] * len(value) if arguments[-1:] == (...,) or len(arguments) == 1 else arguments
    if len(hints) != len(value):
        return f"a tuple of {len(hints)}"
    asked = [_wanted(one, hint) for one, hint in zip(value, hints, strict=True)]
    return next((f"a tuple in which each is {one}" for one in asked if one), None)


_WORDS = {str: "a text", int: "a whole number", bool: "True or False"}


def _type_in_words(hint: type, value: object) -> str:
    if issubclass(hint, Enum):
        meant = [one for one in hint if value in (one.value, one.name, one.name.lower())]
        return str(meant[0]) if meant else f"one of {', '.join(map(str, hint))}"
    return _WORDS.get(hint, f"a {hint.__name__}")


def _shown(value: object) -> str:
    """A value for a sentence: short, and whole only where it is a name or a number."""
    text = repr(value) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def check_imports(plugin: str, found: object) -> None:
    """Raises ConfigError for a plugin whose code imports more of promptsync than the names that stay."""
    file = inspect.getsourcefile(found) if inspect.ismodule(found) else None
    if file is None:
        return
    path = Path(file)
    for one in sorted(path.parent.rglob("*.py")) if path.name == "__init__.py" else [path]:
        for line, module in _imports(one):
            if module.split(".")[0] == "promptsync" and module not in _PUBLIC:
                raise ConfigError(
                    f"plugin {plugin}: line {line} of {one.name} imports {module}, which changes from version to "
                    "version; everything for plugins is in promptsync itself ('promptsync help plugins')"
                )


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    """The modules that a file imports, each with its line."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            if node.module == "promptsync":
                hidden = (alias.name for alias in node.names if _is_module(alias.name))
                yield from ((node.lineno, f"promptsync.{name}") for name in hidden)


def _is_module(name: str) -> bool:
    folder = Path(__file__).parent.parent
    return (folder / name).is_dir() or (folder / f"{name}.py").is_file()
