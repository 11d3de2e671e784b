"""Small worlds of claims for Hypothesis: few keys and few instants, so that everything ties and collides.

Owns strategies for snapshots and for the whole: ids twice in a file, columns that a file lacks or that nobody declared,
two files of one instant, times hours before and after the file that states them, two organizations; deliveries, change
sets, exports and plugins' files about some of the same rows.
"""

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from .model import BAD, File
from .model_events import Event
from .model_files import GROUPS, ChangeSet, Decoded, Export
from .world_events import deliveries
from .world_files import decoded, exports, histories
from .world_values import NIGHTS, ORGS, SHAPES, TEXTS

UNKNOWN = ("mood", "name_at", "Score")
TABLES = tuple(SHAPES)
Input = File | ChangeSet | Export | Decoded


@dataclass(frozen=True)
class World:
    """What is claimed, in no order. ``others``: files that are no snapshots."""

    files: tuple[File, ...]
    events: tuple[Event, ...]
    others: tuple[ChangeSet | Export | Decoded, ...] = ()

    @property
    def inputs(self) -> tuple[Input, ...]:
        """All files."""
        return *self.files, *self.others


@st.composite
def files(draw: st.DrawFn, tables: tuple[str, ...], drifting: bool, pool: "_Pool") -> File:
    """One snapshot. Only where there is drift do columns lack, or come that nobody declared."""
    table = draw(st.sampled_from(tables))
    shape = SHAPES[table]
    org = 0 if table == "org" else draw(ORGS)
    lacking: frozenset[str] = frozenset()
    more: list[str] = []
    if drifting:
        lacking = draw(_LACKING[table])
        more = draw(_MORE)
    declared = [*shape.varied, *shape.blank]
    columns = (*shape.keys, *(column for column in declared if column not in lacking), *more)
    rows = []
    for n, variant in draw(_ROWS):
        row = dict(zip(shape.keys, shape.key(org, n), strict=True)) | pool.row(table, org, n, variant)
        rows.append(tuple(row.get(column) for column in columns))
    return File(table, org, draw(st.sampled_from(NIGHTS)), columns, tuple(rows))


@st.composite
def _another_night(draw: st.DrawFn, snapshots: list[File], drifting: bool) -> File:
    """One of these as of another night, now and then without its last row or a column: most of it is as it was."""
    before = draw(st.sampled_from(snapshots))
    night = replace(before, as_of=draw(st.sampled_from(NIGHTS)), correction=0)
    change = draw(st.sampled_from(["none", "none", "row", "column", "correction"]))
    if change == "correction":
        corrected = {(f.table, f.org, f.as_of) for f in snapshots if f.correction}
        again = draw(st.sampled_from(snapshots))  # of the same table, that other night's rows
        if (
            again.table == night.table
            and again.org == night.org
            and (night.table, night.org, night.as_of) not in corrected
        ):
            return replace(again, as_of=night.as_of, correction=1)
    if change == "row":
        return replace(night, rows=night.rows[:-1])
    droppable = [n for n, name in enumerate(night.columns) if name in SHAPES[night.table].varied]
    if change == "column" and drifting and droppable:
        dropped = draw(st.sampled_from(droppable))
        keep = [n for n in range(len(night.columns)) if n != dropped]
        rows = tuple(tuple(row[n] for n in keep) for row in night.rows)
        return replace(night, columns=tuple(night.columns[n] for n in keep), rows=rows)
    return night


_ROW = st.tuples(st.integers(0, 2), st.integers(0, 2))
_SORTED = st.lists(_ROW, max_size=3, unique_by=lambda row: row[0]).map(sorted)
_ROWS = st.one_of(_SORTED, _SORTED, _SORTED, st.lists(_ROW, max_size=4))
_LACKING = {name: st.frozensets(st.sampled_from(list(shape.varied)), max_size=2) for name, shape in SHAPES.items()}
_MORE = st.lists(st.sampled_from(UNKNOWN), unique=True, max_size=len(UNKNOWN))


@dataclass
class _Pool:
    """What a row may be: one of three, now and then one that cannot be read. So many rows stay as they are."""

    draw: st.DrawFn
    drifting: bool
    drawn: dict[tuple[str, int, int, int], dict[str, Any]]

    def row(self, table: str, org: int, n: int, variant: int) -> dict[str, Any]:
        """The cells of one row but its key."""
        place = (table, org, n, variant)
        if place not in self.drawn:
            self.drawn[place] = self._row(table)
        return self.drawn[place]

    def _row(self, table: str) -> dict[str, Any]:
        shape = SHAPES[table]
        row = {column: self.draw(strategy) for column, strategy in shape.varied.items()}
        if self.drifting:
            row |= {column: self.draw(TEXTS) for column in UNKNOWN}
        broken = [column for column in shape.flags if column not in shape.keys]
        if broken and self.draw(st.integers(0, 9)) == 9:
            row[broken[0]] = BAD
        return row


_EVENTS = {
    "contact": ("customer/added", "customer/modified", "customer/optOut", "message/added"),
    "message": ("message/added", "message/status", "message/error"),
    "broadcast": ("broadcast/state", "message/added"),
}
_ABOUT: list[tuple[str, ...]] = [
    *[("contact",), ("contact",), ("message",), ("message",), ("broadcast",), ("contact_data",), ("contact_tag",)],
    *[("contact", "message"), ("message", "broadcast"), TABLES],
]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A handful of files and deliveries, mostly about one or two tables. Times of receipt differ, as in the inbox."""
    tables = draw(st.sampled_from(_ABOUT))
    drifting = draw(st.booleans())
    fresh = files(tables, drifting, _Pool(draw, drifting, {}))
    snapshots: list[File] = []
    copies = draw(st.sampled_from([(False, True), (True,)]))
    for copied in draw(st.lists(st.sampled_from(copies), max_size=6)):
        snapshots.append(draw(_another_night(snapshots, drifting)) if copied and snapshots else draw(fresh))
    types = tuple(type_ for table in tables for type_ in _EVENTS.get(table, ())) or ("customer/added",)
    taken: set[int] = set()
    events = []
    for type_, body, at in draw(st.lists(deliveries(types), max_size=6)):
        while at in taken:
            at += 1
        taken.add(at)
        events.append(Event(type_, body, at))
    return World(tuple(snapshots), tuple(events), tuple(draw(_others(tables))))


@st.composite
def _others(draw: st.DrawFn, tables: tuple[str, ...]) -> list[ChangeSet | Export | Decoded]:
    """Files that are no snapshots, of one kind or of all; half the worlds have none."""
    kinds = draw(st.sampled_from(_KINDS))
    found: list[ChangeSet | Export | Decoded] = draw(histories()) if "changes" in kinds else []
    if "exports" in kinds:
        found += [draw(exports(n)) for n in range(draw(st.integers(1, 3)))]
    if "decoded" in kinds and not GROUPS.keys().isdisjoint(tables):
        found += [draw(decoded(n, tables)) for n in range(draw(st.integers(1, 3)))]
    return found


_ALL = ("changes", "exports", "decoded")
_KINDS: list[tuple[str, ...]] = [(), (), (), (), ("changes",), ("decoded",), ("exports", "decoded"), _ALL]
