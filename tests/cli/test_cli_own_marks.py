"""What Customer.io writes to see whether it may is called that, wherever it is met, and nothing is wrong with it."""

import asyncio
import json
from pathlib import Path

import pytest
from cli_place import Place

from promptsync.clock import system_clock
from promptsync.drop.intake import DropIntake
from promptsync.engine.engine import Engine
from promptsync.store import ledger

WORDS = "cio-validate is Customer.io's own check that it may write here"


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    path = tmp_path / "bucket" / "cio-validate"
    path.parent.mkdir()
    path.touch()
    return path


@pytest.mark.parametrize("of_folder", [False, True])
def test_load(place: Place, mark: Path, of_folder: bool) -> None:
    given = mark.parent if of_folder else mark
    result = place.run("load", given)
    assert result.exit_code == 0 and result.stderr == "" and WORDS in result.stdout
    (file,) = json.loads(place.run("load", given, "--json").stdout)
    assert (file["state"], file["reason"]) == ("ignored", "own_mark") and file["error"].startswith(WORDS)
    assert place.rows("SELECT * FROM sync_file") == []


@pytest.mark.parametrize("section", ["nightly", "customerio"])
def test_fetch_and_status(place: Place, mark: Path, section: str) -> None:
    place.edit(r"\Z", f'\n[[{section}]]\nlocation = "{mark.parent}"\n')
    result = place.run("fetch")
    assert result.exit_code == 0 and result.stderr == "" and WORDS in result.stdout
    (report,) = json.loads(place.run("fetch", "--json").stdout)
    assert (report["own_marks"], report["strangers"], report["listed"]) == (1, 0, 0)
    assert place.rows("SELECT name FROM sync_drift") == []
    assert place.rows("SELECT DISTINCT message FROM sync_run") == [
        ("0 files there, 0 new, 0 loaded, 1 written by the vendor for itself.",)
    ]


def test_drop(place: Place, mark: Path) -> None:
    with Engine(place.config) as engine:
        outcome = asyncio.run(DropIntake(engine)(mark))
    assert outcome.state == "ignored" and outcome.reason.startswith(WORDS)


def test_status_of_a_mirror_that_called_it_a_stranger(place: Place, mark: Path) -> None:
    for name in (mark.name, "people.txt"):
        (place.folder / name).touch()
        row = {
            "source": "load",
            "name": name,
            "path": str(place.folder / name),
            "state": "ignored",
            "error": f"{name} says nothing.",
        }
        with Engine(place.config) as engine:
            engine.mirror.writer.run(
                lambda connection, row=row: ledger.insert(
                    connection, "sync_file", row | {"seen_at": str(system_clock())}
                )
            )
    problems = json.loads(place.run("status", "--json").stdout)["problems"]
    assert ["people.txt" in problem for problem in problems].count(True) == 1
    assert not any(mark.name in problem for problem in problems)
