"""What an engine does for the lake: it has inputs decoded, and folds files of claims and rows into files of rows.

Owns the contract, so that there can be several: decoding is a pure function of one input (parts.py), folding one SQL
statement (fold_sql.py) over files, and both may be done twice or on any machine. An engine decides nothing: which
inputs, which files, which buckets and what counts afterwards is the run's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from promptsync.lake import parquet
from promptsync.lake.kept import Keeping
from promptsync.lake.shape import layout_of, shelf_of
from promptsync.lake.storage import Stored
from promptsync.merge.layout import Layout
from promptsync.model import Table

if TYPE_CHECKING:
    from promptsync.lake.inputs import Input
    from promptsync.lake.parts import Decoded, Decoder

BUCKET = "_bucket"
"""The column that a table's files are partitioned by: the organization's number modulo the lake's ``buckets``."""

SHELF = "_shelf"
SHELF_ROWS = 500_000
"""Rows of one file: what has to be rewritten at least if one of them changes."""


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """A Parquet file of claims or rows of one table. ``columns``: those that it has; of a file of the lake's tables
    those of the table, as it is not read to know. ``rows``: how many, 0 if that is not known."""

    path: parquet.Source
    columns: tuple[str, ...]
    rows: int = 0


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file of folded rows. ``key``: below its table's folder, ``_bucket=3/<name never used again>.parquet``;
    ``path``: on this machine, None if it is in the lake already. ``low``, ``high``: the least and greatest value in its
    column ``shelf_of``, None if there is none."""

    key: str
    path: Path | None
    columns: tuple[str, ...]
    rows: int
    size: int
    low: Any = None
    high: Any = None

    @property
    def bucket(self) -> str:
        """The bucket that its rows are of."""
        return self.key.split("/")[0].removeprefix(f"{BUCKET}=")


@dataclass(frozen=True, slots=True)
class FoldWork:
    """One table's files to fold. ``buckets``: into how many rows are divided, by organization; ``ends``: what ends
    rows (fold_sql.py), with ``org_id``, or a link's contact too, ``instant`` and ``iso``; ``target``: a folder for the
    result if it is made on this machine; what has to be copied for it comes beside; ``keeping``: what of the rows is
    not written any more. A file has rows of one bucket, at most SHELF_ROWS, whose values in the column ``shelf_of``
    follow on one another."""

    table: Table
    files: Sequence[ClaimFile]
    ends: pa.Table | None
    buckets: int
    target: Path
    keeping: Keeping = field(default_factory=Keeping)

    @property
    def layout(self) -> Layout:
        """In which they can be put together."""
        return layout_of(self.table, dict.fromkeys(file.columns for file in self.files))

    def local(self) -> Mapping[tuple[str, ...], list[ClaimFile]]:
        """The files on this machine, by the columns that they have."""
        found: dict[tuple[str, ...], list[ClaimFile]] = {}
        for file in self.files:
            if isinstance(file.path, Stored):
                path = file.path.storage.get(file.path.key, self.target.with_name("was") / file.path.key)
                file = ClaimFile(path, *parquet.shape_of(path))
            found.setdefault(file.columns, []).append(file)
        return found


class Engine(Protocol):
    """Decodes all inputs of a run, and folds, ``at_once`` tables at a time, each on a thread of its own. Raises
    Unavailable if it cannot now."""

    at_once: int

    def decode(self, decoder: "Decoder", groups: Sequence[Sequence["Input"]]) -> Iterator[list["Decoded"]]:
        """What came of each group of inputs that is decoded together, in any order."""

    def fold(self, work: FoldWork) -> list[MadeFile]:
        """The rows that the files make, as new files."""

    def close(self) -> None:
        """Give back what it holds."""


def made_file(table: Table, path: Path, key: str) -> MadeFile:
    """What is to be known of a new file on this machine."""
    columns, rows = parquet.shape_of(path)
    shelf = shelf_of(table)
    found: Any = pc.min_max(parquet.read(path, [shelf]).column(shelf)).as_py()
    return MadeFile(key, path, columns, rows, path.stat().st_size, found["min"], found["max"])
