"""One entry that cannot be listed or read is named and passed over; everything else is fetched."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from fetch_home import QUICK, Home, rows

from promptsync.cli import main
from tests.places.rights import can_be_read, no_rights_of_root

GONE = "SELECT key FROM sync_object WHERE gone_at IS NOT NULL"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.night(4)
    (home.place / "lost+found").mkdir()
    return home


def test_what_lies_in_a_folder_that_is_closed_is_not_taken_for_gone(home: Home) -> None:
    inner = home.place / "lost+found"
    for path in home.place.rglob("*.csv.gz"):
        path.rename(inner / path.name)
    home.night(5)
    with home.engine() as engine, no_rights_of_root():
        assert home.fetch(engine).loaded == 4
        inner.chmod(0)
        (home.place / "tab\there").write_text("x")
        assert not can_be_read(inner)
        report = home.fetch(engine)
        assert (report.error, report.listed, report.new, report.passed_over) == (None, 2, 0, 2)
        assert [problem.split(" was ")[0] for problem in report.problems] == ["lost+found/", "tab\\there"]
        assert "2 passed over" in report.sentence()
        assert rows(engine, GONE) == []
        noted = rows(engine, "SELECT name, seen_in FROM sync_drift WHERE kind = 'passed over' ORDER BY name")
        assert noted == [("lost+found/", str(home.place)), ("tab\\there", str(home.place))]
        inner.chmod(0o755)
        for path in inner.glob("contact_*"):
            path.unlink()
        assert home.fetch(engine).passed_over == 1
        assert len(rows(engine, GONE)) == 1


def test_files_that_may_not_be_read_stop_no_other(home: Home) -> None:
    """However many: that permission is denied says nothing of the place."""
    for day in (5, 6, 7):
        home.night(day)
    closed = sorted(home.place.rglob("*_2026-02-0[56]*"))
    for path in closed:
        path.chmod(0)
    with home.engine() as engine, no_rights_of_root():
        report = home.fetch(engine)
        assert (report.error, report.loaded, report.failed) == (None, 4, 4)
        assert all(any(path.name in problem for problem in report.problems) for path in closed)
        for path in closed:
            path.chmod(0o644)
        assert home.fetch(engine).loaded == 4


def test_the_command_names_it_and_ends_with_one(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptsync.fetch.run.settings_of", lambda _: QUICK)
    (home.place / "lost+found").chmod(0)
    with no_rights_of_root():
        result = CliRunner().invoke(main, ["--config", str(home.file), "fetch"], catch_exceptions=False)
        assert result.exit_code == 1, result.output
        assert "lost+found/ was passed over: the folder cannot be read (Permission denied)" in result.stderr
        (report,) = json.loads(
            CliRunner().invoke(main, ["--config", str(home.file), "fetch", "--json"], catch_exceptions=False).stdout
        )
        assert (report["listed"], report["passed_over"], report["error"]) == (2, 1, None)


@pytest.mark.parametrize("verbose", [(), ("-v",)])
def test_what_is_tried_again_is_told_in_words_or_not_at_all(
    home: Home, monkeypatch: pytest.MonkeyPatch, verbose: tuple[str, ...]
) -> None:
    monkeypatch.setattr("promptsync.fetch.run.settings_of", lambda _: QUICK)
    home.place.rename(home.folder / "away")
    result = CliRunner().invoke(main, ["--config", str(home.file), *verbose, "fetch"], catch_exceptions=False)
    assert result.exit_code == 3
    assert "{" not in result.stderr and "\x1b" not in result.stderr
    assert result.stderr.count("trying_again") == (2 if verbose else 0)
    assert (len(result.stderr.splitlines()) == 1) == (not verbose)
