"""The reader as a whole: what is written comes back typed, and every bad row is found with its exact bytes."""

import csv
import gzip
import io
import random
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.clock import iso_millis, micros_of
from promptsync.errors import Held
from promptsync.formats.csv.reader import BadRow, SnapshotReader
from promptsync.formats.csv.row_typing import LATEST
from promptsync.formats.limits import Limits
from promptsync.model import Table
from promptsync.model.file_name import FileName
from promptsync.vendors.prompt.tables_exports import CONTACT, CONTACT_DATA, MESSAGE, OPT_IN, ORG

ZONE = ZoneInfo("America/Los_Angeles")
AS_OF = micros_of(datetime(2026, 2, 4, 8, tzinfo=UTC))
STATED = FileName("any", 7, AS_OF)


@dataclass
class Read:
    reader: SnapshotReader
    rows: list[dict[str, Any]]
    rejects: list[BadRow]


def read(folder: Path, data: bytes, table: Table, limits: Limits | None = None) -> Read:
    path = folder / "file.csv.gz"
    path.write_bytes(gzip.compress(data, 1, mtime=0))
    rows: list[dict[str, Any]] = []
    rejects: list[BadRow] = []
    with SnapshotReader(path, table, STATED, ZONE, limits or Limits()) as reader:
        for batch in reader:
            assert batch.rows.schema == reader.schema
            batch.rows.validate(full=True)
            rows += batch.rows.to_pylist()
            rejects += batch.rejects
    assert reader.records == len(rows) + len(rejects)
    assert reader.rejected == len(rejects)
    return Read(reader, rows, rejects)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12) | st.text(
    ' ",\r\n', max_size=6
)
MOMENT = st.integers(0, 4 * 10**15 // 1000).map(lambda millis: millis * 1000)
GOOD: dict[str, Any] = {
    "id": st.integers(-(1 << 63), (1 << 63) - 1).map(lambda n: (str(n).encode(), n)),
    "managed": st.sampled_from([(b"true", 1), (b"f", 0), (b"NO", 0), (b"1", 1)]),
    "contact_id": st.sampled_from([(b"", None), (b" 8", 8), (b"+12", 12)])
    | st.integers(0, 99).map(lambda n: (b"%d" % n, n)),
    "key": TEXT.map(lambda text: (text.encode(), text or None)),
    "value": TEXT.map(lambda text: (text.encode(), text or None)),
    "created_timestamp": MOMENT.map(lambda m: (iso_millis(m).encode(), iso_millis(m))),
    "updated_timestamp": st.just((b"", None)) | MOMENT.map(lambda m: (str(iso_millis(m)).encode(), iso_millis(m))),
}
BAD = {
    "id": ("bad_key", [b"", b"x", b"1.0", b" "]),
    "managed": ("bad_key", [b"", b"maybe", b"\xff"]),
    "contact_id": ("bad_number", [b"3.0", b"0x10", b"\xff\xfe", b"99999999999999999999"]),
    "key": ("bad_utf8", [b"\xff", b"a\0", b"\xed\xa0\x80"]),
    "value": ("bad_utf8", [b"\xc3", b"\0"]),
    "created_timestamp": ("bad_time", [b"2026-02-30", b"soon", b"\xff"]),
    "updated_timestamp": ("bad_time", [b"20260204", b"2026-02-04T25:00:00Z"]),
}


@dataclass(frozen=True)
class Written:
    cells: list[bytes]
    values: dict[str, Any] | None
    reason_class: str
    key: tuple[int, int] | None


@st.composite
def written(draw: st.DrawFn) -> Written:
    """A record of contact_data: good, with one bad cell, or with a wrong number of cells."""
    drawn = {name: draw(cell) for name, cell in GOOD.items()}
    cells = {name: cell for name, (cell, _) in drawn.items()}
    key = (drawn["id"][1], drawn["managed"][1])
    wrong = draw(st.sampled_from(["good"] * 6 + ["count", *BAD]))
    if wrong == "good":
        values = {name: value for name, (_, value) in drawn.items()}
        return Written(list(cells.values()), values, "", key)
    if wrong == "count":
        row = list(cells.values())
        return Written(draw(st.sampled_from([[*row, b"more"], row[:-1], row[:2]])), None, "cell_count", key)
    cells[wrong] = draw(st.sampled_from(BAD[wrong][1]))
    return Written(list(cells.values()), None, BAD[wrong][0], None if BAD[wrong][0] == "bad_key" else key)


def record_bytes(cells: list[bytes], quoting: Any, line_end: str) -> bytes:
    """One record as Python's csv module writes it, whatever the bytes; cells with CR quoted as RFC 4180 wants it."""
    out = io.StringIO(newline="")
    if any(b"\r" in cell or b"\n" in cell for cell in cells):
        quoting = csv.QUOTE_ALL
    writer = csv.writer(out, lineterminator=line_end, quoting=quoting)
    writer.writerow([cell.decode("utf-8", "surrogateescape") for cell in cells])
    return out.getvalue().encode("utf-8", "surrogateescape")


def lines_in(data: bytes) -> int:
    return len((data + b"x").splitlines()) - 1


@settings(max_examples=80, deadline=None)
@given(
    records=st.lists(written(), max_size=12),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    last_end=st.booleans(),
    block=st.sampled_from([1, 100, 1 << 20]),
    mark=st.booleans(),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    records: list[Written],
    quoting: Any,
    line_end: str,
    last_end: bool,
    block: int,
    mark: bool,
) -> None:
    data = record_bytes([name.encode() for name in GOOD], quoting, line_end)
    good: list[dict[str, Any]] = []
    bad: list[BadRow] = []
    for number, record in enumerate(records, 1):
        raw = record_bytes(record.cells, quoting, line_end)
        if record.values is not None:
            updated = record.values["updated_timestamp"]
            at = min(max(AS_OF, micros_of(datetime.fromisoformat(updated)) if updated else 0), AS_OF + LATEST)
            deleted = int(record.values["value"] is None)
            good.append({"_n": number, **record.values, "deleted": deleted, "_at": at})
        else:
            line, original = lines_in(data) + 1, raw.removesuffix(line_end.encode())
            bad.append(BadRow(number, line, record.reason_class, "", original, record.key))
        data += raw + (line_end.encode() if number % 5 == 0 else b"")  # an empty line now and then is no record
    data = data if last_end else data.removesuffix(line_end.encode())
    data = b"\xef\xbb\xbf" + data if mark else data
    folder = tmp_path_factory.getbasetemp()
    cut = bool(records) and not data.endswith((b"\n", b"\r")) and len(records[-1].cells) < len(GOOD)
    if cut:
        with pytest.raises(Held, match="no line end") as held:
            read(folder, data, CONTACT_DATA, Limits(block=block))
        assert held.value.reason == "last_record_cut"
    result = read(folder, data, CONTACT_DATA, Limits(block=block, accept=cut))
    assert result.rows == [{name: row[name] for name in result.reader.schema.names} for row in good]
    found = [BadRow(r.record, r.line, r.reason_class, "", r.original, r.key) for r in result.rejects]
    assert found == bad


def test_schema_and_order_of_columns(tmp_path: Path) -> None:
    result = read(tmp_path, b"note,segments,id,content\nhi,2,5,text\n", MESSAGE)
    assert result.reader.schema.names == ["_n", "id", "content", "segments", "note", "_at"]
    assert result.rows == [{"_n": 1, "id": 5, "content": "text", "segments": 2, "note": "hi", "_at": AS_OF}]
    assert list(result.reader.unknown) == ["note"]
    assert "created_timestamp" in result.reader.lacks


def test_observed_at(tmp_path: Path) -> None:
    lines = ["id,updated_timestamp", "1,2026-02-04T07:59:59.999Z", "2,2026-02-04 00:00:00.0005", "3,"]
    lines += ["4,9998-12-31", "5,9999-12-31", "6,9999-12-31 23:59:59"]
    result = read(tmp_path, "\n".join(lines).encode(), CONTACT)
    assert [row["_at"] for row in result.rows] == [AS_OF, AS_OF + 500, AS_OF, AS_OF + LATEST, AS_OF, AS_OF]
    assert [row["_at"] for row in read(tmp_path, b"id\n1\n", CONTACT).rows] == [AS_OF]


def test_rows_of_another_organization(tmp_path: Path) -> None:
    result = read(tmp_path, b"id,ORG_ID,type\n1,7,a\n2,8,b\n3,,c\n4,x,d\n,8,e\n", OPT_IN)
    assert [row["id"] for row in result.rows] == [1, 3]
    assert [(r.record, r.reason_class, r.key) for r in result.rejects] == [
        *((2, "org_collision", (2,)), (4, "org_collision", (4,)), (5, "bad_key", None))
    ]
    assert "org_id" not in result.reader.schema.names
    assert read(tmp_path, b"id,org_id\n1,8\n", ORG).rows[0]["org_id"] == "8"


def test_one_column_and_empty_lines(tmp_path: Path) -> None:
    result = read(tmp_path, b'\n\nid\n\n1\n""\n\n2\n', OPT_IN)
    assert [(row["_n"], row["id"]) for row in result.rows] == [(1, 1), (3, 2)]
    assert [(r.record, r.line, r.original, r.reason_class) for r in result.rejects] == [(2, 6, b'""', "bad_key")]


def test_key_of_a_row_with_the_wrong_number_of_cells(tmp_path: Path) -> None:
    result = read(tmp_path, b'type,id\n"a,b",1\na,b,2\na\nx,"3",y\n', OPT_IN)
    assert [(r.line, r.key) for r in result.rejects] == [(3, None), (4, None), (5, (3,))]
    assert result.rejects[0].reason == "The row has 3 cells, not 2."


def test_reasons_hold_no_data(tmp_path: Path) -> None:
    result = read(tmp_path, b"id,contact_id\n1,secret\nsecret,1\nsecret,secret,secret\n", OPT_IN)
    assert len(result.rejects) == 3
    assert not any("secret" in reject.reason for reject in result.rejects)


@pytest.mark.parametrize(
    ("data", "limits", "why"),
    [
        (b"\n\r\n", Limits(), "empty"),
        (b"\xef\xbb\xbf", Limits(), "empty"),
        (b"1,2\n3,4\n", Limits(), "header"),
        (b"id,id\n", Limits(), "header"),
        (b"id,type\n" + b"1," + b"x" * 50 + b"\n", Limits(max_cell=49, block=10), "too_long"),
        (b"id,type\n" + b"1," + b"x" * 2_000_000 + b"\n", Limits(max_record=1000, block=10), "too_long"),
        (b'id,type\n1,"a\n', Limits(), "last_record_cut"),
        (b'id,type\n1,5" a\n1,"a\n', Limits(), "last_record_cut"),
        (b"id,type\n1,a\n2", Limits(), "last_record_cut"),
    ],
)
def test_held(tmp_path: Path, data: bytes, limits: Limits, why: str) -> None:
    with pytest.raises(Held) as held:
        read(tmp_path, data, OPT_IN, limits)
    assert held.value.reason == why


def test_cells_up_to_the_limit(tmp_path: Path) -> None:
    data = b"id,type\n" + b"1," + b"x" * 49 + b"\n2,y\n"
    assert len(read(tmp_path, data, OPT_IN, Limits(max_cell=49, block=10)).rows) == 2


def test_header_only(tmp_path: Path) -> None:
    assert read(tmp_path, b"id,type", OPT_IN).rows == []
    assert read(tmp_path, b"id,type\r\n", OPT_IN).reader.records == 0


def test_numbers_and_lines_stay_right_over_many_blocks(tmp_path: Path) -> None:
    chance, parts, expected = random.Random(3), [b"id,type\n"], []
    line = 2
    for number in range(1, 20_001):
        kind = chance.random()
        body = b'%d,"two\nlines"\n' if kind < 0.1 else b"%d,one\n" if kind < 0.999 else b"%d,a,b\n"
        if kind >= 0.999:
            expected.append((number, line, (number,)))
        parts.append(body % number)
        line += parts[-1].count(b"\n")
    result = read(tmp_path, b"".join(parts), OPT_IN, Limits(block=4096))
    assert expected
    assert [(r.record, r.line, r.key) for r in result.rejects] == expected
    assert all(row["_n"] == row["id"] for row in result.rows)


def test_closing_early_lets_go_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"id\n" + b"1\n" * 600_000)
    reader = SnapshotReader(path, OPT_IN, STATED, ZONE, Limits(block=64))
    first, second = (next(iter(reader)).rows.column(0).to_pylist() for _ in range(2))
    assert (first[0], second[0]) == (1, len(first) + 1)
    reader.close()
    assert list(reader) == []
