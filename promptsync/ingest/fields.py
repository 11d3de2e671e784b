"""Reading a vendor's JSON object field by field without ever failing.

Owns the tolerance: a field that is missing or of the wrong type reads as MISSING, and the wrong type is named in the
delivery's problems. ``null`` reads as None where the specification lets a field be empty.
"""

from collections.abc import Iterator
from typing import Any, Final, TypeGuard

from promptsync.clock import MAX_MICROS, iso_millis


class Missing:
    """The type of MISSING."""

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
_MAX_INT = 2**63 - 1


class Fields:
    """One JSON object and where it stands in the delivery. ``problems`` collects what could not be read."""

    __slots__ = ("_object", "_path", "problems")

    def __init__(self, value: dict[str, Any], problems: list[str], path: str = "") -> None:
        self._object = value
        self._path = path
        self.problems = problems

    def text(self, name: str) -> str | None | Missing:
        """A string; a blank one is None, as in the files. One that UTF-8 cannot hold is of the wrong type."""
        value = self._object.get(name, MISSING)
        if value is None or value is MISSING:
            return value  # type: ignore[no-any-return]
        if isinstance(value, str) and _storable(value):
            return value or None
        return self._wrong(name, "a text")

    def integer(self, name: str) -> int | None | Missing:
        """A 64-bit integer; true and false are none."""
        value = self._object.get(name, MISSING)
        if value is None or value is MISSING or _is_integer(value):
            return value  # type: ignore[no-any-return]
        return self._wrong(name, "a whole number")

    def flag(self, name: str) -> int | None | Missing:
        """A boolean, as 0 or 1."""
        value = self._object.get(name, MISSING)
        if value is None or value is MISSING:
            return value  # type: ignore[no-any-return]
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
        if not 0 < value <= MAX_MICROS // 1000:
            self._wrong(name, "a time in milliseconds")
            return None
        return value * 1000

    def time(self, name: str) -> str | None | Missing:
        """The same as ISO 8601 text, milliseconds, UTC. 0 and null are None."""
        if name not in self._object:
            return MISSING
        micros = self.instant(name)
        if micros is not None:
            return iso_millis(micros)
        return None if self._object[name] in (None, 0) else MISSING

    def raw(self, name: str) -> Any:
        """Whatever is there, unread; MISSING if nothing is."""
        return self._object.get(name, MISSING)

    def object(self, name: str) -> "Fields | None":
        """A nested object, or None."""
        value = self._object.get(name)
        if isinstance(value, dict):
            return Fields(value, self.problems, f"{self._path}{name}.")
        if value is not None:
            self._wrong(name, "an object")
        return None

    def has_list(self, name: str) -> bool:
        """Whether a list is there, even an empty one."""
        return isinstance(self._object.get(name), list)

    def objects(self, name: str) -> "Iterator[Fields]":
        """The objects of a list. Items that are none are named and passed over."""
        value = self._object.get(name)
        if isinstance(value, list):
            for n, item in enumerate(value):
                if isinstance(item, dict):
                    yield Fields(item, self.problems, f"{self._path}{name}[{n}].")
                else:
                    self._wrong(f"{name}[{n}]", "an object")
        elif value is not None:
            self._wrong(name, "a list")

    def names(self) -> Iterator[str]:
        """The names of all fields."""
        return iter(self._object)

    def need(self, name: str) -> int | None:
        """An id without which the object says nothing about any row; its lack is named."""
        value = self.identifier(name)
        if value is None and not (self.problems and self.problems[-1].startswith(f"{self._path}{name} ")):
            self.problems.append(f"{self._path}{name} is missing")
        return value

    def _wrong(self, name: str, wanted: str) -> Missing:
        self.problems.append(f"{self._path}{name} is not {wanted}")
        return MISSING


def known(value: object) -> TypeGuard[str | int | float | None]:
    """Whether a field could be read."""
    return value is not MISSING


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_MAX_INT <= value <= _MAX_INT


def _storable(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
