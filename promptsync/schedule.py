"""What runs by the clock: named tasks, one run at a time, each on record in ``sync_run``.

Owns the scheduler and the record. A run that was missed while the daemon was down is caught up once. What a task does
is handed in.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

from promptsync.clock import Clock, iso_millis
from promptsync.errors import PromptsyncError
from promptsync.store import ledger
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Task:
    """``run`` returns a sentence for the record, or None if nothing was done and nothing is to be recorded."""

    name: str
    trigger: BaseTrigger
    run: Callable[[], Awaitable[str | None]]


class Schedule:
    """Runs tasks until closed."""

    def __init__(self, mirror: Mirror, clock: Clock) -> None:
        self._mirror = mirror
        self._clock = clock
        self._scheduler = AsyncIOScheduler()

    def add(self, task: Task) -> None:
        """One more task. A run that is still going on is not started twice."""
        self._scheduler.add_job(
            self.run_now, task.trigger, (task,), id=task.name, max_instances=1, coalesce=True, misfire_grace_time=None
        )

    def start(self) -> None:
        """Begin. Must be called on the event loop."""
        self._scheduler.start()

    def close(self) -> None:
        """Start nothing more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def run_now(self, task: Task) -> None:
        """Run a task and record what came of it; never raises for what the task did."""
        started = iso_millis(self._clock())
        try:
            outcome, message = "done", await task.run()
        except PromptsyncError as error:
            outcome, message = ("problem" if error.retryable else "failed"), str(error)
        except Exception as error:  # noqa: BLE001  one task must not stop the others
            outcome, message = "failed", f"{type(error).__name__}: {error}"
        if message is None:
            return
        if outcome != "done":
            _log.warning("task_failed", task=task.name, outcome=outcome, error=message)
        row = {"task": task.name, "started_at": started, "finished_at": iso_millis(self._clock())}
        row |= {"outcome": outcome, "message": message}
        recorded = self._mirror.writer.submit(lambda connection: ledger.insert(connection, "sync_run", row), Lane.IDLE)
        await asyncio.wrap_future(recorded)
