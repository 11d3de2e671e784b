"""``promptsync fetch`` and ``status``: what they say and how they end."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result
from fetch_home import QUICK, Home

from promptsync.cli import main


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    yield Home(tmp_path)
    structlog.reset_defaults()


def run(home: Home, *args: str) -> Result:
    return CliRunner().invoke(main, ["--config", str(home.file), *args], catch_exceptions=False)


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of a test are written once."""
    monkeypatch.setattr("promptsync.fetch.run.settings_of", lambda _: QUICK)


def test_it_says_what_it_fetched_and_ends_with_zero(home: Home) -> None:
    home.night(4)
    result = run(home, "fetch")
    assert result.exit_code == 0, result.output
    assert "contact_" in result.output
    assert str(home.place) in result.output
    (report,) = json.loads(run(home, "fetch", "--json").stdout)
    assert (report["listed"], report["new"]) == (2, 0)


def test_it_ends_with_three_if_a_place_cannot_be_reached(home: Home) -> None:
    home.place.rmdir()
    result = run(home, "fetch")
    assert result.exit_code == 3
    assert "is it mounted" in result.output


def test_it_ends_with_one_if_a_person_must_look(home: Home) -> None:
    path = home.night(4)[0]
    path.write_bytes(path.read_bytes()[:-20])
    result = run(home, "fetch")
    assert result.exit_code == 1
    assert "incoming/held" in result.output


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("nowhere",), "is none of"),
        (("--since", "yesterday"), "is not a date"),
        (("--since", "26-2-4"), "not a date"),
    ],
)
def test_it_ends_with_two_for_wrong_use(home: Home, args: tuple[str, ...], says: str) -> None:
    result = run(home, "fetch", *args)
    assert result.exit_code == 2
    assert says in result.output


def test_without_a_place_it_says_how_to_add_one(home: Home) -> None:
    home.file.write_text("")
    result = run(home, "fetch")
    assert result.exit_code == 2
    assert "[[nightly]]" in result.output


def test_a_source_is_named_by_a_part_of_it_and_since_limits(home: Home) -> None:
    home.night(4)
    home.night(5)
    (report,) = json.loads(run(home, "fetch", "place", "--since", "2026-02-05", "--json").stdout)
    assert report["loaded"] == 2


def test_status_names_nights_that_are_missing_and_the_last_success(home: Home) -> None:
    run(home, "fetch")
    (source,) = json.loads(run(home, "status", "--json").stdout)["sources"]
    assert source["missing"] == []
    for day in (4, 6):
        home.night(day)
    home.night(5, ("opt_out",))
    run(home, "fetch")
    (source,) = json.loads(run(home, "status", "--json").stdout)["sources"]
    assert source["outcome"] == "done"
    assert source["age_hours"] < 1
    assert source["newest_missing"] is True
    text = run(home, "status").output
    assert "does not have the newest night" in text
    assert "fetched from" in text
