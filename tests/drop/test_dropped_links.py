"""A file that is swapped for a link between being found in the drop folder and being opened is not read."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from promptsync.config import Config
from promptsync.demo.prompt.snapshot import write_night
from promptsync.demo.world.time import midnight
from promptsync.demo.world.world import World
from promptsync.engine.engine import Engine
from promptsync.errors import Unavailable
from promptsync.formats.limits import Limits
from promptsync.formats.parquet.proof import has_footer
from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.loading.files import LoadRequest
from promptsync.loading.report import DROP
from promptsync.vendors.customerio.files import parse_change_set
from promptsync.vendors.customerio.tables_sent import METRICS


def test_a_link_is_followed_by_hand_and_never_in_the_drop_folder(tmp_path: Path) -> None:
    outside, dropped = tmp_path / "outside", tmp_path / "drop"
    outside.mkdir()
    dropped.mkdir()
    (night,) = write_night(World(1, contacts=5, messages=5), outside, midnight(date(2026, 2, 4)), ("contact",))
    link = dropped / night.name
    link.symlink_to(night)
    with Engine(Config.read({}, tmp_path)) as engine:
        with pytest.raises(Unavailable, match="cannot be read"):
            engine.load_file(LoadRequest(link, DROP))
        assert engine.load_file(LoadRequest(link, "load")).state == "merged"


def metrics(path: Path, *events: str) -> Path:
    pq.write_table(pa.table({"event_id": events, "seq_num": range(1, len(events) + 1)}), path)
    return path


def test_each_opening_of_a_change_set_refuses_links(tmp_path: Path) -> None:
    outside, dropped = tmp_path / "outside", tmp_path / "drop"
    outside.mkdir()
    dropped.mkdir()
    file = metrics(outside / "metrics_v5_7_1.parquet", "a", "b")
    link = dropped / file.name
    link.symlink_to(file)
    dropping = Limits(links=False)
    with pytest.raises(Unavailable, match="cannot be read"):
        ChangeSetReader(link, METRICS, parse_change_set(link.name), dropping)
    with pytest.raises(OSError, match="symbolic"):
        has_footer(link, dropping)
    with Engine(Config.read({}, tmp_path)) as engine:
        with pytest.raises(Unavailable, match="cannot be read"):
            engine.load_file(LoadRequest(link, DROP))
        assert engine.load_file(LoadRequest(link, "load")).state == "merged"


def test_a_change_set_that_is_swapped_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    file = metrics(tmp_path / "metrics_v5_7_1.parquet", "a", "b")
    with ChangeSetReader(file, METRICS, parse_change_set(file.name), Limits(links=False)) as reader:
        file.unlink()
        file.symlink_to(metrics(tmp_path / "other.parquet", "x", "y"))
        assert [row["event_id"] for batch in reader for row in batch.rows.to_pylist()] == ["a", "b"]
