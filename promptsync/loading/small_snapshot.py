"""A small snapshot among others: read as any, merged within a transaction that it shares.

Owns what of it is done on the writer. Whatever is doubtful about it (a bad row, a doubled key, a new or a dropped
column, hundreds of unknown ones, a guard, a correction) is left to snapshot.py.
"""

import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from promptsync.errors import Held
from promptsync.formats.csv.reader import SnapshotReader
from promptsync.formats.proof import prove
from promptsync.loading.fill import lacks_of
from promptsync.loading.small_files import SMALL_ROWS, LoadAlone, SmallFile
from promptsync.loading.snapshot import FileLoad
from promptsync.loading.snapshot_merge import SnapshotMerge
from promptsync.loading.spellings import add_dialect, spellings_in
from promptsync.merge.bulk_sql import snapshot_statements
from promptsync.merge.guards import reason_in_rows_lost
from promptsync.model.file_name import FileName
from promptsync.store import ledger
from promptsync.store.columns import is_prepared, spelling
from promptsync.store.compare import Comparison, Staged, newly_dropped
from promptsync.store.initial_load import has_more_rows
from promptsync.store.memory_staging import MemoryStaging


class SmallSnapshot(SmallFile, FileLoad):
    """One of them. ``spelled``: how it spells what its vendor does not say."""

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
        self.spelled = spellings_in(pieces, table, settings.zone)

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
