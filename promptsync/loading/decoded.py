"""Loading a file of a kind that a plugin decodes: prove that all of it can be read, then merge it.

Owns the life of such a file and what the ledger says of it. The plugin yields claims; they are merged as a delivery's
are, in slices, and the last slice commits the ledger's row. Loading it again, or once more after a kill, ends in the
same rows.

The rows of nightly files as plugins' filters leave them.

Owns the check of what a filter returns: an Arrow batch of the very same columns, numbered as before.
"""

import hashlib
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import pyarrow as pa

from promptsync.clock import Clock, iso_millis
from promptsync.errors import FileUnavailable, Held
from promptsync.events.claim_check import check_claims
from promptsync.events.claims import Claims
from promptsync.events.merge_claims import ClaimMerger, Merged
from promptsync.events.plugin_apply import filtered
from promptsync.formats.limits import Limits, open_file, size_of, unreadable
from promptsync.loading.files import FileReport, LoadRequest
from promptsync.loading.report import DROP, Progress
from promptsync.merge.guards import LATEST_AHEAD, Content, Guards, reason_in_bad_rows
from promptsync.model import Schema
from promptsync.plugins.calls import PluginFailed, PluginPaused
from promptsync.plugins.declared import FileKind, PluginError
from promptsync.plugins.extensions import Extensions
from promptsync.plugins.loading import Plugin
from promptsync.store import ledger
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane

RowFilter = Callable[[str, pa.RecordBatch], pa.RecordBatch]
_SECONDS = 30.0


def row_filter(plugins: Sequence[Plugin]) -> RowFilter | None:
    """What each batch of a nightly file goes through; None if no plugin asks. Raises Held if a plugin fails."""
    wanted = [(plugin, each.rows) for plugin in plugins for each in plugin.declared.filters if each.rows is not None]
    if not wanted:
        return None

    def run(table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
        for plugin, function in wanted:
            try:
                batch = plugin.calls.one("filters", _run, function, table, batch, limit=_SECONDS)
            except PluginPaused as error:
                raise FileUnavailable(f"{error}; files wait until it works again.") from error
            except PluginFailed as error:
                raise Held("plugin", f"{error}; put it right, then load the file again.") from error
        return batch

    return run


def _run(function: Callable[[str, Any], Any], table: str, batch: pa.RecordBatch) -> pa.RecordBatch:
    result = function(table, batch)
    if not isinstance(result, pa.RecordBatch) or result.schema != batch.schema:
        raise PluginError(f"the filter of rows of {table} must return a RecordBatch of the same columns")
    result.validate(full=True)
    return result


_SLICE = 500


class DecodedLoader:
    """Loads files of plugins' kinds into one mirror. ``touched`` is told which rows were claimed."""

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
        plugin, kind = request.decoder
        report, started = FileReport(request.path.name), time.perf_counter()
        with self._one_at_a_time:
            try:
                self._load(request, plugin, kind, report, progress)
            except PluginPaused as error:
                raise FileUnavailable(f"{error}; the file waits until it works again.") from error
            except (PluginFailed, Held) as error:
                report.state, report.error = "held" if isinstance(error, Held) else "failed", str(error)
                if not request.dry_run:
                    row = self._row(request, report, None)
                    report.file_id = self._mirror.writer.run(lambda connection: ledger.open_file(connection, row))
        report.seconds = round(time.perf_counter() - started, 3)
        return report

    def _load(
        self, request: LoadRequest, plugin: Plugin, kind: FileKind, report: FileReport, progress: Progress
    ) -> None:
        try:
            with open_file(request.path, Limits(links=request.source != DROP)) as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise unreadable(request.path, error) from error
        if not request.again and self._merged_before(sha256, kind):
            report.state = "unchanged"
            return
        found = _Found()
        for chunk in self._chunks(plugin, kind, request):
            found.add(chunk)
            progress("checking", found.rows, 0)
        report.rows, report.rejected = found.rows - found.bad, found.bad
        self._judge(found, request)
        if request.dry_run:
            report.state = "would merge"
            return
        report.state = "staged"
        row = self._row(request, report, sha256) | {"source": f"{request.source}:{kind.name}"}
        report.file_id = file_id = self._mirror.writer.run(lambda connection: ledger.open_file(connection, row))
        done = 0
        for chunk in self._chunks(plugin, kind, request):
            merge = partial(self._merge, some=chunk, first=done + 1, file_id=file_id)
            report.rejected += self._mirror.writer.run(merge, Lane.BULK, durable=False)
            done += len(chunk)
            progress("merging", done, found.rows)
        report.state = "merged"
        ended = {"state": "merged", "rejected": report.rejected}
        self._mirror.writer.run(lambda c: ledger.update(c, "sync_file", file_id, ended))

    def _judge(self, found: "_Found", request: LoadRequest) -> None:
        """As any file is: a time that has not come, or too many rows that cannot be read, wait for a person."""
        if request.accept:
            return
        content = Content(found.rows - found.bad, found.bad, 0, found.first_bad)
        if found.latest > self._clock() + LATEST_AHEAD:
            said = f"{found.latest_where} says what is so at {iso_millis(found.latest)}, which has not come yet."
            raise Held("future", f"{said} If it is right all the same: {request.accepting()}")
        if why := reason_in_bad_rows(content, self._guards):
            raise Held("guard", f"{why} If it is right all the same: {request.accepting()}")

    def _chunks(self, plugin: Plugin, kind: FileKind, request: LoadRequest) -> Iterator[list[Claims]]:
        """The file's claims, checked and filtered, some at a time. Raises PluginFailed."""
        schema = self._extensions.schema
        claims = plugin.calls.one("file_kinds", lambda: iter(kind.decode(request.path)), limit=kind.limit)
        taken = 0
        while some := plugin.calls.one("file_kinds", _take, claims, schema, taken, limit=kind.limit):
            taken += len(some)
            for each in self._extensions.plugins:
                some = filtered(each, schema, [(f"file:{kind.name}", one) for one in some])
                for one in some:
                    if isinstance(one, PluginFailed):
                        raise one
            yield some

    def _merge(self, connection: sqlite3.Connection, some: Sequence[Claims], first: int, file_id: int) -> int:
        """Merge what can be; returns how many rows belong to another organization. ``first``: number of the first."""
        merged = self._merger.merge(connection, some)
        for number, one in enumerate(some, first):
            if one.problems:
                reject = {"class": "plugin", "table": _table(one), "file_id": file_id, "line": number}
                reject |= {"reason": "; ".join(one.problems), "rejected_at": iso_millis(self._clock())}
                ledger.add_reject(connection, reject)
        for collision in merged.collisions:
            reason = f"{collision.table} {collision.key} belongs to another organization than {collision.org_id}"
            row = {"class": "org_collision", "table": collision.table, "file_id": file_id, "reason": reason}
            ledger.add_reject(connection, row | {"rejected_at": iso_millis(self._clock())})
        self._touched(merged)
        return len(merged.collisions)

    def _merged_before(self, sha256: str, kind: FileKind) -> bool:
        with self._mirror.reading() as connection:
            return ledger.decoded_before(connection, sha256, kind.name)

    def _row(self, request: LoadRequest, report: FileReport, sha256: str | None) -> dict[str, Any]:
        row = report.as_row() | {"source": request.source, "path": str(request.path), "sha256": sha256}
        return row | {"seen_at": iso_millis(self._clock()), "size": size_of(request.path)}


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


class _Found:
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
