"""Change sets, exports and files that a plugin decodes, as Hypothesis draws them."""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from promptsync.merge.spec import EXPORT, WEBHOOK

from .model_files import CHANGE_KINDS, GROUPS, ChangeKind, ChangeSet, Decoded, DecodedRow, Export
from .world_values import HOUR, MOMENTS, NIGHTS, ORGS, SHAPES, TIMES

_UNKNOWN = ("plan", "Plan", "score", "row")
_NUMBERS = st.none() | st.integers(-1, 3)
_TEXTS = st.sampled_from([None, "", "a", "b", "ä"])


def _cells(kind: ChangeKind, columns: tuple[str, ...], workspace: int) -> st.SearchStrategy[dict[str, Any]]:
    cells: dict[str, st.SearchStrategy[Any]] = {}
    for column in columns:
        numeric = column in kind.integers or column in kind.times
        cells[column] = (
            _NUMBERS.map(lambda n: n and abs(n)) if column in kind.times else _NUMBERS if numeric else _TEXTS
        )
    for column in kind.key:
        cells[column] = st.integers(1, 3) if column in kind.integers else st.sampled_from(["k1", "k2", "ö3", "k4"])
    return st.fixed_dictionaries(cells | {"workspace_id": st.sampled_from([workspace, 7])})


@st.composite
def change_sets(draw: st.DrawFn, sequence: int) -> ChangeSet:
    """One file: perhaps without some columns, perhaps with unknown ones."""
    kind = draw(st.sampled_from(CHANGE_KINDS))
    lacks = draw(st.sets(st.sampled_from(kind.values), max_size=2)) if draw(st.booleans()) else set()
    more = draw(st.sampled_from([(), (), *((name,) for name in _UNKNOWN), ("plan", "score")]))
    columns = (*(column for column in kind.values if column not in lacks), *more)
    workspace = draw(st.sampled_from([7, 111528]))
    return ChangeSet(
        kind=kind,
        workspace=workspace,
        sequence=sequence,
        part=draw(st.sampled_from([0, 0, 5])),
        columns=columns,
        rows=tuple(draw(st.lists(_cells(kind, columns, workspace), max_size=6))),
        group=draw(st.sampled_from([1, 2, 1000])),
        changes=draw(st.booleans()),
        version=4 if lacks else 5,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[ChangeSet]:
    """Some files, some of them sent again under later sequences, as when a table or a sync is switched on again.

    A sequence may stand twice, with other content: no order is right then, but it must not matter.
    """
    files = [draw(change_sets(100 + draw(st.sampled_from([0, n, n])))) for n in range(draw(st.integers(1, 3)))]
    again = draw(st.lists(st.sampled_from(files), max_size=2))
    return files + [replace(file, sequence=200 + n) for n, file in enumerate(again)]


@st.composite
def exports(draw: st.DrawFn, number: int) -> Export:
    """One file of Qlara's contacts: any columns, ids more than once."""
    columns = draw(st.lists(st.sampled_from(list(_EXPORTED)), unique_by=str.lower, min_size=1, max_size=4))
    row = st.tuples(st.sampled_from("12"), *(_EXPORTED[column] for column in columns))
    return Export(number, draw(st.sampled_from(MOMENTS)), tuple(columns), tuple(draw(st.lists(row, max_size=4))))


_WORDS = st.sampled_from([None, "a", "b", "\u00e4"])
_EXPORTED = dict.fromkeys(("phone", "first_name", "email", "status", "tier", "Tier", "name_at"), _WORDS) | {
    "updated_at": st.sampled_from([None, *TIMES, "2062-02-01T09:00:00.000Z"])
}


@st.composite
def decoded(draw: st.DrawFn, number: int, tables: tuple[str, ...]) -> Decoded:
    """One file of a plugin about some of the tables that snapshots and deliveries are about."""
    lines = st.lists(st.sampled_from([table for table in tables if table in GROUPS]).flatmap(_lines), max_size=3)
    return Decoded(number, tuple(draw(lines)))


@st.composite
def _lines(draw: st.DrawFn, table: str) -> DecodedRow:
    shape, org, at = SHAPES[table], draw(ORGS), draw(st.sampled_from(MOMENTS))
    groups = draw(st.lists(st.sampled_from(list(GROUPS[table])), unique=True, max_size=2))
    stated = {
        name: tuple(draw(shape.varied[column]) if column in shape.varied else None for column in GROUPS[table][name])
        for name in groups
    }
    seen = at if draw(st.booleans()) else draw(st.sampled_from([*NIGHTS, at + HOUR]))
    return DecodedRow(table, shape.key(org, draw(st.integers(0, 2))), org, at, draw(_RANKS), stated, seen)


_RANKS = st.sampled_from([EXPORT, WEBHOOK])
