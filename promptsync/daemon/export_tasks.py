"""What the daemon does with exports by the clock: each kind at its schedule, and what was left open.

Owns the names of these tasks. What a run does is in exports.py.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import timedelta
from typing import Any

from promptsync.config import Config
from promptsync.daemon.schedule import Every, Task
from promptsync.daemon.wall_trigger import WallTrigger
from promptsync.vendors.qlara.exports import Exports

_RESUME = timedelta(seconds=30)
_AGAIN = timedelta(minutes=30)


def export_tasks(exports: Exports, config: Config) -> Iterator[Task]:
    """A task for each kind with a schedule, caught up at start if a run was missed, and one that
    carries on jobs that a restart or ``--no-wait`` left open."""
    if config.qlara is None:
        return
    schedules = {
        "contacts": config.qlara.contacts,
        "delivery-reports": config.qlara.delivery_reports,
        "messages": config.qlara.messages,
    }
    for kind, schedule in schedules.items():
        if schedule is not None:
            trigger = WallTrigger(schedule, config.mirror.timezone)
            run = _on_a_thread(lambda kind=kind: exports.scheduled(kind))  # type: ignore[misc]
            yield Task(f"export {kind}", trigger, run, catch_up=True, again=_AGAIN)
    yield Task("export resume", Every(_RESUME), _on_a_thread(exports.resume))


def _on_a_thread(work: Callable[[], str | None]) -> Callable[[], Coroutine[Any, Any, str | None]]:
    async def run() -> str | None:
        return await asyncio.to_thread(work)

    return run
