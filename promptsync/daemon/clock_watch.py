"""Noticing that the wall clock was set while the daemon runs.

Owns the comparison of the wall clock with the monotonic one, which cannot be set. What is to be done about a
difference is handed in. Nothing here asks what time it should be: that is for NTP.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from promptsync.clock import MICROS, Clock, iso_millis, system_clock

BOUND: Final = 30 * MICROS
"""A difference that is no matter of clocks that are slewed, or of a busy machine."""

_EVERY_SECONDS: Final = 5.0
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one moment, in microseconds. ``wall``: since 1970, UTC; ``steady``: since any moment."""

    wall: int
    steady: int


def moved(before: Reading, now: Reading, bound: int = BOUND) -> int:
    """By how much the wall clock was set between two readings, in microseconds, negative if back; 0 within ``bound``.

    A machine that slept looks like one whose clock was set ahead: its monotonic clock slept too.
    """
    difference = (now.wall - before.wall) - (now.steady - before.steady)
    return difference if abs(difference) > bound else 0


def monotonic_clock() -> int:
    """The machine's monotonic clock in microseconds."""
    return time.monotonic_ns() // 1000


class ClockWatch:
    """Calls ``on_set``, on the loop, each time the wall clock was set, after a line in the log."""

    def __init__(
        self,
        on_set: Callable[[], None],
        wall: Clock = system_clock,
        steady: Clock = monotonic_clock,
        every: float = _EVERY_SECONDS,
    ) -> None:
        self._on_set = on_set
        self._wall = wall
        self._steady = steady
        self._every = every

    async def run(self) -> None:
        """Compare until cancelled. Small differences add up until they are beyond the bound."""
        before = self._read()
        while True:
            await asyncio.sleep(self._every)
            now = self._read()
            if by := moved(before, now):
                _log.warning("clock_set", seconds=round(by / MICROS), now=iso_millis(now.wall), schedules="anew")
                before = now
                self._on_set()

    def _read(self) -> Reading:
        return Reading(self._wall(), self._steady())
