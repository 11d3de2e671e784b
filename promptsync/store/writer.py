"""The one writer: a thread that owns the write connection; callers hand it functions.

Owns the transaction around every write and the order of waiting work: deliveries first, then their rows, then bulk.
A function gets the connection inside ``BEGIN IMMEDIATE``; it commits if the function returns and is rolled back if it
raises. No other code ever sees the connection. A fatal error ends the writer: nothing more is accepted. While another
program holds SQLite's write lock, functions wait in their order, deliveries for a second, the rest for five.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, TypeVar

from promptsync.errors import MirrorBroken, MirrorLocked, Unavailable
from promptsync.store.connect import OpenFiles, is_busy, open_writer, translate
from promptsync.store.lanes import Lane, Lanes, Queued
from promptsync.store.lock_holders import locked_sentence
from promptsync.store.memory import trim
from promptsync.store.wal import WriteAheadLog

__all__ = ["Lane", "Preempted", "Writer"]

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_CHECKPOINT_WEIGHT = 64
_CHECKPOINT_LATEST = 4 * _CHECKPOINT_WEIGHT  # from here on deliveries wait for it too
_CHECKPOINT_SECONDS = 1.0
_QUIET_SECONDS = 0.5
_REST_SECONDS = 5.0  # without bulk, after which the memory that it has filled is given back
_STEPS = 50_000  # of SQLite's machine: about a millisecond
_LOOK_SECONDS = 1.0
_TRY_MILLIS, _WAIT_MILLIS = 100, 5_000  # for SQLite's locks: to begin a transaction, for everything else


class Preempted(Exception):
    """A preemptible function was undone because a delivery came; do it again, in smaller pieces."""


class Writer:
    """Runs functions on the write connection, one at a time. ``on_fatal`` is called, on its thread, if it breaks.

    ``keep`` is called every second, and raises MirrorBroken if the right to write has been lost. ``undone`` is called
    after a rollback, before any other function, with the connection: for what is kept in memory of what was written.
    """

    def __init__(
        self,
        path: Path,
        on_fatal: Callable[[Exception], None] | None = None,
        keep: Callable[[], None] = lambda: None,
        undone: Work[object] = lambda _: None,
    ) -> None:
        self._path = path
        self._connection = open_writer(path)
        self.log = WriteAheadLog(path)
        self._files = OpenFiles(path)
        self._keep = keep
        self._undone = undone
        self._on_fatal = on_fatal
        self._lanes = Lanes()
        self._wake = threading.Condition()
        self._closing = False
        self._hurried = False
        self._broken: MirrorBroken | None = None
        self._synchronous = "FULL"
        self._millis = _WAIT_MILLIS
        self._locked_since: float | None = None
        self._looked = time.monotonic()
        self.wal_lost = False  # whether somebody has deleted the -wal: every commit is copied back at once
        self.staging = threading.Lock()  # held while a staging is attached to the connection
        self._yielding = False  # what runs now may be undone for a delivery
        self._urgent_at = float("-inf")
        self._unsaved = 0  # weight of what was committed since the last checkpoint
        self._filled_at: float | None = None  # when bulk was last written, until the memory of that was given back
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
            self._lanes.put(Queued(work, future, lane, durable, bare, preemptible, committed))
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
        """Whether no delivery has come for a while, so that long work holds nothing up."""
        return time.monotonic() - self._urgent_at > _QUIET_SECONDS

    @property
    def locked_for(self) -> float:
        """Seconds for which another program has held SQLite's write lock; 0 if none does. Known to a second."""
        since = self._locked_since
        return 0.0 if since is None else time.monotonic() - since

    def waiting(self) -> int:
        """How many functions wait."""
        return len(self._lanes)

    def hurry(self) -> None:
        """From now on no task waits longer for another program's lock than a delivery does: the writer is closing."""
        self._hurried = True

    def close(self) -> None:
        """Finish what was accepted, checkpoint, close the connection. Calling it twice is harmless."""
        self.hurry()
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while (task := self._next()) is not None:
                if self._begun(task):
                    self._execute(task)
                self._checkpoint_if_due(idle=False)
                self._look_if_due()
                self.last_turn = time.monotonic()
        except BaseException as error:  # noqa: BLE001  callers would wait for ever for a writer that ended in silence
            self._break(ended := MirrorBroken(f"The writer ended ({type(error).__name__}); start promptsync again."))
            with self._wake:
                rest = self._lanes.rest()
            for task in rest:
                task.refuse(ended)
        if self._broken is None or self._files.moved:  # moved: so that it is whole wherever it is now
            self._checkpoint(self.log.truncate)
        with suppress(sqlite3.Error):
            self._connection.close()
        self._files.take_leave()

    def _next(self) -> Queued | None:
        while True:
            with self._wake:
                if (task := self._lanes.take()) is not None:
                    return task
                if self._closing:
                    return None
                idle = not self._wake.wait(timeout=_CHECKPOINT_SECONDS)
            self.last_turn = time.monotonic()
            self._checkpoint_if_due(idle=idle)
            self._look_if_due(idle=idle)
            self._shrink_if_due()

    def _begun(self, task: Queued) -> bool:
        """Begin a function's transaction, if it wants one. False: it has been answered, or waits for the lock."""
        if self._broken is not None:
            task.refuse(self._broken)
            return False
        try:
            self._wait(_WAIT_MILLIS if task.bare else _TRY_MILLIS)
            if not task.bare:
                self._begin(durable=task.durable)
        except sqlite3.Error as error:
            if is_busy(error):
                with self._wake:
                    self._lanes.put_back(task)
                self._locked()
            else:
                task.refuse(self._known(error))
            return False
        return True

    def _begin(self, *, durable: bool) -> None:
        wanted = "FULL" if durable else "NORMAL"
        if wanted != self._synchronous:
            self._connection.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted
        self._connection.execute("BEGIN IMMEDIATE")
        self._locked_since = None

    def _wait(self, millis: int) -> None:
        if millis != self._millis:
            self._connection.execute(f"PRAGMA busy_timeout = {millis}")
            self._millis = millis

    def _locked(self) -> None:
        """Another program holds the write lock: refuse the tasks that have waited long enough."""
        now = time.monotonic()
        since = self._locked_since = self._locked_since or now
        with self._wake:
            given_up = self._lanes.overdue(now, since, hurried=self._hurried)
        if given_up:
            error = MirrorLocked(locked_sentence(self._path))
            for task in given_up:
                task.refuse(error)

    def _execute(self, task: Queued) -> None:
        if not task.future.set_running_or_notify_cancel():
            self._undo()
            return  # the caller has given up; from here on none can
        try:
            result = task.work(self._connection) if task.bare else self._in_transaction(task)
            task.committed(result)
            if not task.bare:
                self._look()
        except sqlite3.Error as error:
            interrupted = task.preemptible and error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT
            task.future.set_exception(Preempted() if interrupted else self._known(error))
        except BaseException as error:  # noqa: BLE001  the caller gets it; the writer goes on
            if isinstance(error, MirrorBroken):
                self._break(error)
            task.future.set_exception(error)
        else:
            task.future.set_result(result)
            self._unsaved += 0 if task.bare else self._weight(task)
            if task.lane is Lane.BULK:
                self._filled_at = time.monotonic()

    def _known(self, error: sqlite3.Error) -> Exception:
        """What an error means; a fatal one ends the writer, and so does a transaction that cannot be undone."""
        known = translate(error)
        if self._connection.in_transaction:
            known = MirrorBroken(f"A transaction could not be undone ({error}); start promptsync again.")
        if isinstance(known, MirrorBroken):
            self._break(known)
        return known or error

    def _in_transaction(self, task: Queued) -> Any:
        with ExitStack() as unless_committed:
            unless_committed.callback(self._undone, self._connection)
            unless_committed.callback(self._undo)
            self._may_yield(task.preemptible)
            try:
                result = task.work(self._connection)
            finally:
                self._may_yield(False)
            self._connection.execute("COMMIT")
            unless_committed.pop_all()
        return result

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _look(self) -> None:
        """After a commit, before its future resolves: check that it is in a file that the next start will find."""
        self.wal_lost = not self._files.wal_is_ours()
        if not self.wal_lost:
            return
        busy, logged, copied = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy and not copied == logged >= 0:
            raise Unavailable(
                f"{self._path}-wal was deleted and a long reader keeps its content from being saved; end the reader, "
                "then try again."
            )

    def _look_if_due(self, *, idle: bool = False) -> None:
        """Every second: are the files ours, and, where no work would show it, is the write lock free."""
        now = time.monotonic()
        if self._broken is not None or now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        try:
            self._look()
            self._keep()
            if idle:
                self._wait(_TRY_MILLIS)
                self._begin(durable=True)
                self._undo()
        except MirrorBroken as error:
            self._break(error)
        except Unavailable:
            pass  # a deleted -wal, again in a second
        except sqlite3.Error as error:
            if is_busy(error):
                self._locked()
            else:
                self._known(error)

    def _may_yield(self, preemptible: bool) -> None:
        """Say whether ``submit`` may interrupt; under its lock, so that it never hits another function.

        SQLite forgets an interrupt that comes between two statements, so every so often a statement asks by itself.
        """
        with self._wake:
            self._yielding = preemptible
        self._connection.set_progress_handler((lambda: self._lanes.urgent) if preemptible else None, _STEPS)

    def _weight(self, task: Queued) -> int:
        """What a commit counts towards the next checkpoint: bulk among deliveries at once, so that none is long."""
        if task.lane < Lane.BULK:
            return 1
        return _CHECKPOINT_WEIGHT // 8 if task.preemptible or self.quiet else _CHECKPOINT_WEIGHT

    def _checkpoint_if_due(self, *, idle: bool) -> None:
        """Copy the WAL back: piece by piece while busy, and once work has stopped for a second, when it is emptied too
        if it has grown. Never in a commit."""
        waited_for = self._lanes.urgent and self._unsaved < _CHECKPOINT_LATEST
        grown = idle and self.log.grown
        if (self._unsaved >= (1 if idle else _CHECKPOINT_WEIGHT) or grown) and not waited_for:
            self._unsaved = 0
            if self._checkpoint(self.log.checkpoint) and grown:
                self._checkpoint(self.log.truncate)

    def _shrink_if_due(self) -> None:
        """Give back the memory that a merge has filled, the pages of the cache first, once no more bulk has come for a
        while."""
        if self._filled_at is None or time.monotonic() - self._filled_at < _REST_SECONDS:
            return
        self._filled_at = None
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA shrink_memory")
        trim()

    def _checkpoint(self, way: Callable[[sqlite3.Connection], bool]) -> bool:
        try:
            return way(self._connection)
        except sqlite3.Error as error:
            self._known(error)
            return False

    def _break(self, error: MirrorBroken) -> None:
        if self._broken is not None:
            return
        self._broken = error
        if self._on_fatal is not None:
            with suppress(Exception):  # the listener may be gone; the writer has to answer waiting callers
                self._on_fatal(error)
