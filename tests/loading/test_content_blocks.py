"""Where a snapshot is cut: the same places as the plain words for them, and never too many of them."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsync.loading import boundaries, content_blocks
from promptsync.loading.content_blocks import ContentCutter, step_for
from promptsync.merge.block_index import NOTHING_KNOWN, BlockIndex, Cut, KnownBlocks

CELL = st.one_of(st.integers(0, 5_000).map(str), st.text("0268a, ", max_size=22), st.just("9" * 18 + "20"))
TEXTS = st.lists(st.tuples(CELL, st.sampled_from(("x", "", "0", "20"))), max_size=60)


def _starts(text: bytes, step: int) -> list[int]:
    """Keys of the blocks: of the first record, and of those whose key is a multiple."""
    wanted = re.compile(rb"(?:\A|(?<=\n))([0-9]{1,18}),")
    found = [(match.start(), int(match[1])) for match in wanted.finditer(text)]
    return [key for at, key in found if at == 0 or key % step == 0]


@pytest.mark.parametrize("step", [20, 50, 1_000])
@given(rows=TEXTS, first=st.integers(1, 900))
def test_blocks_begin_at_the_keys_that_the_words_say(rows: list[tuple[str, str]], first: int, step: int) -> None:
    text = "".join(f"{key},{rest}\n" for key, rest in [(str(first), "a"), *rows]).encode()
    cutter = ContentCutter(NOTHING_KNOWN, None, 1, b"", step)
    cutter.feed(b"id,rest\n" + text)
    cut = cutter.finish()
    assert cut is not None
    assert cut.first.tolist() == _starts(text, step)
    assert cut.digests.dtype == np.uint64


def test_a_file_of_any_size_has_a_bounded_number_of_blocks() -> None:
    for size in (1 << 20, 449 << 20, 1 << 30, 19 << 30):
        rows = size // 30  # messages take about 35 bytes, compressed
        assert rows / step_for(size) < 700_000


def test_blocks_begin_wherever_a_slice_of_the_text_ends() -> None:
    for shift in range(-36, 4):
        filler = b"1," + b"x" * ((1 << 20) + shift - 3) + b"\n"
        cutter = ContentCutter(NOTHING_KNOWN, None, 1, b"")
        cutter.feed(b"id,rest\n" + filler + b"12345678901234560,a\n21,b\n40,c\n")
        cut = cutter.finish()
        assert cut is not None
        assert cut.first.tolist() == [1, 12345678901234560, 40]


def _cut(text: bytes, pieces: int, known: KnownBlocks, aside: Path) -> tuple[Cut | None, bytes]:
    """The blocks, and the bytes of those that are not known."""
    cutter = ContentCutter(known, aside, 1, b"")
    try:
        for start in range(0, len(text), pieces):
            cutter.feed(text[start : start + pieces])
        cut = cutter.finish()
        return cut, b"".join(cutter.unknown())
    finally:
        cutter.close()


def _text(rows: Mapping[int, str]) -> bytes:
    return "".join(f"{key},{rest}\n" for key, rest in sorted(rows.items())).encode()


_SAID = st.sampled_from(('"other"', '"a\n320,b\n640,""c"""', "x", '"a\r\nb"', '5" of snow'))


_KEYS = st.one_of(st.integers(1, 4_700), st.integers(1, 14).map(lambda n: n * 320))


@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(1, 700),
    count=st.integers(2_500, 4_000),
    changed=st.dictionaries(_KEYS, _SAID, max_size=3),
    gone=st.lists(_KEYS, max_size=2),
    claimed=st.lists(_KEYS, max_size=2),
    pieces=st.sampled_from((700, 5_000, 1 << 20)),
    whole=st.booleans(),
)
def test_passing_over_known_stretches_finds_the_same_blocks(
    first: int,
    count: int,
    changed: dict[int, str],
    gone: list[int],
    claimed: list[int],
    pieces: int,
    whole: bool,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    before = {key: f"text {key}" for key in range(first, first + count)}
    after = {key: text for key, text in (before | changed).items() if key not in gone}
    text = b"id,rest\n" + (_text(after) if whole else _text(after)[:-1])
    aside = tmp_path_factory.getbasetemp() / "aside"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(content_blocks, "_CHUNK", 20_000)
        old, _ = _cut(b"id,rest\n" + _text(before), 1 << 20, NOTHING_KNOWN, aside)
        assert old is not None
        index = BlockIndex(old.identity, old.digests, old.first, old.first + 19, old.first, old.sizes, old.stretches)
        known = index.known(claimed)
        places = np.sort(known.find(old.digests)[known.find(old.digests) >= 0])
        cut, rest = _cut(text, pieces, known, aside)
        plain, plain_rest = _cut(text, pieces, KnownBlocks(old.digests, places), aside)
    assert rest == plain_rest
    assert (cut is None) == (plain is None)
    if cut and plain:
        for one in ("digests", "first", "old"):
            assert getattr(cut, one).tolist() == getattr(plain, one).tolist()


_CELLS = st.sampled_from(('"a\n320,b\n2000,""c"""', '"a\n680,b\n', "x", "", '"680,c"', "much longer " * 9))


@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(1, 4_000),
    length=st.integers(1, 900),
    every=st.integers(1, 90),
    said=st.lists(_CELLS, min_size=1, max_size=3),
    gone=st.integers(3, 60),
    added=st.booleans(),
    pieces=st.sampled_from((5_000, 1 << 20)),
)
def test_where_many_rows_changed_the_known_blocks_are_found_again(
    start: int,
    length: int,
    every: int,
    said: list[str],
    gone: int,
    added: bool,
    pieces: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    before = {key: f"text {key}" for key in range(2, 5_000, 2)}
    after = dict(before)
    for place, key in enumerate(range(start, start + length, every)):
        after[key] = said[place % len(said)]
        if added:
            after[key | 1] = "in between"
        if place % gone == 2:
            after.pop(key + 2, None)
    aside = tmp_path_factory.getbasetemp() / "many"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(content_blocks, "_CHUNK", 20_000)
        old, _ = _cut(b"id,rest\n" + _text(before), 1 << 20, NOTHING_KNOWN, aside)
        assert old is not None
        known = BlockIndex(
            old.identity, old.digests, old.first, old.first + 19, old.first, old.sizes, old.stretches
        ).known([])
        text = b"id,rest\n" + _text(after)
        cut, rest = _cut(text, pieces, known, aside)
        plain, plain_rest = _cut(text, pieces, KnownBlocks(old.digests, np.arange(len(old.first))), aside)
    assert rest == plain_rest
    assert (cut is None) == (plain is None)
    if cut and plain:
        for one in ("digests", "first", "old"):
            assert getattr(cut, one).tolist() == getattr(plain, one).tolist()
        _assert_true(cut, text.removeprefix(b"id,rest\n"))


def _assert_true(cut: Cut, text: bytes) -> None:
    """Blocks are as long as they say, and stretches have the digests of their bytes."""
    ends = np.cumsum(cut.sizes)
    assert ends[-1] == len(text)
    for at, count, digest in zip(cut.stretches.at, cut.stretches.count, cut.stretches.digests, strict=True):
        start, end = ends[at] - cut.sizes[at], ends[at + count - 1]
        assert xxhash.xxh3_128_digest(text[start:end], 1) == digest.tobytes()


def test_of_what_nobody_changed_no_boundary_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {key: f"text {key}" for key in range(1, 300_000)}
    text = b"id,rest\n" + _text(rows)
    old, _ = _cut(text, 1 << 20, NOTHING_KNOWN, tmp_path / "aside")
    assert old is not None
    known = BlockIndex(old.identity, old.digests, old.first, old.first + 19, old.first, old.sizes, old.stretches).known(
        []
    )
    looked: list[int] = []
    within = boundaries.within
    monkeypatch.setattr(boundaries, "within", lambda data, *more: looked.append(len(data)) or within(data, *more))
    cut, rest = _cut(text, 1 << 20, known, tmp_path / "aside")
    assert cut is not None and rest == b"id,rest\n" and cut.stretches.at.tolist() == old.stretches.at.tolist()
    assert sum(looked) < len(text) / 3


def test_a_stretch_without_a_line_end_is_no_beginning_of_another_record(tmp_path: Path) -> None:
    rows = {key: f"text {key}" for key in range(320, 640)}
    text = b"id,rest\n" + _text(rows)[:-1]
    old, _ = _cut(text, 1 << 20, NOTHING_KNOWN, tmp_path / "aside")
    assert old is not None and len(old.stretches.at) == 1
    known = BlockIndex(old.identity, old.digests, old.first, old.first + 19, old.first, old.sizes, old.stretches).known(
        []
    )
    longer = text + b"960,or not\n" + b"961,more\n" * 10  # the text of row 639 goes on
    passing = _cut(longer, 5_000, known, tmp_path / "aside")
    plain = _cut(longer, 5_000, KnownBlocks(old.digests, np.arange(len(old.first))), tmp_path / "aside")
    assert passing[1] == plain[1]
    assert passing[0] is not None and plain[0] is not None
    assert passing[0].first.tolist() == plain[0].first.tolist()
