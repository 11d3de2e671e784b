"""A CSV text of any table: its dialect, its header, and its records in blocks of cells.

Owns what is the same for every vendor's CSV: a file that is no CSV at all is refused by its real name, the last record
must be complete, a last column without a name must be blank, no record is longer than the limits let it be, and quotes
are read strictly. A quote that stands where RFC 4180 has none is harmless only as long as every reading of it gives the
same rows: text after a closing quote never is, and a quote inside an unquoted cell is not if another reader would take
it for an opening one and find it closed in a later line. What the columns mean is decided by the caller, which reads
the header. Writes nothing.
"""

import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from itertools import chain
from typing import TypeVar

import numpy as np
import pyarrow as pa

from promptsync.errors import Held
from promptsync.formats.csv.block import Parsed, longest_cell, parse_block
from promptsync.formats.csv.dialect import opened, strange_separator
from promptsync.formats.csv.quote_places import quotes_of
from promptsync.formats.csv.records import (
    COMMA,
    Block,
    Records,
    backslashes,
    blocks,
    cells_of,
    first_record,
    line_ends,
    split,
)
from promptsync.formats.foreign import refuse_foreign
from promptsync.formats.limits import Limits

Meaning = TypeVar("Meaning")
_TO_LONE_QUOTE = re.compile(rb'(?:[^"]++|"")*+"')
_LINE_END = re.compile(rb"[\r\n]")


class CsvText:
    """Iterates once over the text's blocks. ``pieces``: of the decompressed text in UTF-8, or parts of it that are to
    be read: its header, then complete records (lines then count these alone).

    ``names``: known ones of the table as ``spelled`` makes them. ``dialect``: how the text is written. Raises Held:
    ``not_csv``, ``header``, ``empty``, ``too_long``, ``last_record_cut``, ``quoting``, ``unnamed_column``, and what
    ``pieces`` raises. If the limits accept, a doubtful record is a strange one, and the text ends where it ends.
    """

    def __init__(
        self,
        pieces: Iterable[bytes],
        names: Collection[str],
        limits: Limits,
        spelled: Callable[[str], str] = str.casefold,
    ) -> None:
        self._names, self._spelled, self._limits = names, spelled, limits
        text, self.dialect = opened(pieces, names, spelled)
        head = next(text, b"")
        refuse_foreign(head)
        self.delimiter = self.dialect.delimiter
        cut = blocks(
            chain((head,), text),
            limits.max_record,
            limits.block,
            self.delimiter,
            self.dialect.line,
            keep_cut=limits.accept,
        )
        self._blocks = cut if limits.accept else strictly(cut, self.delimiter)
        try:
            self._header, rest = self._open()
        except Held:
            self.close()
            raise
        self._left = chain((rest,) if rest.data else (), self._blocks)

    def close(self) -> None:
        """Closes the text. Reading to the end does so too."""
        self._blocks.close()

    def header(self, read: Callable[[list[bytes]], Meaning]) -> Meaning:
        """What ``read`` makes of the header's cells. Closes the text if it refuses them."""
        try:
            return read(cells_of(self._header, self.delimiter))
        except Held as held:
            self.close()
            name = strange_separator(self._header, self._names, self._spelled)
            if name is None:
                raise
            raise Held("header", f"The file is separated by {name}: have it written with commas.") from held

    def parsed(self, width: int, blank: Collection[int] = ()) -> Iterator[tuple[Block, Parsed]]:
        """Each block and its cells. ``width``: cells of a record; ``blank``: positions where none may say anything."""
        for block in self._left:
            if not self._limits.accept and not block.data.endswith((b"\n", b"\r")):
                self._refuse_cut_record(block, width)
            if len(block.data) > self._limits.max_cell:
                self._refuse_long_cells(block)
            parsed = parse_block(block, width, self.delimiter)
            for position in blank:
                self._refuse_unnamed(block, parsed, position)
            yield block, parsed

    def _open(self) -> tuple[bytes, Block]:
        """The header, and what follows it in the first block."""
        block = next(self._blocks, None)
        if block is None:
            raise Held("empty", "The file holds nothing.")
        record, end = first_record(block.data, self.delimiter)
        while not record and (following := next(self._blocks, None)):
            block = following
            record, end = first_record(block.data, self.delimiter)
        if not record:
            raise Held("empty", "The file holds nothing but empty lines.")
        if record.count(self.delimiter) >= self._limits.max_columns:  # not even cut into cells
            raise Held("header", f"The header has more than {self._limits.max_columns:,} columns.")
        if len(record) > self._limits.max_header:
            raise Held("header", f"The header is longer than {self._limits.max_header:,} bytes.")
        return record, Block(block.data[end:], block.line + line_ends(block.data[:end]), block.tidy)

    def _refuse_cut_record(self, block: Block, width: int) -> None:
        """A last record that lacks its line end and cells too was cut, however well its container ends."""
        records = split(block, self.delimiter)
        if len(records) and records.cells[-1] < width:
            raise Held(
                "last_record_cut",
                f"The file ends within the record at line {records.line(len(records) - 1):,}: it has "
                f"{int(records.cells[-1]):,} of {width:,} cells and no line end.",
            )

    def _refuse_long_cells(self, block: Block) -> None:
        """Before the block is parsed, which takes several times its size."""
        records, most = split(block, self.delimiter), self._limits.max_cell
        long = (records.ends - records.starts > most) & (records.cells <= self._limits.max_columns)
        names = cells_of(self._header, self.delimiter)
        for index in np.flatnonzero(long).tolist():
            found = longest_cell(records, index, self.delimiter)
            if found and found[1] > most:
                name = names[found[0]].decode(errors="replace") if found[0] < len(names) else ""
                where = f"line {records.line(index):,}, column {name}," if name else f"line {records.line(index):,}"
                raise Held("too_long", f"The cell at {where} is longer than {most:,} bytes.")

    def _refuse_unnamed(self, block: Block, parsed: Parsed, position: int) -> None:
        """A last column without a name is nothing but a delimiter too many, unless there is something in it."""
        filled = _first_filled(parsed.columns[position])
        if filled is not None:
            line = self._line(block, parsed, filled)
            raise Held("unnamed_column", f"The header has a column without a name, and line {line:,} has a cell in it.")

    def _line(self, block: Block, parsed: Parsed, row: int) -> int:
        return parsed.located(block, self.delimiter).line(int(parsed.index[row]))


def _first_filled(cells: pa.BinaryArray) -> int | None:
    """The first row whose cell is neither empty nor spaces."""
    if cells.null_count == len(cells):
        return None
    return next((row for row, cell in enumerate(cells.to_pylist()) if cell and cell.strip(b" ")), None)


def strictly(cut: Iterable[Block], delimiter: bytes = COMMA) -> Generator[Block, None, None]:
    """The same blocks. Raises Held ``quoting`` before the first one that holds a doubtful record, with its line."""
    judge = _Judge(delimiter)
    for block in cut:
        judge.look(block)
        yield block


class _Judge:
    """Judges one block after the other. ``_opened``: the line of a quote that a later block may close, or 0."""

    def __init__(self, delimiter: bytes) -> None:
        self._delimiter = delimiter
        self._opened = 0

    def look(self, block: Block) -> None:
        if self._opened and b'"' in block.data:
            found = _TO_LONE_QUOTE.match(block.data)
            if found and self._closes(block.data, found.end()):
                raise _perhaps_closed(self._opened)
            self._opened = 0 if found else self._opened
        if block.tidy:
            return
        quotes = block.quotes or quotes_of(block.data, self._delimiter)
        if quotes is None:
            records = split(block, self._delimiter)
            if records.strange.any():
                raise _text_after(records, int(records.strange.argmax()))
        else:
            for at in quotes.odd.tolist():
                self._follow(block, at)

    def _follow(self, block: Block, at: int) -> None:
        """Read on as if the quote before ``at``, inside an unquoted cell, had opened one."""
        found = _TO_LONE_QUOTE.match(block.data, at)
        closed = found and _LINE_END.search(block.data, at, found.end()) and self._closes(block.data, found.end())
        self._opened = 0
        if found is None or closed:
            self._opened = block.line + line_ends(block.data[:at])
        if closed:
            raise _perhaps_closed(self._opened)

    def _closes(self, data: bytes, at: int) -> bool:
        return at == len(data) or data[at] in b"\r\n" + self._delimiter


def _perhaps_closed(line: int) -> Held:
    return Held(
        "quoting",
        f"In line {line:,} a quote stands within a cell, and a later line could close it, so nobody can tell which "
        "rows it holds.",
    )


def _text_after(records: Records, index: int) -> Held:
    line, record = records.line(index), records.original(index)
    return Held(
        "quoting",
        f"In the record at line {line:,} text follows a closing quote, so nobody can tell which rows it holds"
        f"{backslashes(record)}.",
    )
