"""Forgetting a person in a lake, from outside: what the command says, and every byte below the lake's root."""

import gzip
import json
import shutil
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable

from promptsync.cli import main
from promptsync.config import load_config
from promptsync.daemon.operations import OPERATIONS
from promptsync.engine.engine import Engine
from promptsync.lake import delta
from promptsync.lake.finding import Named, finder, start_of
from promptsync.lake.opening import open_lake
from promptsync.lake.storage import Storage
from promptsync.model import Role
from promptsync.people.find import Person, archive_of, person_of
from promptsync.vendors import declared_schema
from tests.people.people_world import AL, BO, CY, ORG, Someone, config

from .club import fill_mirror, lines, put_deliveries, put_files, put_odd_files
from .home import Home, unlike


@pytest.fixture(scope="module")
def club(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill_mirror(tmp_path_factory.mktemp("club"))


@pytest.fixture(scope="module")
def filled(club: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("filled") / "home")
    home.run("init")
    put_files(club, home)
    put_deliveries(home)
    home.run("run")
    leave_older_versions(club, home)
    return home


def leave_older_versions(club: Path, home: Home) -> None:
    """A second run, with rejects and held files, two checkpoints, and files of runs that were killed."""
    tables = home.folder / "lake" / "tables"
    DeltaTable(tables / "contact").create_checkpoint()
    put_odd_files(club, home)
    home.run("run")
    DeltaTable(tables / "contact").create_checkpoint()
    part = next((tables / "contact").glob("_bucket=*/*/*.parquet"))
    shutil.copy(part, tables / "contact" / "_bucket=1" / "killed.parquet")
    (tables.parent / "parts" / "killed").mkdir(parents=True)
    shutil.copy(part, tables.parent / "parts" / "killed" / "one.parquet")


def counted(person: Person) -> dict[str, Any]:
    """Their rows by table: the keys, or how many, where those are numbered in each place in its own way."""
    happened = {table.name for table in declared_schema() if table.role is Role.HAPPENED}
    own = "sync_full_list"  # which a lake keeps with its ledger
    return {t: len(rows) if t in happened else set(rows) for t, rows in person.rows.items() if t != own}


def found_in_lake(home: Home, named: Named) -> Person:
    with finder(open_lake(load_config(home.config)).knowing()) as found:
        return found.person(lambda archive: [start_of(archive, named)], named.candidates)


def test_whoever_is_meant_is_found_as_in_a_mirror(filled: Home, club: Path) -> None:
    named = Named(customers=(BO.cio,))
    person = found_in_lake(filled, named)
    with Engine(config(club)) as engine, engine.mirror.reading_apart() as connection:
        archive = archive_of(connection, engine.config, engine.plugins.extensions, engine.plugins.reading)
        expected = person_of(archive, [start_of(archive, named)])
    assert person.identifiers == expected.identifiers and person.records == expected.records
    assert [one.because for one in person.doubts] == [one.because for one in expected.doubts]
    assert counted(person) == counted(expected)


def said(folder: Path) -> bytes:
    """Every byte of every file, and what those of Parquet and gzip hold."""
    found = list[bytes]()
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        content = path.read_bytes()
        found += [str(path).encode(), content]
        if content[:4] == b"PAR1":
            found.append(repr(pq.read_table(path, partitioning=None).to_pylist()).encode())
        elif content[:2] == b"\x1f\x8b":
            with suppress(EOFError):
                found.append(gzip.decompress(content))
    return b"\n".join(found)


def rows(home: Home) -> dict[str, list[str]]:
    """Every row of the mirrored tables, as text."""
    tables = [table.name for table in declared_schema() if table.role is not Role.OWN]
    return {name: sorted(map(repr, home.rows(name))) for name in tables}


def of(someone: Someone, content: bytes) -> list[bytes]:
    return [word for word in someone.canaries if word in content]


@pytest.fixture
def home(filled: Home, tmp_path: Path) -> Home:
    shutil.copytree(filled.folder, tmp_path / "home")
    return Home(tmp_path / "home")


def test_no_byte_is_left_and_others_keep_every_row(home: Home) -> None:
    root, before = home.folder / "lake", rows(home)
    assert len(of(BO, said(root))) == len(BO.canaries)
    result = home.run("erase", "--phone", BO.phone, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    wanted = json.loads(result.stdout)
    assert rows(home) == before and not (root / "tables" / "sync_erased").exists()
    result = home.run("erase", "--phone", BO.phone, "--yes", "--json")
    assert result.exit_code == 0, result.output
    done = json.loads(result.stdout)
    assert done == wanted | {"id": 1}
    assert of(BO, said(root)) == []
    left = {name: [r for r in some if not of(BO, r.encode())] for name, some in before.items()}
    assert rows(home) == left
    assert len(of(AL, said(root))) == len(AL.canaries)
    gone = {name: len(some) - len(left[name]) for name, some in before.items() if len(some) > len(left[name])}
    assert {name: count for name, count in done["tables"].items() if name in before} == gone
    again = home.run("erase", "--phone", BO.phone, "--yes")
    assert again.exit_code == 0 and "Nothing is held of this person." in again.output
    listed = json.loads(home.run("erase", "list", "--json").stdout)
    assert [(one["id"], one["tables"], one["files"]) for one in listed] == [(1, done["tables"], len(done["files"]))]
    assert listed[0]["finished_at"] and listed[0]["undone_at"] is None


def test_killed_again_and_again_it_is_carried_out_in_the_end(
    club: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a later change of anything below the root each time, by whoever erases next: here somebody else is erased."""
    home = Home(tmp_path / "home")
    home.run("init")
    put_files(club, home, "contact*")
    put_deliveries(home, paths="customer/")
    home.run("run")
    before, root, left = rows(home), home.folder / "lake", [0]

    def counting(original: Any) -> Any:
        def changing(*args: Any, **more: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                sys.exit(9)
            return original(*args, **more)

        return changing

    with monkeypatch.context() as patched:
        for owner, name in ((Storage, "put"), (Storage, "delete"), (Storage, "rewrite"), (delta, "commit")):
            patched.setattr(owner, name, counting(getattr(owner, name)))
        for left[0] in (1, 3, 12, 30):
            assert home.run("erase", "--contact", BO.number, "--yes").exit_code == 9
    assert "erase --resume' finishes it." in home.run("status").stderr
    assert home.run("erase", "--contact", CY.number, "--yes").exit_code == 0
    assert of(BO, said(root)) == of(CY, said(root)) == []
    kept = {name: [r for r in some if not of(BO, r.encode()) + of(CY, r.encode())] for name, some in before.items()}
    assert rows(home) == kept
    assert home.run("erase", "list").exit_code == 0 and home.run("erase", "--resume").exit_code == 0
    put_deliveries(home, "once more", paths="customer/")
    (root / "deliveries" / "damaged.jsonl").write_text(json.dumps({"to": BO.phone}) + "\n")
    assert home.run("run").exit_code == 1 and rows(home) == kept
    assert of(BO, said(root)) == of(CY, said(root)) == []
    assert home.run("run").exit_code == 0 and "0 files, 0 tables" in home.run("run").output


def test_a_mirror_pulled_out_of_it_has_forgotten_them_too(club: Path, tmp_path: Path) -> None:
    """It is the one in which they were erased, but for the messages by day, which a lake does not keep. What comes
    there later leaves them out as well."""
    home = Home(tmp_path / "home")
    home.run("init")
    put_files(club, home)
    put_deliveries(home)
    home.run("run")
    home.run("erase", "--contact", BO.number, "--yes")
    put_deliveries(home, "once more")  # which no run has seen yet
    pulled, mirror = tmp_path / "pulled", shutil.copytree(club, tmp_path / "mirror")
    assert home.run("pull", ORG, pulled).exit_code == 0
    with Engine(config(mirror)) as engine:
        OPERATIONS["erase"](engine, {"starts": [[["contact", str(BO.number)]]], "why": "asked"}, lambda _: None)
    where = mirror / "data" / "mirror.db", pulled / "data" / "mirror.db"
    assert unlike(*where) == {"day_count", "contact", "sync_event"}
    for differs in (  # a night that the mirror alone was given, and what is no JSON, which is not pulled
        "SELECT id, display_name, phone FROM contact WHERE id > 1000 ORDER BY id",
        "SELECT received_at, path, body FROM sync_event WHERE state <> 'failed' ORDER BY received_at",
    ):
        assert ask(where[0], differs) == ask(where[1], differs)
    assert of(BO, said(pulled)) == []
    (tmp_path / "again.jsonl").write_text("\n".join(lines()))
    for command in (
        ("events", "import", tmp_path / "again.jsonl"),
        ("load", *(club / "drop" / "done").glob("contact*")),
    ):
        CliRunner().invoke(main, ["--config", str(pulled / "promptsync.toml"), *map(str, command)])
    assert of(BO, where[1].read_bytes()) == []


def test_a_mirror_that_is_pushed_has_them_erased_there_too(club: Path, tmp_path: Path) -> None:
    """One that has forgotten them since it was pushed, and cut its deliveries. One that has not brings nothing back."""
    home = Home(tmp_path / "home")
    home.run("init")
    shutil.copytree(club / "data", home.folder / "data")
    assert home.run("push").exit_code == 0
    before = rows(home)
    with Engine(config(home.folder)) as engine:
        OPERATIONS["erase"](engine, {"starts": [[["contact", str(BO.number)]]], "why": "asked"}, lambda _: None)
    kept = {name: [r for r in some if not of(BO, r.encode())] for name, some in before.items()}
    done = json.loads(home.run("push", "--json").stdout)
    assert (done["erasures"], done["erasures_stay"], done["deliveries"]) == (1, 0, 0)
    assert of(BO, said(home.folder / "lake")) == [] and rows(home) == kept
    assert home.run("erase", "list").exit_code == 0
    whole = Home(tmp_path / "whole", location=str(home.folder / "lake"))
    shutil.copytree(club / "data", whole.folder / "data")
    done = json.loads(whole.run("push", "--json").stdout)
    assert (done["erasures"], done["deliveries"]) == (0, 0)
    assert of(BO, said(home.folder / "lake")) == [] and rows(home) == kept


def ask(mirror: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(mirror)) as connection:
        return connection.execute(sql).fetchall()
