"""What the daemon does by the clock: fetching, exports, plugins' work, search, backups, what the listener has seen.

Owns the names of these tasks and when each runs: a plugin's words for when become a trigger, places of a kind take
turns, rows are entered into search soon after deliveries were applied, and how signatures are spelt goes into the
mirror now and then (a crash loses five minutes of it). How a task is run and put on record is in schedule.py; what it
does is not decided here.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from datetime import timedelta, tzinfo
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

from promptsync.clock import local_date
from promptsync.config import Config
from promptsync.config.schedules import parse_schedule
from promptsync.daemon.retention import NIGHTLY, TASK, Retention, sentence
from promptsync.daemon.schedule import Every, Later, Task
from promptsync.daemon.wall_clock import WallTrigger
from promptsync.engine.engine import Engine
from promptsync.engine.plugin_work import PluginWork
from promptsync.errors import PromptsyncError, Unavailable, size_in_words
from promptsync.fetch.expected import missing_nights
from promptsync.fetch.run import fetch_source
from promptsync.fetch.sources import Source, sources_of
from promptsync.places.patience import Patience
from promptsync.plugins.calls import Calls
from promptsync.plugins.declared import Schedule
from promptsync.status.plugins import plugin_task
from promptsync.store import spelling_counts
from promptsync.store.backups import BACKUP, SEGMENTS
from promptsync.store.mirror import Mirror
from promptsync.store.place_state import instants_by_series
from promptsync.store.search import lag
from promptsync.vendors import Exports
from promptsync.webhook.listener import ListenerState

if TYPE_CHECKING:
    from promptsync.backup.service import Backups

EVERY: Final = timedelta(minutes=5)


async def write_down(state: ListenerState, mirror: Mirror) -> None:
    """Move the counts of signatures' forms to the mirror."""
    forms = dict(state.signatures)
    if not forms:
        return
    await asyncio.to_thread(
        mirror.writer.run, lambda connection: spelling_counts.add(connection, spelling_counts.SIGNATURE, forms)
    )
    state.signatures.subtract(forms)
    for form in [form for form, count in state.signatures.items() if not count]:
        del state.signatures[form]


def spellings_task(state: ListenerState, mirror: Mirror) -> Task:
    """The same as a task of the schedule, never on record."""

    async def work() -> None:
        await write_down(state, mirror)

    return Task("observations", Every(EVERY), work)


_log = structlog.get_logger()

_SOON: Final = 0.5
"""Seconds in which the rows of many deliveries gather, so that they are entered together."""


class SearchKeeper:
    """Enters rows off the loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._applied = asyncio.Event()
        self._caught_up = False

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
        """Enter every row that is not entered yet. The first time each row is looked at, which takes seconds for ten
        million; from then on only those of a table that has more rows than entries."""
        entered = 0
        for table in await asyncio.to_thread(self._behind):
            entered += await asyncio.to_thread(self._engine.search.enter_missing, table)
        self._caught_up = True
        return f"{entered:,} rows entered" if entered else None

    def _behind(self) -> list[str]:
        """Tables of which rows may not be entered."""
        mirror = self._engine.mirror
        if not self._caught_up:
            return [table.name for table in mirror.schema if table.search]
        with mirror.reading() as connection:
            return [table for table, rows in lag(connection, mirror.schema).items() if rows]


_RETRY_AFTER: Final = timedelta(minutes=30)
_SHORTEST: Final = timedelta(seconds=1)


def configured_tasks(engine: Engine, turns: Mapping[str, asyncio.Lock]) -> Iterator[Task]:
    """Everything that sections of the configuration ask for, plugins apart. ``turns``: as ``fetch_tasks`` has them."""
    yield from fetch_tasks(engine, turns)
    yield from export_tasks(engine.exports, engine.config.mirror.timezone)
    yield retention_task(engine)
    yield from backup_tasks(engine)


def fetch_tasks(engine: Engine, turns: Mapping[str, asyncio.Lock]) -> Iterator[Task]:
    """A task for each place: ``[[nightly]]`` at its schedule in the mirror's zone, ``[[customerio]]`` every so often;
    caught up at start if a run was missed. ``turns``: by section, what a run holds, for which the next one waits.

    Half an hour after a run that could not reach its place or fetch a file, or did not find the newest night, it is run
    again, if it is not looked at more often anyway.
    """
    for source in sources_of(engine.config):
        yield _task(engine, source, turns[source.section])


def _task(engine: Engine, source: Source, turn: asyncio.Lock) -> Task:
    async def run() -> str | Later:
        async with turn:  # waiting here takes no thread
            report = await asyncio.to_thread(fetch_source, engine, source)
        if report.error is not None:
            raise (Unavailable if report.retryable else PromptsyncError)(report.error)
        late = await asyncio.to_thread(_newest_missing, engine, source)
        return Later(report.sentence()) if late or report.failed else report.sentence()

    trigger, again = _when(engine, source)
    return Task(source.task, trigger, run, catch_up=True, again=again)


def _when(engine: Engine, source: Source) -> tuple[BaseTrigger, timedelta | None]:
    """When a place is looked at, and how long after a run that came to less than it should."""
    when = source.config.when
    if isinstance(when, timedelta):
        return Every(max(when, _SHORTEST)), _RETRY_AFTER if when > _RETRY_AFTER else None
    return WallTrigger(when, engine.config.mirror.timezone), _RETRY_AFTER


def _newest_missing(engine: Engine, source: Source) -> bool:
    """Whether the place has not the files of the night before now; change sets owe none."""
    zone = engine.config.mirror.timezone
    today = local_date(engine.clock(), zone)
    with engine.mirror.reading() as connection:
        have = instants_by_series(connection, source.name)
    return today in missing_nights(have, zone, today)


def retention_task(engine: Engine) -> Task:
    """What is too old is swept every night, and at the start if a night was missed."""

    def sweep() -> str | Later:
        retention = Retention(engine)
        doubt = retention.doubt()
        return sentence(retention.run()) if doubt is None else Later(doubt)

    trigger = WallTrigger(NIGHTLY, engine.config.mirror.timezone)
    return Task(TASK, trigger, _on_a_thread(sweep), catch_up=True, again=_RETRY_AFTER)


_RESUME = timedelta(seconds=30)
_AGAIN = timedelta(minutes=30)


def export_tasks(exports: Exports, zone: tzinfo) -> Iterator[Task]:
    """A task for each kind with a schedule, caught up at start if a run was missed, and one that
    carries on jobs that a restart or ``--no-wait`` left open."""
    schedules = exports.schedules
    if schedules is None:
        return
    for kind, schedule in schedules.items():
        run = _on_a_thread(partial(exports.scheduled, kind))
        yield Task(f"export {kind}", WallTrigger(schedule, zone), run, catch_up=True, again=_AGAIN)
    yield Task("export resume", Every(_RESUME), _on_a_thread(exports.resume))


def _on_a_thread(work: Callable[[], str | Later | None]) -> Callable[[], Coroutine[Any, Any, str | Later | None]]:
    async def run() -> str | Later | None:
        return await asyncio.to_thread(work)

    return run


def plugin_tasks(work: PluginWork, config: Config) -> Iterator[Task]:
    """Scheduled observers, and sources. A run that was missed while nothing ran is made at the start."""
    zone = config.mirror.timezone
    for queue in work.queues:
        if queue.observer.schedule is not None:
            run = partial(asyncio.to_thread, work.tell, queue)
            again = partial(_after, queue.calls, "observers", queue.observer.name)
            yield Task(plugin_task(queue.name), _trigger(queue.observer.schedule, zone), run, True, again)
    for plugin in work.extensions.plugins:
        for source in plugin.declared.sources:
            fetch = partial(asyncio.to_thread, work.scheduled, plugin, source, config.drop.folder)
            again = partial(_after, plugin.calls, "sources", source.name)
            task = plugin_task(f"{plugin.name}.{source.name}")
            yield Task(task, _trigger(source.schedule, zone), fetch, True, again)


def _after(calls: Calls, hook: str, name: str) -> timedelta:
    """How long after a failure it is called again."""
    return timedelta(seconds=calls.wait(hook, name))


def _trigger(when: Schedule, zone: tzinfo) -> BaseTrigger:
    if isinstance(when, timedelta):
        return Every(max(when, timedelta(seconds=1)))
    return WallTrigger(parse_schedule(when), zone)


_BACKUP_AGAIN: Final = timedelta(minutes=10)
_PATIENCE_SECONDS: Final = 120.0


def backup_tasks(engine: Engine) -> Iterator[Task]:
    """The nightly backup, with a drill once a week, and the shipping of deliveries in between; none while ``[backup]``
    is off. A backup that was missed is made at the start; one that cannot be stored is tried again in ten minutes."""
    config = engine.config.backup
    if not config.on:
        return
    from promptsync.backup.service import Backups

    backups = Backups(engine, Patience(_PATIENCE_SECONDS))

    def work() -> str:
        made = backups.make()
        said = f"{made.name}, {size_in_words(made.bytes)}." + (f" {made.why_not}" if made.why_not else "")
        try:
            return f"{said} Drill: {backups.drill().says}" if backups.drill_is_due() else said
        except PromptsyncError as error:  # it is due tomorrow still; the backup was made
            return f"{said} No drill was possible: {error}"

    trigger = WallTrigger(config.schedule, engine.config.mirror.timezone)
    yield Task(BACKUP, trigger, _on_a_thread(work), catch_up=True, again=_BACKUP_AGAIN)
    yield Task(SEGMENTS, Every(max(config.every, _SHORTEST)), Ship(backups).run)


class Ship:
    """Ships deliveries again and again. That it fails is said once, and once that it works again."""

    def __init__(self, backups: "Backups") -> None:
        self._backups = backups
        self._failed = ""

    async def run(self) -> str | None:
        """Ship once. Raises why it cannot, unless that has been said."""
        try:
            await asyncio.to_thread(self._backups.ship)
        except PromptsyncError as error:
            if str(error) == self._failed:
                return None
            self._failed = str(error)
            raise
        said, self._failed = self._failed, ""
        return "Deliveries are shipped again." if said else None
