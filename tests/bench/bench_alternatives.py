"""Keeping a nightly message file in SQLite with what a user would pick instead, each on the same file in the same run.

Prints seconds of the first load and of the next night's file: promptsync, ``sqlite3 .import`` (anew each night),
``sqlite-utils upsert --csv``, and, of a virtual environment that has them, csvs-to-sqlite (anew each night) and dlt
(merge by id through its SQL destination).

    python -m venv others && others/bin/pip install csvs-to-sqlite "dlt[sqlalchemy]"
    python -m tests.bench.bench_alternatives --rows 100000 --others others
"""

import argparse
import gzip
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from promptsync.clock import system_clock
from promptsync.loading.files import FileLoader, LoadSettings
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from tests.bench.bench_load import load, sqlite_import
from tests.bench.bulk import write_message_file

_NAME = "message_1287_2026-02-0{}T00-00-00-0800Z.csv.gz"
_NIGHT = 4.0  # seconds for the database file to be written back, before the next night comes
Way = Callable[[Path], float]


def timed(*command: str | Path) -> float:
    """Seconds of a command."""
    started = time.perf_counter()
    subprocess.run([str(part) for part in command], check=True, capture_output=True)
    return time.perf_counter() - started


def told(*command: str | Path) -> float:
    """Seconds that a command prints on its last line."""
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def ways(folder: Path, loader: FileLoader, others: Path | None) -> Iterator[tuple[str, Way]]:
    """Name and a function from a file to seconds. Plain CSV is made beforehand for those that cannot read gzip."""
    yield "promptsync", lambda file: load(loader, file).clock
    yield "sqlite3 .import", lambda file: sqlite_import(file, folder).clock
    upsert = (Path(sys.executable).parent / "sqlite-utils", "upsert", folder / "utils.db", "message")
    yield "sqlite-utils upsert", lambda file: timed(*upsert, file.with_suffix(""), "--csv", "--pk", "id")
    if others is not None:
        replace = (others / "bin" / "csvs-to-sqlite", "--replace-tables")
        yield "csvs-to-sqlite", lambda file: timed(*replace, file.with_suffix(""), folder / "csvs.db")
        merge = (others / "bin" / "python", Path(__file__).with_name("dlt_merge.py"))
        yield "dlt merge", lambda file: told(*merge, file.with_suffix(""), folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--others", type=Path, help="a virtual environment with csvs-to-sqlite and dlt")
    options = parser.parse_args()
    rows = options.rows
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
    try:
        files = [folder / _NAME.format(night) for night in (4, 5)]
        for edition, file in enumerate(files):
            write_message_file(file, rows, 1, edition)
            with gzip.open(file) as packed, file.with_suffix("").open("wb") as plain:
                shutil.copyfileobj(packed, plain)
        mirror = Mirror(folder / "mirror.db", declared_schema())
        loader = FileLoader(mirror, LoadSettings(ZoneInfo("America/Los_Angeles")), system_clock)
        print(f"{rows:,} rows{'':16}  first load   next night   next night beside promptsync")
        ours = 0.0
        for name, way in ways(folder, loader, options.others):
            first = way(files[0])
            time.sleep(_NIGHT)
            second = way(files[1])
            ours = ours or second
            print(f"{name:24} {first:10.2f} s {second:10.2f} s {second / ours:10.1f}")
        mirror.close()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
