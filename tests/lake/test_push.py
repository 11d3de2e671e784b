"""The mirror that is here into a lake, and back."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings

from promptsync.cli import main
from promptsync.lake.folding import Folding
from promptsync.lake.storage import Storage
from promptsync.vendors import declared_schema
from tests.merge.driver import Driver, Load
from tests.merge.files import write_file
from tests.merge.test_convergence import run
from tests.merge.world import World, worlds

from .home import Home, differing, unlike
from .test_run import COLUMNS, tags


def mirror_at(home: Home, name: str = "data") -> Path:
    """A home whose configuration names a mirror; where that is."""
    path = home.folder / name / "mirror.db"
    path.parent.mkdir(exist_ok=True)
    text = home.config.read_text().replace("[mirror]\n", f'[mirror]\ndatabase = "{path}"\n', 1)
    home.config.write_text(text)
    return path


def command(home: Home, *args: object) -> None:
    result = CliRunner().invoke(main, ["--config", str(home.config), *map(str, args)], catch_exceptions=False)
    assert result.exit_code == 0, result.output


def everything(home: Home) -> dict[str, list[str]]:
    """Every table of a lake, its own included, in no order."""
    tables = sorted(path.name for path in (home.folder / "lake" / "tables").iterdir())
    return {name: sorted(repr(sorted(row.items())) for row in home.rows(name)) for name in tables}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    assert home.run("init").exit_code == 0
    return home


DELIVERY = {"received_at": "2026-02-02T12:00:00.000001Z", "type": "customer/optOut"}


def fill(home: Home) -> Path:
    """A mirror with nights, one of them with a column that nobody knows and one without a declared one; deliveries, one
    of which is of what happened."""
    mirror = mirror_at(home)
    without, more = tuple(c for c in COLUMNS if c != "name"), (*COLUMNS, "mood")
    rows = tuple((n, 2, None, None, None) for n in range(1, 7))
    nights = [tags(0, *"abcdefg"), tags(1, *"Abcdef", columns=more), replace(tags(2), columns=without, rows=rows)]
    command(home, "load", *(write_file(home.folder / "files", night) for night in nights))
    body = {"orgId": 1, "customer": {"id": 7, "displayName": "Wilhelmina"}, "type": "GLOBAL"}
    lines = [DELIVERY | {"body": json.dumps(body)}]
    said = {"orgId": 1, "bulkActionId": 5, "status": "SENT", "statusMessage": "x"}
    lines.append({"received_at": "2026-02-02T13:00:00.000001Z", "type": "broadcast/state", "body": json.dumps(said)})
    (home.folder / "events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command(home, "events", "import", home.folder / "events.jsonl")
    return mirror


def test_a_mirror_is_the_same_in_the_lake_and_back(home: Home, tmp_path: Path) -> None:
    mirror = fill(home)
    before = home.run("push", "--dry-run", "--json")
    assert json.loads(before.stdout)["deliveries"] == 2 and home.rows("contact_tag") == []
    result = home.run("push")
    assert result.exit_code == 0, result.output
    assert differing(home, mirror) == set()
    assert home.run("pull", 1, tmp_path / "pulled").exit_code == 0
    pulled = tmp_path / "pulled" / "data" / "mirror.db"
    assert unlike(mirror, pulled) == set()
    for path in (home.folder / "files").iterdir():  # what the mirror has merged need not be merged again
        (home.incoming / path.name).write_bytes(path.read_bytes())
    files = sorted(path.name for path in (home.folder / "lake" / "tables" / "contact_tag").rglob("*.parquet"))
    taken = json.loads(home.run("run", "--json").stdout)
    assert {row["state"] for row in taken["inputs"]} == {"unchanged"} and taken["tables"] == {}
    assert sorted(path.name for path in (home.folder / "lake" / "tables" / "contact_tag").rglob("*.parquet")) == files
    once = everything(home)
    again = home.run("push", "--json")
    assert again.exit_code == 0 and json.loads(again.stdout)["deliveries"] == json.loads(again.stdout)["files"] == 0
    assert everything(home) == once


def test_what_happened_is_not_told_twice_once_its_delivery_is_swept(home: Home) -> None:
    mirror = fill(home)
    assert home.run("push").exit_code == 0
    once = home.rows("broadcast_change")
    assert len(once) == 1
    with closing(sqlite3.connect(mirror)) as connection, connection:
        connection.execute("DELETE FROM sync_event")
    assert home.run("push").exit_code == 0
    assert home.rows("broadcast_change") == once


def test_deliveries_that_wait_are_applied_by_the_next_run(home: Home) -> None:
    mirror = fill(home)
    with closing(sqlite3.connect(mirror)) as connection, connection:
        connection.execute("DELETE FROM broadcast_change")
        connection.execute("UPDATE sync_event SET state = 'pending' WHERE type = 'broadcast/state'")
    assert json.loads(home.run("push", "--json").stdout)["waiting"] == 1
    assert home.rows("broadcast_change") == []
    assert home.run("run").exit_code == 0
    assert len(home.rows("broadcast_change")) == 1
    assert json.loads(home.run("push", "--json").stdout)["deliveries"] == 0


@pytest.mark.parametrize("first", [3, 12])
def test_an_id_that_two_mirrors_claim_is_the_lower_ones(home: Home, first: int) -> None:
    for org in (first, 15 - first):
        mirror_at(home, f"of_{org}")
        command(home, "load", write_file(home.folder / str(org), tags(0, f"of {org}", org=org)))
        result = home.run("push")
        lines = [line for line in home.config.read_text().splitlines() if not line.startswith("database")]
        home.config.write_text("\n".join(lines))
    assert result.exit_code == 1 and result.stderr.startswith("1 row is a reject: its id is also claimed by")
    assert [(row["org_id"], row["name"]) for row in home.rows("contact_tag")] == [(3, "of 3")]
    reasons = [(row["class"], row["reason"]) for row in home.rows("sync_reject")]
    assert reasons == [("org_collision", "contact_tag 1 belongs to another organization than 12")]


@pytest.mark.parametrize("step", [(Folding, "_fold", 2), (Storage, "add", 1)])
def test_what_was_killed_is_done_by_pushing_again(
    home: Home, step: tuple[Any, str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amid the tables, and between those and the deliveries."""
    mirror, calls = fill(home), list[int]()
    original = getattr(*step[:2])

    def dies(self: Any, *args: Any) -> Any:
        calls.append(1)
        if len(calls) == step[2]:
            raise KeyboardInterrupt
        return original(self, *args)

    with monkeypatch.context() as patched:
        patched.setattr(*step[:2], dies)
        assert CliRunner().invoke(main, ["--config", str(home.config), "lake", "push"]).exit_code == 130
    assert len(calls) >= step[2]
    assert home.run("push").exit_code == 0
    assert differing(home, mirror) == set()
    ledger = home.rows("sync_snapshot")
    assert len(ledger) == len({(row["table"], row["org_id"], row["instant"]) for row in ledger}) == 3


@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(world=worlds())
def test_worlds_are_the_same_there_and_back(
    world: World, empty: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = Home(tmp_path_factory.mktemp("world"))
    home.run("init")
    mirror = mirror_at(home)
    driver = Driver(mirror.parent, empty)
    try:
        plan = [Load(n, {}) for n in range(len(world.inputs))] + [("event", n) for n in range(len(world.events))]
        run(driver, world, plan)
    finally:
        driver.close()
    result = home.run("push")
    assert result.exit_code == 0, result.output
    assert differing(home, mirror) == set()
    before = {table.name: home.rows(table.name) for table in declared_schema()}
    with closing(sqlite3.connect(mirror)) as connection:
        found = connection.execute("SELECT org_id FROM contact UNION SELECT org_id FROM sync_snapshot").fetchall()
    if orgs := sorted({org for (org,) in found} - {0}):
        back = home.folder / "back"
        assert home.run("pull", *orgs, back).exit_code == 0
        home.config.write_text(home.config.read_text().replace(str(mirror), str(back / "data" / "mirror.db")))
        assert home.run("push").exit_code == 0
        for name, rows in before.items():
            assert sorted(map(repr, home.rows(name))) == sorted(map(repr, rows)), name
