"""The settings of one plugin: ``[plugins.<name>]``, read key by key with sentences for what is wrong.

Owns the checks and the record of which keys were asked for, so that a misspelt one is found.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from promptsync.errors import ConfigError
from promptsync.plugins.declared import ReadOnly

_NOTHING: Any = object()


class Settings(Mapping[str, Any]):
    """The keys of ``[plugins.<name>]``. A key without ``default`` must be given. Raises ConfigError naming the key.

    ``open_secret``: from ``{ env = "…" }`` and its like to bytes. Relative paths start at ``folder``. ``mirror``: for
    reading only, for a command or a source; others are given it when they are called.
    """

    def __init__(
        self,
        plugin: str,
        given: Mapping[str, Any],
        folder: Path,
        open_secret: Callable[[Any], bytes],
        mirror: ReadOnly | None = None,
    ) -> None:
        self.plugin = plugin
        self._mirror = mirror
        self._given = dict(given)
        self._folder = folder
        self._open_secret = open_secret
        self._asked: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self._asked.add(key)
        return self._given[key]

    def __iter__(self) -> Any:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    @property
    def mirror(self) -> ReadOnly:
        """The mirror, for reading only. Raises ConfigError where there is none."""
        if self._mirror is None:
            raise ConfigError(f"plugin {self.plugin}: there is no mirror to read here")
        return self._mirror

    def text(self, key: str, default: str = _NOTHING) -> str:
        """A text that is not empty."""
        return str(self._read(key, default, lambda v: isinstance(v, str) and bool(v), "a text in quotes"))

    def number(self, key: str, default: float = _NOTHING) -> float:
        """A number."""
        value = self._read(key, default, lambda v: isinstance(v, int | float) and not isinstance(v, bool), "a number")
        return float(value)

    def flag(self, key: str, default: bool = _NOTHING) -> bool:
        """true or false."""
        return bool(self._read(key, default, lambda v: isinstance(v, bool), "true or false"))

    def texts(self, key: str, default: Mapping[str, list[str]] = _NOTHING) -> dict[str, list[str]]:
        """A table of lists of texts: ``{ name = ["one", "two"] }``."""
        return dict(self._read(key, default, _is_table_of_texts, 'a table such as { name = ["one", "two"] }'))

    def path(self, key: str, default: str = _NOTHING) -> Path:
        """A path, relative to the configuration file's folder."""
        return self._folder / Path(self.text(key, default)).expanduser()

    def secret(self, key: str, default: bytes = _NOTHING) -> bytes:
        """A secret, named by where it is kept (``{ file = "…" }``), opened."""
        self._asked.add(key)
        if key not in self._given and default is not _NOTHING:
            return default
        try:
            return self._open_secret(self._read(key, _NOTHING, lambda _: True, ""))
        except ValueError as error:
            raise ConfigError(f"plugins.{self.plugin}.{key} {error}") from None

    def as_text(self) -> str:
        """What was given, as it stands in the configuration: the same text for the same settings, no secret in it."""
        return json.dumps(self._given, sort_keys=True, default=str)

    def unknown(self) -> list[str]:
        """The keys that nobody asked for."""
        return sorted(self._given.keys() - self._asked)

    def _read(self, key: str, default: Any, fits: Callable[[Any], bool], wanted: str) -> Any:
        self._asked.add(key)
        value = self._given.get(key, default)
        if value is _NOTHING:
            raise ConfigError(f"plugins.{self.plugin}.{key} is missing, it has no default")
        if key in self._given and not fits(value):
            raise ConfigError(f"plugins.{self.plugin}.{key} must be {wanted}")
        return value


def _is_table_of_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(texts, list) and all(isinstance(text, str) and text for text in texts) for texts in value.values()
    )
