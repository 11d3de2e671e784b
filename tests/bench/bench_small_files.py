"""Loading many small files of 100 rows: change sets of two tables in turn, and nightly snapshots of one table.

Prints files a second and milliseconds of CPU a file, in process, of files that lie there and are loaded together: each
is proven and recorded by itself, a run of them is on disk before the next.

    python -m tests.bench.bench_small_files --files 1000
"""

import argparse
import gzip
import resource
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from promptsync.config import load_config
from promptsync.engine.engine import Engine
from promptsync.loading.files import LoadRequest

_ROWS = 100
_FIRST = datetime(2024, 1, 1, tzinfo=UTC)


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


def measure(name: str, folder: Path) -> None:
    """Load a folder into a fresh mirror and print what it took."""
    (folder / "promptsync.toml").write_text("[webhook]\nallow_unauthenticated = true\n[browse]\nanonymous = true\n")
    with Engine(load_config(folder / "promptsync.toml")) as engine:
        paths, _ = engine.look_through([folder / "in"])
        started, used = time.perf_counter(), _cpu()
        for report in engine.load([LoadRequest(path, "bench") for path in paths]):
            if report.state != "merged":
                sys.exit(f"{report.name}: {report.state}: {report.error}")
        spent, used = time.perf_counter() - started, _cpu() - used
    print(f"{name:<12} {len(paths) / spent:6.1f} files/s   {used * 1000 / len(paths):5.1f} ms of CPU a file")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    files = parser.parse_args().files
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    for name, write in (("change sets", write_change_sets), ("snapshots", write_snapshots)):
        folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
        try:
            (folder / "in").mkdir()
            write(folder / "in", files)
            measure(name, folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
