"""A mirror out of a lake: what comes along, and what it does with what is merged afterwards."""

import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from promptsync.cli import main
from promptsync.store.search import SearchEntry
from tests.merge.files import write_file

from .home import Home, unlike
from .test_run import COLUMNS, tags


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.run("init")
    return home


def ask(mirror: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(mirror / "data" / "mirror.db")) as connection:
        return connection.execute(sql).fetchall()


def load(mirror: Path, *files: Path) -> str:
    result = CliRunner().invoke(main, ["--config", str(mirror / "promptsync.toml"), "load", *map(str, files)])
    assert result.exit_code == 0, result.output
    return result.output


def test_nights_that_follow_give_what_one_mirror_would_have(home: Home, tmp_path: Path) -> None:
    """Loaded in a mirror that was pulled in between, and in one from the start: with a column split off, one that
    nobody knows, and a row that goes and comes again."""
    without, more = tuple(c for c in COLUMNS if c != "name"), (*COLUMNS, "mood")
    rows = tuple((n, 2, None, None, None) for n in range(1, 8))
    nights = [tags(0, *"abcdefg"), tags(1, *"Abcdef", columns=more), replace(tags(2), columns=without, rows=rows)]
    paths = [write_file(home.incoming if n < 2 else tmp_path, night) for n, night in enumerate(nights)]
    assert home.run("run").exit_code == 0
    result = home.run("pull", 1, tmp_path / "pulled")
    assert result.exit_code == 0, result.output
    whole = tmp_path / "whole"
    CliRunner().invoke(main, ["init", str(whole)])
    (whole / "promptsync.toml").write_text((tmp_path / "pulled" / "promptsync.toml").read_text())
    load(whole, *paths[:2])
    assert unlike(whole / "data" / "mirror.db", tmp_path / "pulled" / "data" / "mirror.db") == set()
    assert "0        0          6" in load(tmp_path / "pulled", paths[1])  # nothing new, nothing to update
    for mirror in (whole, tmp_path / "pulled"):
        load(mirror, paths[2])
    assert unlike(whole / "data" / "mirror.db", tmp_path / "pulled" / "data" / "mirror.db") == set()
    assert ask(whole, "SELECT count(*) FROM contact_tag WHERE contact_id = 2 AND name IS NOT NULL") == [(7,)]


def test_what_was_pulled_can_be_searched(home: Home, tmp_path: Path) -> None:
    """Pages are made of a mirror that nothing else writes: nobody would enter the rows into search later."""
    body = '{"orgId": 1, "customer": {"id": 7, "displayName": "Wilhelmina"}}'
    line = {"received_at": "2026-02-04T00:00:00.000001Z", "type": "customer/added", "body": body}
    (home.incoming.parent / "deliveries" / "some.jsonl").write_text(json.dumps(line) + "\n")
    assert home.run("run").exit_code == 0
    assert home.run("pull", 1, tmp_path / "pulled").exit_code == 0
    assert ask(tmp_path / "pulled", "SELECT rowid FROM contact_fts WHERE contact_fts MATCH 'wilhelmina'") == [(7,)]


def test_an_id_that_two_claim_is_the_lower_ones_and_a_reject(home: Home, tmp_path: Path) -> None:
    for org in (12, 3):
        write_file(home.incoming, tags(0, "a" if org == 3 else "b", org=org))
    home.run("run")
    assert {(row["org_id"], row["name"]) for row in home.rows("contact_tag")} == {(3, "a"), (12, "b")}
    assert "contact_tag: 1 id is claimed by more than one organization" in home.run("status").stderr
    write_file(home.incoming, tags(1, "a"))
    shown = json.loads(home.run("status", "--json").stdout)
    assert shown["claimed_twice"] == {"contact_tag": 1}
    assert shown["backlog"]["files"] == 1 and shown["backlog"]["bytes"] > 0 and shown["backlog"]["oldest"]
    result = home.run("pull", 12, 3, tmp_path / "both")
    assert result.exit_code == 1 and result.stderr.startswith("1 row is a reject: its id is also claimed by")
    assert ask(tmp_path / "both", "SELECT org_id, name FROM contact_tag") == [(3, "a")]
    reasons = ask(tmp_path / "both", "SELECT class, reason FROM sync_reject")
    assert reasons == [("org_collision", "contact_tag 1 belongs to another organization than 12")]
    result = home.run("pull", 99, tmp_path / "none")
    assert result.exit_code == 2 and "no rows of organization 99" in result.stderr
    assert not (tmp_path / "none").exists()


def test_what_was_not_pulled_to_its_end_is_pulled_anew(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there of it looks like no mirror, and keeps nobody from trying again; a mirror that is there stays."""
    write_file(home.incoming, tags(0, "a"))
    home.run("run")
    pulled = tmp_path / "pulled"
    with monkeypatch.context() as patched:
        patched.setattr(SearchEntry, "enter_missing", lambda *_: sys.exit(9))
        assert home.run("pull", 1, pulled).exit_code == 9
    assert not (pulled / "promptsync.toml").exists() and not (pulled / "data").exists()
    assert home.run("pull", 1, pulled).exit_code == 0
    assert ask(pulled, "SELECT name FROM contact_tag") == [("a",)]
    assert sorted(path.name for path in pulled.iterdir()) == ["data", "drop", "promptsync.toml", "webhook.secret"]
    (pulled / "promptsync.toml").unlink()
    result = home.run("pull", 1, pulled)
    assert result.exit_code == 2 and f"{pulled / 'data'} is there already" in result.stderr
