"""When rows are entered into full-text search while the daemon runs.

Owns the two occasions: soon after deliveries were applied, and every now and then for what a killed process left.
"""

import asyncio
from typing import Final

import structlog

from promptsync.engine.engine import Engine
from promptsync.errors import PromptsyncError

_log = structlog.get_logger()

_SOON: Final = 0.5
"""Seconds in which the rows of many deliveries gather, so that they are entered together."""


class SearchKeeper:
    """Enters rows off the loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._applied = asyncio.Event()

    def applied(self) -> None:
        """Deliveries were applied."""
        self._applied.set()

    async def run(self) -> None:
        """Enter what deliveries claimed, as long as the daemon runs."""
        while True:
            await self._applied.wait()
            await asyncio.sleep(_SOON)
            self._applied.clear()
            try:
                await asyncio.to_thread(self._engine.search.enter_claimed)
            except PromptsyncError as error:
                _log.warning("search_put_off", error=str(error))  # ``catch_up`` finds these rows

    async def catch_up(self) -> str | None:
        """Enter whatever is not entered yet, of every table."""
        tables = [table.name for table in self._engine.mirror.schema if table.search]
        entered = 0
        for table in tables:
            entered += await asyncio.to_thread(self._engine.search.enter_missing, table)
        return f"{entered:,} rows entered" if entered else None
