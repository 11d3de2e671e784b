"""Change sets from a place into the mirror: each once, in the order of their sequence, whatever else lies there."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from changes_home import SEQUENCE, ChangesHome, content, metrics
from fetch_home import QUICK, rows

from promptsync.errors import ConfigError, Unavailable
from promptsync.fetch.files import Files
from promptsync.model.file_name import TableFileName
from promptsync.places.folder import FolderPlace
from promptsync.places.place import Item
from promptsync.store import place_ledger
from tests.daemons import running

STATES = "SELECT sequence - 241600000000000000, state, gone_at IS NOT NULL FROM sync_object ORDER BY sequence, key"
LATEST = "SELECT DISTINCT metric FROM cio_metrics"


@pytest.fixture
def home(tmp_path: Path) -> ChangesHome:
    return ChangesHome(tmp_path)


def test_files_of_any_folder_are_loaded_once_in_the_order_of_their_sequence(home: ChangesHome) -> None:
    home.put_metrics(3, 1)
    home.put("metrics", 2, metrics("d", 2), "any/folder/however/deep/it/may/be/in/this/bucket")
    home.put("subjects", 1, metrics("s", 1).rename_columns(["subject_name", "workspace_id", "x", "y", "seq_num"]))
    (home.place / "data" / "cio-validate").touch()
    (home.place / "data" / f"metrics_v5_7_{SEQUENCE + 9}.parquet").touch()
    (home.place / "2184.13699.1.track.json").write_text("{}")
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.listed, report.new, report.loaded, report.strangers) == (5, 4, 4, 1)
        loaded = [file["name"] for file in report.files if file["name"].startswith("metrics")]
        assert loaded == sorted(loaded)
        assert rows(engine, LATEST) == [("opened-3",)]
        assert rows(engine, "SELECT count(*) FROM cio_subjects") == [(3,)]
        again = home.fetch(engine)
        assert (again.new, again.loaded, again.error) == (0, 0, None)
        home.put_metrics(2)
        assert home.fetch(engine).loaded == 1
        assert rows(engine, LATEST) == [("opened-3",)]
        assert rows(engine, "SELECT name FROM sync_drift WHERE kind = 'file name'") == [("2184.13699.1.track.json",)]
    assert home.leftovers == []


def test_skipped_tables_are_noted_and_fetched_once_they_are_wanted(home: ChangesHome) -> None:
    home.put("delivery_content", 1, content("d", 10))
    home.put_metrics(2)
    with home.engine() as engine:
        assert home.fetch(engine).loaded == 1
        assert rows(engine, STATES) == [(1, "skipped", 0), (2, "loaded", 0)]
        assert rows(engine, "SELECT count(*) FROM cio_delivery_content") == [(0,)]
    home.configure('skip = ["metrics"]')
    home.put_metrics(3)
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.new, report.loaded) == (1, 1)
        assert rows(engine, STATES) == [(1, "loaded", 0), (2, "loaded", 0), (3, "skipped", 0)]


def test_what_vanishes_is_no_error(home: ChangesHome, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, _ = home.put_metrics(1, 2, 3)
    with home.engine() as engine:
        real = FolderPlace.read

        def read(place: FolderPlace, item: Item, offset: int = 0) -> Any:
            second.unlink(missing_ok=True)
            return real(place, item, offset)

        monkeypatch.setattr(FolderPlace, "read", read)
        report = home.fetch(engine)
        assert (report.loaded, report.gone, report.failed, report.error) == (2, 1, 0, None)
        first.unlink()
        assert home.fetch(engine).error is None
        assert rows(engine, STATES) == [(1, "loaded", 1), (2, "gone", 1), (3, "loaded", 0)]


def test_a_file_that_fails_does_not_stop_the_rest(home: ChangesHome) -> None:
    _, bad, _ = home.put_metrics(1, 2, 3)
    bad.write_bytes(b"PAR1 is how it begins")
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.loaded, report.held) == (2, 1)
        assert rows(engine, LATEST) == [("opened-3",)]
    (copy,) = home.leftovers
    assert copy.startswith("held/")


def test_neither_does_one_whose_name_no_copy_can_have(home: ChangesHome) -> None:
    home.configure('stems = { "zähler" = "metrics" }')
    home.put("zähler", 1, metrics("d", 1))
    home.put_metrics(2)
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.error, report.failed, report.loaded) == (None, 1, 1)
        assert rows(engine, STATES) == [(1, "failed", 0), (2, "loaded", 0)]


def test_damaged_content_with_a_budget_is_held_and_the_process_lives(home: ChangesHome) -> None:
    """Each with one byte of its footer flipped: what it would bring cannot be known, what is wrong with it can."""
    home.configure('skip = []\ncontent_budget = "1 MB"')
    path = home.put("delivery_content", 1, content("d", 10))
    pq.write_table(pq.read_table(path).append_column("tags", pa.array([["a", "b"]])), path, write_page_checksum=True)
    good = path.read_bytes()
    length = int.from_bytes(good[-8:-4], "little")
    middle = len(good) - 8 - length // 2  # what it says of the nested column, which pyarrow trips over
    places = range(middle - length // 25, middle + length // 25)
    for number, at in enumerate(places, 1):
        data = good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
        path.with_name(f"delivery_content_v5_7_{SEQUENCE + number}.parquet").write_bytes(data)
    home.put("delivery_content", 500, content("good", 10))
    command = [sys.executable, "-m", "promptsync", "--config", str(home.file), "fetch"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1, (run.returncode, run.stderr)
    with home.engine() as engine:
        states = rows(engine, "SELECT state FROM sync_object ORDER BY sequence")
        assert rows(engine, "SELECT count(*) FROM cio_delivery_content WHERE delivery_id = 'good'") == [(1,)]
    assert (
        len(states) == len(places) + 1 and ("held",) in states and {state for (state,) in states} <= {"held", "loaded"}
    )


def test_content_waits_for_its_budget(home: ChangesHome, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 4):
        home.put("delivery_content", number, content(f"d{number}", 40_000 * number))
    home.put_metrics(4)
    home.configure('skip = []\ncontent_budget = "100 kB"')
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.loaded, report.over_budget, report.error) == (2, 2, None)
        states = ["loaded", "over_budget", "over_budget", "loaded"]
        assert rows(engine, STATES) == [(number, state, 0) for number, state in enumerate(states, 1)]
        ((why,),) = rows(engine, f"SELECT error FROM sync_object WHERE sequence = {SEQUENCE + 2}")
        assert "content_budget" in str(why)
        with monkeypatch.context() as patch:
            patch.setattr("promptsync.fetch.files.download", None)  # what it would bring is known by now
            assert home.fetch(engine).over_budget == 2
    home.configure('skip = []\ncontent_budget = "130 kB"')
    with home.engine() as engine:
        assert home.fetch(engine).loaded == 1
    home.configure('skip = []\ncontent_budget = "130 kB"\nleave_out = { delivery_content = ["body"] }')
    with home.engine() as engine:
        assert home.fetch(engine).over_budget == 1  # the tally is of what was brought when it was loaded
        engine.mirror.writer.run(lambda connection: connection.execute("UPDATE sync_object SET content_bytes = NULL"))
        assert home.fetch(engine).loaded == 1
    assert home.leftovers == []


@pytest.mark.parametrize(
    ("setting", "left"), [("delete_after_load = true", []), ('move_after_load = "old/loaded"', ["old/loaded"])]
)
def test_files_are_put_away_once_they_are_loaded(home: ChangesHome, setting: str, left: list[str]) -> None:
    home.configure(setting)
    home.put_metrics(1, 2)
    home.put("metrics", 3, metrics("d", 3)).write_bytes(b"broken, and a person must look")
    held = f"data/out/metrics_v5_7_{SEQUENCE + 3}.parquet"
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.loaded, report.held, report.put_away, report.notes) == (2, 1, 2, [])
        moved = [f"{folder}/data/out/metrics_v5_7_{SEQUENCE + number}.parquet" for folder in left for number in (1, 2)]
        assert home.files == sorted([held, *moved])
        assert rows(engine, STATES) == [(1, "loaded", 1), (2, "loaded", 1), (3, "held", 0)]
        again = home.fetch(engine)
        assert (again.listed, again.new, again.put_away) == (1, 0, 0)


def test_nothing_is_deleted_before_its_rows_and_its_line_are_on_disk(
    home: ChangesHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.configure("delete_after_load = true")
    (path,) = home.put_metrics(1)
    with home.engine() as engine:
        for owner, step in ((place_ledger, "note_loaded"), (FolderPlace, "remove")):
            with monkeypatch.context() as patch:
                patch.setattr(owner, step, _killed)
                with pytest.raises(KeyboardInterrupt):
                    home.fetch(engine)
            assert path.exists()
        assert rows(engine, STATES) == [(1, "loaded", 0)]
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.loaded, report.put_away, home.files) == (0, 1, [])


def test_only_the_version_that_was_loaded_is_deleted(home: ChangesHome, monkeypatch: pytest.MonkeyPatch) -> None:
    home.configure("delete_after_load = true")
    (path,) = home.put_metrics(1)
    with home.engine() as engine:
        load = engine.loader.load

        def slow(*args: Any) -> Any:
            report = load(*args)
            home.put("metrics", 1, metrics("d", 5, count=9))
            return report

        with monkeypatch.context() as patch:
            patch.setattr(engine.loader, "load", slow)
            report = home.fetch(engine)
        assert (report.loaded, report.put_away, path.exists()) == (1, 0, True)
        assert (home.fetch(engine).put_away, path.exists()) == (1, False)
        assert rows(engine, "SELECT count(*) FROM cio_metrics") == [(9,)]


def test_what_cannot_be_deleted_is_noted_and_tried_again(home: ChangesHome, monkeypatch: pytest.MonkeyPatch) -> None:
    home.configure("delete_after_load = true\ndownloads = 1")
    home.put_metrics(1, 2, 3, 4)
    asked: list[Item] = []

    async def refuse(_place: FolderPlace, item: Item) -> None:
        asked.append(item)
        raise ConfigError("the place refuses that")

    with home.engine() as engine:
        with monkeypatch.context() as patch:
            patch.setattr(FolderPlace, "remove", refuse)
            report = home.fetch(engine)
        assert (report.loaded, report.put_away, report.error, len(asked)) == (4, 0, None, 2)
        assert "refuses that" in report.notes[0] and "refuses that" in report.sentence()
        assert (home.fetch(engine).put_away, home.files) == (4, [])
        assert rows(engine, "SELECT count(*) FROM sync_object WHERE error IS NOT NULL") == [(0,)]


def test_downloads_run_ahead_within_their_bounds(home: ChangesHome, monkeypatch: pytest.MonkeyPatch) -> None:
    home.configure("downloads = 3")
    home.put_metrics(*range(1, 10))
    at_once: list[int] = []
    running = 0
    real = FolderPlace.read

    async def read(place: FolderPlace, item: Item, offset: int = 0) -> Any:
        nonlocal running
        running += 1
        at_once.append(running)
        await asyncio.sleep(0.001 * (10 - int(item.key[-9])))  # the first takes longest
        async for piece in real(place, item, offset):
            yield piece
        running -= 1

    monkeypatch.setattr(FolderPlace, "read", read)
    with home.engine() as engine:
        report = home.fetch(engine)
        assert max(at_once) == 3
        assert [file["sequence"] for file in report.files] == sorted(file["sequence"] for file in report.files)
        assert (report.loaded, rows(engine, LATEST)) == (9, [("opened-9",)])


def test_a_place_that_is_lost_ends_the_run_once_what_is_here_is_loaded(
    home: ChangesHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.put_metrics(*range(1, 40))
    asked: list[str] = []
    real = FolderPlace.read

    def read(place: FolderPlace, item: Item, offset: int = 0) -> Any:
        asked.append(item.key)
        if item.key.endswith(("1.parquet", "2.parquet")) and item.key[-10] == "0":
            return real(place, item, offset)
        raise Unavailable("the line is cut")

    with home.engine() as engine:
        with monkeypatch.context() as patch:
            patch.setattr(FolderPlace, "read", read)
            report = home.fetch(engine)
        assert (report.loaded, report.error, report.retryable) == (2, "the line is cut", True)
        assert (
            len(set(asked)) <= 2 + 2 * 4
        )  # the two, and on each of four lines what failed and what was begun meanwhile
        assert home.fetch(engine).loaded == 37


def test_a_place_that_is_lost_stays_lost_whatever_still_ends_well(
    home: ChangesHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of four downloads at once two fail, then one ends well that was begun before, then the last fails."""
    home.put_metrics(*range(1, 40))
    well, failed, asked = list[str](), list[str](), list[str]()
    read, fetch = FolderPlace.read, Files.fetch

    async def reading(place: FolderPlace, item: Item, offset: int = 0) -> AsyncIterator[bytes]:
        turn = asked.index(item.key) if item.key in asked else len(asked)
        asked.extend([item.key] if turn == len(asked) else ())
        while (turn in (0, 3) and len(failed) < 2) or (turn == 3 and not well):
            await asyncio.sleep(0.001)
        if turn:
            raise Unavailable("the line is cut")
        async for piece in read(place, item, offset):
            yield piece

    async def fetching(files: Files, item: Item, stated: TableFileName) -> bool:
        here = await fetch(files, item, stated)
        (well if here else failed).append(item.key)
        return here

    with home.engine() as engine:
        with monkeypatch.context() as patch:
            patch.setattr(FolderPlace, "read", reading)
            patch.setattr(Files, "fetch", fetching)
            report = home.fetch(engine)
        assert (report.loaded, report.error, report.retryable) == (1, "the line is cut", True)
        assert home.fetch(engine).loaded == 38


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('delete_after_load = true\nmove_after_load = "old"', "keep one of them"),
        ('move_after_load = "../old"', "a folder below"),
        ("downloads = 0", "downloads"),
    ],
)
def test_what_cannot_be_is_refused_with_the_configuration(home: ChangesHome, more: str, says: str) -> None:
    home.configure(more)
    with pytest.raises(ConfigError, match=says):
        _ = home.config


def test_a_web_server_cannot_be_changed(tmp_path: Path) -> None:
    home = ChangesHome(tmp_path, "delete_after_load = true", "https://files.example.com/out/")
    with pytest.raises(ConfigError, match="only hands out"):
        _ = home.config


def test_a_table_that_there_is_not_is_said_with_a_suggestion(home: ChangesHome) -> None:
    home.configure('skip = ["delivery_contents"]')
    with pytest.raises(ConfigError, match="delivery_content"), home.engine() as engine:
        report = home.fetch(engine)
        raise ConfigError(str(report.error))


async def test_the_daemon_looks_every_so_often_and_catches_up_at_start(
    home: ChangesHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptsync.fetch.run.settings_of", lambda _: QUICK)
    home.configure('every = "1 second"')
    home.put_metrics(1)
    async with running(home.config, clock=lambda: home.now) as daemon:
        assert await _comes(lambda: rows(daemon.engine, LATEST) == [("opened-1",)])
        home.put_metrics(2)
        assert await _comes(lambda: rows(daemon.engine, LATEST) == [("opened-2",)])
        runs = "SELECT count(*) > 1, min(outcome), max(outcome) FROM sync_run WHERE finished_at IS NOT NULL"
        assert await _comes(lambda: rows(daemon.engine, runs) == [(1, "done", "done")])


async def _comes(true: Callable[[], bool]) -> bool:
    """Whether it becomes true within some seconds."""
    for _ in range(200):
        if await asyncio.to_thread(true):
            return True
        await asyncio.sleep(0.03)
    return False


def _killed(*_: object) -> None:
    raise KeyboardInterrupt
