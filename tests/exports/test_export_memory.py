"""Loading an export takes the same memory whatever its size: measured from outside, in a process of its own."""

import subprocess
import sys
from pathlib import Path

_LOAD = """
import resource, sys
from pathlib import Path
from zoneinfo import ZoneInfo
from promptsync.clock import parse_iso
from promptsync.formats.export_rows import ColumnMap
from promptsync.ingest.export_load import ExportLoader, ExportSource
from promptsync.merge.guards import Guards
from promptsync.model import declared_schema
from promptsync.sources.export_profile import QLARA
from promptsync.store.mirror import Mirror
folder, rows = Path(sys.argv[1]), int(sys.argv[2])
with (folder / "messages.csv").open("w") as file:
    file.write("id,content,status,createdAt\\n")
    file.writelines(f"{n},{'word ' * 40}{n},SENT,2026-02-01T10:00:00Z\\n" for n in range(rows))
kind = QLARA.kind("messages")
mirror = Mirror(folder / "mirror.db", declared_schema())
at = parse_iso("2026-02-02T00:00:00Z")
columns = ColumnMap(mirror.schema[kind.table], kind.columns, kind.changed, kind.identity)
loader = ExportLoader(mirror, ZoneInfo("UTC"), Guards(), lambda: at)
source = ExportSource(folder / "messages.csv", "m.csv", "qlara", columns, at, vouched=True)
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


def test_ten_times_the_rows_take_no_more_memory(tmp_path: Path) -> None:
    small, large = peak(tmp_path / "small", 8_000), peak(tmp_path / "large", 80_000)
    assert large < small + 24, (small, large)  # the file grows by 16 MiB
