"""A dlt pipeline that merges a CSV of messages by id into SQLite. Prints its seconds, without those of starting Python.

python tests/bench/dlt_merge.py FILE FOLDER
"""

import csv
import sys
import time
from pathlib import Path


def merge(file: Path, folder: Path) -> float:
    """Seconds until the rows of ``file`` are in ``folder``/dlt.db."""
    import dlt  # type: ignore[import-not-found]

    started = time.perf_counter()
    pipeline = dlt.pipeline(
        "message",
        pipelines_dir=str(folder / "dlt"),
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{folder / 'dlt.db'}"),
        dataset_name="main",
    )
    with file.open(encoding="utf-8", newline="") as lines:
        pipeline.run(csv.DictReader(lines), table_name="message", write_disposition="merge", primary_key="id")
    return time.perf_counter() - started


if __name__ == "__main__":
    print(merge(Path(sys.argv[1]), Path(sys.argv[2])))
