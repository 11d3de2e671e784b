"""Small files that wait together: the mirror that comes of them is the one that comes of each loaded by itself."""

import gzip
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from promptsync.config import Config
from promptsync.engine.engine import Engine
from promptsync.loading.files import FileReport, LoadRequest
from promptsync.loading.small_files import SmallRun
from promptsync.store import ledger
from promptsync.store.writer import Lane

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_NOW = 1_798_000_000_000_000
_APART = {"id", "file_id", "_rev", "seconds", "blocks"}
"""What depends on the turn of a file, or on how long it took."""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("empty")
    with Engine(Config.read({}, folder)):
        pass
    return folder


def _opened(empty: Path, folder: Path) -> Engine:
    shutil.copytree(empty, folder)
    return Engine(Config.read({}, folder), lambda: _NOW)


def _change_set(folder: Path, draw: random.Random, number: int) -> Path:
    """Rows of which many are in other files too; now and then one that is bad, a column unknown, lacking, doubled."""
    count = draw.randint(1, 12)
    order = [draw.randint(0 if draw.random() < 0.1 else 1, 40) for _ in range(count)]
    ids = [f"e{draw.randint(0, 15)}" for _ in range(count)]
    columns: dict[str, Any] = {"event_id": ids, "workspace_id": [1] * count, "seq_num": order}
    if draw.random() < 0.9:
        columns["metric"] = [draw.choice(["opened", "sent", None, "ü"]) for _ in range(count)]
    if draw.random() < 0.1:
        columns["extra"] = [draw.choice(["a", "b"]) for _ in range(count)]
    path = folder / f"metrics_v5_1_{241_600_000_000_000_000 + number}.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def _snapshot(folder: Path, draw: random.Random, number: int) -> Path:
    """A night of one of two tables, of which rows come, change and go; now and then nearly all of them, or twice."""
    table, words = draw.choice([("message", "id,content,is_outgoing"), ("contact", "id,first_name,last_name")])
    ids = sorted(draw.sample(range(30), draw.choice([2, 20, 24, 28])))
    if draw.random() < 0.1:
        ids.append(ids[0])
    lines = [f"{one},{draw.choice('ab')},{draw.choice(['true', 'false'])}" for one in ids]
    if draw.random() < 0.1:
        lines[0] += ",one cell too many"
    comma = draw.choice(",,,;")
    text = "\n".join([words, *lines, ""]).replace(",", comma)
    stamp = (_FIRST + timedelta(days=draw.randint(0, number))).strftime("%Y-%m-%dT%H-%M-%SZ")
    path = folder / f"{table}_{draw.randint(1, 2)}_{stamp}.csv.gz"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path


def _files(folder: Path, draw: random.Random) -> list[Path]:
    folder.mkdir()
    made = [draw.choice([_change_set, _snapshot])(folder, draw, number) for number in range(draw.randint(2, 14))]
    for path in draw.sample(made, draw.randint(0, 2)):
        path.write_bytes(path.read_bytes()[: draw.randint(0, 40)])  # cut, or empty
    draw.shuffle(made)
    return made + draw.sample(made, draw.randint(0, 2))


def _dump(folder: Path) -> dict[str, list[str]]:
    """Every row of every table, from outside; in no order."""
    found = {}
    with closing(sqlite3.connect(f"file:{folder / 'data' / 'mirror.db'}?mode=ro", uri=True)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '%\\_fts\\_%' ESCAPE '\\'"
        ).fetchall()
        for (name,) in names:
            cursor = connection.execute(f'SELECT * FROM "{name}"')
            columns = [column for column, *_ in cursor.description]
            rows = [{c: v for c, v in zip(columns, row, strict=True) if c not in _APART} for row in cursor]
            kept = [row for row in rows if row.get("name") not in ("revision", "block_seed")]  # of sync_state
            found[name] = sorted(map(repr, kept))
    return found


def _outcomes(reports: list[FileReport]) -> list[dict[str, Any]]:
    return [report.as_row() | {"seconds": 0, "reason": report.reason} for report in reports]


@pytest.mark.slow
@settings(max_examples=25, deadline=None, phases=[Phase.generate])  # a seed has nothing to shrink
@given(seed=st.integers(0, 1 << 32))
def test_together_they_give_the_mirror_that_each_alone_gives(
    empty: Path, tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("case")
    requests = [LoadRequest(path, "load") for path in _files(folder / "in", random.Random(seed))]
    with _opened(empty, folder / "alone") as engine:
        alone = [report for request in requests for report in engine.load([request])]
    with _opened(empty, folder / "together") as engine:
        together = list(engine.load(requests))
    assert _outcomes(together) == _outcomes(alone)
    assert _dump(folder / "together") == _dump(folder / "alone")


class _Killed(BaseException):
    """The process ends here, as far as the loader can tell."""


@pytest.mark.parametrize("pieces", range(1, 12, 2))
def test_after_a_kill_the_same_files_again_give_the_same_rows(empty: Path, tmp_path: Path, pieces: int) -> None:
    requests = [LoadRequest(path, "load") for path in _files(tmp_path / "in", random.Random(pieces))]
    with _opened(empty, tmp_path / "whole") as engine:
        list(engine.load(requests))
    engine = _opened(empty, tmp_path / "killed")
    submit, left = engine.mirror.writer.submit, iter(range(pieces))

    def until(*args: Any, **how: Any) -> "Future[Any]":
        if next(left, None) is None:
            raise _Killed
        return submit(*args, **how)

    engine.mirror.writer.submit = until  # type: ignore[method-assign]
    with suppress(_Killed):
        list(engine.load(requests))
    engine.mirror.writer.submit = submit  # type: ignore[method-assign]
    engine.close()
    with Engine(Config.read({}, tmp_path / "killed"), lambda: _NOW) as engine:
        list(engine.load(requests))
    tables = ("cio_metrics", "message", "contact", "sync_snapshot")
    whole, killed = _dump(tmp_path / "whole"), _dump(tmp_path / "killed")
    assert {name: killed[name] for name in tables} == {name: whole[name] for name in tables}


def test_deliveries_pass_between_them_and_wait_for_no_long_one(empty: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    draw = random.Random(1)
    requests = [LoadRequest(_change_set(tmp_path / "in", draw, n), "load") for n in range(60)]
    with _opened(empty, tmp_path / "mirror") as engine:
        writer, holds, passed, ended = engine.mirror.writer, list[float](), list[int](), threading.Event()
        transaction = SmallRun._transaction

        def timed(run: SmallRun, connection: sqlite3.Connection, waiting: Any) -> tuple[int, bool]:
            started = time.thread_time()
            try:
                return transaction(run, connection, waiting)
            finally:
                holds.append(time.thread_time() - started)

        def merged(connection: sqlite3.Connection) -> int:
            sql = "SELECT count(*) FROM sync_file WHERE state = 'merged'"
            return int(connection.execute(sql).fetchone()[0])

        def deliver() -> None:
            while not ended.is_set():
                passed.append(writer.run(merged, Lane.DELIVERY))
                time.sleep(0.002)

        thread = threading.Thread(target=deliver)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SmallRun, "_transaction", timed)
            thread.start()
            reports = list(engine.load(requests))
            ended.set()
            thread.join()
    assert {report.state for report in reports} <= {"merged", "held"}
    assert len({count for count in passed if 0 < count < len(reports) - 10}) > 1, passed
    assert max(holds) < 0.05


def test_one_that_meets_a_fault_does_not_stop_the_others(
    empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    draw = random.Random(2)
    paths = [_change_set(tmp_path / "in", draw, number) for number in range(6)]
    original, bad = ledger.open_file, paths[3].name

    def open_file(connection: sqlite3.Connection, row: Mapping[str, Any]) -> int:
        if row["name"] == bad:
            raise ZeroDivisionError
        return original(connection, row)

    monkeypatch.setattr(ledger, "open_file", open_file)
    with _opened(empty, tmp_path / "mirror") as engine:
        reports = list(engine.load(LoadRequest(path, "load") for path in paths))
    assert [report.name for report in reports] == [path.name for path in paths]
    assert [report.name for report in reports if "a fault of promptsync's" in (report.error or "")] == [bad]
    assert sum("'merged'" in row for row in _dump(tmp_path / "mirror")["sync_file"]) == sum(
        report.state == "merged" for report in reports
    )
