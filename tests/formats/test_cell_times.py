"""Spellings of time, against datetime as the oracle."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.clock import MAX_MICROS, iso_millis, micros_of
from promptsync.formats.cells import type_cells
from promptsync.formats.csv import time_spelling
from promptsync.formats.times import format_times, parse_times
from promptsync.model import Kind

PACIFIC = ZoneInfo("America/Los_Angeles")
ZONES = ["UTC", "America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu", "Europe/Dublin"]
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))
NEAR = st.datetimes(datetime(2026, 3, 8), datetime(2026, 3, 9)) | st.datetimes(
    datetime(2026, 11, 1), datetime(2026, 11, 2)
)
OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59)


def column(*cells: bytes | None) -> pa.BinaryArray:
    return pa.array(cells, pa.binary())


@st.composite
def spelled(draw: st.DrawFn, zone: ZoneInfo) -> tuple[bytes, int | None]:
    """A cell and its microseconds as datetime sees them."""
    wall = draw(MOMENTS | NEAR).replace(fold=0)  # no cell says which of two hours it is
    digits = draw(st.integers(0, 9))
    clock = wall.replace(microsecond=0).isoformat(sep=draw(st.sampled_from("T ")))
    micros = f"{wall.microsecond:06d}789"[:digits]
    wall = wall.replace(microsecond=int(micros[:6].ljust(6, "0")))
    minutes = draw(OFFSETS)
    sign, hours, rest = "-" if minutes < 0 else "+", abs(minutes) // 60, abs(minutes) % 60
    offset = timezone(timedelta(minutes=minutes))
    written, tz = draw(
        st.sampled_from(
            [
                ("", zone),
                ("Z", UTC),
                (" UTC", UTC),
                (f"{sign}{hours:02d}:{rest:02d}", offset),
                (f"{sign}{hours:02d}{rest:02d}", offset),
                (f" {sign}{hours:02d}{rest:02d}", offset),
                (f"{sign}{hours:02d}", timezone(timedelta(hours=-hours if minutes < 0 else hours))),
            ]
        )
    )
    text = clock + (f".{micros}" if digits else "") + written
    return draw(st.sampled_from(["{}", "{}", "{}", " {} "])).format(text).encode(), micros_of(wall.replace(tzinfo=tz))


def in_range(micros: int) -> bool:
    return time_spelling.MIN_MICROS <= micros <= MAX_MICROS


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_columns_of_mixed_spellings(data: st.DataObject) -> None:
    zone = ZoneInfo(data.draw(st.sampled_from(ZONES)))
    garbage = st.sampled_from([(b"2026-02-30T00:00:00Z", None), (b"soon", None), (b"", None), (b" ", None)])
    rows = data.draw(st.lists(spelled(zone) | garbage, max_size=12))
    rows = data.draw(st.permutations(rows * data.draw(st.integers(1, 3))))
    times = parse_times(column(*(cell or None for cell, _ in rows)), zone)
    for (cell, expected), micros, valid, bad in zip(rows, times.micros, times.valid, times.bad, strict=True):
        known = expected is not None and in_range(expected)
        assert bool(valid) == known, cell
        assert bool(bad) == (not known and bool(cell.strip())), cell
        assert micros == (expected if known else 0), cell


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_one_value_reads_as_in_a_column(data: st.DataObject) -> None:
    zone = ZoneInfo(data.draw(st.sampled_from(ZONES)))
    cell = data.draw(
        spelled(zone).map(lambda row: row[0]) | st.from_regex(time_spelling._LAYOUT.pattern, fullmatch=True)
    )
    times = parse_times(column(cell, cell), zone)
    read = time_spelling.parse_time(cell, zone)
    assert times.micros.tolist() == [read or 0] * 2
    assert times.bad.tolist() == [read is None and not time_spelling.is_none(cell)] * 2


@given(st.lists(st.integers(0, MAX_MICROS)))
def test_format_is_the_clock_module_s(micros: list[int]) -> None:
    assert format_times(np.array(micros, np.int64)).to_pylist() == [iso_millis(m) for m in micros]


def test_format_before_1970_and_at_the_ends() -> None:
    times = np.array([-1, time_spelling.MIN_MICROS, MAX_MICROS, 0], np.int64)
    assert format_times(times, np.array([True, True, True, False])).to_pylist() == [
        *("1969-12-31T23:59:59.999Z", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", None)
    ]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-02-04T08:00:00.000Z", "2026-02-04T08:00:00.000Z"),
        ("2026-02-04", "2026-02-04T08:00:00.000Z"),
        ("2026-07-04", "2026-07-04T07:00:00.000Z"),
        ("2026-02-04 00:00:00", "2026-02-04T08:00:00.000Z"),
        ("2026-02-04 00:00:00.123456", "2026-02-04T08:00:00.123Z"),
        ("2026-02-04 00:00:00.9999999+00", "2026-02-04T00:00:00.999Z"),
        ("2026-02-04T00:00-08", "2026-02-04T08:00:00.000Z"),
        ("2026-02-04t00:00:00,5z", "2026-02-04T00:00:00.500Z"),
        ("2026-03-08 02:30:00", "2026-03-08T10:30:00.000Z"),  # in the gap: the offset before it
        ("2026-03-08 03:00:00", "2026-03-08T10:00:00.000Z"),
        ("2026-11-01 01:30:00", "2026-11-01T08:30:00.000Z"),  # twice: the first
        ("2026-11-01 02:00:00", "2026-11-01T10:00:00.000Z"),
        ("2024-02-29", "2024-02-29T08:00:00.000Z"),
        ("1770192000", "2026-02-04T08:00:00.000Z"),
        ("1770192000123", "2026-02-04T08:00:00.123Z"),
        (" 1770192000 ", "2026-02-04T08:00:00.000Z"),
        ("99999999999", "5138-11-16T09:46:39.000Z"),
        ("100000000000", "1973-03-03T09:46:40.000Z"),
        ("  ", None),
        ("0", None),
        (" 0 ", None),
        ("0000-00-00", None),
        ("0000-00-00 00:00:00", None),
        ("9999-12-31", "9999-12-31T08:00:00.000Z"),
        ("9999-12-31 23:59:59", "9999-12-31T23:59:59.999Z"),  # later than the years go, in UTC
        ("9999-12-31T23:59:59.9", "9999-12-31T23:59:59.999Z"),
        ("9999-12-31 23:59", "9999-12-31T23:59:59.999Z"),
        ("9999-12-31 23:59:59Z", "9999-12-31T23:59:59.000Z"),
    ],
)
def test_spellings(cell: str, expected: str | None) -> None:
    for cells in (column(cell.encode()), column(b"2020-01-01T00:00:00.000Z", None, cell.encode())):
        typed = type_cells(cells, Kind.TIME, PACIFIC)
        assert typed.values[-1].as_py() == expected
        assert not typed.bad.any()


def test_the_first_instant_is_never_left_either() -> None:
    for cell in (b"0001-01-01 00:00:00", b"0001-01-01 00:00:00.5", b" 0001-01-01"):
        times = parse_times(column(cell), ZoneInfo("Asia/Tokyo"))
        assert (times.micros.tolist(), times.bad.tolist()) == ([time_spelling.MIN_MICROS], [False])


@pytest.mark.parametrize(
    "cell",
    [
        *("2026-02-29", "2025-13-01", "2026-00-01", "2026-01-00", "2026-02-04T24:00:00Z", "2026-02-04T00:60:00Z"),
        *("2026-02-04T00:00:60Z", "2026-02-04T00:00:00+24:00", "2026-02-04T00:00:00+08:60", "0000-01-01", "1e9"),
        *("2026-02-04T00:00:00.Z", "2026-02-04T", "2026-2-4", "20260204", "00", "-1770192000", "253402300800000"),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00", "2026-02-04Z", "NULL", "2026-02-04T00:00:00é"),
        *("٢٠٢٦-02-04", "2026-02-04T00:00:00.000z0", "2026-02-04_00:00:00", "2026-02-04 00:00:00.5 PST"),
    ],
)
def test_no_times(cell: str) -> None:
    for cells in (column(cell.encode()), column(b"2020-01-01T00:00:00.000Z", None, cell.encode())):
        typed = type_cells(cells, Kind.TIME, PACIFIC)
        assert typed.values[-1].as_py() is None
        assert typed.bad.tolist() == [False] * (len(cells) - 1) + [True]

    for cell_bytes in (cell.encode(), f" {cell} ".encode()):
        assert time_spelling.parse_time(cell_bytes, PACIFIC) is None


def test_no_times_in_rare_spellings() -> None:
    for cell in (b"2026-02-04t00:00:00+08:60", b"2026-02-04t00:00:00+24", b" 000000001", b"2026-02-04 00:00:00 Z "):
        read = time_spelling.parse_time(cell, PACIFIC)
        assert read is None or cell.endswith(b"Z ")


@pytest.mark.parametrize("name", ZONES)
def test_a_year_of_clock_times(name: str) -> None:
    zone = ZoneInfo(name)
    walls = [datetime(2026, 1, 1) + timedelta(minutes=17 * n) for n in range(365 * 24 * 60 // 17)]
    times = parse_times(column(*(str(wall).encode() for wall in walls)), zone)
    assert times.micros.tolist() == [micros_of(wall.replace(tzinfo=zone)) for wall in walls]


def test_every_byte_of_a_layout_counts() -> None:
    for good in (
        b"2026-02-04T08:00:00.000Z",
        b"2026-02-04 08:00:00.25+05:30",
        b"2026-02-04 08:00:00-0800",
        b"1770192000123",
    ):
        cells = [good]
        for at in range(len(good)):
            cells += [good[:at] + other + good[at + 1 :] for other in (b"/", b":", b"x", b"\0", b"9", b" ", b"-")]
        for start in range(0, len(cells) - 1, 7):
            chosen = [good, *cells[1 + start : 8 + start]]
            times = parse_times(column(*chosen), PACIFIC)
            assert times.micros.tolist() == [time_spelling.parse_time(cell, PACIFIC) or 0 for cell in chosen]
            assert times.bad.tolist() == [time_spelling.parse_time(cell, PACIFIC) is None for cell in chosen]


def test_slices_of_a_column() -> None:
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 29)]
    cells = column(*(str(day).encode() for day in days)).slice(5, 10)
    assert parse_times(cells, PACIFIC).micros.tolist() == [micros_of(day) for day in days[5:15]]


def test_canonical_cells_pass_through() -> None:
    cells = column(b"2026-02-04T08:00:00.000Z", None, b"2026-02-05T08:00:00.001Z")
    assert parse_times(cells, PACIFIC).canonical
    assert type_cells(cells, Kind.TIME, PACIFIC).values.to_pylist() == [c and c.decode() for c in cells.to_pylist()]
    assert not parse_times(column(b"2026-02-04T08:00:00.00Z"), PACIFIC).canonical


def test_many_layouts_at_once() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(seconds=n * 977) for n in range(400)]
    cells = [f"{t:%Y-%m-%d %H:%M:%S}.{'5' * (n % 20 + 1)}+00" for n, t in enumerate(times)]
    read = parse_times(column(*(cell.encode() for cell in cells)), PACIFIC)
    assert not read.bad.any()
    assert (read.micros // 10**6).tolist() == [micros_of(t) // 10**6 for t in times]
