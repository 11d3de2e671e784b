"""Fetching by the clock: one scheduled task for each configured place.

Owns when a place is looked at, and that the places take turns. What a run does is in fetch.py.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from promptsync.engine import Engine
from promptsync.errors import PromptsyncError, Unavailable
from promptsync.fetch import fetch_source
from promptsync.fetch_sources import Source, sources_of
from promptsync.schedule import Later, Task
from promptsync.status_sources import local_date, missing_nights
from promptsync.wall_trigger import WallTrigger

_AGAIN: Final = timedelta(minutes=30)


def fetch_tasks(engine: Engine) -> Iterator[Task]:
    """A task for each ``[[nightly]]``, at its schedule in the mirror's zone; caught up at start if one was missed.

    Half an hour after a run that could not reach its place, or did not find the newest night, it is run again.
    """
    turn = asyncio.Lock()  # waiting here takes no thread
    for source in sources_of(engine.config):
        yield _task(engine, source, turn)


def _task(engine: Engine, source: Source, turn: asyncio.Lock) -> Task:
    async def run() -> str | Later:
        async with turn:
            report = await asyncio.to_thread(fetch_source, engine, source)
        if report.error is not None:
            raise (Unavailable if report.retryable else PromptsyncError)(report.error)
        late = await asyncio.to_thread(_newest_missing, engine, source)
        return Later(report.sentence()) if late or report.failed else report.sentence()

    trigger = WallTrigger(source.config.schedule, engine.config.mirror.timezone)
    return Task(source.task, trigger, run, catch_up=True, again=_AGAIN)


def _newest_missing(engine: Engine, source: Source) -> bool:
    """Whether the place has not the files of the night before now."""
    zone = engine.config.mirror.timezone
    today = local_date(engine.clock(), zone)
    with engine.mirror.reading() as connection:
        return today in missing_nights(connection, source.name, zone, today)
