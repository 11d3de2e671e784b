"""The queues before the writer, and how long a task may wait there.

Owns the order (deliveries first, then their rows, then bulk) and who is answered when another program holds SQLite's
write lock: a sender has given up after a few seconds, so a delivery waits for one, and those that came later are
answered with it. Not safe for threads: the writer's lock is held around every call.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final

_SENDER_SECONDS: Final = 1.0
_OTHERS_SECONDS: Final = 5.0


class Lane(IntEnum):
    """Who goes first."""

    DELIVERY = 0
    APPLY = 1
    BULK = 2
    IDLE = 3


@dataclass(slots=True, eq=False)
class Queued:
    """A function that waits. ``asked``: since when, monotonic. The rest is as ``Writer.submit`` has it."""

    work: Callable[[sqlite3.Connection], Any]
    future: "Future[Any]"
    lane: Lane
    durable: bool
    bare: bool
    preemptible: bool
    committed: Callable[[Any], None]
    asked: float = field(default_factory=time.monotonic)

    def refuse(self, error: Exception) -> None:
        """Answer it with an error, unless its caller has given up."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class Lanes:
    """Four queues."""

    def __init__(self) -> None:
        self._lanes: tuple[deque[Queued], ...] = tuple(deque() for _ in Lane)

    def __len__(self) -> int:
        return sum(len(lane) for lane in self._lanes)

    @property
    def urgent(self) -> bool:
        """Whether a delivery waits. May be asked without the lock."""
        return bool(self._lanes[Lane.DELIVERY])

    def put(self, task: Queued) -> None:
        """Queue a task behind the others of its lane."""
        self._lanes[task.lane].append(task)

    def put_back(self, task: Queued) -> None:
        """Queue a task before the others of its lane: it could not be begun."""
        self._lanes[task.lane].appendleft(task)

    def take(self) -> Queued | None:
        """Take out the next task; None if none waits."""
        for lane in self._lanes:
            if lane:
                return lane.popleft()
        return None

    def overdue(self, now: float, since: float, *, hurried: bool) -> list[Queued]:
        """Take out the tasks that have waited long enough for a lock found taken at ``since``; if one is a delivery,
        all deliveries. ``hurried``: no task waits longer than a sender does."""

        def over(task: Queued) -> bool:
            short = hurried or task.lane is Lane.DELIVERY
            return now - max(since, task.asked) > (_SENDER_SECONDS if short else _OTHERS_SECONDS)

        senders = any(over(task) for task in self._lanes[Lane.DELIVERY])
        return self._out(task for task in self._all() if over(task) or (senders and task.lane is Lane.DELIVERY))

    def rest(self) -> list[Queued]:
        """Take out every task."""
        return self._out(self._all())

    def _all(self) -> list[Queued]:
        return [task for lane in self._lanes for task in lane]

    def _out(self, some: Iterable[Queued]) -> list[Queued]:
        taken = list(some)
        for task in taken:
            self._lanes[task.lane].remove(task)
        return taken
