"""Limits on what one file may cost this machine. Owns the numbers; stream.py, csv/ and parquet/ enforce them.

Also owns how a file is opened, the error if it cannot be, and which refusals may be a copy's alone.
"""

import errno
import os
import stat
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from promptsync.errors import FileUnavailable, Unavailable, in_words

_OF_THE_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_MIB = 1 << 20

DAMAGE = frozenset(
    {"empty", "truncated", "checksum", "damaged", "trailing_bytes", "last_record_cut", "not_gzip", "not_parquet"}
)
"""Reasons for which a file is held that can be those of a copy alone: it was cut on its way, or something else came in
its place."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one file; beyond any of them it is held. Sizes in bytes.

    ``max_ratio``: decompressed to compressed size, checked once more than ``ratio_free`` bytes have come out.
    ``max_record``: one record with its quotes, delimiters and line end; ``max_header``: the first one.
    ``block``: about how much is parsed at once.
    ``max_at_once``: what the pages of a parquet file take that have to be in memory at the same time. ``max_shown``,
    ``max_shown_bytes``: bad rows that are kept, the others are only counted. ``max_bad``, ``max_bad_accepted``: bad
    rows of a snapshot file, and of one that a person has looked at.
    ``links``: whether the file may be reached through a symbolic link of its name. ``accept``: a person has looked at
    it: a record that leaves open which rows it holds is a bad row then, and the file's end is where it is.
    """

    max_raw_bytes: int = 64 << 30
    max_ratio: int = 400
    ratio_free: int = 64 * _MIB
    max_columns: int = 2000
    max_cell: int = 16 * _MIB
    max_record: int = 20 * _MIB
    max_header: int = _MIB
    block: int = 2 * _MIB
    max_at_once: int = 80 * _MIB
    max_bad: int = 100_000
    max_bad_accepted: int = 1_000_000
    max_shown: int = 10_000
    max_shown_bytes: int = 32 * _MIB
    links: bool = True
    accept: bool = False


def open_file(path: Path, limits: Limits) -> FileIO:
    """The file for reading, unbuffered; never a link if ``limits`` do not let it be one. Raises OSError.

    A pipe is refused rather than waited for.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if limits.links else os.O_NOFOLLOW)
    opened = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(errno.EINVAL, "it is no regular file")
    return os.fdopen(opened, "rb", buffering=0)


def size_of(path: Path) -> int:
    """Its size in bytes. Raises FileUnavailable, or Unavailable."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> Unavailable:
    """The error for a file that cannot be read: FileUnavailable, unless the machine lacks what every file needs."""
    kind = Unavailable if error.errno in _OF_THE_MACHINE else FileUnavailable
    return kind(f"{path.name} cannot be read: {in_words(error)}.")
