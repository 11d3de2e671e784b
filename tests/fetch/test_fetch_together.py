"""Small files that are here are loaded together, and each comes to what it would have come to alone."""

import asyncio
import gzip
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from changes_home import SEQUENCE, metrics
from fetch_home import QUICK, rows

from promptsync.config import load_config
from promptsync.engine.engine import Engine
from promptsync.errors import Unavailable
from promptsync.fetch.run import FetchReport, fetch_source
from promptsync.fetch.sources import sources_of
from promptsync.loading.files import FileReport, LoadRequest
from promptsync.places.folder import FolderPlace
from promptsync.places.incoming import Incoming
from promptsync.places.place import Item
from promptsync.store import place_ledger

_NOW = 1_771_000_000_000_000
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_COUNTS = 'name, state, "table", rows, inserted, updated, unchanged, absent, rejected, error'
_OUTCOMES = (
    f'SELECT {_COUNTS} FROM sync_file ORDER BY "table", id',
    "SELECT o.key, o.state, o.attempts, o.error, f.name, f.state "
    "FROM sync_object o JOIN sync_file f ON f.id = o.file_id ORDER BY 1",
)
_TABLES = (
    "SELECT event_id, metric FROM cio_metrics ORDER BY 1",
    "SELECT subject_name FROM cio_subjects ORDER BY 1",
    "SELECT org_id, id, content FROM message ORDER BY 1, 2",
    "SELECT org_id, id FROM contact ORDER BY 1, 2",
)


def _night(place: Path, table: str, column: str, number: int, count: int = 12, share: str = "") -> Path:
    """A night of which rows come, change and go with its number."""
    lines = "".join(f"{one},{number // 3 if one % 3 else number}{share}\n" for one in range(number % 4, count))
    stamp = (_FIRST + timedelta(days=number)).strftime("%Y-%m-%dT%H-%M-%SZ")
    path = place / f"{table}_1_{stamp}.csv.gz"
    path.write_bytes(gzip.compress(f"id,{column}\n{lines}".encode(), mtime=0))
    return path


def _nights(place: Path) -> str:
    """Of two tables; one night has lost most of its rows, one is cut, one is large."""
    for number in range(14):
        _night(place, "message", "content", number)
        _night(place, "contact", "first_name", number)
    _night(place, "message", "content", 5, count=4)
    cut = _night(place, "contact", "first_name", 7)
    cut.write_bytes(cut.read_bytes()[:-9])
    _night(place, "message", "content", 13, count=30_000)
    return "nightly"


def _changes(place: Path) -> str:
    """Of two tables; one is cut, one has no key, one brings a new column."""
    for number in range(1, 15):
        pq.write_table(metrics("d", number), place / f"metrics_v5_7_{SEQUENCE + number}.parquet")
        subject = metrics("s", number).rename_columns(["subject_name", "workspace_id", "x", "y", "seq_num"])
        pq.write_table(subject, place / f"subjects_v5_7_{SEQUENCE + number}.parquet")
    cut = place / f"metrics_v5_7_{SEQUENCE + 4}.parquet"
    cut.write_bytes(cut.read_bytes()[:-9])
    pq.write_table(metrics("d", 6).drop_columns(["event_id"]), place / f"metrics_v5_7_{SEQUENCE + 6}.parquet")
    new = metrics("d", 8).append_column("more", pa.array(["a"] * 3))
    pq.write_table(new, place / f"metrics_v5_7_{SEQUENCE + 8}.parquet")
    return "customerio"


def _reject(place: Path) -> None:
    """Add a file of either kind that has a row to reject."""
    night = _night(place, "contact", "first_name", 11)
    night.write_bytes(gzip.compress(gzip.decompress(night.read_bytes()) + b"100,a,b,c\n", mtime=0))
    pq.write_table(metrics("r", 0), place / f"metrics_v5_7_{SEQUENCE}.parquet")


Fill = Callable[[Path], str]
BOTH = pytest.mark.parametrize("fill", [_nights, _changes])


class _Fetching:
    """A mirror in a folder that fetches from a place. ``runs``: how many files were loaded together each time."""

    def __init__(self, folder: Path, place: Path, section: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.file = folder / "promptsync.toml"
        self.ending = {"nightly": ".csv.gz", "customerio": ".parquet"}[section]
        self.file.write_text(
            "[webhook]\nallow_unauthenticated = true\n[load]\nmax_bad_rows_share = 0.5\n"
            f'[[{section}]]\nlocation = "{place}"\n'
        )
        self.runs: list[int] = []

    def engine(self) -> Engine:
        engine = Engine(load_config(self.file), lambda: _NOW)
        together = engine.load_several

        def load_several(requests: Sequence[LoadRequest], *how: Any) -> list[FileReport | Exception]:
            self.runs.append(len(requests))
            return together(requests, *how)

        engine.load_several = load_several  # type: ignore[method-assign]
        return engine

    def fetch(self, engine: Engine) -> FetchReport:
        (source,) = sources_of(engine.config)
        return fetch_source(engine, source, settings=QUICK)

    async def put_here(self, engine: Engine) -> None:
        """Have every file of the section here before it is fetched, as after a run that ended between."""
        (source,) = sources_of(engine.config)
        incoming = Incoming(engine.mirror.folder / "incoming")
        place = Path(source.config.location)
        async for page in FolderPlace(place).pages():
            for item in (one for one in page if one.key.endswith(self.ending)):
                target = incoming.target((source.name, item.key), item)
                target.parent.mkdir(parents=True)
                shutil.copy(place / item.key, target)

    def seen(self, *queries: str) -> list[list[Any]]:
        """What another program reads."""
        database = self.folder / "data" / "mirror.db"
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            found = [connection.execute(query).fetchall() for query in queries]
        return [[tuple(str(cell).replace(str(self.folder), "") for cell in row) for row in one] for one in found]

    @property
    def copies(self) -> list[str]:
        root = self.folder / "data" / "incoming"
        return sorted(path.name for path in root.rglob("*") if path.is_file())


def _all_of(fetching: _Fetching, *, here: bool = False) -> tuple[list[Any], list[str], list[Any]]:
    """What one run comes to: the tables, the copies kept, the report. ``here``: every file is, before it begins."""
    with fetching.engine() as engine:
        if here:
            asyncio.run(fetching.put_here(engine))
        report = fetching.fetch(engine)
    files = sorted((file["name"], file["state"], file["inserted"], file["updated"]) for file in report.files)
    counts = (report.loaded, report.held, report.failed, report.rejected, report.problems, report.notes, report.error)
    return fetching.seen(*_OUTCOMES, *_TABLES), fetching.copies, [files, counts]


@BOTH
def test_they_come_to_what_each_alone_comes_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: Fill) -> None:
    place = tmp_path / "place"
    place.mkdir()
    section = fill(place)
    _reject(place)
    together = _Fetching(tmp_path / "together", place, section)
    found = _all_of(together, here=True)
    monkeypatch.setattr("promptsync.fetch.files.SMALL_BYTES", -1)
    alone = _Fetching(tmp_path / "alone", place, section)
    assert found == _all_of(alone)
    assert together.runs and alone.runs == []
    assert {"held", "loaded"} == {state for _, state, *_ in found[0][1]}
    assert any(row[8] == "1" for row in found[0][0])


@BOTH
def test_one_that_came_damaged_is_fetched_anew_before_those_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: Fill
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    section = fill(place)
    whole = _all_of(_Fetching(tmp_path / "whole", place, section))
    real, damaged = FolderPlace.read, set[str]()

    async def read(here: FolderPlace, item: Item, offset: int = 0) -> AsyncIterator[bytes]:
        async for piece in real(here, item, offset):
            first = item.key not in damaged
            damaged.add(item.key)
            yield bytes([piece[0] ^ 1]) + piece[1:] if first and item.size and item.size < 1000 else piece

    monkeypatch.setattr(FolderPlace, "read", read)
    monkeypatch.setattr("promptsync.places.folder._CHUNK", 1 << 16)
    mended = _Fetching(tmp_path / "mended", place, section)
    found = _all_of(mended)
    again = [row for row in found[0][0] if "fetched once more" not in row[-1]]
    kept = [row for row in whole[0][0] if "fetched once more" not in row[-1]]
    assert again == kept
    assert found[0][1:] == whole[0][1:]
    assert len(damaged) > 10


@BOTH
def test_a_run_is_written_down_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: Fill) -> None:
    place = tmp_path / "place"
    place.mkdir()
    fetching = _Fetching(tmp_path / "one", place, fill(place))
    written: list[int] = []
    real = place_ledger.note_loaded

    def note_loaded(connection: sqlite3.Connection, attempts: Sequence[Any]) -> None:
        written.append(len(attempts))
        real(connection, attempts)

    monkeypatch.setattr(place_ledger, "note_loaded", note_loaded)
    with fetching.engine() as engine:
        asyncio.run(fetching.put_here(engine))
        report = fetching.fetch(engine)
    assert sum(written) == report.loaded + report.held == 28
    odd = report.held + 1  # the large one
    assert len(written) <= 2 * odd + 1 < 28


class _Killed(BaseException):
    """The process ends here, as far as it can tell."""


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize("pieces", range(6, 60, 18))
def test_after_a_kill_each_is_done_or_done_again(tmp_path: Path, fill: Fill, pieces: int) -> None:
    place = tmp_path / "place"
    place.mkdir()
    section = fill(place)
    whole = _all_of(_Fetching(tmp_path / "whole", place, section))
    killed = _Fetching(tmp_path / "killed", place, section)
    engine = killed.engine()
    submit, left = engine.mirror.writer.submit, iter(range(pieces))

    def until(*args: Any, **how: Any) -> Any:
        if next(left, None) is None:
            raise _Killed
        return submit(*args, **how)

    engine.mirror.writer.submit = until  # type: ignore[method-assign]
    with suppress(_Killed):
        killed.fetch(engine)
    engine.mirror.writer.submit = submit  # type: ignore[method-assign]
    engine.close()
    (begun,) = killed.seen("SELECT key FROM sync_object WHERE state = 'loaded'")
    after = _all_of(killed)
    states = "SELECT key, state, attempts FROM sync_object ORDER BY 1"
    assert killed.seen(states) == _Fetching(tmp_path / "whole", place, section).seen(states)
    assert (after[0][2:], after[1]) == (whole[0][2:], whole[1])
    assert len(begun) + after[2][1][0] == whole[2][1][0]


def test_a_machine_in_the_way_ends_the_run_after_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "place"
    place.mkdir()
    fetching = _Fetching(tmp_path / "one", place, _changes(place))
    bad = f"metrics_v5_7_{SEQUENCE + 6}.parquet"
    with fetching.engine() as engine:
        real = engine.loader.load

        def load(request: LoadRequest, *how: Any) -> FileReport:
            if request.path.name == bad:
                raise Unavailable("The disk is full.")
            return real(request, *how)

        with monkeypatch.context() as patch:
            patch.setattr(engine.loader, "load", load)
            report = fetching.fetch(engine)
        assert (report.error, report.retryable) == ("The disk is full.", True)
        past = f"SELECT max(sequence) - {SEQUENCE} FROM sync_file WHERE name GLOB 'metrics*'"
        assert rows(engine, past) == [(5,)]
        noted = rows(engine, "SELECT count(*) FROM sync_object WHERE state IN ('loaded', 'held')")
        assert noted == [(report.loaded + report.held,)] == rows(engine, "SELECT count(*) FROM sync_file")
        assert fetching.fetch(engine).error is None
        assert rows(engine, "SELECT count(*) FROM sync_object WHERE state NOT IN ('loaded', 'held')") == [(0,)]
