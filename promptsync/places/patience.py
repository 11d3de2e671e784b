"""How long somebody who waits is made to wait for a server that answers nothing good.

Owns how long a pause before the next try is, for every server alike; one clock for a whole run, stopped by every good
answer; and the end of a run once promptsync is stopping. What is tried, and how often, is decided elsewhere.
"""

import asyncio
import math
import random
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from promptsync.errors import Unavailable

AT_A_TERMINAL: Final = 40.0
"""Seconds that a person is made to wait; what is left is done by the daemon, which has no end of patience."""
_LOOK_UP: Final = 0.25

T = TypeVar("T")


def backoff(attempt: int, first: float, longest: float) -> float:
    """Seconds to wait after a failed attempt, the first being 0: ``first``, doubled each time up to ``longest``, and by
    chance up to ``first`` more, so that those whom one outage has stopped do not all come back at once."""
    return min(first * 2.0 ** min(attempt, 30), longest) + random.uniform(0, first)  # noqa: S311  no secret


class Patience:
    """``seconds`` without a good answer; by default without end. ``clock``: seconds that only grow."""

    def __init__(self, seconds: float = math.inf, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._since: float | None = None

    def begin(self) -> None:
        """Something is asked: the clock runs from now on, or does so still since an earlier question."""
        if self._since is None:
            self._since = self._clock()

    def renew(self) -> None:
        """There was a good answer."""
        self._since = None

    @property
    def left(self) -> float:
        """Seconds until nothing should be tried again; 0 once that is so."""
        return self._seconds if self._since is None else max(0.0, self._since + self._seconds - self._clock())

    def another(self) -> "Patience":
        """As much of it, with a clock of its own."""
        return Patience(self._seconds, self._clock)


async def unless_stopped(work: Coroutine[Any, Any, T], stopping: threading.Event) -> T:
    """The work's result; it is cancelled, and Unavailable raised, once ``stopping`` is set."""
    task = asyncio.create_task(work)
    try:
        while not task.done():
            if stopping.is_set():
                raise Unavailable("promptsync is stopping; what is missing is done after its next start.")
            await asyncio.wait({task}, timeout=_LOOK_UP)
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
