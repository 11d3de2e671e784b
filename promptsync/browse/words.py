"""What the pages say: every heading, sentence, label and reason, by key.

Owns how a sentence is looked up and filled in. The sentences are in ``languages/en.toml``, so that another language is
another file. Pure once loaded.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter
from typing import Any

from markupsafe import Markup, escape

from promptsync.browse.cells import clean

_FORMATTER = Formatter()
_FOLDER = Path(__file__).parent / "languages"


class Words:
    """Sentences by key, such as ``home.title``; ``lists`` by key, such as ``dates.months``."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.lists: dict[str, tuple[str, ...]] = {}
        self._said: dict[str, tuple[tuple[Markup, str | None], ...]] = {}
        for key, value in _flat(document):
            if isinstance(value, list):
                self.lists[key] = tuple(value)
            else:
                self._said[key] = tuple((escape(text), name) for text, name, *_ in _FORMATTER.parse(value))

    def __contains__(self, key: object) -> bool:
        return key in self._said

    def __iter__(self) -> Iterator[str]:
        return iter(self._said)

    def say(self, key: str, /, **parts: object) -> Markup:
        """A sentence with its parts, which are escaped unless they are markup. Raises KeyError for an unknown key.

        Where a sentence has forms for one and for many, ``n`` chooses. Numbers are grouped.
        """
        if key not in self._said and "n" in parts:
            key = f"{key}.{'one' if parts['n'] == 1 else 'other'}"
        found: list[str] = []
        for text, name in self._said[key]:  # Markup.format says the same in ten times as long
            found.append(text)
            if name is not None:
                found.append(escape(_shown(parts[name])))
        return Markup("").join(found)

    def number(self, value: object) -> str:
        """A count as people write it; a dash for one that is not known."""
        return str(self.say("shares.none") if value is None else _shown(value))

    def share(self, part: int | None, whole: int | None) -> str:
        """``13.1 %``; blank where there is no whole. "0 %" and "100 %" are said only if exact."""
        if not whole or part is None or not 0 <= part <= whole:
            return ""
        percent = 100 * part / whole
        if 0 < percent < 0.1:
            return str(self.say("shares.least"))
        if 99.9 < percent < 100:
            return str(self.say("shares.most"))
        return str(self.say("shares.exact", number=f"{percent:.0f}" if percent in (0, 100) else f"{percent:.1f}"))

    def bounded(self, key: str, n: int, bound: int) -> Markup:
        """As ``say`` with ``n``, or its form for "more than" where counting has ended at ``bound``."""
        return self.say(f"{key}.more", n=bound - 1) if n >= bound else self.say(key, n=n)


def load(language: str = "en") -> Words:
    """The words of a language."""
    return Words(tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8")))


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(part: object) -> object:
    if isinstance(part, int):
        return f"{part:,}"
    return clean(part) if isinstance(part, str) and not isinstance(part, Markup) else part
