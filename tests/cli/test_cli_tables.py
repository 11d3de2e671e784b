"""Tables for people: columns line up as letters are wide on a terminal, and nothing is cut."""

import os
import pty
import re
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.cli.context import print_table

CELLS = st.text(st.sampled_from("aé1日本語한 "), max_size=8).map(str.strip)
NARROW = """
from promptsync.cli.context import print_table
print_table(["file", "rows", "reason"], [["a.csv.gz", 1234, "it ends before " + "its data does " * 6 + "[red]so"]])
"""


def wide(text: str) -> int:
    """Columns of a terminal, by Unicode's own table."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


@given(rows=st.lists(st.tuples(CELLS, st.integers(0, 10**6), CELLS), min_size=1, max_size=5))
def test_columns_line_up(rows: list[tuple[str, int, str]]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        said: list[str] = []
        patched.setattr("click.echo", said.append)
        print_table(["名前", "number", "end"], [list(row) for row in rows])
    first = wide(said[1].split("  ")[0])
    second = len(said[1].split("  ")[1])
    for line, (name, number, end) in zip(said[2:], rows, strict=True):
        start = f"{name}{' ' * (first - wide(name))}  {number:>{second},}"
        assert line == f"{start}  {end}".rstrip()


def test_on_a_terminal_long_cells_are_wrapped() -> None:
    ours, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "40"}
    with subprocess.Popen([sys.executable, "-c", NARROW], stdout=terminal, env=environment) as process:
        assert process.wait(60) == 0
    os.close(terminal)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", os.read(ours, 1 << 16).decode())
    os.close(ours)
    lines = shown.splitlines()
    assert len(lines) > 4 and max(map(len, lines)) <= 40
    words = " ".join(" ".join(line[18:] for line in lines[2:]).split())
    assert words.endswith("its data does [red]so") and words.count("its data does") == 6
