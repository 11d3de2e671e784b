"""A kept file loses one person's rows and nothing else: not a byte of the rest, not its time, not its rights."""

import gzip
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptsync.model import Identity, Schema
from promptsync.model.person import Identifier
from promptsync.people.files import kept_files, look, rewrite
from promptsync.people.find import Person
from promptsync.people.judge import Judge
from promptsync.vendors import declared_schema

PHONE, EMAIL = "+12125550173", "bo@club.example"
WHO = {
    Identifier(Identity.CONTACT, "7301"),
    Identifier(Identity.PHONE, PHONE),
    Identifier(Identity.EMAIL, EMAIL),
    Identifier(Identity.CIO, "c7301"),
}


@pytest.fixture(scope="module")
def judge() -> Judge:
    schema: Schema = declared_schema()
    person = Person(frozenset(WHO), rows={"cio_deliveries": {(7, "d1"): {"workspace_id": 7, "delivery_id": "d1"}}})
    return Judge(person, schema)


CSV = [
    ("contact", "id,phone\n", ["7300,+1\n"], ["7301,+12125550173\n"], ["7302,+2\n"]),
    ("contact", "ID;Phone\r\n", ['1;"a;b\r\nc"\r\n'], ['7301;"x ""y"" \n"\r\n'], ["3;\r\n"]),
    (
        "message",
        "id,contact_id,content,contact_phone\n",
        ["7301,7,hello,+1\n"],
        ["1,7301,hi,\n"],
        [f"2,8,ask {PHONE},\n"],
    ),
    ("message", "id,contact_id,content,contact_phone\n", [f"1,7,x,{PHONE}\n"], [f"2,,y,{PHONE}\n"], ["3,,z,+1\n"]),
    (None, "who,tel\n", ["Al,+12125550184\n"], ['Bo,"(212) 555-0173"\n'], ["Cy,7301\n"]),
    (None, "who\tmail\n", ["Al\tal@club.example\n"], ["Bo\tBO@Club.example\n"], ["no end\tx"]),
    ("contact", "\ufeffid,phone\n", ["5,\n"], ["7301,\n"], ["6,\n"]),
    ("contact", "sep=|\nid|phone\n", ["5|\n"], ["7301|\n"], ["6|\n"]),
]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("table", "header", "before", "theirs", "after"), CSV)
def test_a_text_file(
    judge: Judge, tmp_path: Path, packed: bool, table: str | None, header: str, before: list[str], theirs: list[str],
    after: list[str],
) -> None:  # fmt: skip
    path = tmp_path / "file.csv"
    pack = gzip.compress if packed else bytes
    path.write_bytes(pack("".join([header, *before, *theirs, *after]).encode()))
    path.chmod(0o640)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    declared = judge.schema[table] if table else None
    kept = look(path, declared, judge)
    assert kept is not None and (kept.rows, kept.removed) == (1, "")
    rewrite(kept, declared, judge)
    left = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    assert left == "".join([header, *before, *after]).encode()
    assert (path.stat().st_mode & 0o777, path.stat().st_mtime) == (0o640, 1_700_000_000)
    assert look(path, declared, judge) is None and [*kept_files([tmp_path])] == [path]


@pytest.mark.parametrize(
    ("table", "rows", "left"),
    [
        ("cio_people", {"internal_customer_id": ["c1", "c7301"], "email_addr": ["al@x.example", None]}, 1),
        ("cio_metrics", {"workspace_id": [7, 7, 8], "event_id": ["a", "b", "c"], "delivery_id": ["d0", "d1", "d1"]}, 2),
        ("cio_people", {"internal_customer_id": ["c7301"]}, 0),
        (None, {"text": ["nobody", f"call {PHONE}"], "n": [1, 2]}, 1),
    ],
)
def test_a_parquet_file(
    judge: Judge, tmp_path: Path, table: str | None, rows: dict[str, list[object]], left: int
) -> None:
    path = tmp_path / "file.parquet"
    before = pa.table(rows)
    pq.write_table(before, path)
    declared = judge.schema[table] if table else None
    kept = look(path, declared, judge)
    assert kept is not None and kept.rows == 1
    rewrite(kept, declared, judge)
    after = pq.read_table(path)
    assert after.schema == before.schema and after.num_rows == left
    assert all(row in before.to_pylist() for row in after.to_pylist())


@pytest.mark.parametrize(
    ("name", "content", "goes"),
    [
        ("cut.csv.gz", gzip.compress(f"id,phone\n1,{PHONE}\n".encode(), mtime=0)[:-4], True),
        ("cut.csv.gz", gzip.compress(b"id,phone\n7301,none\n" + b"1,2\n" * 50, mtime=0)[:-4], True),
        ("cut.csv.gz", gzip.compress(b"id,phone\n1,+12125550184\n", mtime=0)[:-4], False),
        ("spoiled.parquet", b"PAR1" + f"...{EMAIL}".encode(), True),
        ("spoiled.parquet", b"PAR1...", False),
        (f"call of {PHONE}.mp3", b"\0\1", True),
        ("empty.csv", b"", False),
    ],
)
def test_what_cannot_be_taken_apart_goes_as_a_whole(
    judge: Judge, tmp_path: Path, name: str, content: bytes, goes: bool
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    path.with_name(f"{name}.reason.txt").write_text("It is held.")
    kept = look(path, judge.schema["contact"], judge)
    assert (kept is not None) == goes
    if kept is not None:
        assert kept.removed
        rewrite(kept, judge.schema["contact"], judge)
        assert [*tmp_path.iterdir()] == []


def test_a_link_leads_nowhere(judge: Judge, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text(f"who\n{PHONE}\n")
    folder = tmp_path / "done"
    folder.mkdir()
    (folder / "link.csv").symlink_to(outside)
    assert [*kept_files([folder])] == []


def test_a_full_disk_leaves_the_file_as_it_was(judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file.csv"
    path.write_text(f"who,tel\nBo,{PHONE}\n")
    kept = look(path, None, judge)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert kept is not None
    with pytest.raises(OSError, match="No space"):
        rewrite(kept, None, judge)
    assert path.read_text() == f"who,tel\nBo,{PHONE}\n" and [*tmp_path.iterdir()] == [path]
