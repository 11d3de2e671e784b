"""Reading a vendor's JSON object field by field without ever failing.

Owns the tolerance: a field that is missing or cannot be read as what is wanted reads as MISSING, and what cannot be
read is named in the delivery's problems, as is what could only be kept in part. ``null`` reads as None where the
specification lets a field be empty. Which spellings count as what is said in scalars.py.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, TypeGuard

from promptsync.clock import MAX_MICROS, iso_millis
from promptsync.events.scalars import (
    MISSING,
    Missing,
    Reader,
    as_document,
    as_flag,
    as_micros,
    as_number,
    as_text,
    as_whole,
    storable,
)

__all__ = ["MISSING", "Fields", "Missing", "known"]

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
        """A text; a blank one is None, as in the files. An object or a list is kept as its JSON, and named."""
        value = self._object.get(name, MISSING)
        if isinstance(value, str) and value.isascii() and "\0" not in value:
            return value or None
        if isinstance(value, dict | list):
            self._wrong(name, "a text, its JSON is kept")
            return self._document(name, value)
        return self._text(name, value)

    def word(self, name: str) -> str | Missing | None:
        """A text that is a key or one of several words: the same, but an object or a list is none."""
        value = self._object.get(name, MISSING)
        if isinstance(value, str) and value.isascii() and "\0" not in value:
            return value or None
        return self._text(name, value)

    def _text(self, name: str, value: object) -> str | Missing | None:
        if isinstance(value, str) and storable(value):
            return value or None
        if value is None or value is MISSING:
            return None if value is None else MISSING
        read = as_text(value)
        if isinstance(value, str):
            self.note(name, "holds characters that no text can, U+FFFD stands for each")
        return self._wrong(name, "a text") if read is MISSING else read

    def integer(self, name: str) -> int | Missing | None:
        """A 64-bit integer; true and false are none."""
        value = self._object.get(name, MISSING)
        if value is None or value is MISSING or (type(value) is int and -_MAX_INT <= value <= _MAX_INT):
            return value
        read = as_whole(value)
        return self._wrong(name, "a whole number") if read is MISSING else read

    def number(self, name: str) -> float | Missing | None:
        """A number, whole or not."""
        value = self._object.get(name, MISSING)
        if value is None or value is MISSING:
            return value
        read = as_number(value)
        return self._wrong(name, "a number") if read is MISSING else read

    def flag(self, name: str) -> int | Missing | None:
        """A boolean, as 0 or 1."""
        value = self._object.get(name, MISSING)
        if value is None or value is MISSING:
            return value
        if value is True or value is False:
            return int(value)
        read = as_flag(value)
        return self._wrong(name, "true or false") if read is MISSING else read

    def identifier(self, name: str) -> int | None:
        """A usable id: a positive integer. Anything else, 0 included, is None; only a wrong type is named."""
        value = self._object.get(name)
        if type(value) is int and 0 < value <= _MAX_INT:
            return value
        value = self.integer(name)
        return value if isinstance(value, int) and value > 0 else None

    def instant(self, name: str) -> int | None:
        """Milliseconds since the epoch, as microseconds. 0, null, missing and unreadable are None: no such time.

        It is what the sender says. ``Claims.when`` is what may be believed of it.
        """
        value = self._micros(name)
        return value if isinstance(value, int) else None

    def time(self, name: str) -> str | Missing | None:
        """The same as ISO 8601 text, milliseconds, UTC. 0 and null are None."""
        value = self._micros(name)
        return iso_millis(value) if isinstance(value, int) else value

    def _micros(self, name: str) -> int | Missing | None:
        value = self._object.get(name, MISSING)
        if type(value) is int and 0 < value <= _MAX_MILLIS:
            return value * 1000
        if value is None or value is MISSING:
            return value
        read = as_micros(value)
        return self._wrong(name, "a time in milliseconds") if read is MISSING else read

    def json(self, name: str) -> str | Missing | None:
        """The value of any type, as a compact JSON document in the sender's order; null is None."""
        value = self._object.get(name, MISSING)
        return value if value is None or value is MISSING else self._document(name, value)

    def rest(self, described: frozenset[str]) -> str | Missing:
        """The fields whose names are not among these, as a JSON object; MISSING if there are none."""
        if self._object.keys() <= described:
            return MISSING
        others = {name: value for name, value in self._object.items() if name not in described}
        return self._document("an undescribed field", others)

    def note(self, name: str, words: str) -> None:
        """Name a field among the delivery's problems, and say what is the matter with it."""
        self.problems.append(f"{self._path}{name} {words}")

    def present(self, name: str) -> bool:
        """Whether there is a value of any type but null."""
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
            self.note(name, "is missing")
        return self.object(name)

    def has_list(self, name: str) -> bool:
        """Whether a list is there, even an empty one."""
        return isinstance(self._object.get(name), list)

    def whole_list(self, name: str, read: Reader, *keys: str) -> bool:
        """Whether a list is there whose items all say by their ``keys`` which they are, or have none. ``read``: as_text
        or as_whole, whichever the keys are.

        An item that cannot be read may be any of those that are known, so the others are not all there is.
        """
        value = self._object.get(name)
        return isinstance(value, list) and all(
            item is None or (isinstance(item, dict) and all(read(item.get(key)) is not MISSING for key in keys))
            for item in value
        )

    def objects(self, name: str) -> "Iterable[Fields]":
        """The objects of a list. Items that are none are named and passed over; one object alone is a list of one."""
        value = self._object.get(name)
        if not value and (value is None or isinstance(value, list)):
            return ()
        if isinstance(value, list):
            return self._items(name, value)
        self._wrong(name, "a list")
        return (Fields(value, self.problems, f"{self._path}{name}."),) if isinstance(value, dict) else ()

    def need(self, name: str) -> int | None:
        """An id without which the object says nothing about any row; its lack is named."""
        before = len(self.problems)
        value = self.identifier(name)
        if value is None and len(self.problems) == before:
            self.note(name, "is missing")
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
        except (ValueError, RecursionError):
            self.note(name, "cannot be kept whole, null stands for what is too large or deep")
            value = as_document(value)
            text = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
        return text if storable(text) else json.dumps(value, separators=(",", ":"))

    def _wrong(self, name: str, wanted: str) -> Missing:
        self.note(name, f"is not {wanted}")
        return MISSING


def known(value: object) -> TypeGuard[str | int | float | None]:
    """Whether a field could be read."""
    return value is not MISSING
