"""Quotes are read strictly: whatever leaves open which rows a file holds holds it, whatever does not is read."""

import csv
import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from promptsync.errors import Held
from promptsync.formats.csv.quote_places import quotes_of
from promptsync.formats.csv.records import blocks, split
from promptsync.formats.csv.text import strictly

SOUP = st.lists(
    st.sampled_from([b'"', b'""', b'\\"', b",", b"\n", b"\r\n", b"a", b"b c", b" ", b'"a"', b',"']), max_size=30
).map(b"".join)


def verdict(data: bytes, size: int = 4 << 20, delimiter: bytes = b",") -> tuple[str, str] | int:
    """How many records a file has, or why it is held: reason and sentence."""
    pieces = [data[at : at + 7] for at in range(0, len(data), 7)]
    try:
        return sum(
            len(split(block, delimiter)) for block in strictly(blocks(pieces, 10_000, size, delimiter), delimiter)
        )
    except Held as held:
        return held.reason, str(held)


def python_refuses(data: bytes) -> bool:
    """Whether Python's strict reader does; it knows nothing of quotes within unquoted cells."""
    try:
        list(csv.reader(io.StringIO(data.decode(), newline=""), strict=True))
    except csv.Error:
        return True
    return False


@settings(max_examples=300, deadline=None)
@given(SOUP, st.integers(1, 30))
@example(b'a"\n"', 1)
def test_what_a_strict_reader_refuses_is_held(data: bytes, size: int) -> None:
    found = verdict(data, size)
    if python_refuses(data):
        assert isinstance(found, tuple)
        assert found[0] in ("quoting", "last_record_cut")
    elif isinstance(found, tuple):
        assert "stands within a cell" in found[1]


@settings(max_examples=200, deadline=None)
@given(SOUP, st.integers(1, 30))
def test_the_verdict_does_not_depend_on_where_blocks_end(data: bytes, size: int) -> None:
    whole, cut = verdict(data), verdict(data, size)
    if isinstance(whole, tuple) and isinstance(cut, tuple):
        return  # there may be two faults: which is met first is all the same
    assert whole == cut


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ('1,"a screen of 15\\"",x\n2,"b",y\n', 2),
        ('1,"b",y\n2,"she said \\"stop\\" to us",x\n', 3),
        ('1,"5" pipe",x\n', 2),
        ('1,"b",y\n2,"unclosed,x\n3,"c",y\n', 3),
        ('1,"two\nlines",x\n2,"a"b,x\n', 4),
        ('1,"a" ,x\n', 2),
        ('1, "two, or\nthree",x\n', 2),
        ('1,size 5",x\n2,b,y\n3,size 6",x\n', 2),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_held_with_the_line(rows: str, line: int, size: int) -> None:
    found = verdict(b"id,text,note\n" + rows.encode(), size)
    assert isinstance(found, tuple)
    assert found[0] == "quoting"
    assert f"line {line} " in found[1]
    assert ("with backslashes" in found[1]) == ("\\" in rows)


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        ('1,5" pipe,x\n2,"b",y\n', 2),
        ('1,5" pipe,x\n2,6" pipe,x\n', 2),
        ('1,5" pipe,x\n2,"",y\n3,"b",y\n', 3),
        ('1,a "b" c,x\n2,d,y"z\n', 2),
        ('1,5",6"\n2,a,b\n', 2),
        ('1,say "hi",x\n2,d,"z"\n', 2),
        ('1,"say ""hi""",x\n2,"""",\n3,"",""\n', 3),
        ('1,C:\\,"D:\\"\n2,"\\n",x\n', 2),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_every_reading_gives_the_same_rows_is_read(rows: str, count: int, size: int) -> None:
    assert verdict(b"id,text,note\n" + rows.encode(), size) == count + 1


@pytest.mark.parametrize("delimiter", [b";", b"\t", b"|"])
def test_the_delimiter_decides_where_a_cell_begins(delimiter: bytes) -> None:
    tidy = b'id,"a, b",c\n1,"x",2\n'.replace(b",", delimiter)
    assert verdict(tidy, delimiter=delimiter) == 2
    found = verdict(tidy + b'2%b"x",y%b3\n' % (delimiter, delimiter), delimiter=delimiter)
    assert isinstance(found, tuple)
    assert "line 3 " in found[1]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([b'a"', b'a""b', b'b"c"', b"x", b",", b"\n", b"\r\n", b"\r"]), max_size=30).map(b"".join)
)
@example(b'a"')
def test_letters_are_the_same_whether_or_not_a_cell_is_quoted_elsewhere(data: bytes) -> None:
    """The two ways to find them: where no cell begins with a quote, and where one does."""
    alone, beside = quotes_of(data, b","), quotes_of(data + b'\n"q"', b",")
    assert alone is not None and beside is not None
    for these, those in ((alone.odd, beside.odd), (alone.first, beside.first), (alone.last, beside.last)):
        assert these.tolist() == those.tolist()


def test_many_stray_quotes_cost_no_more_than_their_bytes() -> None:
    assert verdict(b'1,5" pipe,x\n' * 20_000, 1 << 16) == 20_000
