"""Loading a nightly message file, compared with SQLite's own ``.import`` of the same file into a bare table.

Prints seconds and ratios of one run: the first load into an empty mirror (without full-text search, and with it),
the next night's file with 0.5 % of the rows changed and 0.5 % new, and the same content once more under a later date,
beside inflating it. On a busy machine the ratios by processor time are the ones to read; where pandas is installed,
which pyarrow imports, the memory is not what a service takes.

    python -m tests.bench.bench_load --rows 1000000
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import structlog
from isal import igzip_lib

from promptsync.clock import system_clock
from promptsync.loading.files import FileLoader, LoadRequest, LoadSettings
from promptsync.model import Schema
from promptsync.store.mirror import Mirror
from promptsync.store.search import SearchEntry
from promptsync.vendors import declared_schema
from tests.bench.bulk import write_message_file
from tests.kinds import file_kinds

_NAME = "message_1287_2026-02-0{}T00-00-00-0800Z.csv.gz"


class Spent(NamedTuple):
    """Seconds by the clock, and of a processor."""

    clock: float
    processor: float

    def __truediv__(self, other: "Spent") -> str:
        return f"{self.clock / other.clock:.2f} (by processor time {self.processor / other.processor:.2f})"


@contextmanager
def timed(whose: int = resource.RUSAGE_SELF) -> Iterator[Callable[[], Spent]]:
    """What the block has taken, this process or those that it started and waited for."""
    clock, before = time.perf_counter(), resource.getrusage(whose)

    def spent() -> Spent:
        now = resource.getrusage(whose)
        used = now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime
        return Spent(time.perf_counter() - clock, used)

    yield spent


def sqlite_import(file: Path, folder: Path) -> Spent:
    """What ``gzip -dc file | sqlite3 db .import`` takes into a table made by it."""
    database = folder / "import.db"
    script = f".mode csv\n.import '|gzip -dc {file}' message\n"
    with timed(resource.RUSAGE_CHILDREN) as spent:
        subprocess.run(["sqlite3", str(database)], input=script, text=True, check=True, capture_output=True)
    found = spent()
    database.unlink()
    return found


def inflate(file: Path) -> Spent:
    """What it takes isal to inflate a file, piece by piece."""
    with timed() as spent, file.open("rb") as packed:
        inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        while not inflater.eof:
            inflater.decompress(packed.read(1 << 18) if inflater.needs_input else b"", 1 << 19)
    return spent()


def load(loader: FileLoader, file: Path) -> Spent:
    """What it takes until a file is merged and recorded."""
    with timed() as spent:
        report = loader.load(file_kinds().at_door(LoadRequest(file, "bench")))
    if report.state != "merged":
        sys.exit(f"{file.name}: {report.state}: {report.error}")
    return spent()


def opened(path: Path, schema: Schema) -> tuple[Mirror, FileLoader]:
    """An empty mirror, and what loads files into it."""
    path.parent.mkdir(exist_ok=True)
    mirror = Mirror(path, schema)
    return mirror, FileLoader(mirror, LoadSettings(ZoneInfo("America/Los_Angeles")), system_clock)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
    try:
        first, second = folder / _NAME.format(4), folder / _NAME.format(5)
        write_message_file(first, rows, 1, 0)
        write_message_file(second, rows, 1, 1)
        bare = sqlite_import(first, folder)
        schema = declared_schema()
        mirror, loader = opened(folder / "bare" / "mirror.db", Schema([replace(t, search=()) for t in schema]))
        fresh = load(loader, first)
        mirror.close()
        mirror, loader = opened(folder / "mirror.db", schema)
        with timed() as spent:
            load(loader, first)
            SearchEntry(mirror).enter_missing("message")
        searched = spent()
        bare_again = sqlite_import(second, folder)
        again = load(loader, second)
        packed = inflate(second)
        same = load(loader, second.rename(folder / _NAME.format(6)))
        mirror.close()
    finally:
        shutil.rmtree(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"rows {rows:,}; sqlite3 .import {bare.clock:.2f} s, of the second night {bare_again.clock:.2f} s")
    print(f"first load {fresh.clock:.2f} s: {fresh / bare} of .import ({rows / fresh.clock:,.0f} rows/s)")
    print(f"with search {searched.clock:.2f} s: {searched / bare} of .import")
    print(f"next night {again.clock:.2f} s: {bare_again / again} times as fast as .import")
    print(f"nothing changed {same.clock:.2f} s: {same / packed} of inflating it")
    print(f"peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
