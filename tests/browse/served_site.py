"""A site as it is served, and the Chromium of this machine to look at it: for tests, and for the README's pictures."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress

from playwright.sync_api import Browser, sync_playwright

from promptsync.browse.serve import Present, serve
from promptsync.browse.settings import BrowseSettings

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def served(settings: BrowseSettings, present: Present) -> Iterator[str]:
    """Serves the pages on a thread of their own. Gives the address, without the last slash."""
    listening: Future[str] = Future()
    ending: Future[Callable[[], object]] = Future()

    async def run() -> None:
        task, loop = asyncio.ensure_future(serve(settings, listening.set_result, present)), asyncio.get_running_loop()
        ending.set_result(lambda: loop.call_soon_threadsafe(task.cancel))
        with suppress(asyncio.CancelledError):
            await task

    with ThreadPoolExecutor(1, "served") as thread:
        over = thread.submit(asyncio.run, run())
        wait((listening, over), return_when=FIRST_COMPLETED)
        if over.done():
            over.result()
        try:
            yield listening.result().rstrip("/")
        finally:
            ending.result()()
    over.result()


def installed() -> str | None:
    """The path of Chromium. None if there is none."""
    return shutil.which("chromium")


@contextmanager
def chromium(path: str) -> Iterator[Browser]:
    """The Chromium of this path, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield browser
        browser.close()
