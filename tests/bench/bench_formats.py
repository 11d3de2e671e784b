"""Times the proof and the reading of a message snapshot that it generates, on one core.

Run by hand: ``python tests/bench/bench_formats.py --rows 1000000``. Prints rows and megabytes a second, beside Arrow's
own bare reading of the same cells in the same run, and the peak of memory.
"""

import argparse
import csv
import os
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.csv
from isal import igzip

from promptsync.formats.csv.reader import SnapshotReader
from promptsync.formats.limits import Limits
from promptsync.formats.proof import prove
from promptsync.vendors.prompt.files import parse_name
from promptsync.vendors.prompt.tables_exports import MESSAGE

NAME = "message_1044_2026-02-04T00-00-00-0800Z.csv.gz"
WORDS = ["hello", "thanks", "yes", "please", "vote", "today", "call", "me", "later,", "can", "you", 'help "us"', "soon"]
HEADER = [
    *("id", "created_timestamp", "sent_timestamp", "content", "is_mms", "is_outgoing", "is_broadcast"),
    *("is_successful", "is_billable", "error_code", "error_message", "is_whisper", "segments", "contact_phone"),
    *("contact_id", "org_phone", "broadcast_id", "team_member_id"),
]


def rows(count: int) -> Iterator[list[object]]:
    """Messages that look like messages: 18 cells each."""
    chance, start = random.Random(7), datetime(2024, 1, 1)
    for number in range(count):
        out, failed = chance.random() < 0.8, chance.random() < 0.02
        at = (start + timedelta(seconds=number * 30, milliseconds=chance.randrange(1000))).isoformat(
            timespec="milliseconds"
        )
        text = " ".join(chance.choices(WORDS, k=chance.randrange(2, 24)))
        yield [
            *(10**7 + number, f"{at}Z", f"{at}Z" if out else "", text, "false", str(out).lower(), str(out).lower()),
            *(str(not failed).lower(), "true", 30007 if failed else "", "Carrier violation" if failed else "", "false"),
            *(1 + len(text) // 160, f"+1555{chance.randrange(10**7):07d}", chance.randrange(10**6), "+15550001111"),
            *(chance.randrange(500) if out else "", chance.randrange(50) if chance.random() < 0.1 else ""),
        ]


def generate(path: Path, count: int) -> None:
    """Writes a snapshot of ``count`` messages."""
    with igzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(rows(count))


def bare(path: Path) -> float:
    """Seconds that Arrow needs to inflate and parse the file, untyped and unproven."""
    begun = time.perf_counter()
    types = dict.fromkeys(HEADER, pa.binary())
    with (
        igzip.open(path) as file,
        pyarrow.csv.open_csv(
            file,
            read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=4 << 20),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types),
        ) as reader,
    ):
        for _ in reader:
            pass
    return time.perf_counter() - begun


def measure(path: Path, count: int) -> None:
    """Prints the figures for one file."""
    zone = ZoneInfo("America/Los_Angeles")
    reference = bare(path)
    begun = time.perf_counter()
    proof = prove(path, Limits())
    proven = time.perf_counter()
    with SnapshotReader(path, MESSAGE, parse_name(path.name, [MESSAGE], zone), zone, Limits()) as reader:
        read = sum(batch.rows.num_rows for batch in reader)
    done = time.perf_counter()
    if read != count or reader.rejected:
        raise SystemExit(f"read {read} rows of {count}")
    total = done - begun
    print(f"{count:,} rows, {proof.raw_bytes / 1e6:.0f} MB of CSV in {proof.size / 1e6:.0f} MB of gzip")
    print(f"prove {proven - begun:.2f} s, read {done - proven:.2f} s, together {total:.2f} s")
    print(f"{count / total:,.0f} rows/s, {proof.raw_bytes / total / 1e6:.0f} MB/s")
    print(f"bare Arrow {reference:.2f} s: {total / reference:.2f} times as long")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--file", type=Path, help="keep the file here, or use the one that is here")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        path = (options.file or Path(folder)) / NAME
        if not path.exists():
            generate(path, options.rows)
        measure(path, options.rows)


if __name__ == "__main__":
    main()
