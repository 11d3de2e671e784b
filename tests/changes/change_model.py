"""What rows a set of change sets makes, computed the plain way: of each key and column the newest claim that has it.

A row without its ordering value is none, but in a file without that column: there every row has the weakest claim.
Knows nothing of promptsync. Times are whole milliseconds since 1970.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Kind:
    """A table as far as the tests fill it. ``times``: columns that hold a time."""

    table: str
    stem: str
    key: tuple[str, ...]
    order: str
    values: tuple[str, ...]
    integers: frozenset[str] = frozenset()
    times: frozenset[str] = frozenset()


KINDS = (
    Kind(
        "cio_subjects",
        "subjects",
        ("workspace_id", "subject_name"),
        "seq_num",
        ("campaign_id", "trigger_id", "event_id", "seq_num"),
        frozenset({"workspace_id", "campaign_id", "trigger_id", "seq_num"}),
    ),
    Kind(
        "cio_delivery_content",
        "delivery_content",
        ("workspace_id", "delivery_id"),
        "",
        ("subject", "body", "campaign_id"),
        frozenset({"workspace_id", "campaign_id"}),
    ),
    Kind(
        "cio_people",
        "people",
        ("workspace_id", "internal_customer_id"),
        "updated_at",
        ("customer_id", "email_addr", "updated_at"),
        frozenset({"workspace_id"}),
        frozenset({"updated_at"}),
    ),
    Kind(
        "cio_campaigns",
        "campaigns",
        ("workspace_id", "campaign_id", "version"),
        "version",
        ("name",),
        frozenset({"workspace_id", "campaign_id", "version"}),
    ),
)


@dataclass(frozen=True)
class ChangeSet:
    """One file. ``columns``: value columns that it has, unknown ones too. ``group``: rows of a row group."""

    kind: Kind
    workspace: int
    sequence: int
    part: int
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    group: int = 1000
    changes: bool = False
    version: int = 5

    @property
    def name(self) -> str:
        tail = f"_{self.part:018d}" if self.part else ""
        mark = "_chngs" if self.changes else ""
        return f"{self.kind.stem}_v{self.version}{mark}_{self.workspace}_{self.sequence:018d}{tail}.parquet"


@dataclass
class Row:
    """What a key has come to. ``won``: column to the version of the claim it has; ``newest``: of all its claims."""

    cells: dict[str, Any] = field(default_factory=dict)
    won: dict[str, tuple[int, ...]] = field(default_factory=dict)
    newest: tuple[int, ...] = ()


def rows_of(files: Iterable[ChangeSet]) -> dict[str, dict[Key, Row]]:
    """Table to key to row. Unknown columns are named in lower case: SQLite does not tell the cases apart."""
    tables: dict[str, dict[Key, Row]] = {}
    for file in files:
        table = tables.setdefault(file.kind.table, {})
        for position, cells in enumerate(file.rows, 1):
            ordered = file.kind.order in (*file.columns, *file.kind.key)
            stated = (cells[file.kind.order] or 0) if ordered else 0
            if ordered and stated <= 0:
                continue
            unit = 1000 if file.kind.order in file.kind.times else 1
            version = (stated * unit, file.sequence, file.part, position)
            row = table.setdefault(tuple(cells[column] for column in file.kind.key), Row())
            row.newest = max(row.newest, version)
            for column in file.columns:
                claim, name = (version, _rank(cells[column])), column.lower()
                if claim > (row.won.get(name, ()), _rank(row.cells.get(name))):
                    row.cells[name], row.won[name] = cells[column], version
    return tables


def _rank(cell: Any) -> tuple[Any, ...]:
    """What makes the greater of two cells of one column; none is less than any."""
    return () if cell is None else (cell,)


def as_bytes(version: Sequence[int]) -> bytes:
    """A version as the mirror keeps it; none at all is empty."""
    return b"".join(n.to_bytes(size, "big") for n, size in zip(version, (8, 8, 8, 4), strict=False))
