"""Driving a real mirror through a world of claims: any order, batches, repetitions, interruptions and restarts.

Files are real ones, loaded by the real loaders; deliveries are applied by the real applier. What happens while a file
merges is hung onto the writer: after every piece of work of the loader, other work can go first, or all can end.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from promptsync.events.apply import EventApplier
from promptsync.events.suppression import Suppression
from promptsync.loading.decoded import DecodedLoader
from promptsync.loading.export import ExportLoader, ExportSource
from promptsync.loading.files import FileLoader, FileReport, LoadRequest, LoadSettings
from promptsync.merge.guards import Guards
from promptsync.model import Schema, bookkeeping
from promptsync.model.delivery import Delivery
from promptsync.plugins.calls import Calls
from promptsync.plugins.declared import Declared
from promptsync.plugins.loading import Extensions, Plugin
from promptsync.store.inbox import insert_event
from promptsync.store.mirror import Mirror
from promptsync.store.snapshots import AppliedSnapshots
from promptsync.store.writer import Lane
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.events import HANDLERS
from tests.kinds import file_kinds

from .files import DECODED, exported
from .model_events import Event

UTC = ZoneInfo("UTC")
PACIFIC = ZoneInfo("America/Los_Angeles")  # whose midnights the nights of a world are
_TRUSTING = Guards(0.0, 1.0)
_NOW = 1_800_000_000_000_000


class Killed(BaseException):
    """The process ends here, as far as the loader can tell."""


@dataclass(frozen=True)
class Load:
    """Load a file. ``amid``: after how many pieces of the loader's work which deliveries or plugins' files arrive.

    ``killed_after``: after so many pieces the loading ends; -1: never.
    """

    file: int
    amid: Mapping[int, tuple[int, ...]]
    killed_after: int = -1
    again: bool = False


def few(*names: str) -> Schema:
    """The declarations of these tables and of those that a mirror needs: SQLite reads all that there are again after
    each column that it adds."""
    declared = declared_schema()
    needed = (declared[name] for name in dict.fromkeys(("message", "day_count", "day_count_erased", *names)))
    return Schema((*needed, *bookkeeping.TABLES))


class Driver:
    """One mirror in ``folder``, begun as a copy of an empty one; of other tables if ``empty`` is None."""

    def __init__(self, folder: Path, empty: Path | None, schema: Schema | None = None) -> None:
        self.folder = folder
        self.settings = LoadSettings(UTC, _TRUSTING)
        self.accept = True
        self.config: dict[str, object] = {}
        self.schema = schema or declared_schema()
        folder.mkdir(parents=True, exist_ok=True)
        if empty:
            shutil.copyfile(empty, folder / "mirror.db")
        self.open()

    def open(self) -> None:
        """Open the mirror, as a new process does."""
        self.mirror = Mirror(self.folder / "mirror.db", self.schema, zone=PACIFIC)
        self.suppression = Suppression(self.mirror)
        self.loader = FileLoader(self.mirror, self.settings, lambda: _NOW)
        self.exports = ExportLoader(self.mirror, UTC, _TRUSTING, lambda: _NOW)
        self.plugin = Plugin("rows", "test", Calls("rows"), declared=Declared(file_kinds=[DECODED]))
        self.extensions = Extensions(self.schema, HANDLERS, (self.plugin,))
        self.decoded = DecodedLoader(self.mirror, self.extensions, (lambda: _NOW, Guards()), self.loader.touched)
        self.applier = EventApplier(self.mirror, HANDLERS, touched=self.loader.touched)
        self.kinds = file_kinds(self.config, (self.plugin,))
        self._submit = self.mirror.writer.submit

    def close(self) -> None:
        """Close it."""
        self.plugin.calls.close()
        self.mirror.close()

    def restart(self) -> None:
        """Close and open."""
        self.close()
        self.open()

    def store(self, events: Sequence[Event]) -> None:
        """Put deliveries into the inbox."""

        def insert(connection: Any) -> None:
            for event in events:
                delivery = self.suppression.delivery(Delivery(event.type, event.body))
                insert_event(connection, delivery, event.received_at)

        self._submit(insert, Lane.DELIVERY).result()

    def apply(self, size: int = 50) -> int:
        """Apply one batch of at most ``size`` deliveries."""
        self.applier._size = size
        return self._submit(self.applier.apply_some, Lane.APPLY, durable=False).result()

    def arrive(self, arrived: Sequence[Event | Path]) -> None:
        """Take in deliveries, and files for which no other has to wait."""
        self.store([one for one in arrived if isinstance(one, Event)])
        self.apply_all()
        for path in arrived:
            if isinstance(path, Path):
                self.load(path)

    def check_memory(self) -> None:
        """What is remembered of applied snapshots is what has been committed."""
        known = AppliedSnapshots()
        with self.mirror.reading() as connection:
            known.load(connection)
        assert vars(known) == vars(self.mirror.snapshots)

    def check_layouts(self, tables: Iterable[str]) -> None:
        """The layout of each of these tables is the one that its columns make."""
        with self.mirror.reading() as connection:
            for name in tables:
                assert self.mirror.relayout(connection, name) == self.mirror.layout(name)

    def check_days(self) -> None:
        """The numbers kept by day are those of the messages that there are."""
        with self.mirror.reading() as connection:
            kept = connection.execute("SELECT * FROM day_count").fetchall()
        assert {row[:-3]: row[-3:] for row in kept} == fresh_days(self.dicts("message"), PACIFIC)

    def apply_all(self, size: int = 50) -> None:
        """Apply whatever is pending."""
        while self.apply(size):
            pass

    def load(
        self, path: Path, *, again: bool = False, dry_run: bool = False, corrects: bool = False, accept: bool = False
    ) -> FileReport:
        """Load a file of any kind."""
        accept = accept or self.accept
        request = LoadRequest(path, "test", accept=accept, again=again, dry_run=dry_run, corrects=corrects)
        request = self.kinds.at_door(request)
        if request.decoder is not None:
            return self.decoded.load(request)
        return self._load_export(request) if path.suffix == ".csv" else self.loader.load(request)

    def _load_export(self, request: LoadRequest) -> FileReport:
        rows, requested_at = exported(request.path, self.schema)
        if not request.dry_run:
            name = request.path.name
            source = ExportSource(request.path, name, "test", rows, requested_at, vouched=True, accepted=True)
            self.exports.load(source, lambda *_: None)
        return FileReport(request.path.name, state="merged")

    def load_amid(
        self, path: Path, load: Load, arriving: Sequence[Event | Path], *, corrects: bool = False
    ) -> FileReport | None:
        """Load a file while other things happen; None if it was killed. What is merged is on the disk by then."""
        watching = self.mirror.writer.submit = _Interrupted(self, load, arriving)  # type: ignore[method-assign]
        try:
            report = self.load(path, again=load.again, corrects=corrects)
            assert watching.durable or report.state != "merged"
            return report
        except Killed:
            return None
        finally:
            self.mirror.writer.submit = self._submit  # type: ignore[method-assign]

    def rows(self, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """All rows of a table."""
        with self.mirror.reading() as connection:
            return connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()

    def dicts(self, table: str) -> list[dict[str, Any]]:
        """The same, by column; their names in lower case."""
        with self.mirror.reading() as connection:
            cursor = connection.execute(f'SELECT * FROM "{table}"')
            names = [column[0].lower() for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table, hidden columns included."""
        with self.mirror.reading() as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1").fetchall()
            return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in names}


def fresh_days(messages: Iterable[Mapping[str, Any]], zone: ZoneInfo) -> dict[tuple[Any, ...], tuple[int, int, int]]:
    """Messages counted by day, organization and what they are: how many, their segments, and how many without."""
    found: dict[tuple[Any, ...], tuple[int, int, int]] = {}
    flags = ("is_outgoing", "is_broadcast", "is_billable", "is_mms", "is_successful", "is_whisper")
    for row in messages:
        if row["created_timestamp"] is None:
            continue
        day = datetime.fromisoformat(row["created_timestamp"]).astimezone(zone).date().isoformat()
        key = (day, row["org_id"], *(-1 if row[flag] is None else row[flag] for flag in flags))
        count, segments, without = found.get(key, (0, 0, 0))
        found[key] = count + 1, segments + (row["segments"] or 0), without + (row["segments"] is None)
    return found


class _Interrupted:
    """Stands in for ``Writer.submit`` while a file is loaded."""

    def __init__(self, driver: Driver, load: Load, arriving: Sequence[Event | Path]) -> None:
        self.driver, self.load, self.arriving = driver, load, arriving
        self.done = 0
        self.dead = self.durable = False

    def __call__(self, work: Callable[..., Any], lane: Lane = Lane.BULK, **kwargs: Any) -> "Future[Any]":
        future = self.driver._submit(work, lane, **kwargs)
        if not kwargs.get("bare") and lane is not Lane.IDLE:
            self.durable = kwargs.get("durable", True)
        if self.dead:
            return future
        future.exception()
        self.done += 1
        self.driver.check_memory()
        if arrived := [self.arriving[n] for n in self.load.amid.get(self.done, ()) if n < len(self.arriving)]:
            self.driver.mirror.writer.submit = self.driver._submit  # type: ignore[method-assign]
            self.driver.arrive(arrived)
            self.driver.mirror.writer.submit = self  # type: ignore[method-assign]
        if self.done == self.load.killed_after:
            self.dead = True
            raise Killed
        return future
