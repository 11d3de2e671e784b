"""How long somebody who waits is made to wait for a server that answers nothing good.

Owns one clock for a whole run, stopped by every good answer. What is tried, and how often, is decided elsewhere.
"""

import math
import time
from collections.abc import Callable
from typing import Final

AT_A_TERMINAL: Final = 40.0
"""Seconds that a person is made to wait; what is left is done by the daemon, which has no end of patience."""


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
