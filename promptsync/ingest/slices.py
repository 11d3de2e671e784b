"""Long work on the writer, cut into slices between which deliveries are committed.

Owns how long a slice is. A delivery waits for some milliseconds at most; while none comes the slices are longer, so
that fewer pages are written twice, and they give way when one does.
"""

import sqlite3
import time
from collections.abc import Callable

from promptsync.store.writer import Lane, Preempted, Writer

Slice = Callable[[sqlite3.Connection, int, int], object]
"""Does the work on the ``first`` to the ``last`` of what there is, counted from 1."""

_LOCK_SECONDS = 0.01
_QUIET_SECONDS = 0.35
_FIRST, _LEAST, _MOST = 1_000, 100, 500_000


class Slices:
    """Runs work over numbered things. Blocking: not for the event loop's thread."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._next = self._quick = _FIRST

    def run(self, work: Slice, total: int, told: Callable[[int, int], None]) -> None:
        """All of 1 to ``total``. ``told``: how many are done, of how many."""
        first = 1
        while first <= total:
            last = min(first + self._next - 1, total)
            if self._one(work, first, last):
                told(last, total)
                first = last + 1

    def _one(self, work: Slice, first: int, last: int) -> bool:
        """One slice, and how long the next may be. False: it gave way to a delivery and was undone."""
        count = last - first + 1
        allowed = _QUIET_SECONDS if self._writer.quiet else _LOCK_SECONDS
        try:
            spent = self._writer.run(
                lambda connection: _timed(work, connection, first, last),
                Lane.BULK,
                durable=False,
                preemptible=count > self._quick,
            )
        except Preempted:
            self._next = self._quick
            return False
        rate = count / max(spent, 1e-5)
        self._quick = _bounded(rate * _LOCK_SECONDS)
        self._next = min(_bounded(rate * allowed), 4 * self._next)
        return True


def _timed(work: Slice, connection: sqlite3.Connection, first: int, last: int) -> float:
    started = time.perf_counter()
    work(connection, first, last)
    return time.perf_counter() - started


def _bounded(count: float) -> int:
    return max(_LEAST, min(int(count), _MOST))
