"""Tells whether a file that may still be being written has its end.

Owns the signs of an end, format by format. It is no proof: the content of a file with an end is judged when it is
loaded, and so is a file whose end does not come.
"""

from pathlib import Path
from typing import Final

from promptsync.errors import Held
from promptsync.formats.csv.records import TextEnd
from promptsync.formats.limits import Limits, open_file, unreadable
from promptsync.formats.parquet.proof import has_footer
from promptsync.formats.stream import MAGIC as GZIP
from promptsync.formats.stream import RawStream

_PARQUET: Final = b"PAR"
_HEAD: Final = 1 << 12
_WIDE_LINE_ENDS: Final = (b"\n\x00", b"\r\x00")
_NOT_YET: Final = "its end is not there yet. It waits until nothing has been written to it for a while."


def missing_end(path: Path, limits: Limits) -> str | None:
    """Why a file is still incomplete, a sentence; None if it may be complete, or if waiting would not complete it.

    A gzip file is complete when its last member ends with its checksum and length (RFC 1952, 2.3.1), which takes
    decompressing all of it; a parquet file when it ends as one; a CSV file when it ends with a line. About other
    names nothing is known. Raises FileUnavailable if it cannot be read.
    """
    name = path.name.lower()
    try:
        with open_file(path, limits) as file:
            head = file.read(_HEAD)
            size = file.seek(0, 2)
            file.seek(max(size - 2, 0))
            tail = file.read(2)
        if name.endswith(".parquet"):
            whole = _is_other(head, _PARQUET) or has_footer(path, limits)
        elif head.startswith(GZIP) or name.endswith(".gz"):
            whole = _is_other(head, GZIP) or _inflates(path, limits)
        else:
            end = TextEnd()
            end.see(head)
            end.see(tail)
            whole = not name.endswith(".csv") or tail in _WIDE_LINE_ENDS or end.there
    except OSError as error:
        raise unreadable(path, error) from error
    return None if whole else f"{path.name}: {_NOT_YET}"


def _is_other(head: bytes, magic: bytes) -> bool:
    """Whether a file begins as no file of its format does. Blanks may be room that is yet to be written to."""
    begun = head.rstrip(b"\0")
    return begun[: len(magic)] != magic[: len(begun)]


def _inflates(path: Path, limits: Limits) -> bool:
    stream, end = RawStream(path, limits), TextEnd()
    try:
        for piece in stream:
            end.see(piece)
    except Held as held:
        return held.reason == "bomb" or (held.reason == "empty" and stream.members > 0)
    return stream.members == 1 or end.there
