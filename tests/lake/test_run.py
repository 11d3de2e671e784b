"""A lake from outside: what a person puts into it, what the commands say, what its tables hold."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from promptsync.clock import iso_micros
from promptsync.config import load_config
from promptsync.lake.engine_duckdb import DuckDBEngine
from promptsync.lake.inputs import Input
from promptsync.lake.lake import Wanted
from promptsync.lake.opening import open_lake
from promptsync.lake.parts import Decoded, Decoder
from promptsync.lake.run import run as run_lake
from promptsync.lake.scratch import scratch_folder
from promptsync.lake.tables import Present, Tables
from tests.merge.files import write_file
from tests.merge.model import File
from tests.merge.world_values import NIGHTS

from .home import Home

COLUMNS = ("id", "contact_id", "name", "created_timestamp", "updated_timestamp", "deleted_timestamp")


def tags(night: int, *names: str, columns: tuple[str, ...] = COLUMNS, org: int = 1) -> File:
    rows = tuple((n, 1, name, None, None, None, *("calm" for _ in columns[6:])) for n, name in enumerate(names, 1))
    return File("contact_tag", org, NIGHTS[night], columns, rows)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    assert home.run("init").exit_code == 0
    return home


def present(home: Home) -> Present | None:
    lake = open_lake(load_config(home.config))
    return lake.tables.present(lake.schema["contact_tag"])


def log(table: Path) -> str:
    """The text of a Delta table's log."""
    return "\n".join(path.read_text() for path in sorted((table / "_delta_log").glob("*.json")))


def state(home: Home) -> dict[int, tuple[str, str | None]]:
    return {row["id"]: (row["name"], row["_absent_since"]) for row in home.rows("contact_tag")}


def test_nights_become_rows_and_what_the_next_one_lacks_is_absent(home: Home) -> None:
    write_file(home.incoming, tags(0, "a", "b", "c", "d", "e", "f"))
    assert home.run("run", "--dry-run").exit_code == 0
    assert home.rows("contact_tag") == [] and len(json.loads(home.run("status", "--json").stdout)["waiting"]) == 1
    assert home.run("run").exit_code == 0
    write_file(home.incoming, tags(1, "A", "b", "c", "d", "e", columns=(*COLUMNS, "mood")))
    assert home.run("run").exit_code == 0
    gone = "2026-02-02T08:00:00.000Z"
    assert state(home) == {n: (name, None) for n, name in enumerate("Abcde", 1)} | {6: ("f", gone)}
    assert {row["mood"] for row in home.rows("contact_tag")} == {"calm", None}
    assert [row["name"] for row in home.rows("sync_drift")] == ["mood"]
    version = present(home)
    assert home.run("run").exit_code == 0
    again = present(home)
    assert version and again and version.files == again.files
    shown = json.loads(home.run("status", "--json").stdout)
    assert shown["tables"] == [{"table": "contact_tag", "rows": 6, "newest": {"1": gone}}]
    assert "contact_tag" in home.run("tables", "--for", "trino").stdout


@pytest.mark.parametrize("together", [True, False], ids=["in one run", "in two"])
def test_a_night_that_lacks_too_much_is_held_until_it_is_accepted(home: Home, together: bool) -> None:
    """Judged by the night before, wherever that is. Until then nothing of it counts."""
    write_file(home.incoming, tags(0, "a", "b", "c", "d"))
    if not together:
        home.run("run")
    held = write_file(home.incoming, tags(1, "z", "b", "c"))
    result = home.run("run")
    assert result.exit_code == 1
    lacks = "It has 3 rows, the snapshot before it had 4."
    accept = f"promptsync lake run --accept incoming/{held.name}"
    assert f"{lacks} If it is right all the same: {accept}\n" in result.stderr
    assert state(home)[1] == ("a", None) and home.run("status").exit_code == 1
    assert home.run("run").exit_code == 0 and state(home)[1] == ("a", None)
    assert home.run(*accept.split()[2:]).exit_code == 0
    assert state(home)[1] == ("z", None) and state(home)[4][1] is not None
    assert home.run("status").exit_code == 0


def test_a_file_replaces_that_of_the_same_night_if_a_person_says_so(home: Home) -> None:
    """Else the two are claims of one time, and the greater value counts."""
    night = write_file(home.incoming, tags(0, "z", "b"))
    result = home.run("run", "--corrects", night.name)
    assert result.exit_code == 2 and "replaces nothing" in result.stderr
    home.run("run")
    write_file(home.incoming, tags(0, "a", "b"))
    home.run("run")
    assert state(home)[1] == ("z", None)
    assert home.run("run", "--corrects", night.name).exit_code == 0
    assert state(home) == {1: ("a", None), 2: ("b", None)}
    assert home.run("run", "--corrects", "nobody.csv").exit_code == 2


def test_rows_are_compared_by_key(home: Home) -> None:
    write_file(home.incoming, tags(0, *"abcdefghij"))
    home.run("run")
    rows = tuple((100 + n, 1, "new", None, None, None) for n in range(10))
    write_file(home.incoming, File("contact_tag", 1, NIGHTS[1], COLUMNS, rows))
    result = home.run("run")
    assert result.exit_code == 1 and "It lacks 10 of the 10 rows that the snapshot before it had." in result.stderr


def test_bad_rows_and_lines_are_kept_and_the_rest_is_merged(home: Home) -> None:
    bad = {"received_at": iso_micros(NIGHTS[0]), "path": "customer/added", "body": "no JSON"}
    strange = bad | {"path": "nobody/knows", "body": '{"orgId": 1}'}
    path = home.folder / "lake" / "deliveries" / "some.jsonl"
    path.write_text("\n".join([json.dumps(bad), json.dumps(strange), "{}"]))
    (home.incoming / "holiday.png").write_text("x")
    result = home.run("run")
    assert result.exit_code == 1 and "holiday.png" in result.stderr
    reasons = sorted(row["reason"] for row in home.rows("sync_reject"))
    assert len(reasons) == 2 and "the body is not JSON" in reasons[0] and reasons[1].startswith("Line 3 is no delivery")
    assert [(row["kind"], row["name"]) for row in home.rows("sync_drift")] == [("event type", "nobody/knows")]
    assert home.run("run", "--discard", "holiday.png").exit_code == 0
    assert home.run("status").exit_code == 0


def test_what_a_delivery_does_not_touch_is_not_rewritten(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only files that could hold one of its ids; rows with new ids make a file of their own. A column that is new is
    the exception: it rewrites the bucket."""
    monkeypatch.setattr("promptsync.lake.tables.SMALL_ROWS", 0)
    monkeypatch.setattr("promptsync.lake.engine_duckdb.SHELF_ROWS", 2)
    lake = open_lake(load_config(home.config))

    def deliver(number: int, *ids: int) -> None:
        bodies = [json.dumps({"orgId": 1, "bulkActionId": n, "status": "SENT", "statusMessage": "x"}) for n in ids]
        lines = [
            {"received_at": iso_micros(NIGHTS[1] + n), "path": "broadcast/state", "body": b}
            for n, b in enumerate(bodies)
        ]
        (home.folder / "lake" / "deliveries" / f"{number}.jsonl").write_text("\n".join(map(json.dumps, lines)))
        assert home.run("run").exit_code == 0

    def files() -> list[tuple[Any, Any, str]]:
        present = Tables(lake.storage).present(lake.schema["broadcast"])
        return sorted((file.low, file.high, file.key) for file in present.files) if present else []

    rows = tuple((n, f"b{n}") for n in range(10, 16))
    write_file(home.incoming, File("broadcast", 1, NIGHTS[0], ("id", "description"), rows))
    assert home.run("run").exit_code == 0
    before = files()
    assert [(low, high) for low, high, _ in before] == [(10, 11), (12, 13), (14, 15)]
    deliver(1, 13, 13)
    after = files()
    assert (after[0], after[2]) == (before[0], before[2]) and after[1][:2] == (12, 13) and after[1] != before[1]
    deliver(2, 20)
    assert files()[:3] == after and files()[3][:2] == (20, 20)
    found = {row["id"]: (row["description"], row["status"]) for row in home.rows("broadcast")}
    sent = {13: ("b13", "SENT"), 20: (None, "SENT")}
    assert found == {n: (f"b{n}", None) for n in range(10, 16)} | sent and len(home.rows("broadcast")) == 7
    write_file(
        home.incoming, File("broadcast", 1, NIGHTS[1], ("id", "description", "mood"), tuple((*r, "m") for r in rows))
    )
    assert home.run("run").exit_code == 0
    assert {row["mood"] for row in home.rows("broadcast")} == {"m", None} and len(home.rows("broadcast")) == 7


def test_files_of_deliveries_are_kept_for_a_month_once_folded(home: Home) -> None:
    folder = home.folder / "lake" / "deliveries"
    old = time.time() - 40 * 24 * 3600
    for name, age in (("old", old), ("new", time.time())):
        (folder / f"{name}.jsonl").write_text("")
        os.utime(folder / f"{name}.jsonl", (age, age))
    kept = write_file(home.incoming, tags(0, "a"))
    os.utime(kept, (old, old))
    home.run("run", "--dry-run")
    assert len(list(folder.iterdir())) == 2
    home.run("run")
    assert [path.name for path in folder.iterdir()] == ["new.jsonl"] and kept.exists()


def test_what_has_not_counted_for_a_week_is_deleted(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of older versions, and of a commit that was refused; and the many small files of the ledger become one."""
    monkeypatch.setattr("promptsync.lake.ledger._MOST_FILES", 1)
    table = home.folder / "lake" / "tables" / "contact_tag" / "_bucket=1"
    for night in range(3):
        write_file(home.incoming, tags(night, *"abcdef"))
        if night == 2:
            old = time.time() - 8 * 24 * 3600
            (table / "refused.parquet").write_bytes(b"")
            for path in table.rglob("*.parquet"):
                os.utime(path, (old, old))
            monkeypatch.setattr("promptsync.lake.tables.KEPT_HOURS", 0)  # the log's own clock cannot be turned back
        assert home.run("run").exit_code == 0
    assert len(list(table.rglob("*.parquet"))) == 1 and len(home.rows("contact_tag")) == 6
    assert len(home.rows("sync_input")) == 3
    assert len(DeltaTable(home.folder / "lake" / "tables" / "sync_input").file_uris()) == 1


def test_deltas_log_says_nothing_of_anybody(home: Home) -> None:
    """It outlives the rows: no text of a reject or an input stands in its statistics, and no text that is an id."""
    line = {"received_at": iso_micros(NIGHTS[0]), "path": "customer/added", "body": "Wilhelmina"}
    (home.folder / "lake" / "deliveries" / "some.jsonl").write_text(json.dumps(line))
    stamp = pa.array([NIGHTS[0]], pa.timestamp("us", "UTC"))
    people = {"workspace_id": [7], "internal_customer_id": ["0300abcdef"], "customer_id": ["ada"], "updated_at": stamp}
    pq.write_table(pa.table(people), home.incoming / "people_v5_7_1.parquet")
    result = home.run("run")
    assert result.exit_code == 1 and not result.stderr
    assert [row["customer_id"] for row in home.rows("cio_people")] == ["ada"]
    assert b"Wilhelmina" in home.rows("sync_reject")[0]["original"]
    tables = [home.folder / "lake" / "tables" / name for name in ("sync_reject", "sync_input", "cio_people")]
    logs = "".join(map(log, tables))
    assert logs.count("numRecords") == 3
    assert not [word for word in ("Wilhelmina", "0300abcdef", "some.jsonl", "people_v5") if word in logs]


@pytest.mark.parametrize("before", [False, True], ids=["no table yet", "a table"])
def test_of_two_runs_at_once_the_second_folds_onto_the_first(
    home: Home, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """One has read the table, even that there is none, when the other commits to it: nothing of either is lost, and no
    row is there twice."""
    lake, engine, original = (
        open_lake(load_config(home.config)),
        DuckDBEngine(home.folder / "scratch", 1),
        Tables.commit,
    )
    commits = list[int]()

    def commit(self: Tables, *args: Any) -> int:
        commits.append(1)
        if len(commits) == 1:
            write_file(home.incoming, tags(2, *"Abcde"))
            run_lake(lake, engine, Wanted())
        return original(self, *args)

    if before:
        write_file(home.incoming, tags(0, *"abcde"))
        home.run("run")
    write_file(home.incoming, tags(1, *"aBcdef"))
    monkeypatch.setattr(Tables, "commit", commit)
    run_lake(lake, engine, Wanted())
    engine.close()
    assert len(commits) == 3 and len(home.rows("contact_tag")) == 6
    newest = {n: (name, None) for n, name in enumerate("Abcde", 1)}
    assert state(home) == newest | {6: ("f", "2026-02-03T08:00:00.000Z")}
    table = home.folder / "lake" / "tables" / "contact_tag"
    written = {line["add"]["path"] for text in log(table).splitlines() if "add" in (line := json.loads(text))}
    assert {str(path.relative_to(table)) for path in table.glob("_bucket*/**/*.parquet")} == written


def test_a_job_ends_as_the_command_does(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """But that it returns when all is well, as some that start jobs call every exit a failure."""
    (job,) = (found.load() for found in entry_points(group="console_scripts", name="promptsync-lake"))
    monkeypatch.setattr(sys, "argv", ["promptsync-lake", "--config", str(home.config)])
    write_file(home.incoming, tags(0, "a"))
    job()
    assert state(home) == {1: ("a", None)}
    (home.incoming / "holiday.png").write_text("x")
    with pytest.raises(SystemExit) as ended:
        job()
    assert ended.value.code == 1
    home.config.write_text("")
    with pytest.raises(SystemExit) as ended:
        job()
    assert ended.value.code == 2


def test_without_its_packages_it_says_what_installs_them(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = dict.fromkeys(("duckdb", "spark"), ("pyarrow", "no_such_package"))
    monkeypatch.setattr("promptsync.cli.lake_needs._PACKAGES", packages)
    for command in ("init", "run", "status", "tables"):
        result = home.run(command)
        assert result.exit_code == 2
        assert result.stderr.startswith("promptsync: A lake needs packages that are not installed: ")
        assert result.stderr.endswith(" no_such_package\n") and sys.executable in result.stderr


def test_what_cannot_be_is_said_in_a_sentence(tmp_path: Path) -> None:
    home = Home(tmp_path)
    result = home.run("run")
    assert result.exit_code == 2 and result.stderr.endswith("make it with: promptsync lake init\n")
    home.run("init")
    home.config.write_text(home.config.read_text().replace("buckets = 4", "buckets = 5"))
    assert "has 4 buckets" in home.run("run").stderr
    home.config.write_text("")
    assert "add a section [lake]" in home.run("status").stderr


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", "\x00"])
def test_damaged_settings_are_said(content: str, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.run("init")
    (tmp_path / "home" / "lake" / "lake.json").write_text(content)
    for command in ("init", "run", "status"):
        result = home.run(command)
        assert result.exit_code == 2 and "lake.json at" in result.stderr and "is damaged" in result.stderr


def test_a_run_without_end_outlives_what_is_not_there_and_leaves_nothing_behind(tmp_path: Path) -> None:
    place, scratch = tmp_path / "place", tmp_path / "scratch"
    scratch.mkdir()
    home = Home(tmp_path / "home", f'every = "1 second"\n[[nightly]]\nlocation = "{place}"\n')
    home.run("init")
    command = [sys.executable, "-m", "promptsync", "--config", home.config, "lake", "run", "--forever"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(scratch)}
    ) as process:
        assert process.stderr
        try:
            said = process.stderr.readline()
            assert said.endswith("The next run tries it again.\n"), said
            place.mkdir()
            write_file(place, tags(0, "a"))
            while not home.rows("contact_tag"):
                assert process.poll() is None
        finally:
            process.terminate()
        process.communicate()
    assert process.returncode == 143 and not list(scratch.iterdir())


def test_inputs_may_be_decoded_in_any_order(home: Home) -> None:
    """An engine has them decoded as it likes, here the newest first: what may be believed is judged afterwards, by the
    night before, and the rows are the same."""

    class Backwards(DuckDBEngine):
        def decode(self, decoder: Decoder, groups: Sequence[Sequence[Input]]) -> Iterator[list[Decoded]]:
            asked.extend(one.item.file_name for some in groups for one in some)
            return super().decode(decoder, groups[::-1])

    asked = list[str]()
    written = [
        write_file(home.incoming, tags(night, *names)).name for night, names in enumerate(("abcde", "Abcd", "x"))
    ]
    engine = Backwards(home.folder / "scratch", 1)
    report = run_lake(open_lake(load_config(home.config)), engine, Wanted())
    engine.close()
    assert sorted(asked) == sorted(written)
    assert {row["name"].split("/")[-1]: row["state"] for row in report.inputs} == dict(
        zip(written, ("merged", "merged", "held"), strict=True)
    )
    gone = "2026-02-02T08:00:00.000Z"
    assert state(home) == {1: ("A", None), 2: ("b", None), 3: ("c", None), 4: ("d", None), 5: ("e", gone)}


def test_files_in_between_are_gone_even_if_a_signal_comes_amid_their_removal(monkeypatch: pytest.MonkeyPatch) -> None:
    original, calls = shutil.rmtree, list[int]()

    def interrupted(*args: Any, **more: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            sys.exit(143)
        original(*args, **more)

    monkeypatch.setattr("shutil.rmtree", interrupted)
    with pytest.raises(SystemExit), scratch_folder() as folder:
        (folder / "said").write_text("by somebody")
    assert not folder.exists()
