"""One input to Parquet files of claims, and what was learnt of it.

Owns the way from a file on this machine to its parts: it is proven whole, read by promptsync's own readers, and written
under names that are never used again, so that doing it twice harms nobody. Whatever an input holds ends as parts, or as
held or ignored, with a sentence. What may be believed is judged elsewhere (run.py).
"""

import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Final
from uuid import uuid4

import pyarrow as pa

from promptsync.clock import iso_millis, micros_of
from promptsync.errors import FileUnavailable, Held, InputRefused
from promptsync.events.claims import Claims
from promptsync.events.plugin_apply import PluginPart
from promptsync.events.suppression import Suppression
from promptsync.formats.csv.reader import SnapshotReader
from promptsync.formats.parquet.proof import prove_parquet
from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.formats.proof import prove
from promptsync.lake import decode, parquet
from promptsync.lake.decode import Entering, Learned
from promptsync.lake.engine import ClaimFile
from promptsync.lake.inputs import Input, copy
from promptsync.lake.scratch import scratch_folder
from promptsync.lake.shape import ORG
from promptsync.loading.decoded import FoundRows, claims_in
from promptsync.loading.report import LoadSettings
from promptsync.loading.rows import RowSource
from promptsync.model import Schema
from promptsync.model.file_name import ChangeSetName, FileName
from promptsync.plugins.calls import PluginFailed, PluginPaused
from promptsync.plugins.declared import EventHandler, FileKind
from promptsync.plugins.loading import Extensions, Plugin
from promptsync.vendors import export_rows

_EXPORT: Final = re.compile(r"([a-z_-]+)_([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2})Z\.csv")

_PART_ROWS: Final = 500_000

_TOGETHER: Final = 20_000
"""Deliveries whose claims are in memory together."""


@dataclass(slots=True)
class Decoded:
    """What came of one input. ``parts``: files of claims by table; ``stated``: what its name says, if that is a
    snapshot or a change set. ``state``: decoded; unchanged if the same was merged before; held or ignored, then with
    ``reason`` and ``error``."""

    name: str
    tag: str
    stated: FileName | ChangeSetName | None = None
    state: str = "decoded"
    reason: str | None = None
    error: str | None = None
    sha256: str | None = None
    deliveries: bool = False
    learned: Learned = field(default_factory=Learned)
    parts: list[tuple[str, ClaimFile]] = field(default_factory=list)

    def refuse(self, refused: InputRefused) -> None:
        """It is not merged."""
        self.state = "held" if isinstance(refused, Held) else "ignored"
        self.reason, self.error, self.parts = refused.reason, str(refused), []

    @property
    def table(self) -> str:
        """The one table that it is about; none of deliveries."""
        return self.stated.table if self.stated else ""

    @property
    def snapshot(self) -> FileName | None:
        """What a snapshot states."""
        return self.stated if isinstance(self.stated, FileName) else None


def export_of(file_name: str, schema: Schema) -> tuple[RowSource, int] | None:
    """What a file of a vendor's exports is, ``contacts_2026-02-04T00-00-00Z.csv``: what reads its kind, and the
    microsecond at which it was asked for; None for every other file."""
    found = _EXPORT.fullmatch(file_name)
    rows = export_rows(found[1], schema) if found else None
    if found is None or rows is None:
        return None
    try:
        return rows, micros_of(datetime.strptime(found[2], "%Y-%m-%dT%H-%M-%S").replace(tzinfo=UTC))
    except ValueError:
        return None


def accepting(name: str) -> str:
    """The command that takes an input as it is, now that a person has looked at it."""
    return f"promptsync lake run --accept {shlex.quote(name)}"


@dataclass(frozen=True, slots=True)
class Decoder:
    """Decodes inputs. ``folder``: for the parts; ``now``: microseconds since 1970, UTC; ``door``: leaves out whoever
    was erased; ``merged``: the snapshots that need not be merged again, as SHA-256, table, organization and ISO
    instant; ``accepted``: the names of inputs at which a person has looked; ``corrections``: which of those of
    its night an input is that replaces another; ``plugins``: those that take part, if any does."""

    schema: Schema
    handlers: Mapping[str, EventHandler]
    settings: LoadSettings
    folder: Path
    now: int
    door: Suppression
    merged: frozenset[tuple[str, str, int, str]] = frozenset()
    accepted: frozenset[str] = frozenset()
    corrections: Mapping[str, int] = field(default_factory=dict)
    plugins: Extensions | None = None

    def take(self, some: Sequence[Input]) -> list[Decoded]:
        """Inputs wherever they lie: files of deliveries together, or others. Raises Unavailable."""
        with scratch_folder() as folder:
            paths = copy(some, folder)
            if some[0].found is None:
                return self.deliveries(some, paths)
            return [self.decode(one, path) for one, path in zip(some, paths, strict=True)]

    def decode(self, one: Input, path: Path) -> Decoded:
        """An input that is on this machine."""
        done, accept = Decoded(one.name, one.tag), one.name in self.accepted
        try:
            if one.found is None:
                raise ValueError(one.name)
            if one.found.decoder is not None:
                self._of_plugin(path, one.found.decoder, done, accept)
            elif export := export_of(path.name, self.schema):
                self._export(path, *export, done=done, accept=accept)
            elif isinstance(one.found.stated, FileName):
                stated = replace(one.found.stated, correction=self.corrections.get(one.name, 0))
                self._snapshot(path, stated, done, accept)
            elif isinstance(one.found.stated, ChangeSetName):
                self._change_set(path, one.found.stated, done, accept)
            else:
                raise one.found.refused or InputRefused("unknown_name", f"{path.name} states nothing known.")
        except InputRefused as refused:
            done.refuse(refused)
        return done

    def deliveries(self, some: Sequence[Input], paths: Sequence[Path]) -> list[Decoded]:
        """Files of deliveries, which are many and small: their claims are in the same parts, those of the first."""
        found = [Decoded(one.name, one.tag, deliveries=True) for one in some]
        claims = chain.from_iterable(map(self._claims, found, paths))
        while part := list(islice(claims, _TOGETHER)):
            for table, rows in decode.claimed(part, self.schema).items():
                self._write(found[0], table, rows.to_batches())
        return found

    def _claims(self, done: Decoded, path: Path) -> Iterator[Claims]:
        with path.open("rb") as file:
            done.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        with path.open(encoding="utf-8", errors="replace") as lines:
            part = PluginPart(self.plugins) if self.plugins else None
            yield from decode.deliveries(lines, self.handlers, self.now, done.learned, self.door, part)

    def _snapshot(self, path: Path, stated: FileName, done: Decoded, accept: bool) -> None:
        table, limits = self.schema[stated.table], replace(self.settings.limits, accept=accept)
        done.stated, done.sha256 = stated, prove(path, limits).sha256
        if not stated.correction and _known(done.sha256, stated) in self.merged:
            done.state = "unchanged"
            return
        with SnapshotReader(path, table, stated, self.settings.zone, limits) as reader:
            rows = decode.snapshot(reader, table, stated, done.learned, self.door, self._entering(done))
            self._write(done, table.name, rows)

    def _change_set(self, path: Path, stated: ChangeSetName, done: Decoded, accept: bool) -> None:
        table, limits = self.schema[stated.table], replace(self.settings.limits, accept=accept)
        done.stated, done.sha256 = stated, prove_parquet(path, limits).sha256
        left_out = self.settings.leave_out.get(table.name, frozenset())
        with ChangeSetReader(path, table, stated, limits, left_out) as reader:
            if reader.unordered and not accept:
                raise Held(
                    "no_order",
                    f"It lacks the column {table.order}, which says which rows are newer: have it exported again. "
                    f"Accepted without it, its rows give way to all that have one: {accepting(done.name)}",
                )
            rows = decode.change_set(reader, table, done.learned, self.door, self._entering(done))
            self._write(done, table.name, rows)

    def _export(self, path: Path, rows: RowSource, at: int, *, done: Decoded, accept: bool) -> None:
        limits, times = self.settings.limits, (self.settings.zone, at)
        file = rows.open(path, times, limits, vouched=False, accepted=accept)
        done.sha256 = file.prove(lambda _: None, lambda _: None).file.sha256
        batches = (decode.export(batch, rows.table, done.learned, self.door) for batch in file)
        self._write(done, rows.table.name, batches)

    def _of_plugin(self, path: Path, decoder: tuple[Plugin, FileKind], done: Decoded, accept: bool) -> None:
        if self.plugins is None:
            raise ValueError(done.name)
        found, learned = FoundRows(), done.learned
        with path.open("rb") as file:
            done.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        try:
            for some in claims_in(path, decoder, self.plugins):
                for number, claims in enumerate(some, found.rows + 1):
                    if claims.problems:
                        table = claims.rows[0].table if claims.rows else ""
                        learned.reject("plugin", table, number, "; ".join(claims.problems), b"")
                found.add(some)
                left = self.door.claims(some)
                learned.forgotten += sum(one is not was for one, was in zip(left, some, strict=True))
                for name, rows in decode.claimed(left, self.schema).items():
                    self._write(done, name, rows.to_batches())
        except PluginPaused as error:
            raise FileUnavailable(f"{error}; files wait until it works again.") from error
        except PluginFailed as error:
            raise Held("plugin", f"{error}; put it right, then: {accepting(done.name)}") from error
        learned.rows, learned.bad, learned.first_bad = found.rows - found.bad, found.bad, found.first_bad
        if not accept and (early := found.too_early(self.now)):
            raise Held("future", f"{early} If it is right all the same: {accepting(done.name)}")

    def _entering(self, done: Decoded) -> Entering:
        """What plugins make of an input's rows."""

        def enter(table: str, rows: pa.RecordBatch) -> pa.RecordBatch:
            try:
                return self.settings.rows(table, rows) if self.settings.rows else rows
            except Held as held:
                raise Held(held.reason, f"{held.__cause__}; put it right, then: {accepting(done.name)}") from held

        return enter

    def _write(self, done: Decoded, table: str, batches: Iterable[pa.RecordBatch]) -> None:
        """The batches as parts, unless there are none: several if they are long, for several machines to fold."""
        waiting = iter(batches)
        for first in waiting:
            path = self.folder / table / f"{uuid4().hex}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            with parquet.PartWriter(path) as writer:
                writer.write(first)
                while writer.rows < _PART_ROWS and (batch := next(waiting, None)) is not None:
                    writer.write(batch)
            done.parts.append((table, ClaimFile(path, writer.columns, writer.rows)))


def _known(sha256: str, stated: FileName) -> tuple[str, str, int, str]:
    return sha256, stated.table, stated.org_id or 0, iso_millis(stated.as_of)


def organizations(file: ClaimFile) -> set[int]:
    """Whose rows a part is about; nobody's if its table has no owner."""
    return {int(org or 0) for org in parquet.values_in(file.path, ORG)} if ORG in file.columns else set()
