"""Damage that pyarrow does not survive: whatever opens a parquet file is given every flipped byte of a footer.

In a process of its own, which must still be there afterwards.
"""

import ast
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import promptsync
from promptsync.errors import Held, PromptsyncError
from promptsync.formats.limits import Limits
from promptsync.formats.parquet.proof import has_footer, prove_parquet, read_footer, selected_bytes
from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.lake.parquet import read as read_own
from promptsync.model.file_name import ChangeSetName
from promptsync.vendors.customerio.tables_sent import METRICS
from tests.trees import tree

NAME = ChangeSetName("cio_metrics", 7, 5, 11)
FILE = "metrics_v5_7_11.parquet"
ASKS_PYARROW = {"formats/parquet/source.py", "formats/parquet/writing.py", "lake/parquet.py"}
"""Only what has read the footer itself before may hand a file to pyarrow; one of them only writes."""


def read(path: Path) -> int:
    with ChangeSetReader(path, METRICS, NAME, Limits()) as reader:
        return sum(batch.rows.num_rows for batch in reader)


def footer_of(path: Path) -> object:
    with path.open("rb") as file:
        return read_footer(path, file)


OPENERS: tuple[Callable[[Path], object], ...] = (
    lambda path: prove_parquet(path, Limits()),
    lambda path: has_footer(path, Limits()),
    selected_bytes,
    read,
    read_own,
)


def whole(folder: Path) -> Path:
    """A small file with more than one row group and a nested column."""
    rows = 20
    table = pa.table(
        {
            "event_id": [f"e{number}" for number in range(rows)],
            "workspace_id": [7] * rows,
            "metric": ["sent", "opened"] * (rows // 2),
            "seq_num": range(1, rows + 1),
            "topics": [["a", "b"]] * rows,
        }
    )
    path = folder / FILE
    pq.write_table(table, path, row_group_size=rows // 2, store_schema=False, write_page_checksum=True)
    return path


def damaged(good: bytes) -> list[bytes]:
    """Every byte of the footer flipped, and what is left of the file when it is cut."""
    begin = len(good) - int.from_bytes(good[-8:-4], "little") - 8
    flipped = [good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :] for at in range(begin, len(good))]
    return [*flipped, *(good[:at] for at in range(0, len(good), 7))]


def go_through(folder: Path) -> None:
    """Give each to everything that opens one. A foreign exception gets out, an abort ends the process."""
    path = whole(folder)
    good = path.read_bytes()
    for data in damaged(good):
        path.write_bytes(data)
        for opener in OPENERS:
            with suppress(PromptsyncError):
                opener(path)
    path.write_bytes(good)
    assert all(opener(path) for opener in OPENERS)
    print("alive")


def test_no_damage_of_a_footer_ends_the_process(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.formats.test_parquet_damage", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert (run.returncode, run.stdout.strip()) == (0, "alive"), run.stderr[-2000:]


def test_nothing_else_asks_pyarrow() -> None:
    root = Path(promptsync.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        if path.is_relative_to(root / "demo"):  # it only writes
            continue
        for node in ast.walk(tree(path)):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [f"{node.module}.{one.name}" for one in node.names] if isinstance(node, ast.ImportFrom) else []
            if any(name.startswith(("pyarrow.parquet", "pyarrow.dataset")) for name in names):
                found.add(str(path.relative_to(root)))
    assert found == ASKS_PYARROW


@pytest.mark.parametrize("length", [0, 1, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_length_that_cannot_be_is_damage_whoever_reads_it(tmp_path: Path, length: int) -> None:
    """Not a machine that cannot read: that would be tried again for ever."""
    path = whole(tmp_path)
    path.write_bytes(path.read_bytes()[:-8] + length.to_bytes(4, "little") + b"PAR1")
    for opener in (footer_of, read):
        with pytest.raises(Held) as held:
            opener(path)
        assert held.value.reason == "damaged"


if __name__ == "__main__":
    go_through(Path(sys.argv[1]))
