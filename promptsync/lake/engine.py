"""What an engine does for the lake: it folds files of claims and rows into files of rows.

Owns the contract, which is that of one SQL statement (fold_sql.py) over files, so that there can be several. An engine
decides nothing: which files, which buckets and what counts afterwards is the run's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from promptsync.lake.shape import layout_of
from promptsync.merge.layout import Layout
from promptsync.model import Table

BUCKET = "_bucket"
"""The column that a table's files are partitioned by: the organization's number modulo the lake's ``buckets``."""

SHELF = "_shelf"
SHELF_ROWS = 500_000
"""Rows of one file: what has to be rewritten at least if one of them changes."""


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """A Parquet file of claims or rows of one table, and the columns that it has."""

    path: Path
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoldWork:
    """One table's files to fold. ``buckets``: into how many rows are divided, by organization; ``ends``: what ends
    rows (fold_sql.py), with ``org_id``, or a link's contact too, ``instant`` and ``iso``; ``target``: a folder for the
    result: ``_bucket=3/_shelf=0/<name never used again>.parquet`` has rows of bucket 3, at most SHELF_ROWS, with
    the least values in the column ``shelf_of``."""

    table: Table
    files: Sequence[ClaimFile]
    ends: pa.Table | None
    buckets: int
    target: Path

    @property
    def shapes(self) -> Mapping[tuple[str, ...], list[Path]]:
        """The files by the columns that they have."""
        found: dict[tuple[str, ...], list[Path]] = {}
        for file in self.files:
            found.setdefault(file.columns, []).append(file.path)
        return found

    @property
    def layout(self) -> Layout:
        """In which they can be put together."""
        return layout_of(self.table, self.shapes)


class Engine(Protocol):
    """Folds, one table at a time. Raises Unavailable if it cannot now."""

    def fold(self, work: FoldWork) -> None:
        """Write the rows that the files make into the target."""

    def close(self) -> None:
        """Give back what it holds."""
