"""The one writer: a thread that owns the write connection; callers hand it functions.

Owns the transaction around every write and the order of waiting work: deliveries first, then their rows, then bulk.
A function gets the connection inside ``BEGIN IMMEDIATE``; it commits if the function returns and is rolled back if it
raises. Nobody else ever sees the connection. A fatal error ends the writer: nothing more is accepted.
"""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from promptsync.errors import MirrorBroken, Unavailable
from promptsync.store.connect import open_writer, translate
from promptsync.store.wal import WriteAheadLog

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_CHECKPOINT_WEIGHT = 64
_CHECKPOINT_LATEST = 4 * _CHECKPOINT_WEIGHT  # from here on deliveries wait for it too
_CHECKPOINT_SECONDS = 1.0
_QUIET_SECONDS = 0.5
_STEPS = 50_000  # of SQLite's machine: about a millisecond


class Preempted(Exception):
    """A preemptible function was undone because a delivery came; do it again, in smaller pieces."""


class Lane(IntEnum):
    """Who goes first."""

    DELIVERY = 0
    APPLY = 1
    BULK = 2
    IDLE = 3


@dataclass(slots=True)
class _Task:
    work: Work[Any]
    future: "Future[Any]"
    lane: Lane
    durable: bool
    bare: bool
    preemptible: bool
    committed: Callable[[Any], None]


class Writer:
    """Runs functions on the write connection, one at a time. ``on_fatal`` is told, from the thread, if it breaks."""

    def __init__(self, path: Path, on_fatal: Callable[[Exception], None] | None = None) -> None:
        self._connection = open_writer(path)
        self.log = WriteAheadLog(path)
        self._on_fatal = on_fatal
        self._lanes: tuple[deque[_Task], ...] = tuple(deque() for _ in Lane)
        self._wake = threading.Condition()
        self._closing = False
        self._broken: MirrorBroken | None = None
        self._synchronous = "FULL"
        self._yielding = False  # what runs now may be undone for a delivery
        self._urgent_at = float("-inf")
        self._unsaved = 0  # weight of what was committed since the last checkpoint
        self.last_turn = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(
        self,
        work: Work[T],
        lane: Lane = Lane.BULK,
        *,
        durable: bool = True,
        bare: bool = False,
        preemptible: bool = False,
        committed: Callable[[T], None] = lambda _: None,
    ) -> "Future[T]":
        """Queue a function. ``durable``: its commit is on disk when the future resolves; otherwise with the next one
        that is. ``bare``: run outside a transaction (ATTACH, VACUUM). ``preemptible``: it may take long; if a delivery
        comes meanwhile it is interrupted, rolled back and the future raises Preempted. ``committed`` gets the result,
        on the writer's thread, after the commit and before any other function: for what is kept in memory of what was
        written. Raises Unavailable once closing.
        """
        future: Future[T] = Future()
        with self._wake:
            if self._broken is not None:
                raise self._broken
            if self._closing:
                raise Unavailable("promptsync is stopping; try again in a moment.")
            self._lanes[lane].append(_Task(work, future, lane, durable, bare, preemptible, committed))
            if lane == Lane.DELIVERY:
                self._urgent_at = time.monotonic()
                if self._yielding:
                    self._connection.interrupt()
            self._wake.notify()
        return future

    def run(
        self,
        work: Work[T],
        lane: Lane = Lane.BULK,
        *,
        durable: bool = True,
        bare: bool = False,
        preemptible: bool = False,
        committed: Callable[[T], None] = lambda _: None,
    ) -> T:
        """Queue a function and wait for its result. Not for the event loop's thread."""
        future = self.submit(work, lane, durable=durable, bare=bare, preemptible=preemptible, committed=committed)
        return future.result()

    @property
    def quiet(self) -> bool:
        """Whether no delivery has come for a while, so that long work disturbs nobody."""
        return time.monotonic() - self._urgent_at > _QUIET_SECONDS

    def waiting(self) -> int:
        """How many functions wait."""
        return sum(len(lane) for lane in self._lanes)

    def close(self) -> None:
        """Finish what was accepted, checkpoint, close the connection. Calling it twice is harmless."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while (task := self._next()) is not None:
            self._execute(task)
            self._checkpoint_if_due(idle=False)
            self.last_turn = time.monotonic()
        if self._broken is None:
            self._checkpoint(self.log.truncate)
        self._connection.close()

    def _next(self) -> _Task | None:
        while True:
            with self._wake:
                for lane in self._lanes:
                    if lane:
                        return lane.popleft()
                if self._closing:
                    return None
                idle = not self._wake.wait(timeout=_CHECKPOINT_SECONDS)
            self.last_turn = time.monotonic()
            self._checkpoint_if_due(idle=idle)

    def _execute(self, task: _Task) -> None:
        if not task.future.set_running_or_notify_cancel():
            return  # whoever asked has given up; from here on nobody can
        if self._broken is not None:
            task.future.set_exception(self._broken)
            return
        try:
            result = task.work(self._connection) if task.bare else self._in_transaction(task)
            task.committed(result)
        except sqlite3.Error as error:
            known = translate(error)
            if isinstance(known, MirrorBroken):
                self._break(known)
            interrupted = task.preemptible and error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
            task.future.set_exception(Preempted() if interrupted else known or error)
        except BaseException as error:  # noqa: BLE001  the caller gets it; the writer goes on
            task.future.set_exception(error)
        else:
            task.future.set_result(result)
            self._unsaved += 0 if task.bare else self._weight(task)

    def _in_transaction(self, task: _Task) -> Any:
        wanted = "FULL" if task.durable else "NORMAL"
        if wanted != self._synchronous:
            self._connection.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._may_yield(task.preemptible)
            try:
                result = task.work(self._connection)
            finally:
                self._may_yield(False)
            self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        return result

    def _may_yield(self, preemptible: bool) -> None:
        """Say whether ``submit`` may interrupt; under its lock, so that it never hits another function.

        SQLite forgets an interrupt that comes between two statements, so every so often a statement asks by itself.
        """
        urgent = self._lanes[Lane.DELIVERY]
        with self._wake:
            self._yielding = preemptible
        self._connection.set_progress_handler((lambda: bool(urgent)) if preemptible else None, _STEPS)

    def _weight(self, task: _Task) -> int:
        """What a commit counts towards the next checkpoint: bulk among deliveries at once, so that none is long."""
        if task.lane < Lane.BULK:
            return 1
        return _CHECKPOINT_WEIGHT // 8 if task.preemptible or self.quiet else _CHECKPOINT_WEIGHT

    def _checkpoint_if_due(self, *, idle: bool) -> None:
        """Copy the WAL back: piece by piece while busy, and once work has stopped for a second, when it is emptied too
        if it has grown. Never in a commit."""
        waited_for = bool(self._lanes[Lane.DELIVERY]) and self._unsaved < _CHECKPOINT_LATEST
        grown = idle and self.log.grown
        if (self._unsaved >= (1 if idle else _CHECKPOINT_WEIGHT) or grown) and not waited_for:
            self._unsaved = 0
            if self._checkpoint(self.log.checkpoint) and grown:
                self._checkpoint(self.log.truncate)

    def _checkpoint(self, way: Callable[[sqlite3.Connection], bool]) -> bool:
        try:
            return way(self._connection)
        except sqlite3.Error as error:
            known = translate(error)
            if isinstance(known, MirrorBroken):
                self._break(known)
            return False

    def _break(self, error: MirrorBroken) -> None:
        self._broken = error
        if self._on_fatal is not None:
            self._on_fatal(error)
