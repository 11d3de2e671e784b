"""Loading an export takes the same memory whatever its size: measured from outside, in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

_LOAD = """
import resource, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from promptsync.clock import parse_iso
from promptsync.vendors.qlara.csv import ExportRows
from promptsync.loading.export import ExportLoader, ExportSource
from promptsync.merge.guards import Guards
from promptsync.vendors import declared_schema
from promptsync.vendors.qlara.profile import QLARA
from promptsync.store.mirror import Mirror
folder, rows = Path(sys.argv[1]), int(sys.argv[2])
with (folder / "messages.csv").open("w") as file:
    file.write("id,content,status,createdAt\\n")
    file.writelines(f"{n},{'word ' * 40}{n},SENT,2026-02-01T10:00:00Z\\n" for n in range(rows))
kind = QLARA.kind("messages")
mirror = Mirror(folder / "mirror.db", declared_schema())
at = parse_iso("2026-02-02T00:00:00Z")
rows_of = ExportRows(kind, mirror.schema[kind.table])
loader = ExportLoader(mirror, ZoneInfo("UTC"), Guards(), lambda: at)
source = ExportSource(folder / "messages.csv", "m.csv", "qlara", rows_of, at, vouched=True)
report = loader.load(source, lambda *_: None)
mirror.close()
print(report.inserted, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def peak(folder: Path, rows: int) -> int:
    """MiB at the most."""
    folder.mkdir()
    command = [sys.executable, "-c", _LOAD, str(folder), str(rows)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    inserted, size = map(int, run.stdout.splitlines()[-1].split())
    assert inserted == rows
    return size >> 10


@pytest.mark.slow
def test_ten_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    small, large = peak(tmp_path / "small", 8_000), peak(tmp_path / "large", 80_000)
    assert large < small + 24, (small, large)  # the file grows by 16 MiB


_REFUSE = """
import gzip, resource, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from promptsync.errors import Held
from promptsync.vendors.qlara.csv import ExportRows
from promptsync.formats.limits import Limits
from promptsync.vendors import declared_schema
from promptsync.vendors.qlara.profile import QLARA
kind = QLARA.kind("messages")
rows_of = ExportRows(kind, declared_schema()[kind.table])
def prove(name, pieces):
    path = Path(sys.argv[1]) / name
    with gzip.open(path, "wb", 1) as file:
        file.write(b"id,content,sentAt\\n")
        for piece in pieces:
            file.write(piece)
    try:
        return rows_of.open(path, (ZoneInfo("UTC"), 1), Limits(), vouched=True).prove().rows
    except Held as held:
        return held.reason
piece = {
    "cell": b"x" * (1 << 20),
    "cells": b"," * (1 << 20),
    "short rows": b"x\\n" * (1 << 19),
    "bad times": b"1,text,perhaps\\n" * (1 << 16),
}[sys.argv[2]]
prove("small.csv.gz", [b"1,a,\\n" * 1000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reason = prove("large.csv.gz", [piece] * 64)
print(reason, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("cell", "too_long"),
        ("cells", "too_long"),
        ("short rows", "bad_rows"),
        ("bad times", "bad_rows"),
    ],
)
def test_what_is_refused_takes_little_memory(tmp_path: Path, what: str, reason: str) -> None:
    """64 MiB of it, which say nothing."""
    command = [sys.executable, "-c", _REFUSE, str(tmp_path), what]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found, kibibytes = run.stdout.split()
    assert (found, int(kibibytes) < 100 << 10) == (reason, True), run.stdout
