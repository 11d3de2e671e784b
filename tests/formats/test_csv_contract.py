"""One table of CSV files and what becomes of them, whoever wrote them: nightly files and exports of an API alike."""

import bz2
import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from promptsync.clock import parse_iso
from promptsync.errors import Held
from promptsync.formats.csv.reader import SnapshotReader
from promptsync.formats.limits import Limits
from promptsync.formats.proof import prove
from promptsync.formats.rejects import BadRow
from promptsync.model.file_name import FileName
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.tables_exports import BROADCAST
from promptsync.vendors.qlara.csv import ExportRows
from promptsync.vendors.qlara.profile import QLARA

ZONE, AT = ZoneInfo("America/Los_Angeles"), parse_iso("2026-03-01T12:00:00Z")
HEADER = "id,{text},{time}\n"


@dataclass(frozen=True)
class Vendor:
    """A reader. ``text``, ``time``: how its files call two columns of a table; the third is ``id``."""

    text: str
    time: str
    read: Callable[[Path, Limits], tuple[list[tuple[str, str | None, str | None]], list[BadRow]]]


def nightly(path: Path, limits: Limits) -> tuple[list[tuple[str, str | None, str | None]], list[BadRow]]:
    prove(path, limits)
    rows, bad = [], []
    with SnapshotReader(path, BROADCAST, FileName("broadcast", 7, AT), ZONE, limits) as reader:
        for batch in reader:
            bad += batch.rejects
            rows += [(str(r["id"]), r["description"], r["created_timestamp"]) for r in batch.rows.to_pylist()]
    return rows, bad


def export(path: Path, limits: Limits) -> tuple[list[tuple[str, str | None, str | None]], list[BadRow]]:
    kind = QLARA.kind("messages")
    file = ExportRows(kind, declared_schema()[kind.table]).open(
        path, (ZONE, AT), limits, vouched=False, accepted=limits.accept
    )
    file.prove()
    rows, bad = [], []
    for batch in file:
        bad += batch.bad
        rows += [(row["id"], row.get("body"), row.get("sent_at")) for row in batch.rows.to_pylist()]
    return rows, bad


VENDORS = [
    pytest.param(Vendor("description", "created_timestamp", nightly), id="nightly"),
    pytest.param(Vendor("Message Body", "Send Date", export), id="export"),
]


def text(vendor: Vendor, rows: str, end: str = "\n") -> str:
    return (HEADER.format(text=vendor.text, time=vendor.time) + rows).replace("\n", end)


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("data.csv", content)
    return out.getvalue()


def written(folder: Path, content: bytes) -> Path:
    path = folder / "data.csv"
    path.write_bytes(content)
    return path


ONE = ("1", "a", "2026-02-04T08:00:00.000Z")
TWO = ("2", "b", None)
PLAIN = "1,a,2026-02-04\n2,b,\n"


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("rows", "how", "expected"),
    [
        (PLAIN, str.encode, [ONE, TWO]),
        (PLAIN, lambda t: t.encode("utf-8-sig"), [ONE, TWO]),
        (PLAIN, lambda t: t.encode("utf-16"), [ONE, TWO]),
        (PLAIN, lambda t: ("\ufeff" + t).encode("utf-16-be"), [ONE, TWO]),
        (PLAIN, lambda t: t.replace(",", ";").encode(), [ONE, TWO]),
        (PLAIN, lambda t: t.replace(",", "\t").encode(), [ONE, TWO]),
        (PLAIN, lambda t: t.replace(",", "|").encode(), [ONE, TWO]),
        (PLAIN, lambda t: ("sep=;\r\n" + t.replace(",", ";")).encode(), [ONE, TWO]),
        (PLAIN, lambda t: ("sep=\t\n" + t.replace(",", "\t")).encode("utf-16"), [ONE, TWO]),
        (PLAIN, lambda t: t.replace("\n", "\r\n").encode(), [ONE, TWO]),
        (PLAIN, lambda t: t.replace("\n", "\r").encode(), [ONE, TWO]),
        (PLAIN, lambda t: ("\n\n" + t.replace("\n", "\n\n")).encode(), [ONE, TWO]),
        (PLAIN, lambda t: t.replace("\n", ",\n").encode(), [ONE, TWO]),
        (PLAIN, lambda t: t.replace("\n", ", ,\n", 3).replace(", ,\n", ",,\n", 1).encode(), [ONE, TWO]),
        (PLAIN, lambda t: ("\n" * (9 << 20) + t).encode(), [ONE, TWO]),
        (PLAIN, lambda t: gzip.compress(t.encode(), mtime=0), [ONE, TWO]),
        (PLAIN, lambda t: gzip.compress(t.encode(), mtime=0) + bytes(700_000), [ONE, TWO]),
        (PLAIN, lambda t: gzip.compress(t[:9].encode(), mtime=0) + gzip.compress(t[9:].encode(), mtime=0), [ONE, TWO]),
        ("1,a,2026-02-04\n2,b,", lambda t: gzip.compress(t.encode(), mtime=0), [ONE, TWO]),
        ("1,a,0\n", str.encode, [("1", "a", None)]),
        ("1,a,9999-12-31 23:59:59\n", str.encode, [("1", "a", "9999-12-31T23:59:59.999Z")]),
        ('1,"say ""hi"", or\nnot",\n', str.encode, [("1", 'say "hi", or\nnot', None)]),
        ('1,5" pipe,\n2,say "hi",\n', str.encode, [("1", '5" pipe', None), ("2", 'say "hi"', None)]),
        ("", str.encode, []),
    ],
)
def test_every_dialect_says_the_same(
    tmp_path: Path, vendor: Vendor, rows: str, how: Callable[[str], bytes], expected: list[tuple[str, str, str]]
) -> None:
    assert vendor.read(written(tmp_path, how(text(vendor, rows))), Limits()) == (expected, [])


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("rows", "how", "reason", "words"),
    [
        ('1,a,\n2,"b"c,\n', str.encode, "quoting", "line 3 text follows a closing quote"),
        ('1,"15\\"",\n2,"b",\n', str.encode, "quoting", "line 2 .*backslashes"),
        ('1,"open,\n2,"b",\n', str.encode, "quoting", "line 2 "),
        ('1,size 5",\n2,size 6",\n', str.encode, "quoting", "line 2 a quote stands within a cell"),
        ('1,a,\n2,"b', str.encode, "last_record_cut", "line"),
        ('1,a,\n2,"b', lambda t: gzip.compress(t.encode(), mtime=0), "last_record_cut", "line 3"),
        ("1,a,\n2,b", lambda t: gzip.compress(t.encode(), mtime=0), "last_record_cut", "line 3: it has 2 of 3 cells"),
        ("1,a,\n2,b,", str.encode, "last_record_cut", "no end"),
        ("1,a,\n2,b,\n", lambda t: t.replace("\n", "\r\n")[:-1].encode(), "last_record_cut", "no end"),
        (
            "1,a,\n2,b,",
            lambda t: gzip.compress(t[:9].encode(), mtime=0) + gzip.compress(t[9:].encode(), mtime=0),
            "last_record_cut",
            "no end",
        ),
        (PLAIN, lambda t: t.encode("utf-16")[:-1], "last_record_cut", "within a character"),
        (PLAIN, lambda t: t.encode("utf-32"), "encoding", "UTF-32"),
        (
            PLAIN,
            lambda t: t.replace("\n", ",\n").replace("b,,", "b,,x").encode(),
            "unnamed_column",
            "line 3 has a cell",
        ),
        (PLAIN, lambda t: gzip.compress(t.encode(), mtime=0)[:-9], "truncated", "ends before"),
        (PLAIN, lambda t: gzip.compress(t.encode(), mtime=0) + b"\0rest", "trailing_bytes", "goes on"),
        (PLAIN, lambda t: zipped(t.encode()), "not_csv", "a ZIP archive or a spreadsheet"),
        (PLAIN, lambda t: bz2.compress(t.encode()), "not_csv", "bzip2"),
        (PLAIN, lambda t: gzip.compress(gzip.compress(t.encode(), mtime=0), mtime=0), "not_csv", "compressed twice"),
        (PLAIN, lambda t: t.encode("utf-16-le"), "not_csv", "UTF-16 or UTF-32 without its mark"),
        (PLAIN, lambda _: bytes(70_000), "not_csv", "full of zeros"),
        (PLAIN, lambda _: b"\n<!DOCTYPE html>\n<p>Sign in</p>\n", "not_csv", "a page of HTML"),
        (PLAIN, lambda _: b'{"status":429}\n', "not_csv", "JSON"),
        (PLAIN, lambda _: b"<" + b'x"y",\n' * 900_000, "not_csv", "a page of HTML"),
        (PLAIN, lambda t: t.replace(",", "^").encode(), "header", "separated by carets"),
        (PLAIN, lambda t: t.partition("\n")[2].encode(), "header", "looks like data"),
        (PLAIN, lambda _: b"shoe,size\nx,1\n", "header", "no column of the table"),
        (PLAIN, lambda t: ("," * 2000 + t).encode(), "header", "more than"),
        (PLAIN, lambda _: b"\n\n\n", "empty", "empty lines"),
        (PLAIN, lambda t: t.encode() + b"3," + b"x" * (80 << 20) + b",\n", "too_long", "line 4"),
        (PLAIN, lambda t: t.encode() + b"3," + b"x" * (17 << 20) + b",\n", "too_long", "line 4"),
    ],
)
def test_what_leaves_its_rows_open_is_held(
    tmp_path: Path, vendor: Vendor, rows: str, how: Callable[[str], bytes], reason: str, words: str
) -> None:
    with pytest.raises(Held, match=words) as held:
        vendor.read(written(tmp_path, how(text(vendor, rows))), Limits())
    assert held.value.reason == reason


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(
    ("rows", "line", "kind", "shown"),
    [
        ('1,a,\n2,"b"c,\n3,d,\n', 3, "quoting", ""),
        ('1,a,\n2,"b,\n3,d,\n', 3, "quoting", ""),
        ('1,"two\nlines",\n2,b\n3,d,\n', 4, "cell_count", ""),
        ("1,a,\n2,b,,\n3,d,\n", 3, "cell_count", ""),
        ("1,a,\n2,b,someday soon\n3,d,\n", 3, "bad_time", "xxxxxxx xxxx"),
    ],
)
def test_accepted_a_doubtful_record_is_a_bad_row(
    tmp_path: Path, vendor: Vendor, rows: str, line: int, kind: str, shown: str
) -> None:
    good, bad = vendor.read(written(tmp_path, text(vendor, rows).encode()), Limits(accept=True))
    assert [(one.line, one.reason_class, one.shape) for one in bad] == [(line, kind, shown)]
    assert [row[0] for row in good] == (["1"] if rows.count('"b,') else ["1", "3"])
    assert bad[0].original in rows.encode()
