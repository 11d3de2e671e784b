"""From a place into the mirror: everything once, oldest first, whatever comes late, changes, vanishes or is broken."""

import gzip
import os
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from fetch_home import QUICK, Home, rows

from promptsync.daemon.operations import retry_rejects
from promptsync.demo.world.time import midnight
from promptsync.errors import Unavailable
from promptsync.fetch.run import fetch_source
from promptsync.fetch.sources import sources_of
from promptsync.loading.files import LoadRequest
from promptsync.places.plan import ENOUGH, FetchOptions

OBJECTS = "SELECT key, state, attempts, gone_at IS NOT NULL FROM sync_object ORDER BY key"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_nights_are_merged_oldest_first_and_once(home: Home) -> None:
    for day in (6, 4, 5):
        home.night(day)
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.listed, report.new, report.loaded, report.error) == (6, 6, 6, None)
        as_ofs = [file["as_of"] for file in report.files]
        assert as_ofs == sorted(as_ofs)
        again = home.fetch(engine)
        assert (again.listed, again.new, again.files) == (6, 0, [])
        assert rows(engine, "SELECT DISTINCT source FROM sync_file") == [(str(home.place),)]
        assert rows(engine, "SELECT count(*) FROM sync_object WHERE state = 'loaded' AND file_id > 0") == [(6,)]
        assert rows(engine, "SELECT count(*) FROM contact")[0][0] > 0
    assert home.leftovers == []


def test_a_night_that_appears_late_is_fetched_when_it_appears(home: Home) -> None:
    home.night(4)
    home.night(6)
    with home.engine() as engine:
        home.fetch(engine)
        home.night(5)
        report = home.fetch(engine)
        assert [file["as_of"][:10] for file in report.files] == ["2026-02-05", "2026-02-05"]


def test_a_changed_file_is_a_new_version_and_a_vanished_one_no_error(home: Home) -> None:
    first, second = home.night(4)
    with home.engine() as engine:
        home.fetch(engine)
        first.write_bytes(gzip.compress(gzip.decompress(first.read_bytes()), mtime=0))
        second.unlink()
        report = home.fetch(engine)
        assert (report.listed, report.new, report.loaded, report.error) == (1, 1, 1, None)
        states = {Path(str(key)).name: rest for key, *rest in rows(engine, OBJECTS)}
        assert states == {first.name: ["loaded", 1, 0], second.name: ["loaded", 1, 1]}
        home.night(4, ("opt_out",))
        assert home.fetch(engine).error is None
        assert all(gone == 0 for *_, gone in rows(engine, OBJECTS))


def test_a_broken_file_is_held_until_a_person_or_a_better_version_comes(home: Home) -> None:
    path, _ = home.night(4)
    good = path.read_bytes()
    path.write_bytes(good[:-20])
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.loaded, report.held) == (1, 1)
        (copy,) = home.leftovers
        assert copy.startswith("held/")
        assert copy.endswith(path.name)
        ((state, where, error),) = rows(engine, "SELECT state, path, error FROM sync_file WHERE state <> 'merged'")
        assert state == "held"
        assert Path(str(where)).read_bytes() == good[:-20]
        assert str(where) in str(error)
        assert home.fetch(engine).files == []
        path.write_bytes(good)
        assert home.fetch(engine).loaded == 1
        assert rows(engine, "SELECT count(*) FROM sync_file WHERE state = 'held'") == [(0,)]


def test_a_file_with_rejects_is_kept_to_be_tried_again_until_it_is_good_or_a_newer_one_comes(home: Home) -> None:
    def spoil(path: Path, row: int) -> None:
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        lines[row] = lines[row].replace(b",false,", b",perhaps,", 1)
        path.write_bytes(gzip.compress(b"".join(lines), mtime=0))

    home.file.write_text(home.file.read_text() + "[load]\nmax_bad_rows_share = 0.5\n")
    spoil(home.night(4, ("contact",))[0], row=1)
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.loaded, report.held, report.files[0]["rejected"]) == (1, 0, 1)
        (copy,) = home.leftovers
        result = retry_rejects(engine, {}, lambda _: None)
        assert (result["gone"], [file["state"] for file in result["files"]], result["left"]) == ([], ["merged"], 1)
        home.fetch(engine)
        assert home.leftovers == [copy]
        spoil(home.night(5, ("contact",))[0], row=2)
        home.fetch(engine)
        home.fetch(engine)
        (newer,) = home.leftovers
        assert "2026-02-05" in newer
        result = retry_rejects(engine, {}, lambda _: None)
        assert len(result["files"]) == 1 and result["superseded"] == result["gone"] != []
        engine.mirror.writer.run(lambda connection: connection.execute("DELETE FROM sync_reject"))
        home.fetch(engine)
        assert home.leftovers == []


@pytest.mark.parametrize("dies_at", ["promptsync.places.incoming.Incoming.hold", "promptsync.fetch.files.Files._write"])
@pytest.mark.parametrize("touched", [False, True])
def test_a_kill_after_the_merge_leaves_rejects_that_can_be_tried_again(
    home: Home, monkeypatch: pytest.MonkeyPatch, dies_at: str, touched: bool
) -> None:
    """Before its copy is kept, and before the ledger of places is written; the file may have a new date since."""
    home.file.write_text(home.file.read_text() + "[load]\nmax_bad_rows_share = 0.5\n")
    (path,) = home.night(4, ("contact",))
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b",false,", b",perhaps,", 1), mtime=0))
    with home.engine() as engine, monkeypatch.context() as patch:
        patch.setattr(dies_at, _ended)
        with pytest.raises(_Ended):
            home.fetch(engine)
    if touched:
        os.utime(path, (0, 0))
    with home.engine() as engine:
        report = home.fetch(engine)
        assert [file["state"] for file in report.files] == ["unchanged"]
        for _ in range(2):
            home.fetch(engine)
            result = retry_rejects(engine, {}, lambda _: None)
            assert ([file["state"] for file in result["files"]], result["gone"]) == (["merged"], [])
        engine.mirror.writer.run(lambda connection: connection.execute("DELETE FROM sync_reject"))
        home.fetch(engine)
        assert [left for left in home.leftovers if left.startswith("held/")] == []


def test_a_held_file_that_a_person_accepts_is_put_away(home: Home) -> None:
    home.night(4)
    path = home.night(5, ("contact",))[0]
    lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    path.write_bytes(gzip.compress(b"".join(lines[:3]), mtime=0))
    with home.engine() as engine:
        assert home.fetch(engine).held == 1
        (copy,) = home.leftovers
        held = home.folder / "data" / "incoming" / copy
        (loaded,) = engine.load([LoadRequest(held, "load", accept=True)])
        assert loaded.state == "merged"
        home.fetch(engine)
        assert rows(engine, "SELECT DISTINCT state FROM sync_object") == [("loaded",)]
    assert home.leftovers == []


def test_names_of_no_export_are_noted_once_and_left_alone(home: Home) -> None:
    home.night(4)
    (home.place / "readme.txt").write_text("hello")
    (home.place / "message_x_2026.csv.gz").write_text("hello")
    with home.engine() as engine:
        assert home.fetch(engine).strangers == 2
        home.fetch(engine)
        noted = rows(engine, "SELECT kind, name, seen_in FROM sync_drift ORDER BY name")
        assert noted == [("file name", name, str(home.place)) for name in ("message_x_2026.csv.gz", "readme.txt")]
        assert rows(engine, "SELECT count(*) FROM sync_object") == [(2,)]


def test_since_leaves_earlier_nights_for_another_time(home: Home) -> None:
    home.night(4)
    home.night(5)
    with home.engine() as engine:
        assert home.fetch(engine, FetchOptions(since=midnight(date(2026, 2, 5)))).loaded == 2
        assert home.fetch(engine).loaded == 2


def test_a_place_that_is_not_there_is_said_and_found_again(home: Home) -> None:
    home.night(4)
    away = home.place.rename(home.folder / "away")
    with home.engine() as engine:
        report = home.fetch(engine)
        assert (report.retryable, report.error_type, report.files) == (True, "Unavailable", [])
        away.rename(home.place)
        assert home.fetch(engine).loaded == 2


def test_what_was_downloaded_before_a_kill_is_not_downloaded_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.night(4, ("contact",))
    with home.engine() as engine:
        with monkeypatch.context() as patch:
            patch.setattr(engine.loader, "load", _killed)
            with pytest.raises(KeyboardInterrupt):
                home.fetch(engine)
        (left,) = home.leftovers
        assert left.endswith(".csv.gz")
        monkeypatch.setattr("promptsync.fetch.files.download", _killed)
        assert home.fetch(engine).loaded == 1
    assert home.leftovers == []


def test_a_file_that_cannot_be_taken_is_given_up_after_some_runs(home: Home) -> None:
    home.night(4, ("contact",))
    small = replace(QUICK, bounds=replace(QUICK.bounds, most=10))
    with home.engine() as engine:
        (source,) = sources_of(engine.config)
        for run in range(ENOUGH + 1):
            assert fetch_source(engine, source, settings=small).failed == (run < ENOUGH)
        assert fetch_source(engine, source, FetchOptions(by_hand=True), settings=small).failed == 1
        assert rows(engine, "SELECT state, attempts FROM sync_object") == [("failed", ENOUGH + 1)]


def test_a_file_that_is_still_written_to_is_left_for_the_next_time(home: Home) -> None:
    path = home.night(4, ("contact",))[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    with home.engine() as engine:
        (source,) = sources_of(engine.config)
        writer = threading.Timer(0.05, lambda: path.write_bytes(whole))
        writer.start()
        report = fetch_source(engine, source, settings=replace(QUICK, settle=0.3))
        writer.join()
        assert (report.new, report.held, report.loaded) == (0, 0, 0)
        assert home.fetch(engine).loaded == 1


def test_stopping_ends_it_soon(home: Home) -> None:
    home.night(4)
    with home.engine() as engine:
        engine.stopping.set()
        with pytest.raises(Unavailable, match="stopping"):
            home.fetch(engine)


def test_two_at_once_take_turns(home: Home) -> None:
    for day in range(1, 6):
        home.night(day)
    with home.engine() as engine:
        reports = []
        threads = [threading.Thread(target=lambda: reports.append(home.fetch(engine))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(report.loaded for report in reports) == [0, 10]
        assert rows(engine, "SELECT DISTINCT attempts FROM sync_object") == [(1,)]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


class _Ended(BaseException):
    """The process ends here, as far as it can tell."""


def _ended(*_: object) -> None:
    raise _Ended
