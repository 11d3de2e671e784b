"""What the doctor finds in real folders, with a real mirror, and the exit code it ends with."""

import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cli_deliveries import customer, line, write
from cli_place import Place, run

from promptsync.engine.engine import Engine


def findings(place: Place, *options: str, code: int) -> dict[str, list[tuple[str, str]]]:
    """By check: (level, sentence) each."""
    result = place.run("doctor", "--json", *options)
    assert result.exit_code == code, result.output
    told = json.loads(result.stdout)
    found: dict[str, list[tuple[str, str]]] = {}
    for one in told["findings"]:
        found.setdefault(one["check"], []).append((one["level"], one["says"]))
    assert told["problems"] == sum(level == "problem" for group in found.values() for level, _ in group)
    return found


def problems(place: Place, *options: str) -> dict[str, str]:
    found = findings(place, *options, code=1)
    return {check: says for check, group in found.items() for level, says in group if level == "problem"}


@pytest.fixture
def mirror(place: Place, night: Path) -> Place:
    assert place.run("load", night).exit_code == 0
    place.edit("^#\\[alerts\\]", '[alerts]\nwebhook_stale_after = "never"')
    place.edit("^#stale_after = .*", 'stale_after = "36000 days"')  # the night is of long ago
    return place


def test_what_status_says_is_pointed_to(mirror: Place) -> None:
    mirror.edit("^stale_after = .*", 'stale_after = "36 hours"')
    assert problems(mirror)["status"] == "8 things need a person in what has arrived: 'promptsync status' says which."


def test_a_fresh_folder_is_well(place: Place) -> None:
    found = findings(place, code=0)
    assert found["mirror"][0][0] == "note" and found["daemon"][0][0] == "note"
    assert {"configuration", "sqlite", "secrets", "authentication", "browse", "disk", "port"} <= found.keys()


def test_a_loaded_mirror_is_well(mirror: Place) -> None:
    before = mirror.database.read_bytes()
    for options in ((), ("--deep",)):
        found = findings(mirror, *options, code=0)
        assert [found[check][0][0] for check in ("integrity", "clock", "wal", "mirror file")] == ["ok"] * 4
        assert found["ids"][0][0] == "note"
    assert mirror.database.read_bytes() == before


def test_words_for_people(place: Place) -> None:
    result = place.run("doctor")
    lines = result.stdout.splitlines()
    assert all(text.split()[0] in ("ok", "note") for text in lines[:-2])
    assert lines[-1] == "No problem found."
    place.file.chmod(0o644)
    result = run("--quiet", "--config", place.file, "doctor")
    assert result.exit_code == 1
    assert result.stdout.startswith("problem") and result.stdout.count("\n") == 1 and "chmod o=" in result.stdout


def test_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("doctor")
    assert result.exit_code == 2 and "promptsync init" in result.stdout


def test_everything_wrong_with_a_configuration(place: Place) -> None:
    place.file.write_text('[webhook]\nport = "8642"\nsecrets = ["hunter2"]\n[drip]\n')
    found = findings(place, code=2)["configuration"]
    assert len(found) == 3 and {level for level, _ in found} == {"problem"}
    assert "hunter2" not in str(found)


def test_permissions(mirror: Place) -> None:
    for path, permissions in ((mirror.file, 0o604), (mirror.database, 0o644), (mirror.folder / "drop", 0o777)):
        path.chmod(permissions)
    (mirror.folder / "webhook.secret").chmod(0o604)
    found = problems(mirror)
    assert found.keys() == {"configuration file", "mirror file", "drop folder", "secrets"}
    assert all("chmod o" in says for says in found.values())


def test_a_missing_secret(place: Place) -> None:
    (place.folder / "webhook.secret").unlink()
    assert "webhook.secrets[1]" in problems(place)["secrets"]


def test_nobody_is_asked(place: Place) -> None:
    place.edit(r"^secrets = .*", "secrets = []")
    assert "anyone could deliver" in problems(place)["authentication"]
    place.edit(r"^secrets = .*", "allow_unauthenticated = true")
    assert findings(place, code=0)["authentication"][0][0] == "note"


def test_pages_that_nobody_could_open(place: Place) -> None:
    place.edit("^anonymous = true.*", "anonymous = false")
    assert findings(place, code=0)["browse"][0][0] == "note"
    (place.folder / "ana.hash").write_text("a password")
    (place.folder / "ana.hash").chmod(0o640)
    place.edit("^users = .*", 'users = { ana = { file = "ana.hash" } }')
    assert "promptsync user add" in problems(place)["browse"]
    (place.folder / "ana.hash").unlink()
    assert problems(place).keys() == {"secrets"}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_another_program_has(place: Place, taken: int) -> None:
    place.edit("^port = 0", f"port = {taken}")
    found = findings(place, code=1)
    assert found["port"][0][0] == "problem" and str(taken) in found["port"][0][1]
    assert [level for level, says in found["browse"] if str(taken) in says] == ["note"]


def test_folders_that_cannot_be(place: Place) -> None:
    (place.folder / "drop").rmdir()
    assert findings(place, code=0)["drop folder"][0][0] == "note"
    (place.folder / "drop").write_text("")
    assert "is not a folder" in problems(place)["drop folder"]


def test_a_file_that_is_no_mirror(place: Place) -> None:
    place.database.write_bytes(b"no database at all" * 100)
    place.database.chmod(0o640)
    assert "not a database" in problems(place)["mirror"]
    place.database.unlink()
    with Engine(place.config) as engine:
        engine.mirror.writer.run(lambda connection: connection.execute("DROP TABLE sync_drift"))
    assert "no such table" in problems(place)["mirror"]


def test_a_damaged_mirror(mirror: Place) -> None:
    with sqlite3.connect(mirror.database) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'message'").fetchone()[0]
    connection.close()
    with mirror.database.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert "damaged" in problems(mirror)["integrity"]


def test_a_clock_that_was_set_back(place: Place, tmp_path: Path) -> None:
    """What arrived while it was ahead is named, and mended when it is asked for."""
    assert (
        place.run("events", "import", write(tmp_path / "in.jsonl", line("customer/added", customer()))).exit_code == 0
    )
    with closing(sqlite3.connect(place.folder / "data" / "mirror.db", isolation_level=None)) as connection:
        connection.execute("UPDATE sync_event SET received_at = '2199-01-01T00:00:00.000000Z'")
        connection.execute("INSERT INTO sync_run (task, started_at) VALUES ('x', '2199-01-01T00:00:00.000Z')")
    says = problems(place)["clock"]
    assert "(up to 2199-01-01T00:00:00.000Z): 1 delivery and 1 run. If" in says and "promptsync doctor --repair" in says
    assert ": 1 delivery and 1 run. If this machine's clock is wrong" in place.run("status").output
    repaired = place.run("doctor", "--repair").output
    assert "1 deliveries were dated in the future" in repaired and "1 files and runs have a new date" in repaired
    assert findings(place, code=0)["clock"][0][0] == "ok"


def test_ids_that_do_not_mean_the_same(mirror: Place, tmp_path: Path) -> None:
    (one, phone), (other, _) = mirror.rows("SELECT id, phone FROM contact WHERE phone IS NOT NULL ORDER BY id LIMIT 2")
    same = line("customer/added", customer(one, phone))
    assert mirror.run("events", "import", write(tmp_path / "a", same)).exit_code == 0
    assert findings(mirror, code=0)["ids"][0][0] == "ok"
    page = customer(other, "104857600")
    page["customer"]["channels"][0]["identityType"] = "FB"
    assert mirror.run("events", "import", write(tmp_path / "c", line("customer/added", page))).exit_code == 0
    assert findings(mirror, code=0)["ids"][0][0] == "ok"
    another = line("customer/added", customer(other, "+15005550006"), "2026-02-04T08:00:01.000001Z")
    assert mirror.run("events", "import", write(tmp_path / "b", another)).exit_code == 0
    found = problems(mirror)
    assert found.keys() == {"ids"} and found["ids"].startswith("1 of 2 contacts")
    assert "+15005550006" not in str(found)


def test_what_has_been_observed(place: Place, tmp_path: Path) -> None:
    lines = (
        line("customer/added", customer()),
        line("quite/new", {"orgId": 1287}, "2026-02-04T08:00:01.000001Z"),
    )
    place.run("events", "import", write(tmp_path / "in.jsonl", *lines))
    rows = "".join(f"{n},{'perhaps' if n == 7 else 'true'},+1312555{n:04d}\n" for n in range(1, 201))
    file = tmp_path / "contact_1287_2026-02-04T00-00-00-0800Z.csv"
    file.write_text(f"id,is_opted_out,phone,mood\n{rows}".replace("\n", ",calm\n").replace("mood,calm", "mood"))
    assert place.run("load", file).exit_code == 1
    found = findings(place, code=1)["vendors"]
    said = "\n".join(f"{level} {says}" for level, says in found)
    for expected in (
        *("event type: quite/new", "column: contact.mood", "1 of the 48", "problem 1 rows have a yes/no"),
        *("stamps of files have: -9999Z (1)", "true and false in nightly files: true (9)"),
        *("X-Hub-Signature: none seen", "Of the newest 2 deliveries 0 had", "Statuses of exports: none"),
    ):
        assert expected in said, expected
