"""A change set full of rows that cannot be read: reading stops, and what is kept of it is bounded."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptsync.config import Config
from promptsync.engine.engine import Engine
from promptsync.loading.files import LoadRequest

ROWS = 150_000  # more than two batches


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    path = tmp_path / "metrics_v5_7_1.parquet"
    numbers = pa.array(range(1, ROWS + 1))
    keys = pa.array([None if n % 2 else str(n) for n in range(ROWS)])
    pq.write_table(pa.table({"event_id": keys, "seq_num": numbers}), path)
    return path


def test_reading_stops_once_too_many_rows_are_bad(tmp_path: Path, spoiled: Path) -> None:
    with Engine(Config.read({}, tmp_path)) as engine:
        report = engine.load_file(LoadRequest(spoiled, "load"))
    assert report.state == "held"
    assert report.error and report.error.startswith(
        f"At least {report.rejected:,} of its {ROWS:,} rows have no readable key"
    )
    assert "The first, row 2 of cio_metrics:" in report.error
    assert 0 < report.rejected < ROWS // 3


def test_accepted_it_is_merged_and_the_first_bad_rows_are_kept(tmp_path: Path, spoiled: Path) -> None:
    with Engine(Config.read({}, tmp_path)) as engine:
        report = engine.load_file(LoadRequest(spoiled, "load", accept=True))
        with engine.mirror.reading() as connection:
            kept = connection.execute("SELECT count(*), min(line), max(line) FROM sync_reject").fetchone()
    assert (report.state, report.inserted, report.rejected) == ("merged", ROWS // 2, ROWS // 2)
    assert kept == (10_000, 2, 20_000)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["soon enough"] * 20, "row 1 of cio_people, column created_at: 'xxxx xxxxxx' is no time."),
        ([None, "0", *["31.12.2026 10:00"] * 20], "row 3 of cio_people, column created_at: '31.12.2026 10:00' is no "),
    ],
)
def test_the_first_bad_row_is_named_as_in_a_nightly_file(tmp_path: Path, cells: list[str], words: str) -> None:
    path = tmp_path / "people_v5_7_1.parquet"
    ids = [str(n) for n in range(len(cells))]
    pq.write_table(
        pa.table({"internal_customer_id": ids, "created_at": cells, "updated_at": range(1, len(cells) + 1)}), path
    )
    with Engine(Config.read({}, tmp_path)) as engine:
        report = engine.load_file(LoadRequest(path, "load"))
    assert report.state == "held"
    assert report.error and f"The first, {words}" in report.error
