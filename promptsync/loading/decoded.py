"""Files of a kind that a plugin decodes, and what plugins' filters make of other files' rows.

Owns how such a file is proven and merged: the plugin yields claims, which are merged as a delivery's are, in slices,
and the last slice commits the ledger's row. Loading it again, or once more after a kill, ends in the same rows. Also
the check of what a filter returns: an Arrow batch of the very same columns, numbered as before.
"""

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from promptsync.clock import Clock, iso_millis
from promptsync.errors import FileUnavailable, Held
from promptsync.events.claim_check import check_claims
from promptsync.events.claims import Claims
from promptsync.events.merge_claims import ClaimMerger, Merged
from promptsync.events.plugin_apply import filtered
from promptsync.formats.limits import Limits, open_file, unreadable
from promptsync.loading.load import Load
from promptsync.loading.report import DROP, FileReport, LoadRequest, LoadSettings
from promptsync.merge.guards import LATEST_AHEAD, Content, Guards, reason_in_bad_rows
from promptsync.model import Schema
from promptsync.plugins.calls import PluginFailed, PluginPaused
from promptsync.plugins.declared import FileKind, PluginError
from promptsync.plugins.loading import Extensions, Plugin
from promptsync.store import ledger
from promptsync.store.erased import note_suppressed
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Progress
from promptsync.store.writer import Lane

if TYPE_CHECKING:
    import pyarrow as pa

RowFilter = Callable[[str, "pa.RecordBatch"], "pa.RecordBatch"]
_SECONDS = 30.0


def row_filter(plugins: Sequence[Plugin]) -> RowFilter | None:
    """What each batch of a nightly file goes through; None if no plugin asks. Raises Held if a plugin fails."""
    wanted = [(plugin, each.rows) for plugin in plugins for each in plugin.declared.filters if each.rows is not None]
    if not wanted:
        return None

    def run(table: str, batch: "pa.RecordBatch") -> "pa.RecordBatch":
        for plugin, function in wanted:
            try:
                batch = plugin.calls.one("filters", _run, function, table, batch, limit=_SECONDS)
            except PluginPaused as error:
                raise FileUnavailable(f"{error}; files wait until it works again.") from error
            except PluginFailed as error:
                raise Held("plugin", f"{error}; put it right, then load the file again.") from error
        return batch

    return run


def _run(function: Callable[[str, Any], Any], table: str, batch: "pa.RecordBatch") -> "pa.RecordBatch":
    import pyarrow as pa

    result = function(table, batch)
    if not isinstance(result, pa.RecordBatch) or result.schema != batch.schema:
        raise PluginError(f"the filter of rows of {table} must return a RecordBatch of the same columns")
    result.validate(full=True)
    return result


_SLICE = 500


class DecodedLoader:
    """Loads files of plugins' kinds into one mirror. ``touched`` gets the rows that were claimed."""

    def __init__(
        self,
        mirror: Mirror,
        extensions: Extensions,
        judged: tuple[Clock, Guards],
        touched: Callable[[Merged], None],
    ) -> None:
        self._mirror = mirror
        self._extensions = extensions
        self._clock, self._guards = judged
        self._touched = touched
        self._merger = ClaimMerger(mirror)
        self._one_at_a_time = threading.Lock()

    def load(self, request: LoadRequest, progress: Progress = lambda *_: None) -> FileReport:
        """Load one file whose kind is known. Raises FileUnavailable if it can only be done later."""
        if request.decoder is None:
            raise ValueError(request.path.name)
        decoding = _Decoding(*request.decoder, self._extensions, self._guards, self._merge)
        with self._one_at_a_time:
            return _DecodedLoad(self._mirror, decoding, request, progress).run(self._clock)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Load nothing meanwhile: what is being loaded is finished first."""
        with self._one_at_a_time:
            yield

    def _merge(self, connection: sqlite3.Connection, some: Sequence[Claims]) -> Merged:
        merged = self._merger.merge(connection, some, count=True)
        self._touched(merged)
        return merged


@dataclass(frozen=True, slots=True)
class _Decoding:
    """What decodes a file, filters, judges and merges its claims."""

    plugin: Plugin
    kind: FileKind
    extensions: Extensions
    guards: Guards
    merge: Callable[[sqlite3.Connection, Sequence[Claims]], Merged]


class _DecodedLoad(Load):
    """The loading of one file of a plugin's kind."""

    def __init__(self, mirror: Mirror, decoding: _Decoding, request: LoadRequest, progress: Progress) -> None:
        super().__init__(mirror, LoadSettings(ZoneInfo("UTC"), decoding.guards), request, progress)
        self._decoding = decoding
        self._digest = ""

    def _live(self) -> None:
        try:
            self._load()
        except PluginPaused as error:
            raise FileUnavailable(f"{error}; the file waits until it works again.") from error
        except PluginFailed as error:
            self._report.state, self._report.error = "failed", str(error)

    def _load(self) -> None:
        self._digest = self._digest_of(self._request.path)
        if self._is_known():
            return
        found, report = FoundRows(), self._report
        for chunk in self._chunks():
            found.add(chunk)
            self._progress("checking", found.rows, 0)
        report.rows, report.rejected = found.rows - found.bad, found.bad
        if early := found.too_early(self._clock):
            self._judge("future", early)
        content = Content(found.rows - found.bad, found.bad, 0, found.first_bad)
        self._judge("guard", reason_in_bad_rows(content, self._settings.guards))
        self._open(lambda file_id: self._write(file_id, found.rows))

    def _digest_of(self, path: Path) -> str:
        try:
            with open_file(path, Limits(links=self._request.source != DROP)) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise unreadable(path, error) from error

    def _merged_before(self, connection: sqlite3.Connection) -> bool:
        self._report.file_id = ledger.decoded_before(connection, self._digest, self._decoding.kind.name)
        return self._report.file_id is not None

    def _write(self, file_id: int, rows: int) -> None:
        """Merge the file's claims, some at a time."""
        writer, report, done = self._mirror.writer, self._report, 0
        report.inserted = report.updated = report.unchanged = 0
        for chunk in self._chunks():
            merge = partial(self._merge_some, some=chunk, first=done + 1, file_id=file_id)
            merged = writer.run(merge, Lane.BULK, durable=False)
            report.rejected += len(merged.collisions)
            report.suppressed += merged.suppressed
            report.inserted += merged.inserted
            report.updated += merged.written - merged.inserted
            report.unchanged += merged.named - merged.written
            done += len(chunk)
            self._progress("merging", done, rows)
        ended: dict[str, Any] = {"state": "merged", "rejected": report.rejected, "suppressed": report.suppressed}
        ended |= {"inserted": report.inserted, "updated": report.updated, "unchanged": report.unchanged}

        def end(connection: sqlite3.Connection) -> None:
            ledger.update(connection, "sync_file", file_id, ended)
            note_suppressed(connection, self._clock, rows=report.suppressed)

        writer.run(end)

    def _chunks(self) -> Iterator[list[Claims]]:
        decoding = self._decoding
        return claims_in(self._request.path, (decoding.plugin, decoding.kind), decoding.extensions)

    def _merge_some(self, connection: sqlite3.Connection, some: Sequence[Claims], first: int, file_id: int) -> Merged:
        """Merge what can be. ``first``: number of the first."""
        merged = self._decoding.merge(connection, some)
        common = {"file_id": file_id, "rejected_at": iso_millis(self._clock)}
        for number, one in enumerate(some, first):
            if one.problems:
                reject = {"class": "plugin", "table": _table(one), "line": number, "reason": "; ".join(one.problems)}
                ledger.add_reject(connection, reject | common)
        for collision in merged.collisions:
            reason = f"{collision.table} {collision.key} belongs to another organization than {collision.org_id}"
            row = {"class": "org_collision", "table": collision.table, "reason": reason}
            ledger.add_reject(connection, row | common)
        return merged

    def _record(self) -> int:
        return 0 if self._report.state == "unchanged" else super()._record()

    def _row(self) -> dict[str, Any]:
        row = super()._row()
        if self._report.state == "staged":
            row |= {"sha256": self._digest, "source": f"{self._request.source}:{self._decoding.kind.name}"}
        return row


def claims_in(path: Path, decoder: tuple[Plugin, FileKind], extensions: Extensions) -> Iterator[list[Claims]]:
    """What a plugin reads in a file, checked and filtered, some rows at a time. Raises PluginFailed."""
    plugin, kind = decoder
    schema = extensions.schema
    claims = plugin.calls.one("file_kinds", lambda: iter(kind.decode(path)), limit=kind.limit)
    taken = 0
    while some := plugin.calls.one("file_kinds", _take, claims, schema, taken, limit=kind.limit):
        taken += len(some)
        for each in extensions.plugins:
            some = filtered(each, schema, [(f"file:{kind.name}", one) for one in some])
            for one in some:
                if isinstance(one, PluginFailed):
                    raise one
        yield some


def _times(claims: Claims) -> Iterator[int]:
    yield claims.at
    for row in claims.rows:
        yield from row.times()
    for _, _, at in claims.full_lists:
        yield at


def _table(claims: Claims) -> str | None:
    """Of the first row that is claimed."""
    return claims.rows[0].table if claims.rows else None


def _take(claims: Iterator[object], schema: Schema, before: int) -> list[Claims]:
    """On the plugin's thread: the next few claims of a file; empty at its end. ``before``: how many it has given."""
    some = []
    for number, one in enumerate(islice(claims, _SLICE), before + 1):
        try:
            some.append(check_claims(schema, one))
        except PluginError as error:
            raise PluginError(f"{error} (row {number:,} of what it read)") from error
    if any(one.happened for one in some):
        raise PluginError("a file cannot say what happened: those rows are keyed by a delivery")
    return some


class FoundRows:
    """What a file turned out to claim. ``bad``: rows, of ``rows``, in which the plugin named a problem; ``latest``: the
    latest time, microseconds. Each with a row to begin looking at, in words."""

    def __init__(self) -> None:
        self.rows = self.bad = self.latest = 0
        self.first_bad = self.latest_where = ""

    def add(self, some: Sequence[Claims]) -> None:
        """The next rows of the file."""
        for claims in some:
            self.rows += 1
            where = f"row {self.rows:,}" + (f" of {table}" if (table := _table(claims)) else "")
            if claims.problems:
                self.bad += 1
                self.first_bad = self.first_bad or f"{where}: {'; '.join(claims.problems)}."
            latest = max(_times(claims))
            if latest > self.latest:
                self.latest, self.latest_where = latest, f"Its {where}"

    def too_early(self, now: int) -> str | None:
        """A sentence if something is said of a time that has not come yet at ``now``, microseconds."""
        if self.latest <= now + LATEST_AHEAD:
            return None
        return f"{self.latest_where} says what is so at {iso_millis(self.latest)}, which has not come yet."
