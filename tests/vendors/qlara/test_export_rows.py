"""Export CSVs: spellings, delimiters, ends, keys, instants, rows that cannot be read."""

import gzip
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.clock import MICROS, parse_iso
from promptsync.errors import Held
from promptsync.formats.limits import Limits
from promptsync.merge.version import time_of
from promptsync.vendors import declared_schema
from promptsync.vendors.qlara.csv import ExportFile, ExportRows
from promptsync.vendors.qlara.profile import QLARA
from promptsync.vendors.qlara.rows import map_header

AT = parse_iso("2026-03-01T12:00:00Z")
SCHEMA = declared_schema()


def columns(kind: str = "messages") -> ExportRows:
    profile = QLARA.kind(kind)
    return ExportRows(profile, SCHEMA[profile.table])


def file(
    folder: Path, content: bytes, kind: str = "messages", *, vouched: bool = True, accepted: bool = False
) -> ExportFile:
    path = folder / "job-1.csv"
    path.write_bytes(content)
    return ExportFile(path, columns(kind), (ZoneInfo("Europe/Rome"), AT), Limits(), vouched=vouched, accepted=accepted)


def rows(export: ExportFile) -> list[dict[str, object]]:
    return [{"observed": time_of(row.pop("_at"))} | row for batch in export for row in batch.rows.to_pylist()]


def test_every_spelling_means_a_declared_column() -> None:
    for kind in QLARA.kinds:
        table = SCHEMA[kind.table]
        assert set(kind.columns) == set(table.by_name), kind.name
        assert {kind.changed, *(name for names in kind.identity for name in names)} <= set(kind.columns)
        assert all(name.isalnum() and name == name.lower() for names in kind.columns.values() for name in names)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_quotes_and_line_ends(tmp_path: Path, delimiter: str, end: str) -> None:
    cells = [
        ["Message ID", "Send Date", "BODY", "Cost", "Ratio"],
        ["1", "2026-02-04 10:00:00", '"a""b,;\n|c"', "0.5", "x"],
    ]
    text = "\ufeff" + "".join(delimiter.join(row) + end for row in cells)
    (found,) = rows(file(tmp_path, text.encode()))
    assert found == {
        "id": "1",
        "observed": AT,
        "body": 'a"b,;\n|c',
        "sent_at": "2026-02-04T09:00:00.000Z",
        "cost": 0.5,
        "Ratio": "x",
    }


def test_decimal_comma_where_the_comma_does_not_delimit(tmp_path: Path) -> None:
    assert rows(file(tmp_path, b"messageId;cost\n1;0,05\n"))[0]["cost"] == 0.05


def test_row_says_itself_when_it_last_changed(tmp_path: Path) -> None:
    found = rows(file(tmp_path, b"messageId,lastUpdate\n1,2026-02-04T10:00:00Z\n2,\n"))
    assert [row["observed"] for row in found] == [parse_iso("2026-02-04T10:00:00Z"), AT]


def test_no_row_is_believed_to_have_changed_long_after_it_was_asked_for(tmp_path: Path) -> None:
    """Or nothing could ever be newer."""
    found = rows(file(tmp_path, b"messageId,lastUpdate\n1,2062-02-04T10:00:00Z\n"))
    assert [row["observed"] for row in found] == [AT + 6 * 3600 * MICROS]


def test_key_of_a_row_without_id_is_a_digest_of_what_identifies_it(tmp_path: Path) -> None:
    header = b"to,from,date,text,status\n"
    first, second = rows(file(tmp_path, header + b"+39,A,2026-01-01T00:00:00Z,hi,SENT\n+39,A,2026-01-01,ho,SENT\n"))
    (again,) = rows(file(tmp_path, b"state,text,to,from,date\nDELIVERED,hi,+39,A,2026-01-01T01:00:00+01:00\n"))
    assert str(first["id"]).startswith("~")
    assert first["id"] == again["id"] != second["id"]


def test_ids_are_text_as_they_came(tmp_path: Path) -> None:
    assert [row["id"] for row in rows(file(tmp_path, b"messageId\n007\n12345678901234567890\nabc\n"))] == [
        "007", "12345678901234567890", "abc",
    ]  # fmt: skip


def test_bad_rows_are_told_with_line_and_bytes(tmp_path: Path) -> None:
    content = b'messageId,body,parts\n1,"two\nlines",1\n2,b\n3,c,x\n4,\xff,1\n"5"x,c,1\n,,\n6,d,2\n'
    batches = list(file(tmp_path, content, accepted=True))
    bad = [(one.line, one.reason_class, one.original) for batch in batches for one in batch.bad]
    assert bad == [
        (4, "cell_count", b"2,b"),
        (5, "bad_number", b"3,c,x"),
        (6, "bad_utf8", b"4,\xff,1"),
        (7, "quoting", b'"5"x,c,1'),
        (8, "bad_key", b",,"),
    ]
    assert [key for batch in batches for key in batch.rows["id"].to_pylist()] == ["1", "6"]


@pytest.mark.parametrize(
    ("content", "vouched", "reason"),
    [
        (b"messageId,body\n1,a\n2,b", False, "last_record_cut"),
        (b'messageId,body\n1,a\n2,"b', True, "last_record_cut"),
        (gzip.compress(b"messageId\n1\n", mtime=0)[:-9], True, "truncated"),
        (b"", False, "empty"),
        (b"<html>login</html>", True, "not_csv"),
        (b"PK\x03\x04sheet", True, "not_csv"),
        (b"1,a\n2,b\n", True, "header"),
        (b"\n\n", True, "empty"),
        (b"messageId\n" + b"x" * 200_000 + b"\n", True, "too_long"),
    ],
)
def test_file_that_is_not_whole_or_no_export_is_held(
    tmp_path: Path, content: bytes, vouched: bool, reason: str
) -> None:
    with pytest.raises(Held) as held:
        file(tmp_path, content, vouched=vouched).prove()
    assert held.value.reason == reason


@pytest.mark.parametrize("content", [b"messageId\n1\n2", gzip.compress(b"messageId\n1\n2", mtime=0)])
def test_last_line_may_lack_its_end_if_the_transfer_was_whole(tmp_path: Path, content: bytes) -> None:
    proof = file(tmp_path, content, vouched=True).prove()
    assert (proof.rows, proof.bad, proof.file.size) == (2, 0, len(content))


NAMES = st.sampled_from(["messageId", "body", "cost", "odd", "n"])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@given(st.lists(st.dictionaries(NAMES, VALUES, min_size=1), min_size=1, max_size=5))
def test_whatever_json_holds_becomes_rows_or_rejects(objects: list[dict[str, object]]) -> None:
    try:
        batch = columns().batch(objects, (ZoneInfo("UTC"), AT))
    except Held:
        return
    assert batch.rows.num_rows + len(batch.bad) == len(objects)


@given(st.lists(st.text(max_size=8), max_size=12))
def test_columns_of_any_header_have_names_of_their_own(names: list[str]) -> None:
    try:
        header = map_header(names, QLARA.kind("messages"), SCHEMA["qlara_message"])
    except Held:
        return
    found = [name.casefold() for name, _, _ in header.columns]
    assert len(set(found)) == len(found) == len(names)
    assert not any(name.startswith("_") for name in header.unknown)
