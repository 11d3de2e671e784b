"""Where records begin and end: the vectorised reading, the grammar, Python's csv module and Arrow must agree."""

import csv
import io

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.errors import Held
from promptsync.formats.csv import records
from promptsync.formats.csv.block import parse_block
from promptsync.formats.csv.quote_places import well_placed
from promptsync.formats.csv.records import Block, blocks, cells_of, first_record, line_ends, split

SOUP = st.lists(st.sampled_from([b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"a", b"bc", b" "]), max_size=40).map(
    b"".join
)
TIDY = st.lists(st.lists(st.text('ab",\n\r ', max_size=5), min_size=2, max_size=3), min_size=1, max_size=12)


def python_rows(data: bytes) -> list[list[str]]:
    """What Python's csv module sees; quotes as lenient, but unlike Arrow it wants line ends prepared."""
    return [row for row in csv.reader(io.StringIO(data.decode(), newline="")) if row]


def whole(data: bytes) -> bool:
    """Whether the grammar reads all of ``data``: no quote is left open."""
    return sum(found.end - found.start for found in records.scan(data)) == len(data)


def tidy_bytes(rows: list[list[str]], line_end: str) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(rows)
    return out.getvalue().encode()


@settings(max_examples=150, deadline=None)
@given(SOUP, st.integers(1, 20))
def test_blocks_hold_whole_records_and_all_bytes(data: bytes, size: int) -> None:
    pieces = [data[at : at + 3] for at in range(0, len(data), 3)]
    if not whole(data):
        with pytest.raises(Held) as held:
            list(blocks(pieces, 1000, size))
        assert held.value.reason == "last_record_cut"
        return
    cut = list(blocks(pieces, 1000, size))
    assert b"".join(block.data for block in cut) == data
    one = split(Block(data, 1))
    several = [split(block) for block in cut]
    assert sum(map(len, several)) == len(one)
    lines = [part.line(n) for part in several for n in range(len(part))]
    assert lines == [one.line(n) for n in range(len(one))]
    assert lines == [line for part in several for line in part.lines(np.arange(len(part))).tolist()]
    assert b"".join(block.data for block in blocks(pieces, 1000, size, keep_cut=True)) == data


@settings(max_examples=150, deadline=None)
@given(SOUP)
def test_records_are_python_s(data: bytes) -> None:
    if not whole(data):
        return
    found = split(Block(data, 1))
    mine = [[cell.decode() for cell in cells_of(found.original(n))] for n in range(len(found))]
    assert mine == python_rows(data)
    assert [len(row) for row in mine] == found.cells.tolist()


@settings(max_examples=100, deadline=None)
@given(TIDY, st.sampled_from(["\n", "\r\n", "\r"]))
def test_vectors_and_grammar_agree(rows: list[list[str]], line_end: str) -> None:
    data = tidy_bytes(rows, line_end)
    assert well_placed(data, b",") is not None
    fast, slow = split(Block(data, 1)), records._split_by_scan(Block(data, 1))
    assert fast.starts.tolist() == slow.starts.tolist()
    assert fast.ends.tolist() == slow.ends.tolist()
    assert fast.cells.tolist() == slow.cells.tolist() == [len(row) for row in rows]
    for cut in range(len(data)):
        ends = [end for end in slow.ends.tolist() if end <= cut]
        if line_end == "\r" or (line_end == "\r\n" and data[:cut].endswith(b"\r")):
            ends = [end for end in ends if end < cut]
        assert records._last_end(data[:cut], b",", 1)[0] == (ends[-1] if ends else 0)


@settings(max_examples=100, deadline=None)
@given(SOUP)
def test_arrow_sees_the_same_records(data: bytes) -> None:
    if not whole(data) or not data.strip(b"\r\n"):
        return
    found = split(Block(data, 1))
    parsed = parse_block(Block(data, 1), 2)
    right = np.flatnonzero((found.cells == 2) & ~found.strange)
    assert parsed.index.tolist() == right.tolist()
    assert parsed.total == len(found)
    cells = [[column[row].as_py() or b"" for column in parsed.columns] for row in range(len(parsed.index))]
    assert cells == [cells_of(found.original(n)) for n in right.tolist()]


def test_long_records_grow_the_block_up_to_the_limit() -> None:
    data = b"1,2\n" + b'3,"' + b"x\n" * 5000 + b'"\n4,5\n'
    cut = list(blocks([data[at : at + 7] for at in range(0, len(data), 7)], 20_000, 16))
    assert b"".join(block.data for block in cut) == data
    with pytest.raises(Held) as held:
        list(blocks([data[at : at + 7] for at in range(0, len(data), 7)], 1000, 16))
    assert held.value.reason == "too_long"
    with pytest.raises(Held):
        list(blocks([b"1," + b"x" * 5000], 1000, 1 << 20))


def test_physical_lines() -> None:
    assert line_ends(b'a\nb\r\nc\rd"\n"') == 4
    found = split(Block(b'1,"x\ny"\n\n2,z\r\n3,"\r\n"\n', 10))
    assert [found.line(n) for n in range(3)] == [10, 13, 14]
    assert [found.original(n) for n in range(3)] == [b'1,"x\ny"', b"2,z", b'3,"\r\n"']


def test_a_line_end_is_not_cut_in_two() -> None:
    for data in (b'a"b,1\r', b'a"b,1\r\na"b,2\r', b"a,1\ra,2\r"):
        whole_ones = records._last_end(data, b",", 1)[0]
        assert not data[:whole_ones].endswith(b"2\r")
        assert whole_ones == data.find(b"a", 1) if data.count(b",") > 1 else whole_ones == 0


def test_first_record() -> None:
    assert first_record(b"\n\r\nid,b\r\n1,2\n") == (b"id,b", 9)
    assert first_record(b"\n\n") == (b"", 2)


def test_a_byte_order_mark_within_the_file_is_data() -> None:
    parsed = parse_block(Block("\ufeff1,2\n".encode(), 5), 2)
    assert parsed.columns[0].to_pylist() == ["\ufeff1".encode()]


def test_wrong_counts_that_are_no_text() -> None:
    parsed = parse_block(Block(b"1,2\n\xff,2,3\n3\n4,5\n", 1), 2)
    assert parsed.index.tolist() == [0, 3]
    assert parsed.total == 4
    assert [column.to_pylist() for column in parsed.columns] == [[b"1", b"4"], [b"2", b"5"]]
    nothing = parse_block(Block(b"1\n2\n", 1), 2)
    assert (nothing.total, len(nothing.index), nothing.columns[1].type) == (2, 0, pa.binary())
