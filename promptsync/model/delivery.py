"""What a webhook delivery is: on its way from a source to where it is kept, and kept there.

Owns the shapes and what accepts one; who listens knows neither store nor merge.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from promptsync.clock import parse_iso

LARGE = 64 << 10
"""The size of a body, in bytes, from which a delivery is applied by itself, in parts."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request that was let in.

    ``path``: below the configured base path. ``body``: the exact text received. ``headers``: kept ones, no credentials.
    ``received_at``: microseconds since the epoch, UTC; 0 lets the inbox say when (an import keeps the line's own).
    ``type``: of its event, as whoever took it in read it from the path; "" if that is the path itself.
    ``cut``: what it said of people who were erased has been taken out; ``suppressed``: it said nothing else, and
    ``body`` is what is kept of it. ``looked``: version of the list of them by which it has been looked through.
    """

    path: str
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    received_at: int = 0
    type: str = ""
    cut: bool = False
    suppressed: bool = False
    looked: int = -1


class StoredEvent(NamedTuple):
    """A delivery in the inbox. ``received_at``: microseconds."""

    id: int
    type: str
    path: str
    body: str
    received_at: int

    @property
    def is_large(self) -> bool:
        """Whether applying it in one transaction would keep others waiting."""
        return len(self.body) * 4 > LARGE and len(self.body.encode()) > LARGE


Accept = Callable[[Delivery], Awaitable[int]]
"""Stores a delivery; returns its id once it is durable. Raises ``Unavailable`` when it cannot be made durable now."""


def delivery_of(text: str) -> Delivery:
    """A delivery as a line of JSON has it, which is how deliveries are exported and kept in a lake.

    Raises ValueError, to follow the words that say which line.
    """
    try:
        line = json.loads(text)
        path, body, at = line.get("path") or line["type"], line["body"], parse_iso(line["received_at"])
        if not isinstance(path, str) or not isinstance(body, str):
            raise TypeError
        (path + body).encode()  # half of a surrogate pair is no text
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("is no delivery: it needs received_at (ISO 8601), type or path, and body (text)") from None
    return Delivery(path, body, received_at=at)
