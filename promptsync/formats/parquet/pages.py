"""How large the pages of a parquet file are, before any of them is read.

Owns the walk from one page's header to the next (Apache Parquet format, PageHeader): a page is decompressed as a whole,
one of each column at a time, so their sizes are what reading costs at least. Decodes nothing.
"""

from collections.abc import Collection
from typing import BinaryIO

from promptsync.errors import Held
from promptsync.formats.limits import Limits
from promptsync.formats.parquet.footer import Chunk, Damaged, Footer, Page, parse_page

_SMALL = 4 << 20  # bytes of all pages of a column that nobody need look at one by one
_HEADER = 1 << 8
_MOST_HEADER = 16 << 20


def refuse_large_pages(name: str, file: BinaryIO, footer: Footer, columns: Collection[str], limits: Limits) -> None:
    """``columns``: top-level ones that are to be read. Raises Held ``large_pages``; Damaged for what is no page."""
    for group in footer.groups:
        chunks = [chunk for chunk in group.chunks if chunk.path.partition(".")[0] in columns]
        if sum(map(_at_most, chunks)) <= limits.max_at_once:
            continue
        sizes = {chunk.path: _largest(file, chunk) for chunk in chunks}
        if sum(sizes.values()) > limits.max_at_once:
            column, size = max(sizes.items(), key=lambda entry: entry[1])
            raise Held(
                "large_pages",
                f"{name} has to be read in pieces of {sum(sizes.values()) >> 20:,} MiB, more than "
                f"{limits.max_at_once >> 20:,}: one page of the column {column} takes {size >> 20:,}. "
                "leave_out can leave a column out.",
            )


def _at_most(chunk: Chunk) -> int:
    """Bytes that pages of a column can take in memory, if they were one."""
    return chunk.raw + chunk.packed * chunk.compressed


def _largest(file: BinaryIO, chunk: Chunk) -> int:
    """Bytes that the largest page of a column takes in memory, as stored and decompressed, with its dictionary."""
    if _at_most(chunk) <= _SMALL:
        return _at_most(chunk)
    at, end, sizes = chunk.start, chunk.start + chunk.packed, [0]
    while at < end:
        page = _page(file, at)
        sizes.append(page.raw + page.packed * chunk.compressed)
        at += page.header + page.packed
    return max(sizes) if not chunk.dictionary else sizes[1] + max(sizes[2:], default=0)


def _page(file: BinaryIO, at: int) -> Page:
    size = _HEADER
    while True:
        file.seek(at)
        data = file.read(size)
        try:
            return parse_page(data)
        except (IndexError, Damaged) as error:
            if len(data) < size or size >= _MOST_HEADER:
                raise Damaged("no header of a page") from error
            size *= 8
