"""Refused deliveries put on record: how many, why, and when, soon after each; and a line in the log now and then.

Owns when what the listener has counted goes into the mirror (a crash loses a few seconds of it) and how often it is
said. What each reason means is in status/refusals.py.
"""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from promptsync.clock import Clock
from promptsync.store.mirror import Mirror
from promptsync.store.refusals import note_oversized, note_refused
from promptsync.store.writer import Lane
from promptsync.vendors.prompt.webhook.listener import ListenerState

_PAUSE_SECONDS: Final = 2.0
"""Seconds between two transactions that record refused deliveries: masses of them cost no more."""
_SAID_SECONDS: Final = 60.0
_log = structlog.get_logger()
_Write = Callable[[], Coroutine[Any, Any, None]]


class RefusedKeeper:
    """Keeps the counts of one listener in the mirror."""

    def __init__(self, state: ListenerState, mirror: Mirror, clock: Clock) -> None:
        self._state = state
        self._mirror = mirror
        self._clock = clock
        self._unsaid: Counter[str] = Counter()
        self._said_at = -_SAID_SECONDS

    async def run_too_large(self) -> None:
        """Write down those that were too large, as long as the daemon runs."""
        await _soon_after_each(self._state.too_large.arrived, self.write_too_large)

    async def run_shut_out(self) -> None:
        """Write down the others, as long as the daemon runs; at most once a minute with a line in the log."""
        await _soon_after_each(self._state.shut_out.arrived, self.write_shut_out)

    async def finish(self) -> None:
        """Write down what is left."""
        await self.write_too_large()
        await self.write_shut_out()

    async def write_too_large(self) -> None:
        """Move what is known of bodies that were too large to the mirror."""
        seen = self._state.too_large
        seen.arrived.clear()
        count, largest, now = dict(seen.count), seen.largest, self._clock()
        if not count:
            return
        try:
            write = self._mirror.writer.run
            await asyncio.to_thread(
                write, lambda connection: note_oversized(connection, count, largest, now), Lane.IDLE
            )
            _subtract(seen.count, count)
            seen.largest = seen.largest if seen.count else 0
        finally:
            if seen.count:
                seen.arrived.set()  # not written down, or more came meanwhile

    async def write_shut_out(self) -> None:
        """Move the counts of the others to the mirror."""
        seen = self._state.shut_out
        seen.arrived.clear()
        count, now = dict(seen.count), self._clock()
        if not count:
            return
        try:
            await self._write(lambda connection: note_refused(connection, count, now))
            _subtract(seen.count, count)
            self._say(count)
        finally:
            if seen.count:
                seen.arrived.set()

    async def _write(self, note: Callable[[sqlite3.Connection], None]) -> None:
        await asyncio.to_thread(self._mirror.writer.run, note, Lane.IDLE)

    def _say(self, count: dict[str, int]) -> None:
        self._unsaid.update(count)
        if time.monotonic() - self._said_at >= _SAID_SECONDS:
            self._said_at = time.monotonic()
            _log.warning("deliveries_refused", **self._unsaid)
            self._unsaid.clear()


def _subtract(kept: Counter[str], written: dict[str, int]) -> None:
    kept.subtract(written)
    for kind in [kind for kind, left in kept.items() if not left]:
        del kept[kind]


async def _soon_after_each(arrived: asyncio.Event, write: _Write) -> None:
    while True:
        await arrived.wait()
        await write()
        await asyncio.sleep(_PAUSE_SECONDS)
