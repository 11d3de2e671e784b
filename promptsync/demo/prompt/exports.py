"""Writes nightly exports as the vendor delivers them: gzipped CSV, one file per table, named by local midnight.

Owns names, spelling and the way files appear (under a hidden name first, then renamed). What the rows say is owned by
snapshot. Follows Nightly Data Exports, File Naming & Directory Structure.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from isal import isal_zlib

from promptsync.clock import MICROS
from promptsync.demo.prompt.snapshot import COLUMNS, TABLES, Row, Value
from promptsync.demo.world.time import ZONE
from promptsync.demo.world.world import World
from promptsync.errors import Unavailable

_AT_ONCE = 5_000
_GZIP = 31


def export_path(folder: Path, table: str, org_id: int, as_of: int) -> Path:
    """``<folder>/1287/message_1287_2026-02-04T00-00-00-0800Z.csv.gz``; the org table lies in the folder itself."""
    if table == "org":
        return folder / f"org_{stamp(as_of)}.csv.gz"
    return folder / str(org_id) / f"{table}_{org_id}_{stamp(as_of)}.csv.gz"


def stamp(as_of: int) -> str:
    """``2026-02-04T00-00-00-0800Z``: local time with its offset and the vendor's stray Z (Nightly Data Exports)."""
    when = datetime.fromtimestamp(as_of // MICROS, UTC).astimezone(ZoneInfo(ZONE))
    return when.strftime("%Y-%m-%dT%H-%M-%S%z") + "Z"


def write_night(world: World, folder: Path, as_of: int, tables: Iterable[str] = tuple(TABLES)) -> list[Path]:
    """Writes one night's files and returns their paths. ``as_of``: a local midnight. Raises ``Unavailable``."""
    return [_write_table(world, folder, as_of, table) for table in tables]


def _write_table(world: World, folder: Path, as_of: int, table: str) -> Path:
    path = export_path(folder, table, world.org_id, as_of)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{path.name}.part")
        with hidden.open("wb") as raw:
            write_rows(raw, table, TABLES[table](world, as_of))
        return hidden.replace(path)
    except OSError as error:
        raise Unavailable(f"Make it possible to write {path}: {error.strerror or error}.") from error


def write_rows(raw: BinaryIO, table: str, rows: Iterable[Row]) -> None:
    """Writes a header and rows as gzipped CSV; the same rows give the same bytes."""
    header = COLUMNS[table].split()
    write_packed(raw, _texts(header, ([spelled(row[name]) for name in header] for row in rows)))


def _texts(header: list[str], lines: Iterator[list[str | int]]) -> Iterator[str]:
    some: list[list[str | int]] = [[*header]]
    while some:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(some)
        yield text.getvalue()
        some = list(islice(lines, _AT_ONCE))


def write_packed(raw: BinaryIO, texts: Iterable[str]) -> None:
    """Writes texts as one gzip member without a time in its header."""
    packer = isal_zlib.compressobj(1, isal_zlib.DEFLATED, _GZIP)
    for text in texts:
        raw.write(packer.compress(text.encode()))
    raw.write(packer.flush())


def spelled(value: Value) -> str | int:
    """How a cell is written: true or false, blank for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str | int) else repr(value)
