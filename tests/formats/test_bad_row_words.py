"""What is said of a bad row in a sentence about its file: where, which column, what is wrong, and nothing personal."""

import gzip
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.formats.csv.reader import SnapshotReader
from promptsync.formats.limits import Limits
from promptsync.formats.rejects import BadRow, shape_of
from promptsync.model.file_name import FileName
from promptsync.vendors.prompt.tables_exports import MESSAGE

NAMES = "id,created_timestamp,is_mms,segments\n"


def first_bad(folder: Path, row: str) -> BadRow:
    path = folder / "message.csv.gz"
    path.write_bytes(gzip.compress(f"{NAMES}1,2026-02-03T08:00:00Z,true,1\n{row}\n".encode(), mtime=0))
    with SnapshotReader(path, MESSAGE, FileName("message", 7, 1), ZoneInfo("UTC"), Limits()) as reader:
        return next(iter(reader)).rejects[0]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("2,x,true,1", "line 3, column created_timestamp: 'x' is no time."),
        ("2,2026-02-30,true,1", "line 3, column created_timestamp: '2026-02-30' is no time."),
        ("2,31/12/2026 10:00,true,1", "line 3, column created_timestamp: '31/12/2026 10:00' is no time."),
        ("2,tell nobody 5551234,true,1", "line 3, column created_timestamp: 'xxxx xxxxxx 9999999' is no time."),
        ("2,,perhaps,1", "line 3, column is_mms: 'xxxxxxx' is neither true nor false."),
        ("2,,true,1.5", "line 3, column segments: '1.5' is no whole number."),
        ("2,,true", "line 3: The row has 3 cells, not 4."),
        ("two,,true,1", "line 3: The key column id is blank or cannot be read."),
    ],
)
def test_words(tmp_path: Path, row: str, words: str) -> None:
    assert first_bad(tmp_path, row).describe() == words


def test_a_row_of_a_parquet_file_is_counted_in_rows() -> None:
    assert BadRow(5, 5, "bad_time", "Column at is no time.", b"{}", None, "at").describe("row") == (
        "row 5, column at: it is no time."
    )


@given(st.text(min_size=5))
def test_a_shape_gives_nothing_away(text: str) -> None:
    shape = shape_of(text.encode("utf-8", "replace"))
    assert len(shape) <= 32
    assert shape.isprintable()
    letters = {sign for sign in shape if sign.isalpha()}
    assert letters <= {"x"}


@pytest.mark.parametrize("text", ["+1 555 123 4567", "555-123-4567", "123-45-6789", "4711", "123456"])
def test_digits_are_not_told(text: str) -> None:
    assert set(shape_of(text.encode())) <= set("9 +-")


def test_neither_is_what_is_cut_in_the_middle_of_a_letter() -> None:
    assert shape_of(b"\xff" + "ä".encode() * 200) == "\ufffd" + "x" * 30 + "…"
