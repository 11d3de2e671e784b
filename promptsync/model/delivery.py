"""What a webhook delivery is while it travels from a source to the inbox.

Owns the shape and what accepts it; who listens knows neither store nor merge.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


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


Accept = Callable[[Delivery], Awaitable[int]]
"""Stores a delivery; returns its id once it is durable. Raises ``Unavailable`` when it cannot be made durable now."""
