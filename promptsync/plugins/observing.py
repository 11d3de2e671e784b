"""Telling observers what has changed, at least once, and again with growing delay until they take it.

Owns the order: read the queue, tell, then take out what was told. What is read from and written to is handed in.
Blocking: each observer is told from a thread of the daemon's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from promptsync.plugins.calls import Calls, PluginFailed
from promptsync.plugins.declared import Change, Observer, ReadOnly

IDLE_SECONDS = 0.5
_FIRST_DELAY, _LONGEST_DELAY = 0.5, 300.0


class ChangeLog(Protocol):
    """The queues of changes."""

    def waiting(self, observer: str, limit: int) -> list[tuple[int, str, tuple[Any, ...], int | None]]:
        """The next changes of a queue: (seq, table, key, revision)."""

    def forget(self, observer: str, last: int, revision: int | None) -> None:
        """What is told up to ``last`` is done with."""


@dataclass(slots=True)
class Told:
    """One observer on its way through its queue. ``queue``: its name."""

    queue: str
    observer: Observer
    calls: Calls
    log: ChangeLog
    mirror: ReadOnly
    failures: int = 0

    def step(self) -> float:
        """Tell the next changes. Returns the seconds to wait before the next step: 0 if more may be waiting."""
        if self.calls.pause:
            return min(self.calls.pause, IDLE_SECONDS * 10)
        found = self.log.waiting(self.queue, self.observer.batch)
        if not found:
            return IDLE_SECONDS
        changes = list({(table, key): Change(table, key, rev) for _, table, key, rev in found}.values())
        try:
            self.calls.one("observers", self.observer.told, changes, self.mirror, limit=self.observer.limit)
        except PluginFailed:
            self.failures += 1
            return float(min(_FIRST_DELAY * 2 ** (self.failures - 1), _LONGEST_DELAY))
        self.failures = 0
        self.log.forget(self.queue, found[-1][0], max((rev for *_, rev in found if rev is not None), default=None))
        return 0.0

    def all(self, wait: Callable[[float], bool]) -> int:
        """Tell whatever is waiting; ``wait`` sleeps and returns whether to go on. Returns how many batches."""
        batches = 0
        while (delay := self.step()) != IDLE_SECONDS or self.failures:
            batches += delay == 0.0
            if delay and (self.calls.pause or not wait(delay)):
                break
        return batches
