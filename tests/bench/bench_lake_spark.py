"""A lake on Spark with one worker and with two, compared with DuckDB on one core: message files of eight organizations.

Prints seconds by the clock of decoding and of folding, of the first night (in which Spark warms up) and of the next.
Workers have a core each: the figures mean something only where nothing else runs, on four cores or more.

    python -m tests.bench.bench_lake_spark --rows 2000000
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from promptsync.config import load_config
from promptsync.demo.cluster import Cluster
from promptsync.lake.engine import Engine
from promptsync.lake.engine_duckdb import DuckDBEngine
from promptsync.lake.engine_spark import SparkEngine
from promptsync.lake.lake import Wanted
from promptsync.lake.run import run
from promptsync.lake.settings import storage_of
from tests.bench.bench_lake import Spent, Timed, made
from tests.bench.bulk import write_message_file

_ORGS = 8
_NAME = "message_{}_2026-02-0{}T00-00-00-0800Z.csv.gz"
_JAVA = dict.fromkeys(("spark.driver.extraJavaOptions", "spark.executor.extraJavaOptions"), "-XX:+UseParallelGC")


def two_nights(folder: Path, files: Path, begin: Callable[[Path], Engine]) -> list[Spent]:
    """What a new lake takes for each night."""
    lake = made(folder)
    engine, found = begin(folder), list[Spent]()
    incoming = lake.storage.folder
    assert incoming is not None
    try:
        for night in (4, 5):
            for file in files.glob(_NAME.format("*", night)):
                os.link(file, incoming / "incoming" / file.name)
            found.append(Spent(time.perf_counter))
            assert not run(lake, Timed(engine, found[-1]), Wanted()).needs_person
    finally:
        engine.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    rows = parser.parse_args().rows
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
    files = folder / "files"
    files.mkdir()
    try:
        for org in range(1, _ORGS + 1):
            for edition, night in enumerate((4, 5)):
                write_message_file(files / _NAME.format(org, night), rows // _ORGS, org, edition)
        found = {"DuckDB": two_nights(folder / "duckdb", files, lambda at: DuckDBEngine(at / "scratch", 1))}
        for workers in (1, 2):
            with Cluster(folder / f"cluster{workers}", workers, _JAVA) as cluster:
                os.environ |= cluster.environment
                found[f"Spark, {workers}"] = two_nights(
                    folder / f"spark{workers}",
                    files,
                    lambda at: SparkEngine(storage_of(load_config(at / "promptsync.toml")), cluster.master),
                )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for number, night in enumerate(("first", "next")):
        for name, nights in found.items():
            steps, base = nights[number].steps, found["Spark, 1"][number].steps
            shown = [
                f"{step} {took:.2f} s ({rows / took:,.0f}/s, {base[step] / took:.2f} times one worker)"
                for step, took in steps.items()
            ]
            print(f"{rows:,} rows, {night} night, {name}: {', '.join(shown)}")


if __name__ == "__main__":
    main()
