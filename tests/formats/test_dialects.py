"""A file written in another dialect is read as the same rows, and one that cannot be read is called what it is."""

import bz2
import csv
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.errors import Held
from promptsync.formats.csv.dialect import Dialect, dialect_of
from promptsync.formats.csv.header import known_names
from promptsync.formats.csv.reader import SnapshotReader
from promptsync.formats.limits import Limits
from promptsync.formats.rejects import BadRow
from promptsync.model.file_name import FileName
from promptsync.vendors.prompt.tables_exports import CONTACT, OPT_IN

NAMES = known_names(CONTACT)
HEADER = ["id", "display_name", "phone", "is_opted_out"]
TEXT = st.text('ab",;|\t\n\r ä😀', max_size=6)
ROWS = st.lists(st.tuples(TEXT, TEXT, st.sampled_from(["true", "false", "perhaps"])), max_size=8)


def read(folder: Path, data: bytes, block: int = 4 << 20) -> tuple[Dialect, list[dict[str, Any]], list[BadRow]]:
    path = folder / "contact.csv.gz"
    path.write_bytes(gzip.compress(data, 1, mtime=0))
    rows: list[dict[str, Any]] = []
    bad: list[BadRow] = []
    with SnapshotReader(path, CONTACT, FileName("contact", 7, 1), ZoneInfo("UTC"), Limits(block=block)) as reader:
        for batch in reader:
            rows += batch.rows.to_pylist()
            bad += batch.rejects
        return reader.dialect, rows, bad


def written(rows: list[tuple[str, str, str]], delimiter: str) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(HEADER)
    writer.writerows([number, *row] for number, row in enumerate(rows, 1))
    return out.getvalue()


@settings(max_examples=100, deadline=None)
@given(
    rows=ROWS,
    delimiter=st.sampled_from(",;\t|"),
    named=st.booleans(),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
    block=st.sampled_from([1, 1 << 20]),
)
def test_every_dialect_says_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str]],
    delimiter: str,
    named: bool,
    encoding: str,
    block: int,
) -> None:
    folder = tmp_path_factory.getbasetemp()
    _, plain, plain_bad = read(folder, written(rows, ",").encode(), block)
    text = (f"sep={delimiter}\r\n" if named else "") + written(rows, delimiter)
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    dialect, other, other_bad = read(folder, (mark + text).encode(encoding), block)
    assert dialect.delimiter == delimiter.encode()
    assert other == plain
    assert [(row.record, row.line - named, row.reason, row.key) for row in other_bad] == [
        (row.record, row.line, row.reason, row.key) for row in plain_bad
    ]


@pytest.mark.parametrize(
    ("head", "delimiter", "start"),
    [
        (b"id,display_name\n", b",", 0),
        (b"id\n", b",", 0),
        (b"id;display_name\n", b";", 0),
        (b"\xef\xbb\xbfid\tshoe\n", b"\t", 3),
        (b"shoe;a;b;c;d,id,phone\n", b",", 0),  # names decide, not numbers
        (b"id;note, or remark, or text\n", b";", 0),
        (b'"id"|"phone"\n', b"|", 0),
        (b"SEP=;\r\nid;phone\r\n", b";", 7),
        (b'"sep=\t"\nid\tphone\n', b"\t", 8),
        (b"\n\nid;phone\n", b";", 0),
        (b"1;Ann;2\n", b";", 0),
        (b"", b",", 0),
    ],
)
def test_recognition(head: bytes, delimiter: bytes, start: int) -> None:
    found = dialect_of(head, NAMES)
    assert (found.delimiter, found.start) == (delimiter, start)


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("contact.csv", "id\n1\n")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "words", "reason"),
    [
        (zipped(), "a ZIP archive", "not_csv"),
        (gzip.compress(b"id\n1\n", mtime=0), "compressed twice", "not_csv"),
        (bz2.compress(b"id\n1\n"), "bzip2", "not_csv"),
        (lzma.compress(b"id\n1\n"), "xz", "not_csv"),
        (b"PAR1\x15\x04", "a parquet file", "not_csv"),
        (b"<!DOCTYPE html>\n<p>Sign in</p>\n", "a page of HTML", "not_csv"),
        (b' \n{"error": "expired"}\n', "JSON", "not_csv"),
        ("id,phone\n1,2\n".encode("utf-16-le"), "UTF-16 or UTF-32 without its mark", "not_csv"),
        (b"id^phone^display_name\n1^2^3\n", "separated by carets", "header"),
        (b"id\x01phone\n1\x012\n", "separated by control characters", "header"),
        (b"1;Ann;2026-02-04\n", "looks like data, not like a header", "header"),
        (b"name,shoe\nAnn,3\n", "no column of the table contact", "header"),
    ],
)
def test_what_cannot_be_read_is_called_what_it_is(tmp_path: Path, data: bytes, words: str, reason: str) -> None:
    with pytest.raises(Held, match=words) as held:
        read(tmp_path, data)
    assert held.value.reason == reason


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_a_blank_last_column_is_passed_over(tmp_path: Path, block: int) -> None:
    header, rows = "id,phone,,", "1,+1,,\n2,+2, ,\n"
    assert [row["id"] for row in read(tmp_path, f"{header}\n{rows}".encode(), block)[1]] == [1, 2]
    with pytest.raises(Held, match="line 4 has a cell"):
        read(tmp_path, f"{header}\n{rows}3,+3,,x\n".encode(), block)


def test_a_header_of_nothing_but_delimiters_is_not_cut_into_cells(tmp_path: Path) -> None:
    with pytest.raises(Held, match="more than 2,000 columns"):
        read(tmp_path, b"id" + b"," * 3_000_000 + b"\n")


def test_names_are_those_of_the_table() -> None:
    assert {"id", "org_id", "contact_id"} <= known_names(OPT_IN)
