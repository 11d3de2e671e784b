"""Where a snapshot is cut: the same places as the plain words for them, and never too many of them."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.loading.content_blocks import ContentCutter, step_for
from promptsync.merge.block_index import NOTHING_KNOWN

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
