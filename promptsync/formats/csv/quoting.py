"""Judges whether the quotes of a file leave it ambiguous which rows it holds.

Owns that judgement and its sentences. A quote that stands where RFC 4180 has none is harmless only as long as every
reading of it gives the same rows: text after a closing quote never is, and a quote inside an unquoted cell is not if
another reader would take it for an opening one and find it closed in a later line.
"""

import re
from collections.abc import Generator, Iterable

from promptsync.errors import Held
from promptsync.formats.csv.quote_places import quotes_of
from promptsync.formats.csv.records import COMMA, Block, Records, backslashes, line_ends, split

_TO_LONE_QUOTE = re.compile(rb'(?:[^"]++|"")*+"')
_LINE_END = re.compile(rb"[\r\n]")


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
