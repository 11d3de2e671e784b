"""The reader as a whole: every type that parquet has becomes what its column is declared to be, or the row is bad."""

import json
import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.clock import iso_millis, micros_of
from promptsync.errors import Held
from promptsync.formats.limits import Limits
from promptsync.formats.parquet import reader as parquet_rows
from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.formats.rejects import BadRow
from promptsync.model import Column, FilledBy, Kind, Table
from promptsync.model.file_name import ChangeSetName

NAME = ChangeSetName("cio_thing", 7, 5, 241600000000311123, 3)
TABLE = Table(
    "cio_thing",
    "Things",
    ("workspace_id", "thing_id"),
    (
        Column("workspace_id", Kind.INTEGER, ""),
        Column("thing_id", Kind.TEXT, ""),
        Column("at", Kind.TIME, "", "row"),
        Column("number", Kind.INTEGER, "", "row"),
        Column("ratio", Kind.REAL, "", "row"),
        Column("flag", Kind.BOOLEAN, "", "row"),
        Column("words", Kind.TEXT, "", "row"),
        Column("topics", Kind.JSON, "", "row"),
        Column("seq_num", Kind.INTEGER, "", "row"),
    ),
    org_scoped=False,
    filled_by=FilledBy.CHANGE_SET,
    order="seq_num",
)
MOMENT = datetime(2026, 2, 4, 8, 0, 0, 123456, UTC)
MICROS = micros_of(MOMENT)
WRITTEN = "2026-02-04T08:00:00.123Z"
LEAST, MOST = "1677-09-21T00:12:43.145Z", "2262-04-11T23:47:16.854Z"  # of 64 bits, as nanoseconds
LONG = "long enough to lie elsewhere"


class Read:
    def __init__(self, path: Path, table: pa.Table, leave_out: frozenset[str] = frozenset(), **options: Any) -> None:
        file = path / "things_v5_7_1.parquet"
        pq.write_table(table, file, **options)
        self.rows: list[dict[str, Any]] = []
        self.rejects: list[BadRow] = []
        with ChangeSetReader(file, TABLE, NAME, Limits(), leave_out) as reader:
            for batch in reader:
                assert batch.rows.schema == reader.schema
                batch.rows.validate(full=True)
                self.rows += batch.rows.to_pylist()
                self.rejects += batch.rejects
        assert reader.records == reader.total == len(self.rows) + len(self.rejects)
        self.reader = reader


def column(path: Path, name: str, values: Any, **options: Any) -> tuple[list[Any], list[str]]:
    """What one column's values become, and the classes of the rejects."""
    keys = {"workspace_id": [7] * len(values), "thing_id": [str(n) for n in range(len(values))]}
    read = Read(path, pa.table({**keys, name: values}), **options)
    return [row[name] for row in read.rows], [reject.reason_class for reject in read.rejects]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pa.array([MOMENT, None, 0], pa.timestamp("us", "UTC")), [WRITTEN, None, None]),
        (pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("us")), [WRITTEN]),
        (pa.array([MICROS], pa.timestamp("us", "America/Los_Angeles")), [WRITTEN]),
        (pa.array([MICROS * 1000 + 789], pa.timestamp("ns")), [WRITTEN]),
        (pa.array([MICROS // 1000, -1], pa.timestamp("ms")), [WRITTEN, "1969-12-31T23:59:59.999Z"]),
        (pa.array([date(2026, 2, 4), None]), ["2026-02-04T00:00:00.000Z", None]),
        (pa.array([date(2026, 2, 4)], pa.date64()), ["2026-02-04T00:00:00.000Z"]),
        (
            pa.array([MICROS // 10**6, MICROS // 1000, MICROS, MICROS * 1000]),
            ["2026-02-04T08:00:00.000Z"] + [WRITTEN] * 3,
        ),
        (pa.array([MICROS // 1000] * 2, pa.uint64()), [WRITTEN] * 2),
        (pa.array([0, None, 1], pa.int32()), [None, None, "1970-01-01T00:00:01.000Z"]),
        (pa.array([MICROS / 1e6, math.nan, 0.0]), [WRITTEN, None, None]),
        (pa.array([Decimal(MICROS // 1000)]), [WRITTEN]),
        (
            pa.array([WRITTEN, "", "2026-02-04 09:00+01", str(MICROS), "0"]),
            [WRITTEN, None, "2026-02-04T08:00:00.000Z", WRITTEN, None],
        ),
        (pa.array([None, None], pa.null()), [None, None]),
    ],
)
def test_times(tmp_path: Path, values: Any, expected: list[str | None]) -> None:
    assert column(tmp_path, "at", values) == (expected, [])


def test_int96(tmp_path: Path) -> None:
    values = pa.array([MICROS * 1000, None, 253_402_300_799 * 10**9 // 100], pa.timestamp("ns"))
    found, rejects = column(tmp_path, "at", values, use_deprecated_int96_timestamps=True)
    assert (found[:2], rejects) == ([WRITTEN, None], [])


@pytest.mark.parametrize(
    ("name", "values", "expected", "rejects"),
    [
        ("at", pa.array(["soon", "2026-02-30", WRITTEN]), [WRITTEN], ["bad_time"] * 2),
        ("at", pa.array([1 << 62, -(1 << 63), MICROS], pa.timestamp("ms")), [], ["bad_time"] * 3),
        ("at", pa.array([math.inf, MICROS / 1000]), [WRITTEN], ["bad_time"]),
        ("at", pa.array([-(1 << 63), 1 - (1 << 63), (1 << 63) - 1, MICROS]), [LEAST, LEAST, MOST, WRITTEN], []),
        ("number", pa.array([5, None, (1 << 64) - 1], pa.uint64()), [5, None], ["bad_number"]),
        ("number", pa.array([5.0, 5.5, math.nan, 1e300, -math.inf]), [5, None], ["bad_number"] * 3),
        ("number", pa.array([" 12", "x", "", "-12", "1.5"]), [12, None, -12], ["bad_number"] * 2),
        ("number", pa.array([Decimal("12.00"), Decimal("12.50"), None]), [12, None], ["bad_number"]),
        ("number", pa.array([Decimal(10**30), Decimal(2)], pa.decimal128(38, 0)), [2], ["bad_number"]),
        ("number", pa.array([True, False]), [1, 0], []),
        ("number", pa.array(["1", "2", "x", None]).dictionary_encode(), [1, 2, None], ["bad_number"]),
        ("ratio", pa.array([1.5, math.nan, math.inf, None]), [1.5, None, None], ["bad_number"]),
        ("ratio", pa.array(["1.5", "1e2", "one"]), [1.5, 100.0], ["bad_number"]),
        ("ratio", pa.array([Decimal("1.25")]), [1.25], []),
        ("ratio", pa.array([0.5], pa.float16()), [0.5], []),
        ("flag", pa.array([True, False, None]), [1, 0, None], []),
        ("flag", pa.array([1, 0, 2], pa.uint8()), [1, 0], ["bad_boolean"]),
        ("flag", pa.array(["true", "NO", "maybe", ""]), [1, 0, None], ["bad_boolean"]),
        ("flag", pa.array([1.0, 0.5]), [1], ["bad_boolean"]),
        ("words", pa.array(["a", "", None, "é"], pa.large_string()), ["a", "", None, "é"], []),
        ("words", pa.array(["a", None, LONG], pa.string_view()), ["a", None, LONG], []),
        ("words", pa.array([b"a", b"\xff\xfe", None, b"\0"]), ["a", None], ["bad_utf8"] * 2),
        ("words", pa.array([b"ab", b"\xff\xfe"], pa.binary(2)), ["ab"], ["bad_utf8"]),
        ("words", pa.array([12, None]), ["12", None], []),
        ("words", pa.array([1.5, math.nan]), ["1.5", None], []),
        ("words", pa.array([Decimal("1.50")]), ["1.50"], []),
        ("words", pa.array([True]), ["true"], []),
        ("words", pa.array([MICROS], pa.timestamp("us")), [WRITTEN], []),
        ("words", pa.array([timedelta(seconds=1)]), ["1000000"], []),
        ("topics", pa.array(['["as it is"]', "a,b"]), ['["as it is"]', "a,b"], []),
    ],
)  # fmt: skip
def test_other_kinds(tmp_path: Path, name: str, values: Any, expected: list[Any], rejects: list[str]) -> None:
    assert column(tmp_path, name, values) == (expected, rejects)


def test_text_that_is_none(tmp_path: Path) -> None:
    bytes_as_text = pa.Array.from_buffers(pa.string(), 2, pa.array([b"good", b"b\xffd"]).buffers())
    assert column(tmp_path, "words", bytes_as_text) == (["good"], ["bad_utf8"])


CODED = pa.dictionary(pa.int32(), pa.string())
JSON_TEXT = st.text(max_size=8) | st.sampled_from(['"', "\\", "\n\x01", "é\u2028"])
SCALARS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.string(), JSON_TEXT),
    (pa.int64(), st.integers(-(1 << 63), (1 << 63) - 1)),
    (pa.bool_(), st.booleans()),
    (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
]
Nested: TypeAlias = tuple[pa.DataType, st.SearchStrategy[Any]]


def lists(of: Nested) -> Nested:
    return pa.list_(of[0]), st.lists(st.none() | of[1], max_size=3)


def structs(of: Nested) -> Nested:
    return pa.struct([('k"', of[0]), ("l", pa.int8())]), st.fixed_dictionaries({'k"': of[1], "l": st.none()})


def maps(of: Nested) -> Nested:
    pairs = st.dictionaries(JSON_TEXT, of[1], max_size=3).map(lambda found: list(found.items()))
    return pa.map_(pa.string(), of[0]), pairs


NESTED: st.SearchStrategy[Nested] = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: inner.map(lists) | inner.map(structs) | inner.map(maps),
    max_leaves=3,
)


def plain(value: Any, kind: pa.DataType) -> Any:
    if value is None:
        return None
    if pa.types.is_map(kind):
        return {key: plain(item, kind.item_type) for key, item in value}
    if pa.types.is_list(kind):
        return [plain(item, kind.value_type) for item in value]
    if pa.types.is_struct(kind):
        return {field.name: plain(value[field.name], field.type) for field in kind}
    return value


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_nested_values_are_json(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    kind, values = data.draw(NESTED)
    cells = data.draw(st.lists(st.none() | values, min_size=1, max_size=6))
    kind, cells = pa.list_(kind), [None if cell is None else [cell, None] for cell in cells]
    found, rejects = column(tmp_path_factory.mktemp("json"), "topics", pa.array(cells, kind))
    assert not rejects
    assert [text and json.loads(text) for text in found] == [plain(cell, kind) for cell in cells]


def test_nested_garbage(tmp_path: Path) -> None:
    odd = pa.array([[b"a\xff", None], [], None])
    assert column(tmp_path, "topics", odd) == ([r'["a\\xff",null]', "[]", None], [])
    moments = pa.array([[{"at": MOMENT, "ratio": math.nan, "day": MOMENT.date()}]])
    found, _ = column(tmp_path, "topics", moments)
    assert json.loads(found[0]) == [{"at": "2026-02-04T08:00:00.123456Z", "ratio": None, "day": "2026-02-04"}]


def test_a_bad_row_of_any_types_is_shown(tmp_path: Path) -> None:
    odd = {
        "view": pa.array([LONG], pa.string_view()),
        "large": pa.array(["l"], pa.large_string()),
        "bytes": pa.array([b"\xff"]),
        "decimal": pa.array([Decimal("1.50")]),
        "map": pa.array([[(1, [None])]], pa.map_(pa.int8(), pa.list_(pa.int8()))),
        "clock": pa.array([3600], pa.time32("s")),
        "coded": pa.array(["c"]).dictionary_encode(),
        "nothing": pa.nulls(1),
        "fixed": pa.array([[1, 2]], pa.list_(pa.int8(), 2)),
    }
    read = Read(tmp_path, pa.table({"thing_id": pa.array([None], pa.string()), **odd}))
    assert json.loads(read.rejects[0].original) == {
        "thing_id": None,
        "view": LONG,
        "large": "l",
        "bytes": r"\xff",
        "decimal": 1.5,
        "map": {"1": [None]},
        "clock": "01:00:00.000",
        "coded": "c",
        "nothing": None,
        "fixed": [1, 2],
    }


def test_bad_rows_are_found_again(tmp_path: Path) -> None:
    table = pa.table(
        {
            "thing_id": ["a", None, "c", "d"],
            "workspace_id": [7, 7, None, 7],
            "at": ["2026-02-04", "x", "y", "x"],
            "words": ['q"', "b", "c", "d"],
        }
    )
    read = Read(tmp_path, table)
    assert [(row["_n"], row["thing_id"]) for row in read.rows] == [(1, "a")]
    assert [(one.record, one.reason_class, one.key) for one in read.rejects] == [
        (2, "bad_key", None),
        (3, "bad_key", None),
        (4, "bad_time", (7, "d")),
    ]
    assert json.loads(read.rejects[0].original) == {"thing_id": None, "workspace_id": 7, "at": "x", "words": "b"}
    assert read.rejects[2].reason == "Column at is no time."


def test_columns(tmp_path: Path) -> None:
    table = pa.table(
        {
            "Thing_ID": ["a"],
            "_at": ["x"],
            "_n": [5],
            "new.one": [[1, 2]],
            "blob": pa.array([b"\xff"], pa.binary(1)),
            "body": ["left out"],
            "words": ["left out"],
            "at": ["left out"],
            "seq_num": [1],
        }
    )
    left_out = frozenset({"WORDS", "body", "at", "seq_num", "thing_id"})
    read = Read(tmp_path, table, left_out)
    names = ("_n", "workspace_id", "thing_id", "seq_num", "x__at", "x__n", "new.one", "blob", "_at")
    assert tuple(read.reader.schema.names) == names
    assert read.reader.unknown == ("x__at", "x__n", "new.one", "blob")
    assert read.reader.lacks == ("at", "number", "ratio", "flag", "words", "topics")
    row = read.rows[0]
    assert (row["workspace_id"], row["x__at"], row["x__n"], row["new.one"], row["blob"]) == (7, "x", "5", "[1,2]", "ff")


def test_what_is_left_out_is_not_decoded(tmp_path: Path) -> None:
    path = tmp_path / "things_v5_7_1.parquet"
    table = pa.table({"workspace_id": [7] * 50, "thing_id": [str(n) for n in range(50)], "words": ["w" * 99] * 50})
    pq.write_table(table, path, compression="none", write_page_checksum=True)
    chunk = pq.read_metadata(path).row_group(0).column(2)
    data = bytearray(path.read_bytes())
    data[chunk.dictionary_page_offset + 60] ^= 1
    path.write_bytes(data)
    with ChangeSetReader(path, TABLE, NAME, Limits(), frozenset({"words"})) as reader:
        assert sum(batch.rows.num_rows for batch in reader) == 50
    with ChangeSetReader(path, TABLE, NAME, Limits()) as reader, pytest.raises(Held):
        list(reader)


@pytest.mark.parametrize(
    ("table", "reason", "words"),
    [
        (pa.table({}), "header", "no column"),
        (pa.table({"other": [1]}), "header", "no column of the table"),
        (pa.table({"workspace_id": [7]}), "header", "key column thing_id"),
        (pa.table({"thing_id": ["a"], "words": ["a"], "Words": ["b"]}), "header", "twice"),
        (pa.Table.from_arrays([pa.array(["a"])] * 2, names=["thing_id", "thing_id"]), "header", "twice"),
        (pa.table({"thing_id": ["a"], "": ["b"]}), "header", "without a name"),
        (pa.table({"thing_id": ["a"], "at": [[1]]}), "column_type", "never be time"),
        (pa.table({"thing_id": ["a"], "at": [True]}), "column_type", "never be time"),
        (pa.table({"thing_id": ["a"], "number": [MOMENT]}), "column_type", "Column number"),
    ],
)
def test_files_without_sense(tmp_path: Path, table: pa.Table, reason: str, words: str) -> None:
    with pytest.raises(Held, match=words) as held:
        Read(tmp_path, table)
    assert held.value.reason == reason


def test_no_rows(tmp_path: Path) -> None:
    empty = pa.table({"thing_id": pa.array([], pa.string()), "topics": pa.array([], pa.list_(pa.string()))})
    read = Read(tmp_path, empty)
    assert (read.rows, read.rejects) == ([], [])
    assert "topics" in read.reader.schema.names


@pytest.mark.parametrize("codec", ["none", "snappy", "gzip", "zstd", "brotli", "lz4"])
@pytest.mark.parametrize("groups", [1, 7, 5000])
def test_any_codec_and_row_groups(tmp_path: Path, codec: str, groups: int) -> None:
    count = 60 * groups if groups < 10 else 12_000
    rows = {
        "thing_id": pa.array([f"t{n}" for n in range(count)], CODED if groups == 7 else pa.string()),
        "words": [f"w{n % 7}" if n % 5 else None for n in range(count)],
        "at": pa.array([n * 10**6 + 10**15 for n in range(count)], pa.timestamp("us", "UTC")),
    }
    read = Read(tmp_path, pa.table(rows), compression=codec, row_group_size=groups, write_page_checksum=True)
    assert [row["_n"] for row in read.rows] == list(range(1, count + 1))
    assert [row["thing_id"] for row in read.rows] == [f"t{n}" for n in range(count)]
    assert [row["words"] for row in read.rows] == rows["words"]
    assert read.rows[-1]["at"] == iso_millis((count - 1) * 10**6 + 10**15)


def test_only_the_first_bad_rows_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "things_v5_7_1.parquet"
    pq.write_table(pa.table({"thing_id": ["a", None, "b", *[None] * 500]}), path, row_group_size=100)
    for limits, most in ((Limits(max_shown=7), 7), (Limits(max_shown_bytes=60), 200)):
        with ChangeSetReader(path, TABLE, NAME, replace(limits, block=200)) as reader:
            batches = list(reader)
        shown = [bad.record for batch in batches for bad in batch.rejects]
        assert shown == [2, *range(4, 500)][: len(shown)] and 0 < len(shown) <= most
        assert sum(len(batch.rejects) + batch.not_shown for batch in batches) == reader.rejected == 501
        assert sum(batch.rows.num_rows for batch in batches) == 2


def test_more_rows_than_a_version_can_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_rows, "MOST_ROWS", 2)
    assert len(Read(tmp_path, pa.table({"thing_id": ["a", "b"]})).rows) == 2
    with pytest.raises(Held, match="more than 2"):
        Read(tmp_path, pa.table({"thing_id": ["a", "b", "c"]}))


def test_small_row_groups_are_read_together_and_files_are_let_go(tmp_path: Path) -> None:
    path = tmp_path / "things_v5_7_1.parquet"
    pq.write_table(pa.table({"thing_id": [str(n) for n in range(400)]}), path, row_group_size=2)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with ChangeSetReader(path, TABLE, NAME, Limits()) as reader:
        assert [batch.rows.num_rows for batch in reader] == [400]
    with ChangeSetReader(path, TABLE, NAME, Limits()) as stopped:
        batches = iter(stopped)
        next(batches)
        stopped.close()
        assert len(list(Path("/proc/self/fd").iterdir())) == before
