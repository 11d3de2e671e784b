"""Loading a nightly message file, compared with SQLite's own ``.import`` of the same file into a bare table.

Prints seconds and ratios of one run: the first load into an empty mirror (without full-text search, and with it),
and the next night's file with 0.5 % of the rows changed and 0.5 % new.

    python -m tests.bench.bench_load --rows 1000000
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from promptsync.clock import system_clock
from promptsync.loading.files import FileLoader, LoadRequest, LoadSettings
from promptsync.model import Schema
from promptsync.store.mirror import Mirror
from promptsync.store.search import SearchEntry
from promptsync.vendors import declared_schema
from tests.bench.bulk import write_message_file
from tests.kinds import file_kinds

_NAME = "message_1287_2026-02-0{}T00-00-00-0800Z.csv.gz"


def sqlite_import(file: Path, folder: Path) -> float:
    """Seconds of ``gzip -dc file | sqlite3 db .import`` into a table made by it."""
    database = folder / "import.db"
    started = time.perf_counter()
    script = f".mode csv\n.import '|gzip -dc {file}' message\n"
    subprocess.run(["sqlite3", str(database)], input=script, text=True, check=True, capture_output=True)
    spent = time.perf_counter() - started
    database.unlink()
    return spent


def load(loader: FileLoader, file: Path) -> float:
    """Seconds until a file is merged and recorded."""
    started = time.perf_counter()
    report = loader.load(file_kinds().at_door(LoadRequest(file, "bench")))
    if report.state != "merged":
        sys.exit(f"{file.name}: {report.state}: {report.error}")
    return time.perf_counter() - started


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
        started = time.perf_counter()
        load(loader, first)
        SearchEntry(mirror).enter_missing("message")
        searched = time.perf_counter() - started
        bare_again = sqlite_import(second, folder)
        again = load(loader, second)
        mirror.close()
    finally:
        shutil.rmtree(folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"rows {rows:,}; sqlite3 .import {bare:.2f} s, of the second night {bare_again:.2f} s")
    print(f"first load {fresh:.2f} s: {fresh / bare:.2f} of .import ({rows / fresh:,.0f} rows/s)")
    print(f"with search {searched:.2f} s: {searched / bare:.2f} of .import")
    print(f"next night {again:.2f} s: {bare_again / again:.1f} times as fast as .import")
    print(f"peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()
