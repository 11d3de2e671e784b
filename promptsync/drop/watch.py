"""Wakes the drop folder when something in it has changed.

Owns one long-lived watcher, its thread, and its return after a failure. It is never the truth: watchfiles ends at a
name that is not UTF-8 and does not report lost events, so the caller rescans on a schedule too.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import structlog
from watchfiles import Change, watch

from promptsync.drop.survey import ARCHIVE_FOLDERS

_LONGEST_GROUPING: Final = 1_000  # milliseconds of unbroken changes that make one wake-up
_QUIET: Final = 100  # milliseconds without a change that end one


class FolderWatch:
    """Calls ``wake`` on the loop after changes in ``folder``; ``pause``: seconds from a failure to the next try."""

    def __init__(self, folder: Path, wake: Callable[[], None], *, polling: bool = False, pause: float = 60.0) -> None:
        self._folder = folder.absolute()
        self._wake = wake
        self._polling = polling
        self._pause = pause
        self._stop = threading.Event()
        self._archive = tuple(f"{self._folder / name}/" for name in ARCHIVE_FOLDERS)
        self._log = structlog.get_logger("promptsync.drop")

    async def run(self) -> None:
        """Watches until cancelled. The folder must exist, else that is a failure like others."""
        while True:
            try:
                await self._watch()
            except Exception as error:  # noqa: BLE001 - any failure: files are found without a watcher
                self._log.warning(
                    "drop_watcher_failed",
                    error=type(error).__name__,
                    meanwhile="files are found by rescans alone",
                    restart_seconds=self._pause,
                )
                await asyncio.sleep(self._pause)
                self._log.info("drop_watcher_restarted")
            self._wake()

    def renew(self) -> None:
        """Another folder is at the path now: stop watching the old one and watch the new one."""
        self._stop.set()

    async def _watch(self) -> None:
        """One watcher's life, on a thread of its own: setting it up walks through all folders."""
        self._stop = stop = threading.Event()
        pool = ThreadPoolExecutor(1, "drop-watch")
        work = asyncio.get_running_loop().run_in_executor(pool, self._block, asyncio.get_running_loop(), stop)
        try:
            await asyncio.shield(work)
        finally:
            stop.set()
            pool.shutdown(wait=False)
            await asyncio.wait([work])

    def _block(self, loop: asyncio.AbstractEventLoop, stop: threading.Event) -> None:
        changes = watch(
            self._folder,
            watch_filter=self._matters,
            debounce=_LONGEST_GROUPING,
            step=_QUIET,
            stop_event=stop,
            force_polling=self._polling or None,
            ignore_permission_denied=True,
        )
        for _ in changes:
            loop.call_soon_threadsafe(self._wake)

    def _matters(self, change: Change, path: str) -> bool:
        return change is not Change.deleted and not f"{path}/".startswith(self._archive)
