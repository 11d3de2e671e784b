"""The end of a file that may still be being written: missing in every beginning of a file, there in the whole of it."""

import gzip
import itertools
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.drop.intake import missing_end
from promptsync.errors import FileUnavailable, Held
from promptsync.formats.limits import Limits
from promptsync.formats.proof import prove

LIMITS = Limits(links=False)
LINES = st.lists(st.sampled_from(["id,phone\n", "1,+1312\n", "22,\n"]), min_size=1, max_size=40).map("".join)


@settings(max_examples=60, deadline=None)
@given(members=st.lists(LINES, min_size=1, max_size=4), data=st.data())
def test_a_gzip_file_lacks_its_end_wherever_it_is_cut(
    tmp_path_factory: pytest.TempPathFactory, members: list[str], data: st.DataObject
) -> None:
    """Between two members it may be whole; there only growing tells that it was not."""
    path = tmp_path_factory.mktemp("cut") / "contact_1_2026-02-04T00-00-00-0800Z.csv.gz"
    packed = [gzip.compress(text.encode(), mtime=0) for text in members]
    whole, ends = b"".join(packed), set(itertools.accumulate(map(len, packed)))
    size = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:size])
    assert (missing_end(path, LIMITS) is None) == (size in ends)
    path.write_bytes(whole[:size] + bytes(len(whole) - size))
    written = whole[:size].rstrip(b"\0") in {whole[:end].rstrip(b"\0") for end in ends}  # a length ends in zeros
    assert written or missing_end(path, LIMITS), "room that was made beforehand is no content"


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=30) | LINES.map(str.encode).map(gzip.compress), flip=st.integers(0, 200))
def test_what_has_its_end_is_not_held_for_lack_of_it(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, flip: int
) -> None:
    path = tmp_path_factory.mktemp("flip") / "contact_1_2026-02-04T00-00-00-0800Z.csv.gz"
    changed = bytearray(content)
    if flip < len(changed):
        changed[flip] ^= 1
    path.write_bytes(changed)
    if missing_end(path, LIMITS) is None:
        try:
            prove(path, LIMITS)
        except Held as held:
            assert held.reason not in ("truncated", "checksum", "damaged", "trailing_bytes")


@pytest.mark.parametrize(
    ("name", "content", "waits"),
    [
        ("x.csv", b"", True),
        ("x.csv", b"id\n1", True),
        ("x.csv", b"id\n1\n", False),
        ("x.CSV", b"id\r\n1\r\n", False),
        ("x.csv", b"id\r\n1\r", True),
        ("x.csv", b"id\r1\r", False),
        ("x.csv", "id\n1\n".encode("utf-16"), False),
        ("x.csv", "id\n1".encode("utf-16"), True),
        ("x.csv", gzip.compress(b"id\n1\n", mtime=0)[:-1], True),
        ("x.csv.gz", gzip.compress(b"id\n1", mtime=0), False),
        ("x.csv.gz", gzip.compress(b"id\n", mtime=0) + gzip.compress(b"1", mtime=0), True),
        ("x.csv.gz", gzip.compress(b"", mtime=0), False),
        ("x.csv.gz", b"<html>", False),
        ("x.parquet", b"<html>", False),
        ("x.parquet", b"PAR1", True),
        ("x.parquet", b"\0" * 99, True),
        ("x.txt", b"no end to be seen", False),
    ],
)
def test_how_each_format_ends(tmp_path: Path, name: str, content: bytes, waits: bool) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert (missing_end(path, LIMITS) is not None) == waits


def test_a_parquet_file_has_its_end_only_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "people_v5_7_1.parquet"
    pq.write_table(pa.table({"id": ["a", "b"]}), path)
    whole = path.read_bytes()
    assert missing_end(path, LIMITS) is None
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        assert missing_end(path, LIMITS), size


def test_a_bomb_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(bytes(1 << 20), mtime=0)[:-9])
    assert missing_end(path, Limits(max_raw_bytes=1000)) is None


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileUnavailable, match=r"gone\.csv cannot be read: No such file"):
        missing_end(tmp_path / "gone.csv", LIMITS)
    os.mkfifo(tmp_path / "pipe.csv.gz")
    with pytest.raises(FileUnavailable, match=r"pipe\.csv\.gz cannot be read: it is no regular file"):
        missing_end(tmp_path / "pipe.csv.gz", LIMITS)
