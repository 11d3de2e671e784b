"""The files that are kept: what of them is about a person, and taking just that out.

Owns the reading and the rewriting of nightly exports, change sets and other files that lie in the folders of done, held
and fetched files. A file keeps its name, its time and everybody else's rows, byte by byte where it is text. One that
holds the person and cannot be taken apart is removed. Nothing follows a link. Blocking: for a worker thread.
"""

import gzip
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa

from promptsync.drop.archive import reason_name
from promptsync.errors import FileUnavailable, InputRefused
from promptsync.formats.csv.dialect import BOM, Dialect, opened
from promptsync.formats.csv.header import known_names
from promptsync.formats.csv.records import Records, blocks, cells_of, split
from promptsync.formats.limits import Limits
from promptsync.formats.parquet.source import ParquetSource
from promptsync.formats.parquet.writing import write_parquet
from promptsync.formats.stream import RawStream
from promptsync.model import Table
from promptsync.people.judge import Judge, needles

_PARQUET: Final = b"PAR1"
_LIMITS: Final = Limits(max_ratio=10_000, links=False)
_TEMPORARY: Final = ".forgetting"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that holds a person. ``rows``: how many are theirs, 0 where none can be told from the others.
    ``removed``: why the whole file has to go, "" if it is rewritten."""

    path: Path
    rows: int
    removed: str = ""


def kept_files(folders: Iterable[Path]) -> Iterator[Path]:
    """Every regular file in these folders and those in them."""
    for folder in folders:
        for where, inner, files in os.walk(folder):
            inner.sort()
            yield from (Path(where, name) for name in sorted(files) if not Path(where, name).is_symlink())


def look(path: Path, table: Table | None, judge: Judge) -> Kept | None:
    """What a file holds of a person; None if nothing. ``table``: whose rows it has, if that is known."""
    if judge.text(path.name):
        return Kept(path, 0, "its name says who it is about")
    try:
        if _is_parquet(path):
            count = sum(int(theirs.sum()) for _, theirs in _parquet(path, table, judge))
        else:
            count = sum(int(theirs.sum()) for _, theirs in _Csv(path, table, judge))
    except (InputRefused, pa.ArrowException, RecursionError):
        there = _mentions(path, judge) or _in_part(path, table, judge)
        return Kept(path, 0, "it cannot be read as a whole") if there else None
    except (FileUnavailable, OSError):
        return None  # it is gone, or cannot be opened by us either
    return Kept(path, count) if count else None


def rewrite(kept: Kept, table: Table | None, judge: Judge) -> None:
    """Take a person's rows out of a file, or remove it. Raises OSError, and then it is as it was."""
    if kept.removed:
        kept.path.unlink(missing_ok=True)
        kept.path.with_name(reason_name(kept.path.name)).unlink(missing_ok=True)
        return
    temporary = kept.path.with_name(f".{kept.path.name}{_TEMPORARY}")
    status = kept.path.stat()
    try:
        with temporary.open("xb") as file:
            os.fchmod(file.fileno(), status.st_mode & 0o777)
            if _is_parquet(kept.path):
                _write_parquet(kept.path, table, judge, file)
            else:
                _Csv(kept.path, table, judge).write(file)
            file.flush()
            os.fsync(file.fileno())
        with suppress(PermissionError):
            shutil.chown(temporary, status.st_uid, status.st_gid)
        os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
        temporary.replace(kept.path)
    finally:
        temporary.unlink(missing_ok=True)


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == _PARQUET


class _Csv:
    """The records of a CSV file, block by block, with which of them are the person's."""

    def __init__(self, path: Path, table: Table | None, judge: Judge, pieces: Iterable[bytes] = ()) -> None:
        self._stream = RawStream(path, _LIMITS)
        self._pieces = pieces or self._stream
        self._table, self._judge = table, judge
        self._needles = needles(judge.person, numbers=True)
        self._names: list[str] | None = None
        self._dialect = Dialect()

    def __iter__(self) -> Iterator[tuple[Records, "np.typing.NDArray[np.bool_]"]]:
        names = known_names(self._table) if self._table is not None else ()
        pieces, self._dialect = opened(self._pieces, names)
        delimiter = self._dialect.delimiter
        for block in blocks(pieces, _LIMITS.max_record, _LIMITS.block, delimiter, keep_cut=True):
            records = split(block, delimiter)
            theirs = np.zeros(len(records), bool)
            header = self._names is None and len(records) > 0
            if header:
                cells = cells_of(records.original(0), delimiter)
                self._names = [cell.decode("utf-8", "replace").strip().lower() for cell in cells]
            places = np.array([found.start() for found in self._needles.finditer(block.data)], np.int64)
            for number in np.unique(np.searchsorted(records.starts, places, side="right") - 1).tolist():
                if number >= int(header):
                    theirs[number] = self._is_theirs(cells_of(records.original(number), delimiter))
            yield records, theirs

    def _is_theirs(self, raw: list[bytes]) -> bool:
        cells = [cell.decode("utf-8", "replace") for cell in raw]
        if self._table is not None and self._names and set(self._names) & self._table.by_name.keys():
            return self._judge.row(self._table, dict(zip(self._names, cells, strict=False)))
        return any(self._judge.cell(cell) or self._judge.text(cell) for cell in cells)

    def write(self, file: BinaryIO) -> None:
        """The same file without them; compressed if it was."""
        rows = iter(self)
        first = next(rows)
        with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) if self._stream.gzip else _As(file) as out:
            if self._dialect.line == 2:
                out.write(b"sep=%b\n" % self._dialect.delimiter)
            elif self._dialect.start:
                out.write(BOM)
            for records, theirs in chain((first,), rows):
                out.write(records.only(~theirs))


class _As:
    """A file that is written to as it is, and stays open."""

    def __init__(self, file: BinaryIO) -> None:
        self.write: Callable[[bytes], int] = file.write

    def __enter__(self) -> "_As":
        return self

    def __exit__(self, *_: object) -> None:
        pass


def _parquet(path: Path, table: Table | None, judge: Judge) -> Iterator[tuple[Any, "np.typing.NDArray[np.bool_]"]]:
    """The record batches of a parquet file, with which rows are the person's."""
    source = ParquetSource(path, _LIMITS)
    with closing(source):
        names = source.schema.names
        if len(set(names)) < len(names):
            raise InputRefused("header", f"{path.name} has a column twice.")
        texts = [field.name for field in source.schema if pa.types.is_string(field.type)]
        asked = [name for name in names if table is None or (name in table.by_name and name in _asked(table))]
        for batch in source.batches(names):
            rows = batch.select(asked if table is not None else texts).to_pylist()
            yield batch, np.array([_is_theirs(row, table, judge) for row in rows], bool)


def _is_theirs(row: dict[str, Any], table: Table | None, judge: Judge) -> bool:
    if table is not None:
        return judge.row(table, row)
    return any(isinstance(value, str) and (judge.cell(value) or judge.text(value)) for value in row.values())


def _asked(table: Table) -> set[str]:
    """The columns that tell whose a row is."""
    conditions = {column.only_if[0] for column in table.identifying if column.only_if is not None}
    return {column.name for column in table.columns if column.identity or column.references} | {*table.key, *conditions}


def _write_parquet(path: Path, table: Table | None, judge: Judge, file: BinaryIO) -> None:
    with closing(ParquetSource(path, _LIMITS)) as source:
        schema = source.schema
    write_parquet(file, schema, (batch.filter(pa.array(~theirs)) for batch, theirs in _parquet(path, table, judge)))


def _mentions(path: Path, judge: Judge) -> bool:
    """Whether the bytes of a file that cannot be read as a whole mention the person, as far as they can be read."""
    found, tail = needles(judge.person, numbers=False), b""
    for piece in _as_far_as_it_goes(path):
        if found.search(tail + piece):
            return True
        tail = piece[-200:]
    return found.search(path.read_bytes()) is not None if path.stat().st_size < _LIMITS.max_record else False


def _in_part(path: Path, table: Table | None, judge: Judge) -> bool:
    """Whether a row of the person is in what can be read of a CSV file."""
    with suppress(InputRefused):
        return any(theirs.any() for _, theirs in _Csv(path, table, judge, _as_far_as_it_goes(path)))
    return False


def _as_far_as_it_goes(path: Path) -> Iterator[bytes]:
    with suppress(InputRefused):
        yield from RawStream(path, _LIMITS)
