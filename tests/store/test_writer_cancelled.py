"""Whoever waits for the writer may give up; the writer goes on."""

import asyncio
import threading
from pathlib import Path

from promptsync.store.writer import Writer


async def test_a_waiter_that_gives_up_does_not_end_the_writer(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "m.db")
    going, go_on = threading.Event(), threading.Event()
    try:
        running = asyncio.wrap_future(writer.submit(lambda _: (going.set(), go_on.wait(5))))
        queued = asyncio.wrap_future(writer.submit(lambda connection: connection.execute("CREATE TABLE never (x)")))
        await asyncio.to_thread(going.wait, 5)
        running.cancel()
        queued.cancel()
        await asyncio.sleep(0)
        go_on.set()
        tables = await asyncio.wrap_future(
            writer.submit(lambda connection: connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
        )
        assert tables == 0
    finally:
        go_on.set()
        await asyncio.to_thread(writer.close)
