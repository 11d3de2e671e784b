"""What each kind of column accepts in a cell."""

import re
from typing import cast
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.formats.cells import type_cells
from promptsync.model import Kind

UTC = ZoneInfo("UTC")
LEADING = b"12"


def read(kind: Kind, *cells: bytes | None) -> tuple[list[object], list[bool]]:
    typed = type_cells(pa.array(cells, pa.binary()), kind, UTC)
    return typed.values.to_pylist(), typed.bad.tolist()


@pytest.mark.parametrize(
    ("kind", "cell", "value"),
    [
        *((Kind.INTEGER, b"0", 0), (Kind.INTEGER, b"007", 7), (Kind.INTEGER, b"-5", -5), (Kind.INTEGER, b"+5", 5)),
        *((Kind.INTEGER, b" 42 ", 42), (Kind.INTEGER, b"9223372036854775807", (1 << 63) - 1)),
        *((Kind.INTEGER, b"-9223372036854775808", -(1 << 63)), (Kind.INTEGER, b"0" * 18 + b"1", 1)),
        *((Kind.INTEGER, b"", None), (Kind.INTEGER, b"  ", None), (Kind.INTEGER, None, None)),
        *((Kind.BOOLEAN, b"true", 1), (Kind.BOOLEAN, b"F", 0), (Kind.BOOLEAN, b"YES", 1), (Kind.BOOLEAN, b" 0 ", 0)),
        *(
            (Kind.BOOLEAN, b"No", 0),
            (Kind.BOOLEAN, b"T", 1),
            (Kind.BOOLEAN, b"1", 1),
            (Kind.BOOLEAN, b"", None),
            (Kind.BOOLEAN, b"  ", None),
        ),
        *((Kind.REAL, b"1.5", 1.5), (Kind.REAL, b"-.5e1", -5.0), (Kind.REAL, b" 3 ", 3.0), (Kind.REAL, b"", None)),
        *((Kind.REAL, b"0,05", 0.05), (Kind.REAL, b"-1,5", -1.5), (Kind.REAL, b"0,125", 0.125)),
        *((Kind.TEXT, b" a ", " a "), (Kind.TEXT, "é😀".encode(), "é😀"), (Kind.TEXT, b"", None)),
        *((Kind.TEXT, b"NULL", "NULL"), (Kind.JSON, b"{}", "{}"), (Kind.TEXT, b"\x01", "\x01")),
    ],
)
def test_good_cells(kind: Kind, cell: bytes | None, value: object) -> None:
    assert read(kind, cell) == ([value], [False])
    assert read(kind, b"1", cell, None, cell)[0][1:] == [value, None, value]


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        *(
            (Kind.INTEGER, cell)
            for cell in (b"3.0", b"0x1F", b"1e3", b"1_0", b"--1", b"-", b"1 2", b"9223372036854775808")
        ),
        *((Kind.INTEGER, cell) for cell in (b"-9223372036854775809", "٣".encode(), b"\xff", b"NULL", b"1\n", b"1\0")),
        *((Kind.BOOLEAN, cell) for cell in (b"2", b"tru", b"on", b"null", b"\xff", b"true\0")),
        *(
            (Kind.REAL, cell)
            for cell in (b"nan", b"inf", b"1e999", b"0x1p3", b"1,234", b"1.2,3", b"1,2,3", b".", b"1e", b"1.2.3")
        ),
        *(
            (Kind.TEXT, cell)
            for cell in (b"\xff", b"a\0b", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82")
        ),
    ],
)
def test_bad_cells(kind: Kind, cell: bytes) -> None:
    assert read(kind, cell) == ([None], [True])
    values, bad = read(kind, b"1", cell, None, b"0", cell)
    assert bad == [False, True, False, False, True]
    assert values[0] is not None and values[3] is not None


@settings(max_examples=80, deadline=None)
@given(st.lists(st.none() | st.binary(max_size=6) | st.text("0123456789+- ", max_size=21).map(str.encode)), st.data())
def test_integers_against_python(cells: list[bytes | None], data: st.DataObject) -> None:
    values, bad = read(Kind.INTEGER, *cells)
    for cell, value, wrong in zip(cells, values, bad, strict=True):
        stripped = (cell or b"").strip(b" ")
        good = re.fullmatch(rb"[+-]?[0-9]{1,19}", stripped) and -(1 << 63) <= int(stripped) < 1 << 63
        assert wrong == (bool(stripped) and not good)
        assert value == (int(stripped) if good else None)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.none() | st.binary(max_size=8) | st.text(max_size=8).map(lambda s: s.encode("utf-8", "replace"))))
def test_texts_against_python(cells: list[bytes | None]) -> None:
    values, bad = read(Kind.TEXT, *cells)
    for cell, value, wrong in zip(cells, values, bad, strict=True):
        try:
            expected = (cell or b"").decode() or None
        except UnicodeDecodeError:
            expected = "\0"
        assert (value, wrong) == ((None, True) if expected and "\0" in expected else (expected, False))


@pytest.mark.parametrize("kind", [Kind.INTEGER, Kind.REAL, Kind.BOOLEAN, Kind.TEXT, Kind.TIME])
def test_slices_and_empty_columns(kind: Kind) -> None:
    whole = pa.array([b"?", b"1", None, b"", b"1700000000", b"\xff"], pa.binary())
    cut = type_cells(whole.slice(1, 3), kind, UTC)
    fresh = type_cells(pa.array(whole.slice(1, 3).to_pylist(), pa.binary()), kind, UTC)
    assert cut.values.to_pylist() == fresh.values.to_pylist()
    assert cut.bad.tolist() == fresh.bad.tolist()
    assert len(type_cells(whole.slice(2, 0), kind, UTC).values) == 0
    assert type_cells(pa.nulls(3, pa.binary()), kind, UTC).values.null_count == 3


def test_bytes_hidden_under_a_null() -> None:
    offsets, data = np.array([0, 3, 6, 9], np.int32), b"123\xff\0x456"
    hidden = pa.Array.from_buffers(
        pa.binary(), 3, [pa.py_buffer(b"\x05"), pa.py_buffer(offsets.data), pa.py_buffer(data)]
    )
    for kind, values in ((Kind.INTEGER, [123, None, 456]), (Kind.TEXT, ["123", None, "456"])):
        typed = type_cells(cast("pa.BinaryArray", hidden), kind, UTC)
        assert typed.values.to_pylist() == values
        assert not typed.bad.any()
    assert type_cells(cast("pa.BinaryArray", hidden), Kind.TIME, UTC).bad.tolist() == [True, False, True]


def test_bytes_have_no_spelling() -> None:
    with pytest.raises(ValueError, match="bytes"):
        type_cells(pa.array([LEADING], pa.binary()), Kind.BLOB, UTC)
