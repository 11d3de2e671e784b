"""Some organizations of a lake as an ordinary mirror, to browse, to back up, or to leave the lake again.

Owns the step from folded rows to a mirror's: their versions come with them, so that what is merged there later gives
what one mirror would have had from the start. Rows without an organization come with every pull. Deliveries are
numbered anew in order of receipt, with what happened, and applied once more, to no effect but their state.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from promptsync.clock import iso_millis
from promptsync.errors import ConfigError
from promptsync.events.apply import EventApplier
from promptsync.events.bodies import parse_body
from promptsync.events.fields import Fields
from promptsync.events.suppression import Suppression
from promptsync.lake import parquet
from promptsync.lake.engine import ClaimFile
from promptsync.lake.inputs import copy, inputs_of
from promptsync.lake.lake import Lake, in_turn
from promptsync.lake.ledger import Snapshot
from promptsync.lake.lines import Line, counted_now, forgetting, line_of
from promptsync.lake.parts import organizations
from promptsync.lake.scratch import scratch_folder
from promptsync.lake.shape import ORG, SEEN, SNAP, folded, is_owned, layout_of
from promptsync.merge.layout import Layout, Unit
from promptsync.merge.version import PER_MICRO
from promptsync.model import FilledBy, Role, Table
from promptsync.model.delivery import Delivery
from promptsync.store import ledger
from promptsync.store.erased import replace_list, write_key
from promptsync.store.inbox import insert_event, number_after
from promptsync.store.mirror import Mirror
from promptsync.store.pulled import prepare_layout, write_full_lists, write_rows, write_snapshot
from promptsync.store.search import SearchEntry
from promptsync.store.slices import Progress
from promptsync.vendors import type_of_path

_BATCH = 5_000
_ORGANIZATIONS = "org"


@dataclass(slots=True)
class Pulled:
    """What came. ``collisions``: rows left out, as another of these organizations claims their id too."""

    tables: dict[str, int] = field(default_factory=dict)
    deliveries: int = 0
    collisions: int = 0


def check_known(lake: Lake, orgs: frozenset[int]) -> None:
    """Raises ConfigError if the lake has no rows of one of these organizations."""
    known = {one.org for one in lake.ledger.snapshots()}
    with scratch_folder() as scratch:
        for table in lake.schema:
            if orgs <= known:
                return
            if is_owned(table) and table.role is Role.MIRROR:
                buckets = {lake.bucket_of(table, org) for org in orgs}
                present = lake.tables.present(table)
                files = lake.tables.local(present.of(buckets) if present else (), scratch)
                known = known.union(*map(organizations, files))
    if missing := sorted(orgs - known):
        raise ConfigError(
            f"The lake has no rows of organization {missing[0]}; promptsync lake status says what it has."
        )


def pull(lake: Lake, orgs: frozenset[int], mirror: Mirror, progress: Progress = lambda *_: None) -> Pulled:
    """Fill a fresh mirror. Raises Unavailable if the lake cannot be reached."""
    with scratch_folder() as scratch:
        return _Pull(lake.knowing(), orgs, mirror, scratch, progress).run()


class _Pull:
    def __init__(self, lake: Lake, orgs: frozenset[int], mirror: Mirror, scratch: Path, progress: Progress) -> None:
        self._lake, self._orgs, self._mirror, self._scratch = lake, orgs, mirror, scratch
        self._progress, self._done, self._now = progress, Pulled(), iso_millis(lake.clock())
        self._snapshots = {one for one in lake.ledger.snapshots() if one.org in orgs | {0}}
        self._numbers: dict[int, int] = {}
        self._cut: dict[int, tuple[int, ...]] = {}
        self._collisions: list[dict[str, Any]] = []
        self._revision = 0

    def run(self) -> Pulled:
        self._revision = int(self._write(self._mirror.next_revision))
        self._keep_away()
        tables = [table for table in self._lake.schema if table.role is not Role.OWN]
        deliveries = sorted(self._deliveries(), key=lambda one: (one.delivery.received_at, one.id))
        self._cut = {one.id: one.cut for one in deliveries if one.cut}
        self._number(deliveries, [table for table in tables if table.role is Role.HAPPENED])
        for number, table in enumerate(tables):
            self._progress("pulling tables", number, len(tables))
            self._table(table)
        self._write(self._ledgers)
        self._receive([one.delivery for one in deliveries])
        search = SearchEntry(self._mirror)
        for table in tables:
            search.enter_missing(table.name, self._progress)
        return self._done

    def _write(self, work: Callable[..., Any]) -> Any:
        return self._mirror.writer.run(work)

    def _keep_away(self) -> None:
        """Let the mirror have the list of erased people, and the key that it was made with."""
        listed, mirror = self._lake.listed, self._mirror
        if listed is None or listed.secret is None or not listed.erasures:
            return
        key = listed.secret.key
        hashes = [{"kind": kind, "hash": one.hex(), "erasure_id": number} for number, kind, one in listed.kept]
        erasures = [one | {"tables": json.dumps(one["tables"])} for one in listed.erasures]
        write_key(mirror.path, key)
        listing = {"sync_erasure": erasures, "sync_erased": hashes}
        self._write(lambda connection: replace_list(connection, listing, key))
        self._write(mirror.adopt_forgotten)

    def _files(self, table: Table) -> list[ClaimFile]:
        tables = self._lake.tables
        buckets = {self._lake.bucket_of(table, org) for org in self._orgs}
        present = tables.present(table)
        return tables.local(present.of(buckets) if present else (), self._scratch)

    def _rows(self, table: Table, file: ClaimFile) -> Iterator[dict[str, Any]]:
        """The rows of these organizations in a file, and those of none."""
        for row in parquet.read_rows(file.path, _BATCH):
            org = row[ORG] if is_owned(table) else row["id"] if table.name == _ORGANIZATIONS else None
            if org is None or org in self._orgs:
                yield row

    def _table(self, table: Table) -> None:
        files = self._files(table)
        if not files:
            return
        if table.role is Role.HAPPENED:
            columns = [column.name for column in table.columns]
            rows = (row for file in files for row in self._rows(table, file))
            self._insert(table, columns, ([row[name] for name in columns] for row in map(self._numbered, rows)))
            return
        wanted = layout_of(table, [file.columns for file in files])
        layout = self._write(lambda connection: prepare_layout(connection, self._mirror, wanted))
        self._mirror.adopt(layout)
        claimed: set[tuple[Any, ...]] = set()
        for org in sorted(self._orgs) if is_owned(table) else [None]:
            for file in files:
                form = _Form(layout, file.columns, self._newest(table), self._revision)
                mine = (row for row in self._rows(table, file) if org is None or row[ORG] == org)
                self._insert(table, form.columns, map(form.cells, self._unclaimed(table, mine, claimed)))

    def _numbered(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row of what happened by the number that its delivery has there, at the place that its item has now."""
        cut = self._cut.get(row["event_id"])
        moved = {"item": counted_now(cut, row["item"])} if cut else {}
        return {**row, "event_id": self._numbers[row["event_id"]], **moved}

    def _unclaimed(
        self, table: Table, rows: Iterable[dict[str, Any]], claimed: set[tuple[Any, ...]]
    ) -> Iterator[dict[str, Any]]:
        """The rows whose ids no organization before has; the others are rejects."""
        for row in rows:
            key = tuple(row[name] for name in table.key)
            if key in claimed:
                words = ", ".join(map(str, key))
                reason = f"{table.name} {words} belongs to another organization than {row[ORG]}"
                self._collisions.append({"class": "org_collision", "table": table.name, "reason": reason})
                continue
            if len(self._orgs) > 1 and is_owned(table):
                claimed.add(key)
            yield row

    def _newest(self, table: Table) -> dict[int, int]:
        """The newest applied snapshot of each organization."""
        found: dict[int, int] = {}
        for one in self._snapshots:
            if one.table == table.name:
                found[one.org] = max(one.instant, found.get(one.org, 0))
        return found

    def _insert(self, table: Table, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        waiting: list[Sequence[Any]] = []

        def flush() -> None:
            some = waiting[:]
            waiting.clear()
            written = self._write(lambda connection: write_rows(connection, table.name, columns, some))
            self._done.tables[table.name] = self._done.tables.get(table.name, 0) + written

        for row in rows:
            waiting.append(row)
            if len(waiting) == _BATCH:
                flush()
        if waiting:
            flush()

    def _ledgers(self, connection: Any) -> None:
        """What the mirror has to know of what was merged: snapshots, full lists, what was odd."""
        mirror, lake = self._mirror, self._lake.ledger
        for one in sorted(self._snapshots, key=lambda one: (one.instant, one.table)):
            self._snapshot(connection, one)
        lists = [row for row in lake.rows("sync_full_list") if row[ORG] in self._orgs]
        write_full_lists(connection, [(row["contact_id"], row["list"], row["instant"]) for row in lists])
        for row in lake.rows("sync_drift"):
            ledger.add_drift(connection, row["kind"], row["table"], row["name"], row["seen_at"], row["seen_in"])
        for reject in self._collisions:
            ledger.add_reject(connection, {**reject, "rejected_at": self._now})
        self._done.collisions = len(self._collisions)
        mirror.snapshots.load(connection)

    def _snapshot(self, connection: Any, one: Snapshot) -> None:
        layout = self._mirror.layout(one.table)
        row = {"table": one.table, "org_id": one.org, "as_of": iso_millis(one.instant), "at": one.instant}
        write_snapshot(connection, {**row, "rows": one.rows, "applied_at": self._now}, (*layout.split, *layout.extra))

    def _deliveries(self) -> Iterator[Line]:
        """Those of these organizations, each once, without people who were erased since they came."""
        seen: set[int] = set()
        there = inputs_of(self._lake.storage, (), self._lake.kinds)
        for some in in_turn([one for one in there if one.found is None]):
            for path in copy(some, self._scratch / "deliveries"):
                with path.open(encoding="utf-8", errors="replace") as lines:
                    for line in filter(None, (_line(text, self._orgs, self._lake.door) for text in lines)):
                        if line.id not in seen:
                            seen.add(line.id)
                            yield line

    def _number(self, deliveries: Sequence[Line], happened: Sequence[Table]) -> None:
        """New numbers for what deliveries are called in the lake: those that are not kept any more come first."""
        digests = {row["event_id"] for t in happened for file in self._files(t) for row in self._rows(t, file)}
        kept = [line.id for line in deliveries]
        for number, digest in enumerate([*sorted(digests - set(kept)), *kept], 1):
            self._numbers[digest] = number

    def _receive(self, deliveries: Sequence[Delivery]) -> None:
        """The deliveries as they were received, and what became of each."""

        def store(connection: Any) -> None:
            number_after(connection, len(self._numbers) - len(deliveries))
            for delivery in deliveries:
                insert_event(connection, delivery, delivery.received_at)

        self._write(store)
        applier = EventApplier(self._mirror, self._lake.handlers)
        while applier.apply_next():
            self._progress("applying deliveries", 0, 0)
        self._done.deliveries = len(deliveries)


def _line(text: str, orgs: frozenset[int], door: Suppression) -> Line | None:
    """A line of deliveries, if it is one of one of these organizations, and about anybody who was not erased."""
    try:
        line = line_of(text)
        body = parse_body(line.delivery.body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or Fields(body, []).identifier("orgId") not in orgs:
        return None
    type_ = type_of_path(line.delivery.path)
    line = forgetting(line, door, type_)
    return None if line.suppressed else replace(line, delivery=replace(line.delivery, type=type_, cut=False))


class _Form:
    """How rows with these columns become a mirror's. ``newest``: of each organization the newest applied snapshot."""

    def __init__(self, layout: Layout, have: Sequence[str], newest: dict[int, int], revision: int) -> None:
        table = layout.table
        self._spelled = {folded(name): name for name in have}
        self._newest, self._revision, self._units = newest, revision, layout.units
        self._none: Any = b"" if table.filled_by is FilledBy.CHANGE_SET else 0
        self._owned, self._exported = is_owned(table), table.exported
        self._ends = [name for name in ("_absent_since", "removed_at") if name in self._spelled]
        self._sees = SEEN in self._spelled
        plain = [*table.key, *((ORG,) if self._owned and ORG not in table.key else ())]
        self._plain = [*plain, *layout.values, *self._ends]
        versions = [unit.at for unit in layout.units]
        marks = [*([SEEN] if self._sees else []), *(["_in_snapshot"] if self._exported else [])]
        self.columns = [*self._plain, *versions, "_rev", *marks]

    def cells(self, row: dict[str, Any]) -> list[Any]:
        """A row, in the order of the columns."""
        spelled = self._spelled
        cells = [row.get(spelled.get(folded(name), name)) for name in self._plain]
        cells += [self._version(unit, row) for unit in self._units]
        cells.append(self._revision)
        if self._sees:
            cells.append(row[SEEN] or 0)
        if self._exported:
            cells.append(self._in_newest(row))
        return cells

    def _version(self, unit: Unit, row: dict[str, Any]) -> Any:
        """NULL in the mirror says "as its group", where here the column is not there."""
        at = self._spelled.get(folded(unit.at))
        if at is None:
            return None if unit.split and unit.group else self._none
        return row[at] or self._none

    def _in_newest(self, row: dict[str, Any]) -> int:
        """Whether the newest snapshot held the row, and nothing that it claims is older than that."""
        newest = self._newest.get(row[ORG] if self._owned else 0)
        if newest is None or row[SNAP] != newest:
            return 0
        whole = [unit for unit in self._units if unit.exported and not unit.split]
        return int(all((row.get(unit.at) or 0) >= newest * PER_MICRO for unit in whole))
