"""Whoever a lake has forgotten stays away, whatever comes in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from promptsync.config import load_config
from promptsync.lake import delta
from promptsync.lake.engine_duckdb import DuckDBEngine
from promptsync.lake.lake import Lake, Wanted
from promptsync.lake.lines import line_of
from promptsync.lake.opening import open_lake
from promptsync.lake.run import run as run_lake
from promptsync.lake.storage import Storage
from promptsync.lake.tables import Tables
from promptsync.model import Identity
from tests.people.people_world import AL, BO, CY, OWN, Someone

from .club import fill_mirror, lines, put_deliveries, put_files
from .home import Home

RECORDS = ("message", "conversation", "conversation_config", "scheduled_message", "instant_app", "upload")
KINDS = ((Identity.PHONE, "phone"), (Identity.EMAIL, "email"), (Identity.CIO, "cio"))


@pytest.fixture(scope="module")
def club(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill_mirror(tmp_path_factory.mktemp("club"))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    assert home.run("init").exit_code == 0
    return home


def forget(lake: Lake, someone: Someone) -> None:
    """Put them on the list, and remove nothing."""
    known = [(kind.value, getattr(someone, name)) for kind, name in KINDS]
    known += [
        ("contact", str(someone.number)),
        ("customer_id", f"{someone.word}-id"),
        ("qlara_id", f"q-{someone.word}"),
    ]
    known += [(table, str(someone.number * 10_000 + n)) for table in RECORDS for n in (7, *OWN)]
    known += [("cio_deliveries", f"{someone.word} delivery_id"), ("cio_subjects", f"{someone.word} subject_name")]
    lake.people.begin(1, lake.clock(), "asked", known)


def told(home: Home, someone: Someone) -> set[str]:
    """The tables that say anything of somebody."""
    found = set()
    for folder in (home.folder / "lake" / "tables").iterdir():
        text = repr(home.rows(folder.name)).encode()
        found |= {folder.name} if any(word in text for word in someone.canaries) else set()
    return found


def test_nothing_of_them_comes_in(home: Home, club: Path) -> None:
    """By no night, change set, export or delivery. Of a delivery about several people the others' items keep the
    numbers that they had."""
    lake = open_lake(load_config(home.config))
    put_files(club, home)
    put_deliveries(home)
    forget(lake, BO)
    home.run("run")
    assert told(home, BO) == set()
    assert len(told(home, AL)) > 30 and told(home, AL) == told(home, CY)
    *_, batch = (line for line in map(line_of, lines()) if line.delivery.path == "customer/optOut")
    assert {row["item"] for row in home.rows("opt_out_change") if row["event_id"] == batch.id} == {1, 2}
    assert home.rows("sync_run")[0]["inputs"] == len({row["name"] for row in home.rows("sync_input")})


@pytest.mark.parametrize("before", [False, True], ids=["no table yet", "a table"])
def test_a_run_that_has_decoded_them_before_begins_anew(
    home: Home, club: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """They are put on the list when it has read a table and is about to commit to it."""
    lake, engine, original = (
        open_lake(load_config(home.config)),
        DuckDBEngine(home.folder / "scratch", 1),
        Tables.commit,
    )
    if before:
        put_deliveries(home, "others", [AL, CY], "customer/")
        home.run("run")
    put_deliveries(home, "all", paths="customer/")
    commits = list[str]()

    def commit(self: Tables, table: Any, *args: Any) -> int:
        commits.append(table.name)
        if commits[-1] == "contact" and commits.count("contact") == 1:
            forget(lake, BO)
        return original(self, table, *args)

    monkeypatch.setattr(Tables, "commit", commit)
    run_lake(lake, engine, Wanted())
    engine.close()
    assert commits.count("contact") == 2 and "contact" in told(home, AL)
    earlier = commits[: commits.index("contact")]  # what the erasure then removes
    assert told(home, BO) <= {*earlier, "sync_full_list", "sync_reject"} and "contact" not in earlier


@pytest.mark.parametrize("when", ["about to commit", "about to read"])
def test_a_run_and_an_erasure_at_once_leave_nothing(
    home: Home, club: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """All of the erasure happens when the run has looked at a table, or has put its files there."""
    lake, engine = open_lake(load_config(home.config)), DuckDBEngine(home.folder / "scratch", 1)
    put_deliveries(home, "all", paths="customer/")
    home.run("run")
    put_files(club, home, "contact*")
    erased = list[int]()

    def erasing(original: Any, is_it: Callable[[tuple[Any, ...]], bool]) -> Any:
        def after(*args: Any) -> Any:
            if not erased and is_it(args):
                erased.append(0)
                erased[0] = home.run("erase", "--contact", BO.number, "--yes").exit_code
            return original(*args)

        return after

    if when == "about to commit":
        commit = erasing(delta.commit, lambda args: args[1] == "contact")
        monkeypatch.setattr("promptsync.lake.tables.commit", commit)
    else:
        monkeypatch.setattr(Storage, "get", erasing(Storage.get, lambda args: "/contact/" in args[1]))
    run_lake(lake, engine, Wanted())
    engine.close()
    assert erased == [0] and told(home, BO) == set() and told(home, AL) == told(home, CY)
    files = [path.read_bytes() for path in (home.folder / "lake").rglob("*.jsonl")]
    assert not [word for content in files for word in BO.canaries if word in content]
    assert home.run("run").exit_code == 0
