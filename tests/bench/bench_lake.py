"""A lake on DuckDB: nightly message files, compared with a mirror's of the same files, and with what DuckDB takes for a
bare GROUP BY of the very bytes that are folded.

Prints seconds of processor time of the first night and of the next (0.5 % of the rows changed, 0.5 % new), at several
sizes: a run rewrites what a night names, so its cost follows the rows that are there, and the mirror's the change.

    python -m tests.bench.bench_lake --rows 1000000
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import structlog

from promptsync.config import load_config
from promptsync.lake.engine import Engine, FoldWork, MadeFile
from promptsync.lake.engine_duckdb import DuckDBEngine
from promptsync.lake.inputs import Input
from promptsync.lake.lake import Lake, Wanted
from promptsync.lake.opening import make_lake, open_lake
from promptsync.lake.parts import Decoded, Decoder
from promptsync.lake.run import run
from promptsync.vendors import declared_schema
from tests.bench.bench_load import load, opened
from tests.bench.bulk import write_message_file

_NAME = "message_1287_2026-02-0{}T00-00-00-0800Z.csv.gz"


@dataclass
class Spent:
    """Seconds by step. ``clock``: what is asked."""

    clock: Any = time.process_time
    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def on(self, step: str) -> Iterator[None]:
        begun = self.clock()
        try:
            yield
        finally:
            self.steps[step] = self.steps.get(step, 0.0) + self.clock() - begun


class Timed:
    """An engine, and what its steps take."""

    def __init__(self, engine: Engine, spent: Spent) -> None:
        self._engine, self._spent, self.at_once = engine, spent, engine.at_once

    def decode(self, decoder: Decoder, groups: Sequence[Sequence[Input]]) -> Iterator[list[Decoded]]:
        with self._spent.on("decode"):
            yield from list(self._engine.decode(decoder, groups))

    def fold(self, work: FoldWork) -> list[MadeFile]:
        with self._spent.on("fold"):
            return self._engine.fold(work)

    def close(self) -> None:
        self._engine.close()


class Kept(DuckDBEngine):
    """DuckDB, which keeps a copy of what it folds."""

    def __init__(self, scratch: Path, keep: Path) -> None:
        super().__init__(scratch, 1)
        self._keep = keep
        self.columns: list[str] = []

    def fold(self, work: FoldWork) -> list[MadeFile]:
        shutil.rmtree(self._keep, ignore_errors=True)
        self._keep.mkdir()
        for number, file in enumerate(file for files in work.local().values() for file in files):
            assert isinstance(file.path, Path)
            shutil.copy(file.path, self._keep / f"{number}.parquet")
        have = {column for file in work.files for column in file.columns}
        self.columns = [column for column in work.layout.values if column in have]
        return super().fold(work)


def grouped(files: Path, columns: Sequence[str], spent: Spent, target: Path) -> None:
    """The greatest of each column by key: what an aggregate of these files costs that knows no rule."""
    greatest = ", ".join(f'max("{column}") AS "{column}"' for column in columns)
    with duckdb.connect(":memory:") as connection, spent.on("GROUP BY"):
        connection.execute("SET threads = 1")
        connection.execute(
            f"COPY (SELECT org_id, id, {greatest} FROM read_parquet('{files}/*.parquet', union_by_name = true) "
            f"GROUP BY org_id, id ORDER BY id) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"
        )


def made(folder: Path, more: str = "") -> Lake:
    """A lake of its own."""
    folder.mkdir(parents=True)
    (folder / "promptsync.toml").write_text(
        f'[mirror]\ntimezone = "America/Los_Angeles"\n[lake]\nlocation = "lake"\nbuckets = 4\n{more}'
    )
    config = load_config(folder / "promptsync.toml")
    make_lake(config)
    return open_lake(config)


def taken(lake: Lake, engine: Engine, file: Path) -> None:
    """Put a file into the lake and run it."""
    incoming = lake.storage.folder
    assert incoming is not None
    shutil.copy(file, incoming / "incoming" / file.name)
    report = run(lake, engine, Wanted())
    if report.needs_person:
        sys.exit(f"{file.name}: {report.inputs}")


def nights(folder: Path, rows: int) -> list[Path]:
    """The files of two nights."""
    files = [folder / _NAME.format(night) for night in (4, 5)]
    for edition, file in enumerate(files):
        write_message_file(file, rows, 1, edition)
    return files


def compare(folder: Path, rows: int) -> None:
    """Print a size."""
    files, lake = nights(folder, rows), made(folder / "lake")
    mirror, loader = opened(folder / "mirror" / "mirror.db", declared_schema())
    for night, file in zip(("first", "next"), files, strict=True):
        spent = Spent()
        kept = Kept(folder / "scratch", folder / "kept")
        with spent.on("run"):
            taken(lake, Timed(kept, spent), file)
        kept.close()
        grouped(folder / "kept", kept.columns, spent, folder / "grouped.parquet")
        with spent.on("mirror"):
            load(loader, file)
        took = spent.steps
        print(
            f"{rows:>10,} rows, {night:5} night: {took['run']:6.2f} s, {rows / took['run']:8,.0f} rows/s "
            f"(decoding {took['decode']:.2f}, folding {took['fold']:.2f}: {took['fold'] / took['GROUP BY']:.1f} of a "
            f"GROUP BY); {took['run'] / took['mirror']:.2f} of a mirror's {took['mirror']:.2f} s",
            flush=True,
        )
    mirror.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the largest size; a quarter and a half too")
    rows = parser.parse_args().rows
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    for size in (rows // 4, rows // 2, rows):
        folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
        try:
            compare(folder, size)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
