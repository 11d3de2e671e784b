"""CSV files of exports whose columns nobody documents: known spellings are mapped, every other column is kept.

Owns the proof that a file is whole, and the cutting into batches of typed rows, in bounded memory. What a CSV file may
look like is in formats/csv/text.py, what its cells mean in rows.py. Merges nothing.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from promptsync.errors import Held
from promptsync.formats.csv.block import Parsed
from promptsync.formats.csv.header import texts
from promptsync.formats.csv.records import COMMA, Block, Records, cells_of
from promptsync.formats.csv.text import CsvText
from promptsync.formats.limits import Limits
from promptsync.formats.proof import Proving
from promptsync.formats.rejects import BadRow, shape_problem
from promptsync.formats.stream import RawStream
from promptsync.loading.rows import RowBatch, RowHeader, RowProof
from promptsync.model import Table
from promptsync.vendors.qlara.profile import KindProfile, plain
from promptsync.vendors.qlara.rows import RowReader, columns_of, map_header, object_cells, spelled_names

_BATCH: Final = 2000
_MOST_BAD: Final = 100_000
"""Bad rows after which nobody needs to count on."""


@dataclass(frozen=True, slots=True)
class ExportRows:
    """What reads the rows of one kind of export into ``table``: as RowSource has it."""

    kind: KindProfile
    table: Table

    def open(
        self, path: Path, times: tuple[ZoneInfo, int], limits: Limits, *, vouched: bool, accepted: bool = False
    ) -> "ExportFile":
        """A file, as RowSource has it."""
        return ExportFile(path, self, times, limits, vouched=vouched, accepted=accepted)

    def batch(self, objects: Sequence[Mapping[str, Any]], times: tuple[ZoneInfo, int]) -> RowBatch:
        """Objects, as RowSource has it."""
        names, cells = object_cells(objects)
        header = map_header(names, self.kind, self.table)
        rows, wrong = RowReader(header, self.kind, *times).read(columns_of(cells))
        bad = [one.at(one.row + 1, one.row + 1, _original(objects[one.row])) for one in wrong]
        return RowBatch(header, rows, bad)


def _original(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")


class ExportFile:
    """One export file; can be read more than once. ``vouched``: its transfer says that it is whole; ``accepted``: a
    person says so, and a record that leaves open which rows it holds is a bad row.

    ``requested_at``: microseconds, when its rows were so unless a row says itself when it last changed. ``zone``: of
    times that name none. ``limits``: those of any file.
    """

    def __init__(
        self,
        path: Path,
        columns: ExportRows,
        times: tuple[ZoneInfo, int],
        limits: Limits,
        *,
        vouched: bool,
        accepted: bool = False,
    ) -> None:
        self._path, self._columns, self._times = path, columns, times
        self._vouched = vouched
        # rows are taken one by one, as objects: a file has smaller parts than one that is merged whole
        self._limits = replace(
            limits, max_columns=500, max_cell=128 << 10, max_record=4 << 20, block=1 << 20, accept=accepted
        )

    def prove(
        self,
        progress: Callable[[int], None] = lambda _: None,
        take: Callable[[RowBatch], None] = lambda _: None,
    ) -> RowProof:
        """Read it to its end. Raises Held: the reasons of stream.py and text.py, and ``bad_rows`` once that many are
        bad that no more are counted; Unavailable if the file cannot be read. ``progress``, ``take``: as RowFile."""
        trusted = replace(self._limits, accept=self._limits.accept or self._vouched)
        proving, tally = Proving(self._path, trusted), _Tally()
        records = _Records(proving, self._columns, self._times, self._limits)
        for batch in records:
            tally.add(batch)
            if tally.bad > _MOST_BAD and not self._limits.accept:
                words = f"Of its first {tally.rows:,} rows {tally.bad:,} cannot be read."
                raise Held("bad_rows", f"{words} {tally.first_in_words}")
            take(batch)
            progress(tally.rows)
        proof = proving.verdict()
        return RowProof(proof, tally.rows, tally.bad, tally.keyless, tally.first, records.header, records.text.dialect)

    def __iter__(self) -> Iterator[RowBatch]:
        yield from _Records(RawStream(self._path, self._limits), self._columns, self._times, self._limits)


class _Tally:
    """What the rows of a file come to. ``first``: the first bad row, of those without a key if there are any."""

    def __init__(self) -> None:
        self.rows = self.bad = self.keyless = 0
        self.first: BadRow | None = None

    def add(self, batch: RowBatch) -> None:
        """Count a batch, in the file's order."""
        bad = len(batch.bad) + batch.not_shown
        self.rows += batch.rows.num_rows + bad
        self.bad += bad
        nameless = [row for row in batch.bad if row.key is None]
        if nameless and not self.keyless:
            self.first = nameless[0]
        elif batch.bad and self.first is None:
            self.first = batch.bad[0]
        self.keyless += len(nameless)

    @property
    def first_in_words(self) -> str:
        """A sentence about the first one."""
        return f"The first, {self.first.describe()}" if self.first else ""


class _Records:
    """The rows of one text, in batches that are small whatever the text is. ``header``, ``text``: what it is."""

    def __init__(
        self, pieces: Iterable[bytes], columns: ExportRows, times: tuple[ZoneInfo, int], limits: Limits
    ) -> None:
        self.text = CsvText(pieces, spelled_names(columns.kind), limits, plain)
        self._width, self._blank = 0, range(0)
        self._accept = limits.accept
        self.header = self.text.header(lambda cells: self._read_header(cells, columns))
        self._reader = RowReader(self.header, columns.kind, *times, decimal_comma=self.text.delimiter != COMMA)
        self._before = self._bad = 0

    def __iter__(self) -> Iterator[RowBatch]:
        for block, parsed in self.text.parsed(self._width, self._blank):
            where = _Where(block, parsed, self.text.delimiter)
            for start in range(0, parsed.total, _BATCH):
                yield self._batch(where, start, min(start + _BATCH, parsed.total))
            self._before += parsed.total

    def _read_header(self, cells: list[bytes], columns: ExportRows) -> RowHeader:
        """Last columns without a name must be blank; a person's word makes columns of them."""
        names = texts(cells)
        self._width = len(names)
        while names and not names[-1] and not self._accept:
            names.pop()
        self._blank = range(len(names), self._width)
        return map_header(names, columns.kind, columns.table)

    def _batch(self, where: "_Where", start: int, end: int) -> RowBatch:
        """The records from ``start`` to ``end`` of a block."""
        index = where.parsed.index
        low, high = (int(at) for at in np.searchsorted(index, (start, end)))
        cells = [column.slice(low, high - low) for column in where.parsed.columns]
        shown = self._bad <= _MOST_BAD
        rows, wrong = self._reader.read(cells)
        missing = end - start - (high - low)
        self._bad += missing + len(wrong)
        if not (missing or wrong) or not shown:
            return RowBatch(self.header, rows, [], missing + len(wrong))
        found = {int(index[low + one.row]): one for one in wrong}
        places = sorted({*found, *np.setdiff1d(np.arange(start, end), index[low:high]).tolist()})
        bad = []
        for place, line, original in where.of(places):
            number = self._before + place + 1
            if place in found:
                bad.append(found[place].at(number, line, original))
            else:
                key = None if where.records.strange[place] else self.header.key(cells_of(original, self.text.delimiter))
                problem = shape_problem(where.records, place, self._width)
                bad.append(BadRow(number, line, *problem, original, key))
        return RowBatch(self.header, rows, bad)


class _Where:
    """Where the records of one block are, found out once somebody asks."""

    def __init__(self, block: Block, parsed: Parsed, delimiter: bytes) -> None:
        self._block, self.parsed, self._delimiter = block, parsed, delimiter
        self._records: Records | None = None

    @property
    def records(self) -> Records:
        """All of them."""
        if self._records is None:
            self._records = self.parsed.located(self._block, self._delimiter)
        return self._records

    def of(self, places: list[int]) -> Iterator[tuple[int, int, bytes]]:
        """Place in the block, physical line and bytes of some."""
        lines = self.records.lines(np.array(places, np.int64)).tolist()
        for place, line in zip(places, lines, strict=True):
            yield place, line, self.records.original(place)
