"""Pages are measured before they are read: what would take too much memory at once is held with a sentence."""

import random
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptsync.errors import Held
from promptsync.formats.limits import Limits
from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.model.file_name import ChangeSetName
from promptsync.vendors.customerio.tables_sent import METRICS

NAME = ChangeSetName("cio_metrics", 7, 5, 11)
CELL, ROWS = 1 << 11, 4096  # 8 MiB
TIGHT = replace(Limits(), max_at_once=6 << 20)


def written(folder: Path, *, pages: int, codec: str = "none", dictionary: bool = False) -> Path:
    """A file whose long column lies in so many pages, each with a header that is long for its statistics."""
    chance = random.Random(3)
    links = [chance.randbytes(CELL // 2).hex() for _ in range(ROWS)]
    events = [str(n) for n in range(ROWS)]
    path = folder / "metrics_v5_7_11.parquet"
    table = pa.table({"event_id": events, "link_url": links})
    pq.write_table(
        table,
        path,
        use_dictionary=["link_url"] if dictionary else False,
        dictionary_pagesize_limit=4 << 20,
        compression=codec,
        data_page_size=1,
        write_batch_size=ROWS // pages,
    )
    return path


def count(path: Path, limits: Limits, leave_out: frozenset[str] = frozenset()) -> int:
    with ChangeSetReader(path, METRICS, NAME, limits, leave_out) as reader:
        return sum(batch.rows.num_rows for batch in reader)


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_a_page_larger_than_allowed_is_held_before_it_is_read(tmp_path: Path, codec: str) -> None:
    path = written(tmp_path, pages=1, codec=codec)
    with pytest.raises(Held, match=r"pieces of \d+ MiB, more than 6: one page of the column link_url takes") as held:
        count(path, TIGHT)
    assert held.value.reason == "large_pages"
    assert count(path, TIGHT, frozenset({"link_url"})) == ROWS
    assert count(path, replace(Limits(), max_at_once=(9 if codec == "none" else 14) << 20)) == ROWS


def test_what_is_compressed_counts_twice(tmp_path: Path) -> None:
    path = written(tmp_path, pages=1, codec="zstd")  # hexadecimal digits: half the size at the best
    with pytest.raises(Held, match="link_url"):
        count(path, replace(Limits(), max_at_once=9 << 20))


@pytest.mark.parametrize("codec", ["none", "zstd"])
def test_as_many_bytes_in_small_pages_are_read(tmp_path: Path, codec: str) -> None:
    assert count(written(tmp_path, pages=16, codec=codec), TIGHT) == ROWS


def test_a_page_header_that_is_none_is_damage(tmp_path: Path) -> None:
    path = written(tmp_path, pages=16)
    column = pq.read_metadata(path).row_group(0).column(1)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset : column.data_page_offset + 8] = b"\xff" * 8
    path.write_bytes(data)
    with pytest.raises(Held) as held:
        count(path, TIGHT)
    assert held.value.reason == "damaged"


def test_a_dictionary_counts_with_the_pages(tmp_path: Path) -> None:
    path = written(tmp_path, pages=2, dictionary=True)  # one half of the cells in the dictionary, one in a page
    assert pq.read_metadata(path).row_group(0).column(1).has_dictionary_page
    with pytest.raises(Held, match="link_url takes 8"):
        count(path, TIGHT)
    assert count(written(tmp_path, pages=2), TIGHT) == ROWS
