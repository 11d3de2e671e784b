"""The mirror that is here into the lake: the way up from one machine.

Owns the step from a mirror's rows to claims. They have their versions with them, so it is one fold with what the lake
has, and doing it again, or going on where it was killed, adds nothing. What happened is called by the digest of its
delivery, as everywhere in a lake; if that delivery is not kept any more, by the row's own organization, table and
values, or as the lake calls such a row already. Of an id that another organization has in the lake, the one with the
lower number keeps it; the other row is a reject. The mirror is only read.
"""

import asyncio
import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pyarrow as pa

from promptsync.clock import iso_millis
from promptsync.lake import parquet
from promptsync.lake.decode import FULL_LIST_TABLE
from promptsync.lake.delta import Overtaken
from promptsync.lake.engine import ClaimFile, Engine, MadeFile, made_file
from promptsync.lake.folding import Claimed, Folding
from promptsync.lake.inputs import Input, copy, inputs_of
from promptsync.lake.lake import Lake
from promptsync.lake.ledger import Snapshot
from promptsync.lake.lines import line_of, lines_in, received_as
from promptsync.lake.push_deliveries import KeptDeliveries
from promptsync.lake.push_erased import Brought, bring_list
from promptsync.lake.scratch import scratch_folder
from promptsync.lake.shape import FULL_LISTS, ORG, Field, fields_of, is_owned, row_key
from promptsync.lake.storage import DELIVERIES
from promptsync.merge.layout import Layout
from promptsync.model import Role, Table
from promptsync.store import pushed
from promptsync.store.slices import Progress

_LINES: Final = 10_000
_ATTEMPTS: Final = 10


@dataclass(slots=True)
class Pushed:
    """What was pushed. ``tables``: rows of each; ``deliveries``: those stored that the lake had not, ``waiting`` ones
    among them, which its next run applies; ``files``: merged ones that the lake did not know; ``collisions``: rows left
    out, as an organization with a lower number has their id; ``erasures``: those of the mirror that were carried out
    here too, ``erasures_stay``: those that cannot be, as the lake's list was made with another key."""

    tables: dict[str, int] = field(default_factory=dict)
    deliveries: int = 0
    waiting: int = 0
    files: int = 0
    collisions: int = 0
    erasures: int = 0
    erasures_stay: int = 0
    seconds: float = 0.0


def push(
    lake: Lake,
    engine: Engine,
    mirror: sqlite3.Connection,
    database: Path,
    *,
    dry_run: bool = False,
    progress: Progress = lambda *_: None,
) -> Pushed:
    """Do it. ``database``: where the mirror is, with its key beside it. Raises Unavailable if the lake cannot be
    reached, ListChanged if somebody is forgotten there meanwhile, KeyLost."""
    brought = Brought() if dry_run else bring_list(lake, mirror, database, progress)
    with scratch_folder() as scratch:
        done = _Push(lake.knowing(), engine, mirror, scratch, progress).run(dry_run=dry_run)
    done.erasures, done.erasures_stay = brought.erasures, brought.stay
    return done


class _Push:
    def __init__(
        self, lake: Lake, engine: Engine, mirror: sqlite3.Connection, scratch: Path, progress: Progress
    ) -> None:
        self._lake, self._mirror, self._scratch, self._progress = lake, mirror, scratch, progress
        self._folding, self._now, self._done = Folding(lake, engine, scratch, progress), lake.clock(), Pushed()
        self._rejects: list[dict[str, Any]] = []
        self._kept = KeptDeliveries(lake, scratch)

    def run(self, *, dry_run: bool) -> Pushed:
        started, lake = time.perf_counter(), self._lake
        applied = pushed.begin(self._mirror)
        known = {(one.table, one.org, one.instant) for one in lake.ledger.snapshots()}
        every = (Snapshot(*one[:4]) for one in pushed.snapshots(self._mirror))
        fresh = {(one.table, one.org, one.instant): one for one in every}
        claims = Claimed(tuple(one for place, one in fresh.items() if place not in known))
        losers: dict[str, set[tuple[Any, ...]]] = {}
        tables = [table for table in lake.schema if table.role is not Role.OWN]
        for number, table in enumerate(tables):
            self._progress("reading tables", number, len(tables))
            if table.role is Role.HAPPENED:
                layout, rows = Layout(table), self._happened(table)
            else:
                layout = pushed.layout(self._mirror, lake.schema, table.name)
                rows = pushed.claims(self._mirror, layout, applied, row_key(table))
            if (part := self._write(table, fields_of(layout), rows)) is not None:
                part, losers[table.name] = self._without_collisions(table, part)
                claims.take([(table.name, part)] if part else ())
        claims.take(self._full_lists())
        if not dry_run:
            self._folding.commit(claims)
            for name, lost in losers.items():
                if lost:
                    self._take_out(lake.schema[name], lost)
        self._receive(dry_run=dry_run)
        self._ledgers(dry_run=dry_run)
        self._done.seconds = round(time.perf_counter() - started, 3)
        return self._done

    def _write(self, table: Table, fields: Sequence[Field], rows: Iterable[list[tuple[Any, ...]]]) -> ClaimFile | None:
        """Rows as a file of claims; None if there are none."""
        schema = pa.schema([(one.name, one.type) for one in fields])
        path = self._scratch / f"{uuid4().hex}.parquet"
        with parquet.PartWriter(path) as writer:
            for some in rows:
                columns = zip(zip(*some, strict=True), schema, strict=True)
                batch = pa.RecordBatch.from_arrays([pa.array(c, one.type) for c, one in columns], schema=schema)
                if (left := self._lake.door.rows(table.name, batch)).num_rows:
                    writer.write(left)
                    self._done.tables[table.name] = self._done.tables.get(table.name, 0) + left.num_rows
        return ClaimFile(path, writer.columns, writer.rows) if writer.columns else None

    def _happened(self, table: Table) -> Iterator[list[tuple[Any, ...]]]:
        """Rows of what happened, in the order of the shape."""
        columns = [one.name for one in fields_of(Layout(table))]
        number, item, named = columns.index("event_id"), columns.index("item"), None
        for some in pushed.happened(self._mirror, table.name, columns):
            rows = []
            for at, path, body, *cells in some:
                if body is not None:
                    line = self._kept.line(at, path, body)
                    if line.suppressed:
                        continue
                    cells[number], cells[item] = line.id, received_as(line.cut, cells[item])
                else:
                    named = named or _Named(table, columns, self._ids_kept(table), self._present_rows(table))
                    cells[number] = named.id_of(cells)
                rows.append(tuple(cells))
            if rows:
                yield rows

    def _ids_kept(self, table: Table) -> set[int]:
        """What the deliveries that are kept are called, of those that rows of the table came from."""
        found = (row for some in pushed.happened(self._mirror, table.name, ["event_id"]) for row in some)
        return {self._kept.line(at, path, body).id for at, path, body, _ in found if body}

    def _present_rows(self, table: Table) -> Iterator[dict[str, Any]]:
        present = self._lake.tables.present(table)
        for file in self._lake.tables.local(present.files if present else (), self._scratch / uuid4().hex):
            yield from parquet.read_rows(file.path, _LINES)

    def _without_collisions(self, table: Table, part: ClaimFile) -> tuple[ClaimFile | None, set[tuple[Any, ...]]]:
        """The claims less the rows whose id an organization with a lower number has in the lake; and the keys there,
        with their organization, of those with a higher number that lose theirs."""
        present = self._lake.tables.present(table) if is_owned(table) and table.role is Role.MIRROR else None
        if present is None or not present.files:
            return part, set()
        key = list(table.key)
        files = self._lake.tables.local(present.files, self._scratch / uuid4().hex)
        theirs = pa.concat_tables([parquet.read(file.path, [ORG, *key]) for file in files])
        mine = parquet.read(part.path, [ORG, *key])
        both = mine.join(theirs.rename_columns(["_other", *key]), key, join_type="inner").to_pylist()
        lost = {(row[ORG], *(row[name] for name in key)) for row in both if row["_other"] < row[ORG]}
        won = {(row["_other"], *(row[name] for name in key)) for row in both if row["_other"] > row[ORG]}
        left: ClaimFile | None = part
        if lost:
            path = _less(part.path, [ORG, *key], lost, self._scratch / f"{uuid4().hex}.parquet")
            left = ClaimFile(path, part.columns, part.rows) if path else None
        for org, *one in sorted(lost | won):
            reason = f"{table.name} {', '.join(map(str, one))} belongs to another organization than {org}"
            self._rejects.append({"class": "org_collision", "table": table.name, "name": "mirror", "reason": reason})
        self._done.collisions += len(lost | won)
        return left, won

    def _take_out(self, table: Table, gone: set[tuple[Any, ...]]) -> None:
        """Take rows out of a table that an organization with a lower number has now."""
        tables, key = self._lake.tables, [ORG, *table.key]
        buckets = {self._lake.bucket_of(table, org) for org, *_ in gone}
        for attempt in range(1, _ATTEMPTS + 1):
            scratch = self._scratch / uuid4().hex
            present = tables.present(table)
            was, made = present.of(buckets) if present else (), list[MadeFile]()
            for kept, file in zip(was, tables.local(was, scratch / "was"), strict=True):
                name = f"_bucket={kept.bucket}/{uuid4().hex}.parquet"
                (scratch / name).parent.mkdir(parents=True, exist_ok=True)
                if path := _less(file.path, key, gone, scratch / name):
                    made.append(made_file(table, path, name))
            try:
                tables.commit(table, present, was, made)
                return
            except Overtaken:
                if attempt == _ATTEMPTS:
                    raise

    def _full_lists(self) -> list[tuple[str, ClaimFile]]:
        """Full lists that the lake does not know."""
        have = {
            (row[ORG], row["contact_id"], row["list"], row["instant"])
            for row in self._lake.ledger.rows(FULL_LIST_TABLE)
        }
        found = [one for one in pushed.full_lists(self._mirror) if one not in have and not self._kept.forgot(one[1])]
        new = [(*one, iso_millis(one[3])) for one in found]
        if not new:
            return []
        path = self._scratch / f"{uuid4().hex}.parquet"
        with parquet.PartWriter(path) as writer:
            columns = zip(zip(*new, strict=True), FULL_LISTS, strict=True)
            writer.write(pa.RecordBatch.from_arrays([pa.array(c, f.type) for c, f in columns], schema=FULL_LISTS))
        return [(FULL_LIST_TABLE, ClaimFile(path, writer.columns))]

    def _receive(self, *, dry_run: bool) -> None:
        """Store the deliveries that no push has stored. Those that were applied count as taken; the others wait."""
        lake, taken = self._lake, list[str]()
        there = {one.name: one for one in inputs_of(lake.storage, (), lake.kinds) if one.found is None}
        for waits, day, lines in _chunks(self._kept.deliveries(pushed.deliveries(self._mirror))):
            before = [one for name, one in there.items() if name.startswith(f"{DELIVERIES}/{day}/mirror-")]
            key = f"{DELIVERIES}/{day}/{_name(lines)}"
            if key in there:
                continue
            have = self._ids_in(before) if before else set()
            lines = [line for line in lines if line_of(line).id not in have]
            if not lines:
                continue
            key = f"{DELIVERIES}/{day}/{_name(lines)}"
            self._done.deliveries += len(lines)
            self._done.waiting += len(lines) if waits else 0
            if not dry_run:
                asyncio.run(lake.storage.add(key, "".join(lines).encode()))
                taken += [] if waits else [key]
        if taken:
            stored = {one.name: one for one in inputs_of(lake.storage, (), lake.kinds) if one.name in taken}
            seen = {"state": "merged", "seen_at": iso_millis(self._now), "seen": self._now}
            lake.ledger.add("sync_input", [{"name": name, "tag": one.tag, **seen} for name, one in stored.items()])

    def _ids_in(self, inputs: Sequence[Input]) -> set[int]:
        paths = copy(inputs, self._scratch / uuid4().hex)
        return {line.id for path in paths for line in lines_in(path)}

    def _ledgers(self, *, dry_run: bool) -> None:
        """What the lake has to know of what was merged: files, what was odd, and what was left out."""
        ledger, now = self._lake.ledger, iso_millis(self._now)
        known = {(row["name"], row["tag"]) for row in ledger.rows("sync_input")}
        found = {(f"mirror/{row['name']}", row["sha256"]): row for row in pushed.merged_files(self._mirror)}
        new = {place: row for place, row in found.items() if place not in known}
        self._done.files = len(new)
        if dry_run:
            return
        merged = {"state": "merged", "seen": self._now}
        ledger.add("sync_input", [{**row, "name": name, "tag": tag, **merged} for (name, tag), row in new.items()])
        seen = {(row["kind"], row["table"], row["name"]) for row in ledger.rows("sync_drift")}
        drift = [row | {"seen_at": row["first_seen"]} for row in pushed.drift(self._mirror)]
        ledger.add("sync_drift", [row for row in drift if (row["kind"], row["table"], row["name"]) not in seen])
        told = {(row["class"], row["table"], row["reason"]) for row in ledger.rows("sync_reject")}
        rejects = [row for row in self._rejects if (row["class"], row["table"], row["reason"]) not in told]
        ledger.add("sync_reject", [row | {"rejected_at": now} for row in rejects])


class _Named:
    """What rows of what happened are called whose deliveries are not kept any more. ``kept``: what the other rows'
    deliveries are called; ``present``: the rows that the lake has."""

    def __init__(
        self, table: Table, columns: Sequence[str], kept: set[int], present: Iterable[Mapping[str, Any]]
    ) -> None:
        self._table, self._number = table.name, columns.index("event_id")
        self._there: dict[tuple[Any, ...], list[int]] = {}
        self._seen = Counter[tuple[Any, ...]]()
        for row in present:
            if row["event_id"] not in kept:
                self._there.setdefault(self._said([row[name] for name in columns]), []).append(row["event_id"])
        for ids in self._there.values():
            ids.sort(reverse=True)

    def id_of(self, cells: Sequence[Any]) -> int:
        """The id of the next row of these cells: as the lake has it, or else a digest of what it says."""
        said = self._said(cells)
        if there := self._there.get(said):
            return there.pop()
        self._seen[said] += 1
        text = json.dumps([self._table, *said, self._seen[said]], default=str)
        return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1

    def _said(self, cells: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(cell for n, cell in enumerate(cells) if n != self._number)


def _less(path: parquet.Source, key: Sequence[str], gone: set[tuple[Any, ...]], target: Path) -> Path | None:
    """A file without the rows of these keys; None if it has no others."""
    rows = parquet.read(path)
    keys = zip(*(rows.column(name).to_pylist() for name in key), strict=True)
    left = rows.filter(pa.array([one not in gone for one in keys], pa.bool_()))
    with parquet.PartWriter(target) as writer:
        for batch in left.combine_chunks().to_batches() if left.num_rows else ():
            writer.write(batch)
    return target if writer.columns else None


def _chunks(found: Iterable[tuple[bool, dict[str, Any]]]) -> Iterator[tuple[bool, str, list[str]]]:
    """Deliveries as lines, those of a day that follow each other together: whether they wait, the day as a folder, and
    the lines."""
    open_: dict[bool, tuple[str, list[str]]] = {}
    for waits, line in found:
        day = str(line["received_at"])[:10].replace("-", "/")
        before, lines = open_.setdefault(waits, (day, []))
        if lines and (before != day or len(lines) == _LINES):
            yield waits, before, lines
            lines = []
        open_[waits] = day, lines
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    for waits, (day, lines) in open_.items():
        yield waits, day, lines


def _name(lines: Sequence[str]) -> str:
    """The same for the same lines."""
    return f"mirror-{sha256(''.join(lines).encode()).hexdigest()[:16]}.jsonl"
