"""CSV files of exports whose columns nobody documents: known spellings are mapped, every other column is kept.

Owns the header's meaning, the proof that a file is whole, and the cutting into batches of typed rows. Reads RFC 4180
with commas, semicolons, tabs or bars, plain or gzip, in bounded memory. Merges nothing.
"""

import csv
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from promptsync.errors import Held
from promptsync.formats.export_rows import Batch, ColumnMap, ExportHeader, RowReader, map_header
from promptsync.formats.limits import Limits
from promptsync.formats.rejects import BadRow
from promptsync.formats.stream import RawStream

_DELIMITERS = ",;\t|"
_BATCH = 2000
_BATCH_BYTES = 4 << 20
_FOREIGN = (b"PK\x03\x04", b"\xff\xfe", b"\xfe\xff", b"<", b"{", b"[", b"%PDF")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ExportProof:
    """A whole file. ``sha256``: hex, of the bytes as they came; ``size``: their number. ``bad``: rows of ``rows``, of
    which ``keyless`` have no readable key; ``first_bad``: the first of these, if there are any, else of those."""

    sha256: str
    size: int
    rows: int
    bad: int
    keyless: int
    first_bad: BadRow | None
    header: ExportHeader


class ExportFile:
    """One export file; can be read more than once. ``vouched``: its transfer says that it is whole; ``accepted``: a
    person says so, and a record that is cut is a bad row.

    ``requested_at``: microseconds, when its rows were so unless a row says itself when it last changed. ``zone``: of
    times that name none.
    """

    def __init__(
        self,
        path: Path,
        columns: ColumnMap,
        zone: ZoneInfo,
        requested_at: int,
        *,
        vouched: bool,
        accepted: bool = False,
    ) -> None:
        self._path, self._columns, self._zone = path, columns, zone
        self._requested_at, self._vouched, self._accepted = requested_at, vouched, accepted
        self._limits = Limits()

    def prove(self, progress: Callable[[int], None] = lambda _: None) -> ExportProof:
        """Read it to its end. Raises Held: the reasons of stream.py, ``not_csv``, ``header``, ``too_long``,
        ``last_record_cut``; Unavailable if the file cannot be read. ``progress`` is told the rows so far."""
        digest = hashlib.sha256()
        lines = _Lines(self._path, self._limits, digest.update)
        rows = bad = keyless = 0
        header = first = last = None
        for batch in self._batches(lines):
            header = batch.header
            rows += len(batch.rows) + len(batch.bad)
            bad += len(batch.bad)
            nameless = [row for row in batch.bad if row.key is None]
            first = nameless[0] if nameless and not keyless else first or next(iter(batch.bad), None)
            keyless += len(nameless)
            last = batch.bad[-1] if batch.bad else last
            progress(rows)
        if header is None:
            raise Held("empty", f"{self._path.name} holds nothing.")
        is_short = last is not None and last.record == rows and last.reason_class == "cell_count"
        if not (lines.ended or self._accepted) and (is_short or not (self._vouched or lines.stream.members == 1)):
            raise Held("last_record_cut", f"{self._path.name} ends within a record: its last line has no end.")
        return ExportProof(digest.hexdigest(), lines.stream.size, rows, bad, keyless, first, header)

    def __iter__(self) -> Iterator[Batch]:
        yield from self._batches(_Lines(self._path, self._limits))

    def _batches(self, lines: "_Lines") -> Iterator[Batch]:
        """The first batch may have no rows: it tells the header."""
        first = next(lines, None)
        if first is None:
            return
        delimiter = _delimiter(first)
        records = csv.reader(lines.beginning_with(first), delimiter=delimiter, strict=True)
        _, names = next(self._records(records, lines), (0, None))
        header = map_header(names or [], self._columns)
        reader = RowReader(header, self._columns, self._zone, self._requested_at, decimal_comma=delimiter != ",")
        yield Batch(header, [], [])
        cells: list[tuple[int, list[str]]] = []
        bad: list[BadRow] = []
        originals: dict[int, tuple[int, bytes]] = {}
        held = 0
        for number, (line, record) in enumerate(self._records(records, lines), 1):
            originals[number] = line, lines.taken()
            if record is None or len(record) != header.width:
                bad.append(_wrong(number, originals[number], record, header))
            else:
                cells.append((number, record))
            held += len(originals[number][1])
            if len(originals) >= _BATCH or held >= _BATCH_BYTES:
                yield reader.read(cells, originals, bad)
                cells, bad, originals, held = [], [], {}, 0
        if originals:
            yield reader.read(cells, originals, bad)

    def _records(self, records: Any, lines: "_Lines") -> Iterator[tuple[int, list[str] | None]]:
        """Line and cells of each record that is not empty; no cells where its quotes cannot be understood."""
        name = self._path.name
        while True:
            line = records.line_num + 1
            lines.mark()
            try:
                record = next(records)
            except StopIteration:
                return
            except csv.Error as error:
                if lines.exhausted and not self._accepted:
                    raise Held("last_record_cut", f"{name} ends within the quoted record at line {line:,}.") from error
                if "field limit" in str(error):
                    raise Held("too_long", f"{name} has a cell at line {line:,} that is too long.") from error
                yield line, None
                continue
            if record:
                yield line, record


def _wrong(number: int, original: tuple[int, bytes], record: list[str] | None, header: ExportHeader) -> BadRow:
    if record is None:
        return BadRow(number, original[0], "quoting", "A quote is out of place.", original[1], None)
    reason = f"The row has {len(record):,} cells, not {header.width:,}."
    return BadRow(number, original[0], "cell_count", reason, original[1], header.key(record))


def _delimiter(header: str) -> str:
    """The sign that cuts the header into the most cells."""
    counts = {}
    for sign in _DELIMITERS:
        try:
            counts[sign] = len(next(csv.reader([header], delimiter=sign), []))
        except csv.Error:
            counts[sign] = 0
    return max(_DELIMITERS, key=lambda sign: counts[sign])


class _Lines:
    """Lines of text with their ends. Bytes that are not UTF-8 become lone surrogates, so that a row can be rejected."""

    def __init__(self, path: Path, limits: Limits, seen: Callable[[bytes], None] | None = None) -> None:
        self.stream = RawStream(path, limits, seen)
        self.ended = False
        self.exhausted = False
        self._limits = limits
        self._name = path.name
        self._since: list[bytes] = []
        self._source = self._raw_lines()

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        try:
            line = next(self._source)
        except StopIteration:
            self.exhausted = True
            raise
        self._since.append(line)
        return line.decode("utf-8", "surrogateescape")

    def beginning_with(self, first: str) -> Iterator[str]:
        """The lines again from the first one, which has been taken."""
        yield first
        yield from self

    def mark(self) -> None:
        """A record begins."""
        self._since = []

    def taken(self) -> bytes:
        """The lines since the mark, as they came, without the last line end."""
        return b"".join(self._since).rstrip(b"\r\n")

    def _raw_lines(self) -> Iterator[bytes]:
        rest = b""
        first = True
        for piece in self.stream:
            data = rest + piece
            if first:
                if data.lstrip().startswith(_FOREIGN):
                    raise Held("not_csv", f"{self._name} is no CSV file in UTF-8.")
                data, first = data.removeprefix(_BOM), False
            whole = data.split(b"\n")
            rest = whole.pop()
            if len(rest) > self._limits.max_record:
                raise Held("too_long", f"{self._name} has a line of more than {self._limits.max_record:,} bytes.")
            for line in whole:
                yield line + b"\n"
        self.ended = not rest
        if rest:
            yield rest
