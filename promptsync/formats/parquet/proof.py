"""What is certain of a parquet file before any row of it is read: that it arrived complete, and how much it would
bring.

Owns the verdict on the container: magic bytes at both ends, a footer that can be read and describes what is there
(Apache Parquet format, File format), with plain words for what pyarrow says of a broken one; and the sum of its content
over the footer (ColumnMetaData). The rows are read by reader.py, page checksums verified in source.py.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from promptsync.errors import Held, InputRefused, Unavailable
from promptsync.formats.limits import Limits, open_file, unreadable
from promptsync.formats.parquet.footer import Damaged, Footer, parse_footer
from promptsync.formats.proof import Proof
from promptsync.formats.stream import MAGIC as GZIP

_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
_SHORTEST = 12  # magic, length of the footer, magic
_TAIL = 8
_READ = 1 << 20
_MOST_FOOTER = 16 << 20


def prove_parquet(path: Path, limits: Limits, progress: Callable[[int], None] | None = None) -> Proof:
    """Reads the file to its end and says what is certain about it; ``progress`` gets the number of bytes read so far.

    ``Proof.raw_bytes``: what the footer says its pages hold, decompressed; ``members``: 0. Raises Held: ``empty``,
    ``not_parquet``, ``truncated``, ``encrypted``, ``damaged`` and ``bomb``; FileUnavailable if it cannot be read.
    """
    try:
        with open_file(path, limits) as file:
            size = _refuse_other(path, file)
            digest = _digest(file, progress)
            footer = read_footer(path, file)
    except OSError as error:
        raise unreadable(path, error) from error
    return Proof(digest, size, weigh(path, size, footer, limits), 0)


def read_footer(path: Path, file: BinaryIO) -> Footer:
    """What an open file says about its row groups. Raises Held ``damaged`` and ``encrypted``; FileUnavailable.

    pyarrow cannot be asked: it ends the process where a column's description is damaged (footer.py).
    """
    with translated(path):
        size = file.seek(0, 2)
        file.seek(max(size - _TAIL, 0))
        length = int.from_bytes(file.read(4), "little")
        if size < _SHORTEST or length > min(size - _SHORTEST, _MOST_FOOTER):
            raise Damaged("a footer longer than can be")
        file.seek(size - _TAIL - length)
        footer = parse_footer(file.read(length))
    if footer.encrypted:
        raise _held(path, "encrypted", "is encrypted: have the vendor write it without encryption of its own")
    return footer


def has_footer(path: Path, limits: Limits) -> bool:
    """Whether it ends as a parquet file does. Raises OSError."""
    with open_file(path, limits) as file:
        size = file.seek(0, 2)
        file.seek(max(size - len(_MAGIC), 0))
        return size >= _SHORTEST and file.read() in (_MAGIC, _ENCRYPTED)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Every error that pyarrow raises within becomes Held ``damaged``, ``unsupported`` or ``too_large``, or
    FileUnavailable."""
    try:
        yield
    except (pa.ArrowNotImplementedError, NotImplementedError) as error:
        raise _held(path, "unsupported", "uses a compression, encoding or type that cannot be read here") from error
    except MemoryError as error:
        raise _held(path, "too_large", "asks for more memory in one piece than there is") from error
    except OSError as error:
        if error.errno is not None:
            raise unreadable(path, error) from error
        raise _held(path, "damaged", "cannot be read as parquet: its bytes are damaged") from error
    except (pa.ArrowException, ValueError, KeyError, OverflowError) as error:
        raise _held(path, "damaged", "cannot be read as parquet: its bytes are damaged") from error


def weigh(path: Path, size: int, footer: Footer, limits: Limits) -> int:
    """The bytes that all pages hold once decompressed. Raises Held ``bomb``, and ``truncated`` if they cannot be there.

    ``size``: of the file. Only what the footer says is known here.
    """
    raw = sum(chunk.raw for group in footer.groups for chunk in group.chunks)
    packed = sum(chunk.packed for group in footer.groups for chunk in group.chunks)
    if packed > size:
        raise _held(path, "truncated", f"has {size:,} bytes, its footer speaks of {packed:,}")
    if raw > limits.max_raw_bytes:
        raise _held(path, "bomb", f"holds more than {limits.max_raw_bytes:,} bytes")
    if raw > limits.ratio_free and raw > limits.max_ratio * size:
        raise _held(path, "bomb", f"inflates to more than {limits.max_ratio} times its size")
    return raw


def _refuse_other(path: Path, file: BinaryIO) -> int:
    """The size of what may be a complete parquet file; the file is left at its beginning."""
    size = file.seek(0, 2)
    if not size:
        raise _held(path, "empty", "is empty")
    file.seek(0)
    first = file.read(4)
    file.seek(max(size - _TAIL, 0))
    tail = file.read(_TAIL)
    file.seek(0)
    if first.startswith(GZIP):
        raise _held(path, "not_parquet", "is a gzip file, not a parquet file")
    if first == _ENCRYPTED:
        raise _held(path, "encrypted", "is encrypted: have the vendor write it without encryption of its own")
    if first != _MAGIC:
        raise _held(path, "not_parquet", "is no parquet file, whatever its name says")
    if size < _SHORTEST or tail[4:] != _MAGIC or int.from_bytes(tail[:4], "little") > size - _SHORTEST:
        raise _held(path, "truncated", "begins as a parquet file but its end is missing")
    return size


def _digest(file: BinaryIO, progress: Callable[[int], None] | None) -> str:
    digest, size = hashlib.sha256(), 0
    while piece := file.read(_READ):
        digest.update(piece)
        size += len(piece)
        if progress:
            progress(size)
    return digest.hexdigest()


def _held(path: Path, reason: str, what: str) -> Held:
    return Held(reason, f"{path.name} {what}.")


def selected_bytes(path: Path, leave_out: Collection[str] = ()) -> int:
    """Bytes of a file's columns, decompressed, without those named in ``leave_out`` (ignoring case).

    0 if its footer cannot be read, or says what cannot be: what is wrong with it is said when it is loaded.
    """
    unwanted, limits = {name.casefold() for name in leave_out}, Limits()
    try:
        with open_file(path, limits) as file:
            footer = read_footer(path, file)
            weigh(path, file.seek(0, 2), footer, limits)
    except (InputRefused, Unavailable, OSError):
        return 0
    chunks = (chunk for group in footer.groups for chunk in group.chunks)
    return sum(chunk.raw for chunk in chunks if chunk.path.partition(".")[0].casefold() not in unwanted)
