"""The body of a delivery as a JSON value.

What a body means is what Python's parser reads in it. msgspec takes a third of the time and reads the same, or nothing:
it refuses what Python has beyond the standard (NaN, halves of surrogate pairs), which Python then reads.
Reading a large body holds nothing up: Python's parser keeps the interpreter to itself for as long as one call takes, so
such a body is taken apart, down to the items of its lists, and each item is one call. A number with more digits than
Python turns into a whole number is no reason to lose all the rest: it is infinite, and so no number to any field.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

LARGE: Final = 256 << 10
"""Characters. What is longer is read in steps."""

_DIGITS = 4_000  # Python refuses some 300 more
_LEVELS = 2  # of objects and lists that are taken apart: the body, and the lists in it
_QUICK: Final = msgspec.json.Decoder().decode
_REFUSED: Final = (msgspec.DecodeError, UnicodeEncodeError, RecursionError)
_BLANKS = re.compile(r"[ \t\n\r]*")

Scan = Callable[[str, int], tuple[Any, int]]


def parse_body(text: str) -> Any:
    """The JSON value. Raises ValueError if it is none, RecursionError if it is nested too deeply."""
    if len(text) <= LARGE:
        try:
            return _QUICK(text)
        except _REFUSED:
            pass  # Python says what it is
    try:
        return _parse(text, json.JSONDecoder())
    except json.JSONDecodeError:
        raise
    except ValueError:
        return _parse(text, json.JSONDecoder(parse_int=_number))


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)


def _parse(text: str, decoder: json.JSONDecoder) -> Any:
    if len(text) <= LARGE:
        return decoder.decode(text)
    value, end = _value(text, _skip(text, 0), decoder.raw_decode, _LEVELS)
    if (end := _skip(text, end)) != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    return value


def _value(text: str, at: int, scan: Scan, levels: int) -> tuple[Any, int]:
    """The value that begins here, and where it ends."""
    opening = text[at : at + 1]
    if levels and opening == "{":
        return _object(text, at + 1, scan, levels - 1)
    if levels and opening == "[":
        return _list(text, at + 1, scan, levels - 1)
    return scan(text, at)


def _object(text: str, at: int, scan: Scan, levels: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    at = _skip(text, at)
    if text[at : at + 1] == "}":
        return found, at + 1
    while True:
        name, at = scan(text, _expect(text, at, '"') - 1)
        at = _expect(text, at, ":")
        found[name], at = _value(text, _skip(text, at), scan, levels)
        at = _skip(text, at)
        if text[at : at + 1] == "}":
            return found, at + 1
        at = _expect(text, at, ",")


def _list(text: str, at: int, scan: Scan, levels: int) -> tuple[list[Any], int]:
    found: list[Any] = []
    at = _skip(text, at)
    if text[at : at + 1] == "]":
        return found, at + 1
    while True:
        value, at = _value(text, _skip(text, at), scan, levels)
        found.append(value)
        at = _skip(text, at)
        if text[at : at + 1] == "]":
            return found, at + 1
        at = _expect(text, at, ",")


def _expect(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] != sign:
        raise json.JSONDecodeError(f"Expecting {sign!r}", text, at)
    return at + 1


def _skip(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at
