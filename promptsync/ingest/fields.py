"""Reading a vendor's JSON object field by field without ever failing.

Owns the tolerance: a field that is missing or of the wrong type reads as MISSING, and the wrong type is named in the
delivery's problems. ``null`` reads as None where the specification lets a field be empty.
"""

import json
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any, Final, TypeGuard

from promptsync.clock import MAX_MICROS, iso_millis


class Missing:
    """The type of MISSING."""

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
_MAX_INT = 2**63 - 1
_MAX_MILLIS = MAX_MICROS // 1000


class Fields:
    """One JSON object and where it stands in the delivery. ``problems`` collects what could not be read."""

    __slots__ = ("_object", "_path", "problems")

    def __init__(self, value: dict[str, Any], problems: list[str], path: str = "") -> None:
        self._object = value
        self._path = path
        self.problems = problems

    def text(self, name: str) -> str | Missing | None:
        """A string; a blank one is None, as in the files. One that UTF-8 cannot hold is of the wrong type."""
        value = self._object.get(name, MISSING)
        if isinstance(value, str) and (value.isascii() or _storable(value)):
            return value or None
        return value if value is None or value is MISSING else self._wrong(name, "a text")

    def integer(self, name: str) -> int | Missing | None:
        """A 64-bit integer; true and false are none."""
        value = self._object.get(name, MISSING)
        if value is None or value is MISSING or (type(value) is int and -_MAX_INT <= value <= _MAX_INT):
            return value
        return self._wrong(name, "a whole number")

    def number(self, name: str) -> float | Missing | None:
        """A number, whole or not."""
        value = self._object.get(name, MISSING)
        if type(value) is float and isfinite(value):
            return value
        if type(value) is int and -_MAX_INT <= value <= _MAX_INT:
            return float(value)
        return value if value is None or value is MISSING else self._wrong(name, "a number")

    def flag(self, name: str) -> int | Missing | None:
        """A boolean, as 0 or 1."""
        value = self._object.get(name, MISSING)
        if value is None or value is MISSING:
            return value
        return int(value) if isinstance(value, bool) else self._wrong(name, "true or false")

    def identifier(self, name: str) -> int | None:
        """A usable id: a positive integer. Anything else, 0 included, is None; only a wrong type is named."""
        value = self.integer(name)
        return value if isinstance(value, int) and value > 0 else None

    def instant(self, name: str) -> int | None:
        """Milliseconds since the epoch, as microseconds. 0, null and missing are None: no such time."""
        value = self.integer(name)
        if not isinstance(value, int) or value == 0:
            return None
        if not 0 < value <= _MAX_MILLIS:
            self._wrong(name, "a time in milliseconds")
            return None
        return value * 1000

    def time(self, name: str) -> str | Missing | None:
        """The same as ISO 8601 text, milliseconds, UTC. 0 and null are None."""
        micros = self.instant(name)
        if micros is not None:
            return iso_millis(micros)
        value = self._object.get(name, MISSING)
        return None if value is None or (type(value) is int and value == 0) else MISSING

    def json(self, name: str) -> str | Missing | None:
        """Whatever is there, as a compact JSON document in the sender's order; null is None."""
        value = self._object.get(name, MISSING)
        return value if value is None or value is MISSING else self._document(name, value)

    def rest(self, described: frozenset[str]) -> str | Missing:
        """The fields whose names are not among these, as a JSON object; MISSING if there are none."""
        if self._object.keys() <= described:
            return MISSING
        others = {name: value for name, value in self._object.items() if name not in described}
        return self._document("an undescribed field", others)

    def present(self, name: str) -> bool:
        """Whether there is anything but null, of whatever type."""
        return self._object.get(name) is not None

    def object(self, name: str) -> "Fields | None":
        """A nested object, or None."""
        value = self._object.get(name)
        if isinstance(value, dict):
            return Fields(value, self.problems, f"{self._path}{name}.")
        if value is not None:
            self._wrong(name, "an object")
        return None

    def required(self, name: str) -> "Fields | None":
        """A nested object whose lack is named, or None."""
        if not self.present(name):
            self.problems.append(f"{self._path}{name} is missing")
        return self.object(name)

    def has_list(self, name: str) -> bool:
        """Whether a list is there, even an empty one."""
        return isinstance(self._object.get(name), list)

    def objects(self, name: str) -> "Iterable[Fields]":
        """The objects of a list. Items that are none are named and passed over."""
        value = self._object.get(name)
        if not value and (value is None or isinstance(value, list)):
            return ()
        if not isinstance(value, list):
            self._wrong(name, "a list")
            return ()
        return self._items(name, value)

    def need(self, name: str) -> int | None:
        """An id without which the object says nothing about any row; its lack is named."""
        before = len(self.problems)
        value = self.identifier(name)
        if value is None and len(self.problems) == before:
            self.problems.append(f"{self._path}{name} is missing")
        return value

    def _items(self, name: str, items: list[Any]) -> "Iterator[Fields]":
        for n, item in enumerate(items):
            if isinstance(item, dict):
                yield Fields(item, self.problems, f"{self._path}{name}[{n}].")
            else:
                self._wrong(f"{name}[{n}]", "an object")

    def _document(self, name: str, value: Any) -> str | Missing:
        try:
            text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
            return text if _storable(text) else json.dumps(value, separators=(",", ":"))
        except (ValueError, RecursionError):
            return self._wrong(name, "a JSON document")

    def _wrong(self, name: str, wanted: str) -> Missing:
        self.problems.append(f"{self._path}{name} is not {wanted}")
        return MISSING


def known(value: object) -> TypeGuard[str | int | float | None]:
    """Whether a field could be read."""
    return value is not MISSING


def _storable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
