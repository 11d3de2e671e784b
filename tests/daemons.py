"""A daemon in the loop of a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from promptsync.config import Config
from promptsync.daemon.daemon import Daemon, run_daemon


@asynccontextmanager
async def running(config: Config, **options: Any) -> AsyncIterator[Daemon]:
    """Runs it, with the options of ``run_daemon``, from when it listens until it has stopped. Raises what ends it."""
    up: asyncio.Future[Daemon] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(run_daemon(config, ready=up.set_result, **options))
    await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        yield up.result()
    finally:
        up.result().stopped.set()
        await task
