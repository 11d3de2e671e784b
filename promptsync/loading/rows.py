"""Files of rows that say themselves, or by when they were asked for, when each was so: what their reader hands over.

Owns these shapes only. The reader is the vendor's (vendors/qlara/csv.py); staging and merging are the same for all.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pyarrow as pa

from promptsync.formats.csv.dialect import Dialect
from promptsync.formats.limits import Limits
from promptsync.formats.proof import Proof
from promptsync.formats.rejects import BadRow
from promptsync.model import Kind, Table


@dataclass(frozen=True, slots=True)
class RowHeader:
    """``columns``: (name, kind, position); declared ones first. ``unknown``: the names in it that the table does not
    declare. ``doubled``: the name of the id, if it stands there more than once."""

    columns: tuple[tuple[str, Kind, int], ...]
    unknown: tuple[str, ...]
    doubled: str = ""

    def key(self, record: Sequence[bytes]) -> tuple[bytes, ...] | None:
        """What names a record with the wrong number of cells: its id, or in a file without ids all that it says."""
        at = next((position for name, _, position in self.columns if name == "id"), None)
        said = tuple(cell for cell in (record if at is None else record[at : at + 1]) if cell.strip())
        return said or None


@dataclass(frozen=True, slots=True)
class RowBatch:
    """Some rows of a file, and those that cannot be merged. ``rows``: ``id``, the header's other columns in order, and
    ``_at``, the version of what the row says. ``not_shown``: how many more bad ones there are."""

    header: RowHeader
    rows: pa.RecordBatch
    bad: list[BadRow]
    not_shown: int = 0


@dataclass(frozen=True, slots=True)
class RowProof:
    """A whole file. ``bad``: rows of ``rows``, of which ``keyless`` have no readable key; ``first_bad``: the first of
    these, if there are any, else of those. ``dialect``: how it is written."""

    file: Proof
    rows: int
    bad: int
    keyless: int
    first_bad: BadRow | None
    header: RowHeader
    dialect: Dialect


class RowFile(Protocol):
    """One file; can be read more than once."""

    def prove(self, progress: Callable[[int], None], take: Callable[[RowBatch], None]) -> RowProof:
        """Read it to its end. Raises Held, and Unavailable if the file cannot be read.

        ``progress``: gets the rows so far; ``take``: every batch, to be believed once this has returned.
        """

    def __iter__(self) -> Iterator[RowBatch]:
        """Read it again."""


class RowSource(Protocol):
    """What reads the files of one kind, and the same rows as objects of an API. ``table``: where they belong."""

    @property
    def table(self) -> Table:
        """The mirror's table."""

    def open(
        self, path: Path, times: tuple[ZoneInfo, int], limits: Limits, *, vouched: bool, accepted: bool
    ) -> RowFile:
        """A file. ``times``: the zone of times that name none, and the microsecond at which the rows were asked for.

        ``vouched``: its transfer says that it is whole; ``accepted``: a person says so.
        """

    def batch(self, objects: Sequence[Mapping[str, Any]], times: tuple[ZoneInfo, int]) -> RowBatch:
        """The same of JSON objects. Raises Held if none of their names is known."""
