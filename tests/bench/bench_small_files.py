"""Loading many small files of 100 rows: change sets of two tables in turn, and nightly snapshots of one table.

Prints files a second and milliseconds of CPU a file, in process, of files that are there and have come to rest:

- ``load``: given to the loader, as ``promptsync load`` does
- ``drop``: in the drop folder, from its first look at them until each is moved to ``done``
- ``fetch``: in a folder that is a configured place, from the listing to the last line in the ledger of places

Each file is proven and recorded by itself; a run of them is on disk before the next.

    python -m tests.bench.bench_small_files --files 1000 --way fetch
"""

import argparse
import asyncio
import gzip
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from promptsync.clock import system_clock
from promptsync.config import load_config
from promptsync.drop.folder import DropFolder, DropSettings
from promptsync.drop.intake import DropIntake
from promptsync.engine.engine import Engine
from promptsync.fetch.run import fetch_source
from promptsync.fetch.sources import sources_of
from promptsync.loading.files import LoadRequest
from promptsync.loading.small_runs import SMALL_BYTES

_ROWS = 100
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_LONG_AGO = 1_700_000_000


def write_change_sets(folder: Path, files: int) -> None:
    """Files of two tables in turn, every row new."""
    for number in range(files):
        ids = [f"{number}-{row}" for row in range(_ROWS)]
        common = {"workspace_id": [1] * _ROWS, "seq_num": [number * _ROWS + row for row in range(_ROWS)]}
        at = [1_764_000_000 + number] * _ROWS
        if number % 2:
            stem, table = "subjects", {"subject_name": ids, "internal_customer_id": ids, "started_campaign_at": at}
        else:
            stem, table = (
                "metrics",
                {"event_id": ids, "delivery_id": ids, "metric": ["opened"] * _ROWS, "timestamp": at},
            )
        pq.write_table(pa.table(common | table), folder / f"{stem}_v5_1_{241_600_000_000_000_000 + number}.parquet")


def write_snapshots(folder: Path, files: int) -> None:
    """A night each, of which every twentieth row is another."""
    for number in range(files):
        rows = (f"{row},2024-01-01T00:00:00Z,text {number if row % 20 == 0 else 0},true\n" for row in range(_ROWS))
        text = "id,created_timestamp,content,is_outgoing\n" + "".join(rows)
        stamp = (_FIRST + timedelta(days=number)).strftime("%Y-%m-%dT%H-%M-%SZ")
        (folder / f"message_1_{stamp}.csv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def load(engine: Engine, folder: Path) -> None:
    """As a command loads the files of a folder."""
    paths, _ = engine.look_through([folder])
    for report in engine.load([LoadRequest(path, "bench") for path in paths]):
        if report.state != "merged":
            sys.exit(f"{report.name}: {report.state}: {report.error}")


def drop(engine: Engine, folder: Path) -> None:
    """As the daemon takes in a drop folder whose files have settled: a look, and another that takes them."""
    intake = DropIntake(engine)
    settings = DropSettings(folder, settle=0, plain=0, small=SMALL_BYTES)
    source = DropFolder(settings, intake, system_clock, engine.age, intake.missing_end, intake.moved)

    async def take() -> None:
        await source.scan_once()
        await asyncio.sleep(0.01)
        await source.scan_once()

    asyncio.run(take())
    if left := [path.name for path in folder.iterdir() if path.is_file()]:
        sys.exit(f"{len(left)} files were not taken in, {left[0]} among them.")


def fetch(engine: Engine, folder: Path) -> None:
    """As a run of the schedule fetches a place."""
    (source,) = sources_of(engine.config)
    report = fetch_source(engine, source)
    if report.error or report.loaded != sum(path.is_file() for path in folder.iterdir()):
        sys.exit(report.error or report.sentence())


WAYS: Final[dict[str, Callable[[Engine, Path], None]]] = {"load": load, "drop": drop, "fetch": fetch}


def measure(name: str, section: str, folder: Path, way: str) -> None:
    """Take the files of ``<folder>/in`` into a fresh mirror and print what it took."""
    files = list((folder / "in").iterdir())
    for path in files:
        os.utime(path, (_LONG_AGO, _LONG_AGO))
    place = f'[[{section}]]\nlocation = "{folder / "in"}"\n' if way == "fetch" else ""
    (folder / "promptsync.toml").write_text(
        f"[webhook]\nallow_unauthenticated = true\n[browse]\nanonymous = true\n{place}"
    )
    with Engine(load_config(folder / "promptsync.toml")) as engine:
        started, used = time.perf_counter(), _cpu()
        WAYS[way](engine, folder / "in")
        spent, used = time.perf_counter() - started, _cpu() - used
    print(f"{name:<12} {len(files) / spent:6.1f} files/s   {used * 1000 / len(files):5.1f} ms of CPU a file")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--way", choices=WAYS, default="load")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    kinds = (("change sets", "customerio", write_change_sets), ("snapshots", "nightly", write_snapshots))
    for name, section, write in kinds:
        folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
        try:
            (folder / "in").mkdir()
            write(folder / "in", arguments.files)
            measure(name, section, folder, arguments.way)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
