"""The benchmarks' message files: one night differs from the next as promised, rows are as wide as real ones."""

import csv
import gzip
from pathlib import Path

from bench.bulk import write_message_file
from promptsync.demo.prompt.snapshot import COLUMNS


def read(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_bulk_files_differ_by_edition_as_promised(tmp_path: Path) -> None:
    first, second = tmp_path / "a.gz", tmp_path / "b.gz"
    assert write_message_file(first, 20_000, seed=3) == 20_000
    assert write_message_file(second, 20_000, seed=3, edition=1) == 20_100
    before, after = read(first), read(second)
    changed = [n for n, (old, new) in enumerate(zip(before, after, strict=False)) if old != new]
    assert (len(before), len(after)) == (20_000, 20_100)
    assert 85 <= len(changed) <= 100  # 0.5 %, less what is drawn twice
    assert sum(n >= 19_000 for n in changed) / len(changed) > 0.7
    assert list(before[0]) == COLUMNS["message"].split()
    assert len({row["id"] for row in after}) == len(after)


def test_bulk_rows_are_about_as_wide_as_real_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    write_message_file(path, 5_000)
    assert 180 <= len(gzip.decompress(path.read_bytes())) / 5_000 <= 240
    assert all(int(row["segments"]) >= 1 for row in read(path))
