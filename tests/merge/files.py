"""Files as the vendors name and pack them, and what is known of those whose name says nothing."""

import csv
import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from promptsync.events.claims import Claims
from promptsync.merge.version import Rank, version
from promptsync.model import Schema
from promptsync.plugins.declared import FileKind
from promptsync.vendors.qlara.csv import ExportRows
from promptsync.vendors.qlara.profile import QLARA

from .model import BAD, File
from .model_files import ChangeSet, Decoded, Export
from .world_values import FLAGS


def write_file(folder: Path, file: File | ChangeSet | Export | Decoded) -> Path:
    """Write a file of any kind."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(file, File):
        return _snapshot(folder, file)
    if isinstance(file, ChangeSet):
        return _change_set(folder, file)
    return _export(folder, file) if isinstance(file, Export) else _decoded(folder, file)


def _snapshot(folder: Path, file: File) -> Path:
    stamp = datetime.fromtimestamp(file.as_of // 1_000_000, UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    name = f"{file.table}_{stamp}" if file.table == "org" else f"{file.table}_{file.org}_{stamp}"
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(file.columns)
    for row in file.rows:
        writer.writerow([_cell(file.table, *cell) for cell in zip(file.columns, row, strict=True)])
    path = folder / f"{name}.csv.gz"
    path.write_bytes(gzip.compress(text.getvalue().encode(), 1, mtime=0))
    return path


def _cell(table: str, column: str, value: Any) -> str:
    if value is BAD:
        return "neither"
    if value is None:
        return ""
    if column in FLAGS[table]:
        return "true" if value else "false"
    return str(value)


def _change_set(folder: Path, file: ChangeSet) -> Path:
    kind, arrays = file.kind, {}
    for column in (*kind.key, *file.columns):
        cells = [row[column] for row in file.rows]
        type_ = pa.timestamp("ms", "UTC") if column in kind.times else pa.int64()
        arrays[column] = pa.array(cells, type_ if column in kind.times | kind.integers else pa.string())
    path = folder / file.name
    pq.write_table(pa.table(arrays), path, row_group_size=file.group)
    return path


def _export(folder: Path, file: Export) -> Path:
    path = folder / f"contacts-{file.number}-{file.requested_at}.csv"
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(["id", *file.columns])
        writer.writerows(file.rows)
    return path


def exported(path: Path, schema: Schema) -> tuple[ExportRows, int]:
    """What was asked for when an export was made, and when, in microseconds."""
    kind = QLARA.kind("contacts")
    return ExportRows(kind, schema[kind.table]), int(path.stem.split("-")[-1])


def _decoded(folder: Path, file: Decoded) -> Path:
    path = folder / f"{file.number}.rows"
    path.write_text("".join(json.dumps(asdict(line)) + "\n" for line in file.lines))
    return path


def _decode(path: Path) -> Iterator[Claims]:
    for text in path.read_text().splitlines():
        line = json.loads(text)
        claims = Claims(0, line["org"], line["at"], [])
        row = claims.row(line["table"], *line["key"], seen=line["seen"] or line["at"])
        for name, values in line["groups"].items():
            row.group(name, version(line["at"], Rank(line["rank"])), *values)
        yield claims


DECODED = FileKind("rows", "*.rows", _decode)
