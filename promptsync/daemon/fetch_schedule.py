"""Fetching by the clock: one scheduled task for each configured place.

Owns when a place is looked at, and that the places of a kind take turns. What a run does is in fetch.py.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

from promptsync.config.sections import CustomerioConfig
from promptsync.daemon.schedule import Every, Later, Task
from promptsync.daemon.wall_trigger import WallTrigger
from promptsync.engine.engine import Engine
from promptsync.errors import PromptsyncError, Unavailable
from promptsync.fetch.run import fetch_source
from promptsync.fetch.sources import Source, sources_of
from promptsync.status.sources import local_date, missing_nights

_AGAIN: Final = timedelta(minutes=30)
_SHORTEST: Final = timedelta(seconds=1)


def fetch_tasks(engine: Engine) -> Iterator[Task]:
    """A task for each place: ``[[nightly]]`` at its schedule in the mirror's zone, ``[[customerio]]`` every so often;
    caught up at start if a run was missed.

    Half an hour after a run that could not reach its place or fetch a file, or did not find the newest night, it is run
    again, if it is not looked at more often anyway.
    """
    turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # waiting here takes no thread
    for source in sources_of(engine.config):
        yield _task(engine, source, turns[source.section])


def _task(engine: Engine, source: Source, turn: asyncio.Lock) -> Task:
    async def run() -> str | Later:
        async with turn:
            report = await asyncio.to_thread(fetch_source, engine, source)
        if report.error is not None:
            raise (Unavailable if report.retryable else PromptsyncError)(report.error)
        late = await asyncio.to_thread(_newest_missing, engine, source)
        return Later(report.sentence()) if late or report.failed else report.sentence()

    trigger, again = _when(engine, source)
    return Task(source.task, trigger, run, catch_up=True, again=again)


def _when(engine: Engine, source: Source) -> tuple[BaseTrigger, timedelta | None]:
    """When a place is looked at, and how long after a run that came to less than it should."""
    config = source.config
    if isinstance(config, CustomerioConfig):
        return Every(max(config.every, _SHORTEST)), _AGAIN if config.every > _AGAIN else None
    return WallTrigger(config.schedule, engine.config.mirror.timezone), _AGAIN


def _newest_missing(engine: Engine, source: Source) -> bool:
    """Whether the place has not the files of the night before now; change sets owe none."""
    zone = engine.config.mirror.timezone
    today = local_date(engine.clock(), zone)
    with engine.mirror.reading() as connection:
        return today in missing_nights(connection, source.name, zone, today)
