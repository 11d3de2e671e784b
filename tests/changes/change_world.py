"""Change sets as Hypothesis draws them, and as files."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from .change_model import KINDS, ChangeSet, Kind

_UNKNOWN = ("plan", "Plan", "score", "row")
_NUMBERS = st.none() | st.integers(-1, 3)
_TEXTS = st.sampled_from([None, "", "a", "b", "ä"])


def _cells(kind: Kind, columns: tuple[str, ...], workspace: int) -> st.SearchStrategy[dict[str, Any]]:
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
    kind = draw(st.sampled_from(KINDS))
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
def worlds(draw: st.DrawFn) -> list[ChangeSet]:
    """Some files, some of them sent again under later sequences, as when a table or a sync is switched on again.

    A sequence may stand twice, with other content: no order is right then, but it must not matter.
    """
    files = [draw(change_sets(100 + draw(st.sampled_from([0, n, n])))) for n in range(draw(st.integers(1, 5)))]
    for n, file in enumerate(draw(st.lists(st.sampled_from(files), max_size=2))):
        files.append(ChangeSet(**{**vars(file), "sequence": 200 + n}))
    return files


def write(folder: Path, file: ChangeSet) -> Path:
    """The file as the vendor would write it."""
    kind, arrays = file.kind, {}
    for column in (*kind.key, *file.columns):
        cells = [row[column] for row in file.rows]
        type_ = pa.timestamp("ms", "UTC") if column in kind.times else pa.int64()
        arrays[column] = pa.array(cells, type_ if column in kind.times | kind.integers else pa.string())
    path = folder / file.name
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(arrays), path, row_group_size=file.group)
    return path
