"""The proof of a file, against real gzip bytes damaged in every way that promises name."""

import gzip
import hashlib
import random
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from isal import igzip

from promptsync.errors import Held, Unavailable
from promptsync.formats.limits import Limits
from promptsync.formats.proof import Proof, prove
from promptsync.formats.stream import RawStream

CSV = b"id,content\n" + b"".join(b'%d,"hello %d"\n' % (n, n * n) for n in range(3000))
WHOLE = gzip.compress(CSV, mtime=0)
HALF = CSV.index(b"\n", len(CSV) // 2) + 1


def written(folder: Path, data: bytes, name: str = "message.csv.gz") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def reason(folder: Path, data: bytes, name: str = "message.csv.gz", limits: Limits | None = None) -> str:
    with pytest.raises(Held) as held:
        prove(written(folder, data, name), limits or Limits())
    return held.value.reason


def flipped(at: int, data: bytes = WHOLE) -> bytes:
    damaged = bytearray(data)
    damaged[at] ^= 1
    return bytes(damaged)


def test_whole_file(tmp_path: Path) -> None:
    told: list[int] = []
    proof = prove(written(tmp_path, WHOLE), Limits(), told.append)
    assert proof == Proof(hashlib.sha256(WHOLE).hexdigest(), len(WHOLE), len(CSV), 1)
    assert told[-1] == len(WHOLE)


@pytest.mark.parametrize("pack", [gzip.compress, igzip.compress, lambda data: gzip.compress(data, 0, mtime=0)])
def test_members_in_a_row(tmp_path: Path, pack: object) -> None:
    data = pack(CSV[:HALF]) + pack(b"") + pack(CSV[HALF:])  # type: ignore[operator]
    proof = prove(written(tmp_path, data), Limits())
    assert (proof.members, proof.raw_bytes, proof.size) == (3, len(CSV), len(data))


def test_many_tiny_members(tmp_path: Path) -> None:
    data = b"".join(gzip.compress(CSV[n : n + 1], mtime=0) for n in range(20_000))
    path = written(tmp_path, data)
    stream = RawStream(path, Limits())
    assert b"".join(stream) == CSV[:20_000]
    assert stream.members == 20_000


def test_header_with_name_comment_extra_and_checksum(tmp_path: Path) -> None:
    head = b"\x1f\x8b\x08\x1e" + bytes(6) + b"\x03\x00abc" + b"message.csv\0" + b"a comment\0"
    data = head + (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") + WHOLE[10:]
    assert prove(written(tmp_path, data), Limits()).raw_bytes == len(CSV)
    assert reason(tmp_path, flipped(4, data)) == "checksum"


def test_gzip_is_known_by_its_bytes(tmp_path: Path) -> None:
    assert prove(written(tmp_path, WHOLE, "message.csv"), Limits()).members == 1
    assert prove(written(tmp_path, CSV, "message.csv"), Limits()).members == 0
    assert reason(tmp_path, CSV) == "not_gzip"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (flipped(-5), "checksum"),  # CRC32
        (flipped(-1), "checksum"),  # ISIZE
        (flipped(2), "damaged"),  # compression method
        (WHOLE[:-1], "truncated"),
        (WHOLE[:-8], "truncated"),
        (WHOLE[: len(WHOLE) // 2], "truncated"),
        (WHOLE[:10], "truncated"),
        (WHOLE[:2], "truncated"),
        (WHOLE + b"id,content\n", "trailing_bytes"),
        (WHOLE + bytes(512) + b"x", "trailing_bytes"),
        (WHOLE + bytes(600_000) + WHOLE[:20], "truncated"),
        (WHOLE + b"\x1fx", "trailing_bytes"),
        (WHOLE + WHOLE[:-4], "truncated"),
        (WHOLE + flipped(-5), "checksum"),
        (gzip.compress(CSV[: HALF - 1], mtime=0) + gzip.compress(b"", mtime=0), "last_record_cut"),
        (gzip.compress(CSV[:HALF], mtime=0) + gzip.compress(CSV[HALF:-1], mtime=0), "last_record_cut"),
        (gzip.compress(CSV[:-3], mtime=0), "last_record_cut"),
        (gzip.compress(b'id,content\n1,"a\nb', mtime=0), "last_record_cut"),
        (gzip.compress(b'id,content\n1,"a\n', mtime=0), "last_record_cut"),
        (gzip.compress("id,content\n1,a\n".encode("utf-32"), mtime=0), "encoding"),
        (gzip.compress("\ufeffid,content\n1,a\n".encode("utf-16-be")[:-1], mtime=0), "last_record_cut"),
        (gzip.compress("id,content\n1,a".encode("utf-16"), mtime=0) + gzip.compress(b"", mtime=0), "last_record_cut"),
    ],
)
def test_damage(tmp_path: Path, data: bytes, why: str) -> None:
    assert reason(tmp_path, data) == why


@pytest.mark.parametrize("zeros", [1, 511, 512, 1 << 18, 700_000])
def test_zeros_after_a_member_are_padding(tmp_path: Path, zeros: int) -> None:
    data = WHOLE + bytes(zeros)
    proof = prove(written(tmp_path, data), Limits())
    assert proof == Proof(hashlib.sha256(data).hexdigest(), len(data), len(CSV), 1)
    both = gzip.compress(CSV[:HALF], mtime=0) + bytes(zeros) + gzip.compress(CSV[HALF:], mtime=0) + bytes(zeros)
    assert b"".join(RawStream(written(tmp_path, both), Limits())) == CSV


def test_zeros_alone_are_no_gzip(tmp_path: Path) -> None:
    assert reason(tmp_path, bytes(512)) == "not_gzip"


def test_members_that_hold_nothing_are_a_bomb(tmp_path: Path) -> None:
    assert reason(tmp_path, WHOLE + gzip.compress(b"", mtime=0) * 100_001) == "bomb"


@pytest.mark.parametrize("name", ["utf-16-le", "utf-16-be"])
def test_utf16_with_its_mark_is_read_as_utf8(tmp_path: Path, name: str) -> None:
    text = "id,content\n1,Zoë 😀\n" * 40_000
    path = written(tmp_path, gzip.compress(f"\ufeff{text}".encode(name), mtime=0))
    stream = RawStream(path, Limits())
    assert b"".join(stream) == text.encode()
    assert stream.encoding == prove(path, Limits()).encoding == "UTF-16"


@pytest.mark.parametrize("rest", [b"\x3d\xd8\x61\x00", b"\x3d\xd8"])
def test_half_a_character_of_utf16_is_no_utf8(tmp_path: Path, rest: bytes) -> None:
    data = "\ufeffid\n".encode("utf-16-le") + rest
    assert b"\xed\xa0\xbd" in b"".join(RawStream(written(tmp_path, data, "m.csv"), Limits()))


@pytest.mark.parametrize("name", ["message.csv", "message"])
def test_plain_file_must_end_its_last_record(tmp_path: Path, name: str) -> None:
    assert reason(tmp_path, CSV[:-1], name) == "last_record_cut"
    assert reason(tmp_path, b"", name) == "empty"
    assert reason(tmp_path, CSV.replace(b"\n", b"\r\n")[:-1], name) == "last_record_cut"
    assert prove(written(tmp_path, CSV.replace(b"\n", b"\r"), name), Limits()).raw_bytes == len(CSV)


def test_one_good_member_may_lack_the_last_line_end(tmp_path: Path) -> None:
    assert prove(written(tmp_path, gzip.compress(CSV[:-1], mtime=0)), Limits()).raw_bytes == len(CSV) - 1


def test_stray_quote_within_a_cell_is_no_cut(tmp_path: Path) -> None:
    assert prove(written(tmp_path, gzip.compress(b'id,content\n1,5" pipe\n', mtime=0)), Limits()).raw_bytes == 21


def test_utf8_mark_is_tolerated(tmp_path: Path) -> None:
    assert prove(written(tmp_path, gzip.compress(b"\xef\xbb\xbf" + CSV, mtime=0)), Limits()).raw_bytes == len(CSV) + 3


def test_bombs(tmp_path: Path) -> None:
    zeros = gzip.compress(bytes(1 << 22), mtime=0)
    assert reason(tmp_path, zeros, limits=Limits(max_raw_bytes=1 << 20)) == "bomb"
    assert reason(tmp_path, zeros, limits=Limits(ratio_free=1 << 20)) == "bomb"
    stream = RawStream(written(tmp_path, zeros), Limits())
    assert max(map(len, stream)) <= 1 << 19
    nested = b"".join(gzip.compress(b"", mtime=0) for _ in range(100))
    assert reason(tmp_path, nested) == "empty"


def test_missing_file_can_be_tried_again(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        prove(tmp_path / "no.csv.gz", Limits())


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(1, len(WHOLE) - 1))
def test_every_cut_is_seen(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    assert reason(tmp_path_factory.getbasetemp(), WHOLE[:cut]) in ("truncated", "not_gzip")


@settings(max_examples=100, deadline=None)
@given(at=st.integers(0, len(WHOLE) - 1), bit=st.integers(0, 7))
def test_no_flipped_bit_changes_what_is_believed(tmp_path_factory: pytest.TempPathFactory, at: int, bit: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] ^= 1 << bit
    path = written(tmp_path_factory.getbasetemp(), bytes(damaged))
    try:
        assert b"".join(RawStream(path, Limits())) == CSV  # bits of the header that mean nothing
    except Held as held:
        assert held.reason in ("truncated", "checksum", "damaged", "not_gzip", "trailing_bytes")


def test_members_and_pieces_at_every_boundary(tmp_path: Path) -> None:
    chance = random.Random(5)
    noise = chance.randbytes(300_000)  # does not compress: members end around the borders of what is read at once
    for length in (262_100, 262_121, 262_122, 262_123, 262_125, 262_144, 4_073, 4_096):
        data = (
            gzip.compress(noise[:length], mtime=0)
            + gzip.compress(noise[length:], mtime=0)
            + gzip.compress(b"\n", mtime=0)
        )
        stream = RawStream(written(tmp_path, data), Limits())
        assert b"".join(stream) == noise + b"\n"
        assert (stream.members, stream.size) == (3, len(data))


def test_what_follows_is_seen_across_the_border_of_two_reads(tmp_path: Path) -> None:
    noise = random.Random(6).randbytes(300_000)
    length = next(n for n in range(262_000, 262_144) if len(gzip.compress(noise[:n], 0, mtime=0)) == 262_143)
    assert reason(tmp_path, gzip.compress(noise[:length], 0, mtime=0) + b"\x1fx") == "trailing_bytes"
    assert reason(tmp_path, gzip.compress(noise[:length], 0, mtime=0) + b"\x1f\x8b") == "truncated"
