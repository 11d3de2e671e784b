"""What runs by the clock: named tasks, one run at a time, each on record in ``sync_run``.

Owns the scheduler and the record. A run that was missed while the daemon was down is caught up once. No clock is
believed for long: once it is set, each task has its next run as if it had always been right. What a
task does is handed in.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]

from promptsync.clock import CLOCKS_DIFFER, MICROS, Clock, iso_millis, parse_iso
from promptsync.errors import PromptsyncError, where_raised
from promptsync.store import ledger
from promptsync.store.mirror import Mirror
from promptsync.store.overview import last_good_run
from promptsync.store.writer import Lane

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Later:
    """A run that is done, but should be made again soon. ``message``: for the record."""

    message: str


@dataclass(frozen=True, slots=True)
class Task:
    """``run`` returns a sentence for the record, or None if nothing was done and nothing is to be recorded.

    ``catch_up``: a run that was due while nothing ran is made at start, once. ``again``: how long after a run that
    returned Later, or failed in a way that may pass, the next one is made.
    """

    name: str
    trigger: BaseTrigger
    run: Callable[[], Awaitable[str | Later | None]]
    catch_up: bool = False
    again: timedelta | Callable[[], timedelta] | None = None

    @property
    def after(self) -> timedelta | None:
        """How long after such a run, from now on, the next one is made."""
        return self.again() if callable(self.again) else self.again


class Every(BaseTrigger):  # type: ignore[misc]
    """A trigger for APScheduler: again and again after ``interval``. Runs missed, however many, are made up by one.

    (APScheduler's own begins at an instant, so that it waits for years if the clock was ahead when it was made, and
    counts each interval that a clock set ahead has passed over.)
    """

    def __init__(self, interval: timedelta) -> None:
        if interval <= timedelta():
            raise ValueError(f"an interval of {interval} never ends")
        self.interval = interval

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The previous one and an interval, or now and an interval. APScheduler calls this."""
        now = now.astimezone(UTC)
        due = (previous_fire_time or now).astimezone(UTC) + self.interval
        return due if due > now else now + self.interval

    def __str__(self) -> str:
        return f"every {self.interval}"


class Schedule:
    """Runs tasks until closed."""

    def __init__(self, mirror: Mirror, clock: Clock) -> None:
        self._mirror = mirror
        self._clock = clock
        self._scheduler = AsyncIOScheduler()
        self._tasks: dict[str, Task] = {}
        self._running: set[str] = set()

    def add(self, task: Task) -> bool:
        """One more task, or another in the place of the one of that name; whether its next run is computed anew.

        It is not if both have the same trigger, so that no run is put off; nor is that of one that waits to be made
        again soon. A run that is still going on is not started twice.
        """
        before = self._tasks.get(task.name)
        self._tasks[task.name] = task
        if self._scheduler.get_job(_once_id(task.name)) is not None:
            self._scheduler.modify_job(_once_id(task.name), args=(task,))
        same = before is not None and str(before.trigger) == str(task.trigger)
        if same and self._scheduler.get_job(task.name) is not None:
            self._scheduler.modify_job(task.name, args=(task,))
            return False
        self._scheduler.add_job(
            self.run_now,
            task.trigger,
            (task,),
            id=task.name,
            replace_existing=True,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        return True

    def remove(self, name: str) -> None:
        """Run a task no more; a run that is going on is finished."""
        del self._tasks[name]
        for job in (name, _once_id(name)):
            if self._scheduler.get_job(job) is not None:
                self._scheduler.remove_job(job)

    def missed(self) -> list[str]:
        """Names of the tasks with a run that was due since their last good one. Blocking: it reads the record."""
        now = self._clock()
        with self._mirror.reading() as connection:
            runs = {name: last_good_run(connection, name, now) for name in self._tasks}
        last = {name: run.started_at if run else None for name, run in runs.items()}
        return [name for name, task in self._tasks.items() if task.catch_up and is_due(task.trigger, last[name], now)]

    def start(self, at_once: Iterable[str] = ()) -> None:
        """Begin, with a run of the tasks named. Must be called on the event loop."""
        self._scheduler.start()
        self.run_soon(at_once)

    def run_soon(self, names: Iterable[str]) -> None:
        """Run these at once, those apart that wait to be run again anyway. Must be called on the event loop."""
        for name in names:
            if self._scheduler.get_job(_once_id(name)) is None:
                self._once(self._tasks[name], timedelta())

    def compute_anew(self) -> None:
        """The wall clock was set. No run comes later than if it had always shown what it shows now.

        A run whose time the clock has passed over is made at once. Must be called on the event loop.
        """
        now = datetime.now(UTC)
        for job in self._scheduler.get_jobs():
            (task,) = job.args
            once = job.id == _once_id(task.name)
            anew = now + (task.after or timedelta()) if once else task.trigger.get_next_fire_time(None, now)
            if anew is not None and job.next_run_time > anew:
                self._scheduler.modify_job(job.id, next_run_time=anew)
        if self._scheduler.running:
            self._scheduler.wakeup()

    def close(self) -> None:
        """Start nothing more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def run_now(self, task: Task) -> None:
        """Run a task and record what came of it; never raises for what the task did. Nothing if it is running."""
        if task.name in self._running:
            return
        self._running.add(task.name)
        try:
            again = await self._run(task)
        finally:
            self._running.discard(task.name)
        now = self._tasks.get(task.name)  # another or none, if it was replaced or removed meanwhile
        if again and now is not None:  # not before: while a run is put on record, no other is started
            self._once(now, now.after)

    async def _run(self, task: Task) -> bool:
        """Run it and put that on record; whether it is to be run again soon."""
        started = iso_millis(self._clock())
        message: str | Later | None
        try:
            outcome, message = "done", await task.run()
        except PromptsyncError as error:
            outcome, message = ("problem" if error.retryable else "failed"), str(error)
        except Exception as error:  # noqa: BLE001  one task must not stop the others
            outcome, message = "failed", f"{type(error).__name__} at {where_raised(error)}"
        if message is None:
            return False
        again = outcome == "problem" or isinstance(message, Later)
        message = message.message if isinstance(message, Later) else message
        if outcome != "done":
            _log.warning("task_failed", task=task.name, outcome=outcome, error=message)
        row = {"task": task.name, "started_at": started, "finished_at": iso_millis(self._clock())}
        row |= {"outcome": outcome, "message": message}
        try:
            await asyncio.wrap_future(
                self._mirror.writer.submit(lambda connection: ledger.insert(connection, "sync_run", row), Lane.IDLE)
            )
        except Exception as error:  # noqa: BLE001  locked, full or stopping: the run itself was made
            _log.warning("run_not_recorded", task=task.name, error=type(error).__name__, where=where_raised(error))
        return again

    def _once(self, task: Task, after: timedelta | None) -> None:
        """One run beside those by the clock; a later call replaces an earlier one that waits."""
        if after is None or not self._scheduler.running:
            return
        self._scheduler.add_job(
            self.run_now,
            "date",
            (task,),
            id=_once_id(task.name),
            run_date=datetime.now(UTC) + after,
            replace_existing=True,
            max_instances=2,  # one that ends just now is still counted
            misfire_grace_time=None,
        )


def _once_id(name: str) -> str:
    return f"{name}, once"


def is_due(trigger: BaseTrigger, last: str | None, now: int) -> bool:
    """Whether a trigger fired after ``last`` (ISO, None: never ran) and not after ``now`` (microseconds).

    A last run further ahead than clocks differ was dated by a wrong one, and says nothing.
    """
    if last is None or parse_iso(last) > now + CLOCKS_DIFFER:
        return True
    last_run = datetime.fromtimestamp(parse_iso(last) / MICROS, UTC)
    fires = trigger.get_next_fire_time(last_run, last_run)
    return fires is not None and fires.timestamp() * MICROS <= now
