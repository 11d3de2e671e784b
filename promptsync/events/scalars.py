"""What one JSON value is as a text, a whole number, a number, a flag or a time. Pure; knows no names of fields.

Owns which other spellings count, the same as in files: a sender may write a number or a flag as a string, a whole
number with a fraction of 0, a flag as 0 or 1, a time as ISO 8601. Nothing is guessed: what could mean anything else is
UNREADABLE. A blank string is None wherever it stands, as a blank cell is.
"""

import re
from collections.abc import Callable
from math import isfinite
from typing import Any, Final
from zoneinfo import ZoneInfo

from promptsync.clock import MAX_MICROS
from promptsync.formats.csv.time_spelling import parse_time

__all__ = [
    "MISSING",
    "Missing",
    "Reader",
    "as_document",
    "as_flag",
    "as_micros",
    "as_number",
    "as_text",
    "as_whole",
    "storable",
]


class Missing:
    """The type of MISSING."""

    def __bool__(self) -> bool:
        return False


MISSING: Final = Missing()
"""Not there, or not readable as what is wanted."""

Reader = Callable[[object], object]
"""Any of the functions below: a value, or None for a blank one, or MISSING."""

_MAX_INT = 2**63 - 1
_EXACT = 2**53  # whole numbers up to here are exact as floats
_DEPTH = 100
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}(\.0*)?")
_REAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_FLAGS = {"true": 1, "t": 1, "1": 1, "yes": 1, "false": 0, "f": 0, "0": 0, "no": 0}
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_UTC = ZoneInfo("UTC")


def storable(value: str) -> bool:
    """Whether a text can be stored as it is: UTF-8 has no half of a surrogate pair, and SQLite's own functions and
    tools end a text at a NUL."""
    return "\0" not in value and (value.isascii() or is_utf8(value))


def as_text(value: object) -> str | Missing | None:
    """A text as it can be stored: what cannot be is U+FFFD in it. A number or a flag is the text that JSON has for it.

    >>> as_text("cut \\ud83d"), as_text(1287), as_text(True), as_text("")
    ('cut \ufffd', '1287', 'true', None)
    """
    if isinstance(value, str):
        return (value if storable(value) else _UNSTORABLE.sub("\ufffd", value)) or None
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if (type(value) is float and isfinite(value)) or (type(value) is int and -_MAX_INT <= value <= _MAX_INT):
        return repr(value)
    return MISSING


def as_whole(value: object) -> int | Missing | None:
    """A whole number of 64 bits. ``true`` and ``false`` are none.

    >>> as_whole(" 1287 "), as_whole(1287.0), as_whole("1287.00"), as_whole("")
    (1287, 1287, 1287, None)
    """
    if type(value) is float:
        number = int(value) if value.is_integer() and abs(value) <= _EXACT else None
    elif isinstance(value, str):
        if not (text := value.strip()):
            return None
        number = int(text.partition(".")[0]) if _WHOLE.fullmatch(text) else None
    else:
        if value is None:
            return None
        number = value if type(value) is int else None
    return number if number is not None and -_MAX_INT <= number <= _MAX_INT else MISSING


def as_number(value: object) -> float | Missing | None:
    """A finite number, whole or not."""
    if isinstance(value, str):
        if not (text := value.strip()):
            return None
        value = float(text) if _REAL.fullmatch(text) else None
    if type(value) is int and -_MAX_INT <= value <= _MAX_INT:
        return float(value)
    return value if type(value) is float and isfinite(value) else MISSING


def as_flag(value: object) -> int | Missing | None:
    """0 or 1.

    >>> as_flag(True), as_flag(0), as_flag("TRUE"), as_flag("no"), as_flag(2)
    (1, 0, 1, 0, MISSING)
    """
    if isinstance(value, str):
        text = value.strip().lower()
        return _FLAGS.get(text, MISSING) if text else None
    return int(value) if isinstance(value, bool | int | float) and value in (0, 1) else MISSING


def as_micros(value: object) -> int | Missing | None:
    """Milliseconds since the epoch, or an ISO 8601 text (UTC if it names no zone), as microseconds. 0 is None.

    >>> as_micros(1711114892361.0), as_micros("2024-03-22T13:41:32.361Z")
    (1711114892361000, 1711114892361000)
    """
    if type(value) is float:
        millis: int | Missing | None = int(value) if isfinite(value) else MISSING
    else:
        millis = as_whole(value)
    if isinstance(value, str) and millis is MISSING:
        micros = parse_time(value.encode(errors="replace"), _UTC)
    elif isinstance(millis, int):
        micros = millis * 1000
    else:
        return millis
    if micros == 0:
        return None
    return micros if micros is not None and 0 < micros <= MAX_MICROS else MISSING


def as_document(value: Any, depth: int = _DEPTH) -> Any:
    """A JSON value as far as it can be written: null for a number beyond all bounds, and for a level too deep."""
    if isinstance(value, dict | list):
        if depth == 0:
            return None
        if isinstance(value, list):
            return [as_document(item, depth - 1) for item in value]
        return {name: as_document(item, depth - 1) for name, item in value.items()}
    return None if isinstance(value, float) and not isfinite(value) else value


def is_utf8(value: str) -> bool:
    """Whether a text can be encoded in UTF-8: it has no half of a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
