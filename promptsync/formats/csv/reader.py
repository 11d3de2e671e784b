"""A proven nightly snapshot file as typed Arrow batches, rows that cannot be read set apart.

Owns the reading of one file (Nightly Data Exports, Data Schema): block by block, in bounded memory. Does not prove the
file (proof.py), does not judge how many bad rows are too many, writes nothing.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

import pyarrow as pa

from promptsync.errors import Held
from promptsync.formats.csv.block import Parsed
from promptsync.formats.csv.header import known_names, read_header
from promptsync.formats.csv.records import Block
from promptsync.formats.csv.row_typing import RowTyping, TypedRows
from promptsync.formats.csv.text import CsvText
from promptsync.formats.limits import Limits
from promptsync.formats.rejects import BadRow, bad_rows, count_bad
from promptsync.formats.stream import RawStream
from promptsync.model import Kind, Table
from promptsync.model.file_name import FileName

__all__ = ["BadRow", "Batch", "SnapshotReader"]

ARROW: dict[Kind, pa.DataType] = {Kind.INTEGER: pa.int64(), Kind.BOOLEAN: pa.int64(), Kind.REAL: pa.float64()}
"""Kind to the type of its column in a batch; text otherwise."""


@dataclass(frozen=True, slots=True)
class Batch:
    """``rows``: schema ``SnapshotReader.schema``. ``rejects``: the other records. Both in the file's order.

    ``not_shown``: how many more records are bad than ``rejects`` holds. ``keyless``: of a parquet file, how many of all
    bad ones have no readable key.
    """

    rows: pa.RecordBatch
    rejects: list[BadRow]
    not_shown: int = 0
    keyless: int = 0


class SnapshotReader:
    """Iterates once over the batches of a file, which states ``stated.table`` at ``stated.as_of``.

    ``source``: the file, or the pieces of it that are to be read: its header, then complete records (numbers and lines
    of records then count these alone).

    ``schema``: ``_n`` (number of the record from 1, rejected ones counted, header and empty lines not), key columns,
    value columns that the file has, ``_at`` (observed at, microseconds since the epoch, 0 to 2**52 - 1).
    ``dialect``: how the file is written. ``unknown``: columns that are not declared, name in the batches to the
    vendor's name. ``lacks``: declared ones that the file, and so the batches, do not have. ``records``, ``rejected``:
    how many so far; ``ahead``: how many of them claim to have changed hours after the file was made.

    Raises Held: ``bad_rows``, and the reasons of text.py and of stream.py.
    """

    def __init__(
        self,
        source: Path | Iterable[bytes],
        table: Table,
        stated: FileName,
        zone: ZoneInfo,
        limits: Limits,
    ) -> None:
        pieces = RawStream(source, limits) if isinstance(source, Path) else source
        self._limits = limits
        self._text = CsvText(pieces, known_names(table), limits)
        self.dialect = self._text.dialect
        self._header = self._text.header(lambda cells: read_header(cells, table, limits.max_columns))
        self._typing = RowTyping(table, self._header, stated, zone, self.dialect.delimiter)
        self.unknown, self.lacks = self._header.unknown, self._header.lacks
        self.records = self.rejected = self.ahead = self._shown = self._shown_bytes = 0
        self._first_bad: BadRow | None = None
        typed = [(field.name, ARROW.get(field.kind, pa.string())) for field in self._header.fields]
        self.schema = pa.schema([("_n", pa.int64()), *typed, ("_at", pa.int64())])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file. Reading to the end does so too."""
        self._text.close()

    def __iter__(self) -> Iterator[Batch]:
        for block, parsed in self._text.parsed(self._header.width, self._header.blank):
            yield self._batch(block, parsed)

    def _batch(self, block: Block, parsed: Parsed) -> Batch:
        typed = self._typing.run(parsed.columns)
        numbers = pa.array(parsed.index + (self.records + 1), pa.int64())
        columns = [numbers, *typed.arrays, pa.array(typed.observed, pa.int64())]
        rows = pa.RecordBatch.from_arrays(columns, schema=self.schema)
        rejects = self._rejects(block, parsed, typed)
        if typed.problems:
            rows = rows.filter(pa.array(~typed.bad))
        self.records += parsed.total
        self.rejected += len(rejects)
        self.ahead += typed.ahead
        return Batch(rows, rejects)

    def _rejects(self, block: Block, parsed: Parsed, typed: TypedRows) -> list[BadRow]:
        """The bad rows, with the bytes of no more than a person would read. Raises Held if there are far too many."""
        limits, count = self._limits, self.rejected + count_bad(parsed, typed)
        most = limits.max_bad_accepted if limits.accept else limits.max_bad
        rejects = bad_rows(block, parsed, typed, self._typing, self.records, 1 if count > most else None)
        self._first_bad = self._first_bad or next(iter(rejects), None)
        if self._first_bad and count > most:
            rows = self.records + parsed.total
            first = self._first_bad.describe()
            raise Held("bad_rows", f"Of its first {rows:,} rows {count:,} cannot be read. The first, {first}")
        for at, row in enumerate(rejects):
            self._shown += 1
            self._shown_bytes += len(row.original)
            if self._shown > limits.max_shown or self._shown_bytes > limits.max_shown_bytes:
                rejects[at] = replace(row, original=b"")
        return rejects
