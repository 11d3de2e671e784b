"""Whether the mirror answers a reader at all, asked from an event loop.

Owns a question of its own each time, on a thread of its own (aiosqlite): that every thread of the loop's pool waits for
a disk, or for a vendor, keeps nobody from hearing whether the mirror answers. Must not be asked on a thread.
"""

import asyncio
import sqlite3
from pathlib import Path
from typing import Final

import aiosqlite

from promptsync.store.connect import translate

_SECONDS: Final = 3.0


class Pulse:
    """Of the mirror at ``path``. ``seconds``: after which it counts as silent."""

    def __init__(self, path: Path, seconds: float = _SECONDS) -> None:
        self._path = path
        self._seconds = seconds
        self._asking: asyncio.Task[None] | None = None

    async def trouble(self) -> str | None:
        """Why it cannot be read, or that it does not answer; None if it does. However many ask, one question is put at
        a time, and one that is not answered is waited for further."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        asking = self._asking
        await asyncio.wait({asking}, timeout=self._seconds)
        if not asking.done():
            return f"the mirror has not answered a question for {self._seconds:.0f} seconds"
        error = asking.exception()
        if error is None:
            return None
        if not isinstance(error, sqlite3.Error):
            raise error
        return f"the mirror cannot be read ({translate(error) or error})"

    async def _ask(self) -> None:
        async with (
            aiosqlite.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True) as connection,
            connection.execute("SELECT value FROM sync_state LIMIT 1") as found,
        ):
            await found.fetchone()
