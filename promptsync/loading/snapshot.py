"""From one snapshot file to merged rows: look it through, stage, decide, merge.

Owns how each step of a file's life (load.py) is done for a snapshot, which says of every row that it lacks that it is
absent.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from promptsync.clock import iso_millis
from promptsync.errors import Held, InputRefused
from promptsync.events.suppression import Suppression
from promptsync.formats.csv.dialect import Dialect
from promptsync.formats.csv.reader import SnapshotReader
from promptsync.formats.limits import size_of
from promptsync.formats.proof import Proof, prove, refuse_damage
from promptsync.formats.rejects import BadRow
from promptsync.loading.file_rejects import keep_rejects
from promptsync.loading.fill import Filled, Filler, lacks_of
from promptsync.loading.known_blocks import FirstPass, first_pass, one_pass
from promptsync.loading.load import Load
from promptsync.loading.report import LoadRequest, LoadSettings
from promptsync.loading.snapshot_merge import SnapshotMerge
from promptsync.loading.spellings import note_dialect
from promptsync.merge.block_index import BlockCount
from promptsync.merge.guards import LATEST_AHEAD, Content, reason_in_rows_lost, reason_to_hold
from promptsync.merge.layout import Layout
from promptsync.model import Key, Table
from promptsync.model.file_name import FileName
from promptsync.store import ledger
from promptsync.store.columns import prepare_columns, spelling
from promptsync.store.compare import Comparison, Difference, Overtaken, Staged
from promptsync.store.initial_load import Disordered, InitialStaging, SnapshotForm, is_untouched
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Progress
from promptsync.store.staging import Staging, discard, without_swept

_LARGE = 1 << 20
"""Bytes of a file from which on a thread of its own reads it sooner."""
_PASSABLE = frozenset({"quoting", "last_record_cut", "bad_rows"})
"""Reasons to hold a file that a person may pass over: what is doubtful becomes a bad row."""

_FINAL = frozenset({"bomb", "too_long", "bad_rows"})
"""Reasons to hold a file that looking at it once more would only find again, at a cost that it was made for."""


class FileLoad(Load):
    """The loading of one snapshot. ``watch``: notes which rows of a table and organization events claim from now on."""

    _name: FileName

    def __init__(
        self,
        mirror: Mirror,
        settings: LoadSettings,
        request: LoadRequest,
        watch: Callable[[tuple[str, int] | None], dict[Key, int]],
        progress: Progress,
    ) -> None:
        super().__init__(mirror, settings, request, progress)
        self._watch = watch
        self._may_load_initially = True
        self._dialect = Dialect()

    def _live(self) -> None:
        try:
            name = self._state()
            self._touched = self._watch((name.table, name.org_id or 0))
            if not self._load_at_once(name):
                self._load_in_two_passes(name)
        finally:
            self._watch(None)
            discard(self._aside)

    def _load_in_two_passes(self, name: FileName) -> None:
        found = self._first_pass(name)
        self._proof = found.proof
        try:
            self._name = self._corrected(name, found.proof)
            if not self._is_known():
                self._load(self._name, found)
        finally:
            found.close()

    def _sentence(self, refused: InputRefused) -> str:
        if refused.reason in _PASSABLE and not self._request.accept:
            return f"{refused} To merge what can be read all the same: {self._request.accepting()}"
        return str(refused)

    def _state(self) -> FileName:
        """What the file states. Raises InputRefused."""
        name = self._request.stated_as(FileName)
        self._report.table, self._report.org_id = name.table, name.org_id or 0
        self._report.as_of = iso_millis(name.as_of)
        return name

    def _load(self, name: FileName, found: FirstPass) -> None:
        try:
            if self._merge(name, found):
                return
        except Overtaken:
            pass
        except Disordered:
            self._may_load_initially = False
        self._touched = self._watch((name.table, name.org_id or 0))
        self._merge(name, found.read_all())

    def _load_at_once(self, name: FileName) -> bool:
        """The first file of a table is proven and staged in one pass. False: it has to be looked at first."""
        first = (
            None
            if self._request.dry_run or self._is_corrected(name)
            else one_pass(self._mirror, self._request.path, name, self._settings)
        )
        if first is None:
            return False
        table, path, settings = self._mirror.schema[name.table], self._staging_path(name), self._settings
        try:
            with first, SnapshotReader(first.pieces(), table, name, settings.zone, settings.limits) as reader:
                if reader.unknown or reader.lacks:
                    return False
                self._dialect = reader.dialect
                layout = self._mirror.layout(table.name)
                staging = self._staging(path, layout, name.org_id or 0)
                filled = self._filler.fill(reader, layout, staging, first.add)
                found, counting = first.end(table.key[0])
        except Disordered:
            self._may_load_initially = False
            return False
        except InputRefused as refused:
            if refused.reason not in _FINAL:
                return False
            refuse_damage(self._request.path, settings.limits)
            raise
        try:
            self._proof = found.proof
            self._decide_and_merge(filled, filled.staged(name, counting), found.proof.encoding)
        finally:
            discard(path)
        return True

    def _first_pass(self, name: FileName) -> FirstPass:
        path, limits = self._request.path, self._settings.limits
        size = size_of(path)

        def checked(done: int) -> None:
            self._progress("checking", done, size)

        if self._request.dry_run:
            return FirstPass(prove(path, limits, checked))
        return first_pass(self._mirror, path, name, self._settings, checked, self._aside)

    def _staging_path(self, name: FileName) -> Path:
        return self._mirror.folder / "staging" / f"{name.table}-{name.org_id or 0}.db"

    @property
    def _aside(self) -> Path:
        return self._mirror.folder / "staging" / "unknown.csv"

    def _merged_before(self, connection: sqlite3.Connection) -> bool:
        sha256 = self._proof.sha256 if self._proof else ""
        return ledger.merged_before(connection, sha256, *self._stated(self._name), self._name.correction)

    def _is_corrected(self, name: FileName) -> bool:
        """Whether files of its instant have an order of their own, so that its content must be looked at first."""
        with self._mirror.reading() as connection:
            return self._request.corrects or ledger.corrections(connection, "", *self._stated(name))[1] > 0

    def _corrected(self, name: FileName, proof: Proof) -> FileName:
        """The name with which correction of its instant the file is: as it was before, or the next one if it is asked
        to replace what there is."""
        with self._mirror.reading() as connection:
            number, newest = ledger.corrections(connection, proof.sha256, *self._stated(name))
        if self._request.corrects and not number:
            number = newest + 1
        self._report.correction = number or 0
        return replace(name, correction=number or 0)

    @staticmethod
    def _stated(name: FileName) -> tuple[str, int, str]:
        return name.table, name.org_id or 0, iso_millis(name.as_of)

    def _merge(self, name: FileName, found: FirstPass) -> bool:
        """Whether it could be merged; if not, what seemed to be known of it was not so, and all of it must be read."""
        path = self._staging_path(name)
        try:
            try:
                filled, counting = self._fill(name, found, path)
            except Held:
                if not found.known:
                    raise
                return False  # to say in which line, all have to be counted
            if found.known and not (counting and filled.staging.ascending and counting.index()):
                return False
            if found.known and filled.bad:
                return False  # to say which record is bad, all have to be counted
            self._decide_and_merge(filled, filled.staged(name, counting, known=found.known), found.proof.encoding)
        finally:
            discard(path)
        return True

    def _fill(self, name: FileName, found: FirstPass, path: Path) -> tuple[Filled, BlockCount | None]:
        table, settings = self._mirror.schema[name.table], self._settings
        source = found.unknown() if found.known else self._request.path
        with SnapshotReader(source, table, name, settings.zone, settings.limits) as reader:
            self._dialect = reader.dialect
            layout = self._prepare_columns(table, reader)
            staging, counting = self._staging(path, layout, name.org_id or 0), found.counting()
            return self._filler.fill(reader, layout, staging, counting.add if counting else None), counting

    def _prepare_columns(self, table: Table, reader: SnapshotReader) -> Layout:
        """Give unknown columns a place and lacking ones a version of their own, before anything is merged."""
        layout = self._mirror.layout(table.name)
        if self._request.dry_run:
            return layout
        unknown = tuple(spelling(layout, reader.unknown).values())
        return prepare_columns(self._mirror, layout, unknown, lacks_of(table, reader), (self._now, self._report.name))

    def _staging(self, path: Path, layout: Layout, org: int) -> Staging:
        if self._may_load_initially and not self._request.dry_run and self._may_copy(layout, org):
            return InitialStaging(path, layout, self._mirror, SnapshotForm(layout, org))
        return Staging(path, layout.key)

    def _may_copy(self, layout: Layout, org: int) -> bool:
        """Whether a snapshot would be the first thing ever in its table."""
        name, snapshots = layout.table.name, self._mirror.snapshots
        return layout.table.blockwise and snapshots.newest(name, org) is None and is_untouched(self._mirror, name)

    @property
    def _filler(self) -> Filler:
        large = size_of(self._request.path) > _LARGE
        return Filler(self._entering, Suppression(self._mirror), lambda rows: self._progress("reading", rows, 0), large)

    def _entering(self, table: str, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Rows as they are staged: what plugins make of them, without texts that have been swept."""
        given = self._settings.rows
        return without_swept(self._mirror.swept, self._mirror.schema[table], given(table, rows) if given else rows)

    def _decide(self, staged: Staged, bad: list[BadRow]) -> None:
        self._report.rows, self._report.rejected = staged.rows, len(bad)
        if staged.at > self._clock + LATEST_AHEAD:
            self._judge("future", f"It states {iso_millis(staged.at)}, which has not come yet.")
        keyless = [row for row in bad if row.key is None]
        content = Content(staged.rows, len(bad), len(keyless), (keyless or bad)[0].describe() if bad else "")
        self._judge("guard", reason_to_hold(content, self._rows_before(staged), self._settings.guards))

    def _rows_before(self, staged: Staged) -> int | None:
        return self._mirror.snapshots.rows_before(staged.layout.table.name, staged.org, staged.at)

    def _decide_and_merge(self, filled: Filled, staged: Staged, encoding: str) -> None:
        self._report.ahead = filled.ahead
        self._decide(staged, filled.bad)
        found = Comparison(self._mirror, staged).run()
        self._judge("guard", reason_in_rows_lost(found.lost, self._rows_before(staged), self._settings.guards))
        self._count(staged, found)

        def write(file_id: int) -> None:
            seen = staged.layout.table.name, self._now, self._report.name
            note_dialect(self._mirror, self._dialect, encoding, seen)
            keep_rejects(self._mirror, self._request.path, file_id, staged, (filled.bad, found), self._now)
            blocks = None if found.foreign else staged.blocks  # what collides is said of every night
            numbered = replace(staged, file_id=file_id, blocks=blocks)
            SnapshotMerge(self._mirror, numbered, self._touched, self._progress).apply(found, self._merged_row)

        self._open(write)

    def _count(self, staged: Staged, found: Difference) -> None:
        report = self._report
        report.rejected += len(found.foreign) + len(found.folded)
        report.inserted, report.updated, report.absent = found.new, found.changed, found.absent
        report.differing = found.differing
        report.suppressed = staged.suppressed
        kept = staged.rows - staged.suppressed
        report.unchanged = kept - len(found.folded) - found.new - found.changed - len(found.foreign)
