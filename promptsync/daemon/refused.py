"""Refused deliveries put on record: how many, why, and when, soon after each; and a line in the log now and then.

Owns when what the listener has counted goes into the mirror (a crash loses a few seconds of it) and how often it is
said. What each reason means is in status/problems.py.
"""

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from promptsync.clock import Clock
from promptsync.errors import PromptsyncError
from promptsync.store.mirror import Mirror
from promptsync.store.refusals import note_oversized, note_refused
from promptsync.store.writer import Lane
from promptsync.webhook.listener import ListenerState

_PAUSE_SECONDS: Final = 2.0
"""Seconds between two transactions that record refused deliveries: masses of them cost no more."""
_SAID_SECONDS: Final = 60.0
_log = structlog.get_logger()
_Write = Callable[[], Coroutine[Any, Any, None]]
_Note = Callable[[sqlite3.Connection, dict[str, int]], None]


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
        largest, now = seen.largest, self._clock()
        await self._move(seen.count, seen.arrived, lambda some, count: note_oversized(some, count, largest, now))
        seen.largest = seen.largest if seen.count else 0

    async def write_shut_out(self) -> None:
        """Move the counts of the others to the mirror."""
        seen, now = self._state.shut_out, self._clock()
        self._say(await self._move(seen.count, seen.arrived, lambda some, count: note_refused(some, count, now)))

    async def _move(self, seen: Counter[str], arrived: asyncio.Event, note: _Note) -> dict[str, int]:
        """Take what was counted and write it down; put it back if that cannot be. What is under way when this task is
        cancelled is written all the same, so that it is not put back then."""
        arrived.clear()
        count = dict(seen)
        if not count:
            return {}
        seen.clear()
        try:
            run = self._mirror.writer.run
            await asyncio.shield(asyncio.to_thread(run, lambda connection: note(connection, count), Lane.IDLE))
        except (PromptsyncError, sqlite3.Error):
            seen.update(count)
            arrived.set()
            raise
        return count

    def _say(self, count: dict[str, int]) -> None:
        self._unsaid.update(count)
        if self._unsaid and time.monotonic() - self._said_at >= _SAID_SECONDS:
            self._said_at = time.monotonic()
            _log.warning("deliveries_refused", **self._unsaid)
            self._unsaid.clear()


async def _soon_after_each(arrived: asyncio.Event, write: _Write) -> None:
    while True:
        await arrived.wait()
        await write()
        await asyncio.sleep(_PAUSE_SECONDS)
