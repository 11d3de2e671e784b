"""What plugins have run by the clock, as tasks of the daemon's schedule.

Owns the step from a plugin's words for when to a trigger.
"""

import asyncio
from collections.abc import Iterator
from datetime import timedelta, tzinfo
from functools import partial

from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

from promptsync.config import Config
from promptsync.config.schedules import parse_schedule
from promptsync.daemon.schedule import Every, Task
from promptsync.daemon.wall_trigger import WallTrigger
from promptsync.engine.plugin_work import PluginWork
from promptsync.plugins.declared import Schedule


def plugin_tasks(work: PluginWork, config: Config) -> Iterator[Task]:
    """Scheduled observers, and sources. A run that was missed while nothing ran is made at the start."""
    zone = config.mirror.timezone
    for told in work.told:
        if told.observer.schedule is not None:
            run = partial(asyncio.to_thread, work.tell, told)
            yield Task(f"plugin {told.queue}", _trigger(told.observer.schedule, zone), run, catch_up=True)
    for plugin in work.extensions.plugins:
        for source in plugin.declared.sources:
            fetch = partial(asyncio.to_thread, work.fetch, plugin, source, config.drop.folder)
            yield Task(f"plugin {plugin.name}.{source.name}", _trigger(source.schedule, zone), fetch, catch_up=True)


def _trigger(when: Schedule, zone: tzinfo) -> BaseTrigger:
    if isinstance(when, timedelta):
        return Every(max(when, timedelta(seconds=1)))
    return WallTrigger(parse_schedule(when), zone)
