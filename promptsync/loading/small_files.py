"""Many small files that wait together: proven one by one, merged in few transactions.

Owns the staging that they share, in the memory of the connection that writes, and how many are merged in one
transaction. Each file is read, compared and merged as if it were alone, in the order given for its table, and has its
own row in the ledger. A transaction ends after some milliseconds and gives way to a delivery; none but the last waits
for the disk, so after a kill the last ones are to be done again. A file about which anything is doubtful (a bad row, a
doubled key, a new or a dropped column, hundreds of unknown ones, a guard, a correction, merged before) is loaded alone,
by snapshot.py or change_set.py.
"""

import sqlite3
import time
from abc import abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from promptsync.clock import Clock
from promptsync.errors import FileUnavailable, Held, InputRefused, PromptsyncError
from promptsync.formats.csv.reader import SnapshotReader
from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.formats.proof import prove
from promptsync.loading.change_set import NUMBER, ChangeSetLoad
from promptsync.loading.fill import lacks_of
from promptsync.loading.load import Load
from promptsync.loading.snapshot import FileLoad
from promptsync.loading.snapshot_merge import SnapshotMerge
from promptsync.loading.spellings import add_dialect, forms_in
from promptsync.merge.bulk_sql import snapshot_statements
from promptsync.merge.claim_sql import ChangeSetStatements, change_set_statements
from promptsync.merge.guards import reason_in_rows_lost
from promptsync.merge.layout import Layout
from promptsync.model.file_name import FileName
from promptsync.store import ledger
from promptsync.store.columns import is_prepared, spelling
from promptsync.store.compare import Comparison, Staged, find_claims, newly_dropped
from promptsync.store.initial_load import has_more_rows
from promptsync.store.key_order import KeyOrder
from promptsync.store.memory_staging import MemoryStaging, MemoryTables, Shape, shape_in_order
from promptsync.store.mirror import Mirror
from promptsync.store.staging import attached_to_writer
from promptsync.store.writer import Preempted

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


class SmallChangeSet(SmallFile, ChangeSetLoad):
    """A small change set."""

    _layout: Layout
    _statements: ChangeSetStatements

    def _read(self) -> None:
        name = self._state()
        self._proof = self._prove()
        settings, table = self._settings, self._mirror.schema[name.table]
        layout = self._layout = self._mirror.layout(table.name)
        left_out = settings.leave_out.get(table.name, frozenset())
        with ChangeSetReader(self._request.path, table, name, settings.limits, left_out) as reader:
            spelled = spelling(layout, reader.unknown)
            if reader.total > SMALL_ROWS or not is_prepared(layout, spelled.values(), reader.lacks):
                raise LoadAlone
            self._refuse_unordered(reader, table)
            columns = [spelled.get(column, column) for column in reader.schema.names]
            with KeyOrder(self._request.path, layout.key) as ordered:
                for batch in reader:
                    self._take(batch, table.name, columns, ordered)
                self._decide(self._report.rows)
                if self._report.rejected:
                    raise LoadAlone
                batches = list(ordered)
        self.rows = [row for batch in batches for row in zip(*(c.to_pylist() for c in batch.columns), strict=True)]
        self._statements = change_set_statements(layout, frozenset(layout.values) & frozenset(columns))
        if self._statements.parts:
            raise LoadAlone
        fields = zip(reader.schema, columns, strict=True)
        staged = [field.with_name(column) for field, column in fields if column != NUMBER]
        self.shape = shape_in_order(staged, layout.key, self._statements.make_delta)

    def _merge_within(self, connection: sqlite3.Connection) -> None:
        statements = self._statements
        if self._layout != self._mirror.layout(self._layout.table.name):
            raise LoadAlone
        found = find_claims(connection, statements)
        file_id = self._open_within(connection)
        if found.writes:
            bounds = {"rev": self._mirror.next_revision(connection), "first": 1, "last": found.writes}
            connection.execute(statements.merge_slice, bounds)
        ledger.close_file(connection, file_id, self._counts(found))


class SmallSnapshot(SmallFile, FileLoad):
    """A small snapshot. ``spelled``: how it spells what its vendor does not say."""

    spelled: Mapping[str, Counter[str]]
    _staged: Staged
    _encoding: str

    def _read(self) -> None:
        name, pieces = self._state(), list[bytes]()
        self._name = name
        self._proof = proof = prove(self._request.path, self._settings.limits, raw=pieces.append)
        self._encoding = proof.encoding
        self._refuse_large(name.table)
        self._stage(name, pieces)

    def _refuse_large(self, table: str) -> None:
        with self._mirror.reading() as connection:
            if has_more_rows(connection, table, SMALL_ROWS):
                raise LoadAlone

    def _stage(self, name: FileName, pieces: list[bytes]) -> None:
        settings, table = self._settings, self._mirror.schema[name.table]
        layout = self._mirror.layout(table.name)
        with SnapshotReader(pieces, table, name, settings.zone, settings.limits) as reader:
            if not is_prepared(layout, spelling(layout, reader.unknown).values(), lacks_of(table, reader)):
                raise LoadAlone
            self._dialect, staging = reader.dialect, MemoryStaging(layout.key)
            filled = self._filler.fill(reader, layout, staging, None)
        if filled.bad or staging.rows > SMALL_ROWS or not staging.has_each_key_once():
            raise LoadAlone
        self.shape, self.rows = staging.shape, staging.tuples
        self._report.ahead = filled.ahead
        self._staged = filled.staged(name, None)
        if snapshot_statements(layout, self._staged.present).parts:
            raise LoadAlone
        self.spelled = forms_in(pieces, table, settings.zone)

    def _merge_within(self, connection: sqlite3.Connection) -> None:
        report, staged = self._report, self._staged
        table = staged.layout.table.name
        self._refuse_changed(connection)
        found = Comparison(self._mirror, staged).within(connection)
        if found.foreign or newly_dropped(self._mirror, staged):
            raise LoadAlone
        try:
            self._decide(staged, [])
            self._judge("guard", reason_in_rows_lost(found.lost, self._rows_before(staged), self._settings.guards))
        except Held as held:
            raise LoadAlone from held
        self._count(staged, found)
        file_id = self._open_within(connection)
        add_dialect(connection, self._dialect, self._encoding, (table, self._now, report.name))
        merge = SnapshotMerge(self._mirror, replace(staged, file_id=file_id), {}, self._progress)
        merge.within(connection, found, self._merged_row())

    def _refuse_changed(self, connection: sqlite3.Connection) -> None:
        """What was so when the file was read may not be so any more: another one was merged since."""
        if self._staged.layout != self._mirror.layout(self._staged.layout.table.name):
            raise LoadAlone
        if ledger.corrections(connection, "", *self._stated(self._name))[1] > 0:
            raise LoadAlone
