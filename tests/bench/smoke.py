"""Every benchmark at a small size: they run to their end. Figures of this size mean nothing."""

import subprocess
import sys

BENCHMARKS = (
    ("tests.bench.bench_load", "--rows", "20000"),
    ("tests.bench.bench_alternatives", "--rows", "5000"),
    ("tests.bench.bench_formats", "--rows", "20000"),
    ("tests.bench.bench_parquet", "--rows", "20000"),
    *(("tests.bench.bench_small_files", "--files", "20", "--way", way) for way in ("load", "drop", "fetch")),
    ("tests.bench.bench_listener", "--seconds", "1"),
    ("tests.bench.bench_apply", "--rows", "2000"),
    ("tests.bench.bench_daemon", "--rows", "5000", "--seconds", "0.3", "--rounds", "1"),
    (
        "tests.bench.bench_idle",
        *("--rows", "5000", "--times", "2", "--pending", "500", "--settle", "1", "--seconds", "1"),
    ),
    ("tests.bench.bench_backup", "--rows", "5000", "--seconds", "1"),
    ("tests.bench.bench_listing", "--objects", "2000"),
    ("tests.bench.bench_pages", "--contacts", "60", "--messages", "400", "--rounds", "1"),
    (
        "tests.bench.bench_pages_merging",
        *("--rows", "5000", "--contacts", "60", "--messages", "400", "--rounds", "1"),
    ),
    ("tests.bench.bench_plugins", "--rows", "1000", "--rounds", "1"),
    ("tests.bench.bench_lake", "--rows", "8000"),
    ("tests.bench.bench_erased", "--rows", "20000", "--people", "20", "--rounds", "1"),
)


def main() -> None:
    for module, *arguments in BENCHMARKS:
        print(f"-- {module}", flush=True)
        subprocess.run([sys.executable, "-m", module, *arguments], check=True, timeout=600)


if __name__ == "__main__":
    main()
