"""A delivery's body as Python objects.

Owns what counts as JSON when a stored body is read: a number with more digits than Python turns into a whole number is
no reason to lose all the rest, it is infinite and so no number to any field.
"""

import json
from typing import Any

_DIGITS = 4_000  # Python refuses some 300 more


def parse_body(text: str) -> Any:
    """The JSON value. Raises ValueError if it is none, RecursionError if it is nested too deeply."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return json.loads(text, parse_int=_number)


def _number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _DIGITS else float(digits)
