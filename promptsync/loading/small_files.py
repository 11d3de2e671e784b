"""Many small files that wait together: proven one by one, merged in few transactions.

Owns the staging that they share, in the memory of the connection that writes, and how many are merged in one
transaction. Each file is compared and merged as if it were alone, in the order given for its table, and has its own row
in the ledger. A transaction ends after some milliseconds and gives way to a delivery; none but the last waits for the
disk, so after a kill the last ones are to be done again. What a file says, and whether it may be believed, is decided
by those who prepare it; what they cannot decide in one transaction is loaded alone.
"""

import sqlite3
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from promptsync.clock import Clock
from promptsync.errors import FileUnavailable, InputRefused, PromptsyncError
from promptsync.loading.load import Load
from promptsync.store import ledger
from promptsync.store.memory_staging import MemoryTables, Shape
from promptsync.store.mirror import Mirror
from promptsync.store.staging import attached_to_writer
from promptsync.store.writer import Preempted

SMALL_BYTES: Final = 1 << 16
"""Of a file; a larger one is loaded alone."""
SMALL_ROWS: Final = 2_000
"""Of a file, and of a table that a snapshot is compared with: what is compared within a transaction."""
_SECONDS: Final = 0.012
"""How long one transaction goes on taking files."""


class LoadAlone(Exception):
    """This file must be loaded by itself: nothing of it has been written."""


class SmallFile(Load):
    """A file that is read and proven first. ``shape``: of its staging; ``rows``: to go into the first table there.

    What is doubtful about it (a bad row, a new column, a guard) is left to its loading alone.
    """

    shape: Shape = ()
    rows: Sequence[tuple[Any, ...]] = ()
    _read_seconds = 0.0

    def prepare(self, clock: Clock) -> None:
        """Read and prove it. Raises LoadAlone, and Unavailable if the machine stands in the way."""
        self._begin(clock)
        try:
            self._read()
        except (InputRefused, FileUnavailable) as refused:
            raise LoadAlone from refused
        self._read_seconds = self._spent()

    def merge(self, connection: sqlite3.Connection) -> None:
        """Compare, judge, merge and record it, on the writer's thread, within a transaction; it has been staged.

        Raises LoadAlone before anything is written.
        """
        self._started = time.perf_counter() - self._read_seconds
        if not self._request.again and self._merged_before(connection):
            raise LoadAlone
        self._merge_within(connection)
        self._report.state, self._report.seconds = "merged", self._spent()

    @abstractmethod
    def _read(self) -> None:
        """Recognise, prove and read the file. Raises InputRefused and LoadAlone."""

    @abstractmethod
    def _merge_within(self, connection: sqlite3.Connection) -> None:
        """Compare, judge, merge and record it. Raises LoadAlone before anything is written."""

    def _open_within(self, connection: sqlite3.Connection) -> int:
        """Open the ledger's row; returns its number."""
        self._report.state = "staged"
        file_id = ledger.open_file(connection, self._row())
        self._report.file_id = file_id
        return file_id


class SmallRun:
    """Small files on their way into one mirror. ``alone``: loads a file by itself. Blocking: for a worker thread."""

    def __init__(self, mirror: Mirror, alone: Callable[[SmallFile], None]) -> None:
        self._mirror, self._alone = mirror, alone
        self._tables = MemoryTables()
        self._most = 0

    def merge(self, files: Sequence[SmallFile]) -> None:
        """Merge them, or load them alone; when this returns they are on disk.

        Raises PromptsyncError if the machine, not a file, stands in the way.
        """
        writer = self._mirror.writer
        waiting = deque(sorted(files, key=lambda file: file.report.table or ""))  # within a table as they were given
        self._most = len(waiting)
        while waiting:
            self._tables.forget()
            with attached_to_writer(writer, None, 0):
                odd = self._some(waiting)
            if odd is not None:
                self._alone(odd)
        writer.run(self._mirror.next_revision)  # a commit that is on disk, and with it all before

    def _some(self, waiting: deque[SmallFile]) -> SmallFile | None:
        """Merge files until none waits, or one is met that must be loaded alone."""
        while waiting:
            try:
                done, odd = self._mirror.writer.run(
                    lambda connection: self._transaction(connection, waiting),
                    durable=False,
                    preemptible=self._most > 1,
                    committed=lambda _: self._mirror.snapshots.committed(),
                )
            except Preempted:
                self._tables.forget()
                self._most = 1
                continue
            except PromptsyncError:
                raise
            except Exception:  # noqa: BLE001  not foreseen: going on one by one finds the file, ``alone`` tells it
                if self._most == 1:
                    return waiting.popleft()  # whatever it is, it is said of this file
                self._tables.forget()
                self._most = 1
                continue
            for _ in range(done):
                waiting.popleft()
            self._most = len(waiting)
            if odd:
                return waiting.popleft()
        return None

    def _transaction(self, connection: sqlite3.Connection, waiting: Sequence[SmallFile]) -> tuple[int, bool]:
        """How many files were merged, and whether the next one must be loaded alone."""
        until = time.perf_counter() + _SECONDS
        for done, file in enumerate(waiting):
            if done >= self._most or (done and time.perf_counter() > until):
                return done, False
            try:
                self._tables.fill(connection, file.shape, file.rows)
                file.merge(connection)
            except LoadAlone:
                return done, True
        return len(waiting), False
