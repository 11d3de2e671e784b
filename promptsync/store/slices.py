"""Long work on the writer, cut into slices between which deliveries are committed.

Owns how long a slice is. A delivery waits for some milliseconds at most; while none comes the slices are longer, so
that fewer pages are written twice, and they give way when one does.
"""

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping

from promptsync.store.writer import Lane, Preempted, Writer

Slice = Callable[[sqlite3.Connection, int, int], object]
"""Does the work on the ``first`` to the ``last`` of what there is, counted from 1."""
Progress = Callable[[str, int, int], None]
"""Reports progress: the name of the step, how many are done, and of how many."""

_LOCK_SECONDS = 0.006  # that a slice takes among deliveries, its commit apart
_QUIET_SECONDS = 0.12  # more, and what a statement must be able to undo fills the memory
_FIRST, _LEAST, _MOST = 200, 50, 500_000


class Slices:
    """Runs work over numbered things. ``size``: how many the next slice should take. ``weight``: how many statements
    each of them takes. Blocking: not for the event loop's thread."""

    def __init__(self, writer: Writer, weight: int = 1) -> None:
        self._writer = writer
        self._least = max(1, _LEAST // weight)
        self.size = self._quick = max(1, _FIRST // weight)

    def prepare(self, statements: Iterable[str], parameters: Mapping[str, object]) -> None:
        """Run statements over nothing, each in a transaction of its own: the connection keeps them prepared, so that
        no slice has to prepare them all while deliveries wait."""
        nothing = {**parameters, "rev": 0, "first": 1, "last": 0}
        for sql in statements:
            self._writer.run(lambda connection, sql=sql: connection.execute(sql, nothing), durable=False)  # type: ignore[misc]

    def run(self, work: Slice, total: int, progress: Callable[[int, int], None]) -> None:
        """All of 1 to ``total``. ``progress``: gets how many are done, and of how many."""
        first = 1
        while first <= total:
            last = min(first + self.size - 1, total)
            if self.done(work, first, last):
                progress(last, total)
                first = last + 1

    def done(self, work: Slice, first: int, last: int, count: int = 0) -> bool:
        """One slice, of ``count`` things if their numbers have gaps. False: it gave way to a delivery, undone."""
        count = count or last - first + 1
        allowed = _QUIET_SECONDS if self._writer.quiet else _LOCK_SECONDS
        try:
            spent = self._writer.run(
                lambda connection: _timed(work, connection, first, last),
                Lane.BULK,
                durable=False,
                preemptible=count > self._quick,
            )
        except Preempted:
            self.size = self._quick
            return False
        rate = count / max(spent, 1e-5)
        self._quick = self._bounded(rate * _LOCK_SECONDS)
        self.size = min(self._bounded(rate * allowed), 4 * self.size)
        return True

    def _bounded(self, count: float) -> int:
        return max(self._least, min(int(count), _MOST))


def _timed(work: Slice, connection: sqlite3.Connection, first: int, last: int) -> float:
    started = time.perf_counter()
    work(connection, first, last)
    return time.perf_counter() - started
