"""Stored deliveries become rows while the daemon runs.

Owns when a batch is applied, that answering goes first in a crowd, and that what could not be applied is tried again.
What a batch becomes is in events/apply.py.
"""

import asyncio
import time
from typing import Final

import structlog

from promptsync.daemon.metrics import Latencies
from promptsync.daemon.tasks import SearchKeeper
from promptsync.engine.engine import Engine
from promptsync.errors import MirrorBroken, PromptsyncError, where_raised
from promptsync.store.inbox import Inbox

_log = structlog.get_logger()
_CROWD_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 1.0
_GATHER_SECONDS: Final = 1.0  # from one round of applying to the next, beside a reader that holds the log back
_FEW: Final = 20


class Applying:
    """Applies what ``inbox`` has stored. ``work`` is set when there is something."""

    def __init__(
        self, engine: Engine, inbox: Inbox, work: asyncio.Event, latencies: Latencies, search: SearchKeeper
    ) -> None:
        self._engine = engine
        self._inbox = inbox
        self._work = work
        self._latencies = latencies
        self._search = search
        self._failed = ""  # why, as it was said

    async def run(self) -> None:
        """Apply deliveries as they come, a batch at a time, until cancelled. Raises MirrorBroken."""
        log = self._engine.mirror.writer.log
        while True:
            await self._work.wait()
            begun = time.perf_counter()
            self._work.clear()
            try:
                while applied := await self._apply_next():
                    await self._let_through()
                    if log.held and applied < _FEW:
                        self._work.set()
                        break
            except MirrorBroken:
                raise
            except Exception as error:  # noqa: BLE001  stored deliveries wait, and are tried again
                ours = isinstance(error, PromptsyncError)
                self._say(str(error) if ours else f"{type(error).__name__} at {where_raised(error)}")
                await asyncio.sleep(_AGAIN_SECONDS)
                self._work.set()
            else:
                self._say("")
            if log.held:  # a reader has it keep a copy of every page of every commit: fewer commits, of more rows
                await asyncio.sleep(begun + _GATHER_SECONDS - time.perf_counter())

    def _say(self, why: str) -> None:
        """Why deliveries cannot be applied, once; and once that they can again."""
        if why and why != self._failed:
            _log.warning("apply_failed", error=why)
        elif self._failed and not why:
            _log.warning("applied_again")
        self._failed = why

    async def _let_through(self) -> None:
        """In a crowd of deliveries answering goes first: their rows wait, but not for long."""
        until = time.perf_counter() + _CROWD_SECONDS
        while self._inbox.pressed and time.perf_counter() < until:  # noqa: ASYNC110  it is the passing of time that ends it
            await asyncio.sleep(0.05)

    async def _apply_next(self) -> int:
        """Apply a batch. It is read, and plugins that take part are called, apart from the loop and the writer."""
        begun = time.perf_counter()
        applied = await asyncio.to_thread(self._engine.apply_next)
        if applied:
            self._latencies.applied(time.perf_counter() - begun)
            self._search.applied()
        return applied
