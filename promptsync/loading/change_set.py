"""From one change set file (Customer.io) to merged rows: prove, stage in the order of the key, decide, merge.

Owns how each step of a file's life (load.py) is done for a change set, which implies nothing about other rows.
"""

import sqlite3
from pathlib import Path
from typing import Any

import pyarrow as pa

from promptsync.errors import Held, InputRefused
from promptsync.events.suppression import Suppression
from promptsync.formats.ahead import ahead
from promptsync.formats.limits import size_of
from promptsync.formats.parquet.proof import prove_parquet
from promptsync.formats.parquet.reader import Batch, ChangeSetReader
from promptsync.formats.proof import Proof
from promptsync.formats.rejects import BadRow
from promptsync.loading.claim_merge import ClaimMerge
from promptsync.loading.file_rejects import keep_bad_rows
from promptsync.loading.load import Load
from promptsync.loading.report import LoadRequest, LoadSettings
from promptsync.merge.claim_sql import ChangeSetStatements, change_set_statements
from promptsync.merge.guards import Content, reason_in_bad_rows
from promptsync.merge.layout import Layout
from promptsync.model import FilledBy, Table
from promptsync.model.file_name import ChangeSetName
from promptsync.store import ledger
from promptsync.store.columns import prepare_columns, spelling
from promptsync.store.compare import ClaimDelta, StagedClaims
from promptsync.store.initial_load import ChangeSetForm, InitialStaging, is_untouched
from promptsync.store.key_order import KeyOrder
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Progress
from promptsync.store.staging import Staging, discard, give_back

NUMBER = "_n"
_SMALL = 10_000
"""Rows of a file that is read sooner than a thread for it has begun."""


def sequence_of(name: ChangeSetName) -> str:
    """A file's place in the vendor's order, as people see it in the name: 18 digits, or twice 18 joined by ``_``."""
    return f"{name.sequence:018d}_{name.part:018d}" if name.part else f"{name.sequence:018d}"


class ChangeSetLoad(Load):
    """The loading of one change set."""

    def __init__(self, mirror: Mirror, settings: LoadSettings, request: LoadRequest, progress: Progress) -> None:
        super().__init__(mirror, settings, request, progress)
        self._bad: list[BadRow] = []
        self._keyless = 0
        self._suppression = Suppression(mirror)

    def _live(self) -> None:
        name = self._state()
        self._proof = self._prove()
        if not self._is_known():
            self._load(name, self._proof)

    def _state(self) -> ChangeSetName:
        """What the file states. Raises InputRefused."""
        name, report = self._name(), self._report
        report.table, report.workspace_id, report.sequence = name.table, name.workspace, sequence_of(name)
        return name

    def _name(self) -> ChangeSetName:
        name = self._request.stated_as(ChangeSetName)
        schema = self._mirror.schema
        if name.table not in schema or schema[name.table].filled_by is not FilledBy.CHANGE_SET:
            raise InputRefused("unknown_name", f"{self._request.path.name} would be of {name.table}: no such table.")
        return name

    def _prove(self) -> Proof:
        path = self._request.path
        size = size_of(path)
        return prove_parquet(path, self._settings.limits, lambda done: self._progress("checking", done, size))

    def _merged_before(self, connection: sqlite3.Connection) -> bool:
        report, sha256 = self._report, self._proof.sha256 if self._proof else ""
        return ledger.changes_merged_before(
            connection, sha256, report.table or "", report.workspace_id or 0, report.sequence or ""
        )

    def _load(self, name: ChangeSetName, proof: Proof) -> None:
        settings, table = self._settings, self._mirror.schema[name.table]
        path = self._mirror.folder / "staging" / f"{proof.sha256[:16]}.db"
        left_out = settings.leave_out.get(table.name, frozenset())
        try:
            with ChangeSetReader(self._request.path, table, name, settings.limits, left_out) as reader:
                self._refuse_unordered(reader, table)
                layout = self._prepare_columns(reader)
                staged = self._stage(reader, layout, path)
            self._decide(self._report.rows)
            self._merge(staged)
        finally:
            discard(path)

    def _refuse_unordered(self, reader: ChangeSetReader, table: Table) -> None:
        if reader.unordered and not self._request.accept:
            raise Held(
                "no_order",
                f"It lacks the column {table.order}, which says which rows are newer: have it exported again. Accepted "
                f"without it, its rows give way to all that have one: {self._request.accepting()}",
            )

    def _prepare_columns(self, reader: ChangeSetReader) -> Layout:
        layout = self._mirror.layout(self._report.table or "")
        if self._request.dry_run:
            return layout
        unknown = tuple(spelling(layout, reader.unknown).values())
        return prepare_columns(self._mirror, layout, unknown, reader.lacks, (self._now, self._report.name))

    def _stage(self, reader: ChangeSetReader, layout: Layout, path: Path) -> StagedClaims:
        """Into the staging file by key, of each key the newest row; bad rows are set apart."""
        spelled = spelling(layout, reader.unknown)
        columns = [spelled.get(column, column) for column in reader.schema.names]
        statements = change_set_statements(layout, frozenset(layout.values) & frozenset(columns))
        fields = zip(reader.schema, columns, strict=True)
        schema = pa.schema([field.with_name(column) for field, column in fields if column != NUMBER])
        with self._staging(path, layout, statements) as staging, KeyOrder(path, layout.key) as ordered:
            for batch in ahead(reader, 1, worth=reader.total > _SMALL):
                self._take(batch, layout.table.name, columns, ordered)
                self._refuse_early(reader.total)
                self._progress("reading", reader.records, reader.total)
            staging.create(schema)
            for rows in ahead(ordered, 1, worth=self._report.rows > _SMALL):
                staging.add(rows)
                self._progress("staging", staging.rows, self._report.rows)
        give_back(staging.rows)  # the merge has caches of its own
        return StagedClaims(path, statements, staging.rows, isinstance(staging, InitialStaging))

    def _take(self, batch: Batch, table: str, columns: list[str], ordered: KeyOrder) -> None:
        rows, report = batch.rows.rename_columns(columns), self._report
        if self._settings.rows:
            rows = self._settings.rows(table, rows)
        allowed, shown = self._suppression.rows(table, rows), self._suppression.bad_rows(table, batch.rejects)
        ordered.add(allowed.drop_columns([NUMBER]))
        bad = len(batch.rejects) - len(shown)
        report.rows += rows.num_rows + bad
        report.suppressed += rows.num_rows - allowed.num_rows + bad
        report.rejected += len(shown) + batch.not_shown
        self._bad += shown
        self._keyless += batch.keyless

    def _staging(self, path: Path, layout: Layout, statements: ChangeSetStatements) -> Staging:
        if not self._request.dry_run and is_untouched(self._mirror, layout.table.name):
            return InitialStaging(path, layout, self._mirror, ChangeSetForm(statements))
        return Staging(path, layout.key, numbered=False)

    def _refuse_early(self, total: int) -> None:
        """Nothing more is read once it is certain that too many rows are bad. ``total``: all rows of the file."""
        report = self._report
        if report.rejected:
            so_far = "At least " if report.rows + report.rejected < total else ""
            self._decide(total - report.rejected, so_far)

    def _decide(self, good: int, so_far: str = "") -> None:
        """``good``: how many rows can be merged, those that are not read yet counted."""
        keyless = [row for row in self._bad if row.reason_class == "bad_key"]
        first = (keyless or self._bad)[0].describe("row", self._report.table or "") if self._bad else ""
        content = Content(good, self._report.rejected, self._keyless, first)
        why = reason_in_bad_rows(content, self._settings.guards)
        self._judge("guard", why and f"{so_far}{why}")

    def _merge(self, staged: StagedClaims) -> None:
        merge = ClaimMerge(self._mirror, staged, self._progress)
        found = merge.compare()
        if self._request.dry_run:
            self._counts(found)

        def write(file_id: int) -> None:
            keep_bad_rows(self._mirror, self._report.table or "", file_id, self._bad, self._now)
            merge.apply(found, lambda c, merged: ledger.close_file(c, file_id, self._counts(merged)))

        self._open(write)

    def _counts(self, found: ClaimDelta) -> dict[str, Any]:
        """What the ledger says once the merge has committed. ``unchanged``: with those that a newer row overrules."""
        report = self._report
        report.inserted, report.updated = found.new, found.changed
        report.unchanged = report.rows - report.suppressed - found.new - found.changed
        return self._merged_row()
