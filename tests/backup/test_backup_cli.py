"""The commands, as people use them: exit codes, JSON, moving to another machine, off and back on."""

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from backup_home import Home
from click.testing import CliRunner, Result

from promptsync.cli import main


def run(home: Home, *arguments: object, code: int = 0) -> Result:
    done = CliRunner().invoke(
        main, ["--config", str(home.write_config()), *map(str, arguments)], catch_exceptions=False
    )
    assert done.exit_code == code, (done.output, done.exit_code)
    return done


def as_json(home: Home, *arguments: object, code: int = 0) -> Any:
    return json.loads(run(home, *arguments, "--json", code=code).stdout)


def test_to_another_machine(home: Home, tmp_path: Path) -> None:
    """As the README says: a backup there, the configuration and the key here, a restore."""
    home.receive(*range(5))
    home.ship()
    made = as_json(home, "backup")
    assert made["name"] in {path.name for path in home.backups}
    home.receive(5)
    home.ship()
    other = Home(tmp_path / "other", home.place, {"identity": None})
    said = run(other, "restore", "latest", code=2)
    assert "--identity" in said.stderr
    restored = as_json(other, "restore", "latest", "--identity", home.key)
    assert (restored["deliveries"], restored["gaps"], restored["unreadable"]) == (1, [], [])
    assert restored["tables"]["sync_event"] == [5, 6]
    assert other.rows() == home.rows()
    assert run(other, "status").exit_code == 0
    assert "newest is of" in run(other, "status").stdout
    assert as_json(other, "status")["backup"]["name"] == made["name"]


def test_list_verify_and_drill(home: Home) -> None:
    assert "no backup" in run(home, "backup", "list").stdout
    run(home, "backup", "verify", code=2)
    home.receive(1)
    run(home, "backup")
    home.ship()
    found = as_json(home, "backup", "list")
    assert [one["name"] for one in found["backups"]] == [path.name for path in home.backups]
    assert [one["name"] for one in found["segments"]] == [path.name for path in home.segments]
    assert as_json(home, "backup", "verify", home.backups[0].name)["outcome"] == "restorable"
    assert as_json(home, "backup", "verify", home.backups[0])["outcome"] == "restorable"
    assert as_json(home, "backup", "drill")["outcome"] == "restorable"
    assert "restorable" in run(home, "status").stdout
    home.backups[0].write_bytes(home.backups[0].read_bytes()[:-1])
    assert as_json(home, "backup", "drill", code=1)["outcome"] == "failed"
    assert "could not be restored" in run(home, "status", code=1).stdout
    run(home, "backup", "verify", code=1)
    run(home, "backup", "verify", "mirror-x", code=2)
    run(home, "backup", "verify", "./mirror-x", code=2)


def test_elsewhere_and_what_is_no_place(home: Home, tmp_path: Path) -> None:
    home.receive(1)
    made = as_json(home, "backup", tmp_path / "disk")
    assert (tmp_path / "disk" / made["name"]).is_file() and not home.backups
    assert as_json(home, "status", code=1)["backup"]["made_at"] is None
    assert as_json(home, "restore", tmp_path / "disk" / made["name"], "--to", tmp_path / "look")["aside"] is None
    assert (tmp_path / "look" / "mirror.db").is_file()
    for place, code in (("lsit", 2), ("https://h/x", 2), ("ftp://h/x", 2), (tmp_path / "not" / "mounted", 3)):
        run(home, "backup", place, code=code)
    run(home, "backup", tmp_path, "list", code=2)
    run(home, "restore", "latest", "--until", "noon", code=2)


def test_old_ones_go_where_the_configuration_says_and_nowhere_else(home: Home, tmp_path: Path) -> None:
    home.settings["keep"] = {"daily": 1, "weekly": 1}
    home.receive(1)
    disk = tmp_path / "disk"
    disk.mkdir()
    old = ("mirror-20260101T120000Z.db.zst.age", "mirror-20260101T120000Z.db.zst.age.sha256", "notes.txt")
    segment = "received-20260101T110000.000000Z-20260101T110001.000000Z.jsonl.zst.age"
    for name in (*old, segment):
        (home.place / name).write_text("old")
        (disk / name).write_text("old")
    made, elsewhere = as_json(home, "backup"), as_json(home, "backup", disk)
    assert (made["removed"], elsewhere["removed"]) == (3, 0)
    assert {path.name for path in home.place.iterdir()} == {made["name"], f"{made['name']}.sha256", "notes.txt"}
    assert {path.name for path in disk.iterdir()} >= {*old, segment}


def test_off_is_off(home: Home) -> None:
    home.receive(1)
    home.settings["recipient"] = None
    assert as_json(home, "status")["backup"] is None
    assert "ackup" not in run(home, "status").stdout
    assert "recipient" in run(home, "backup", code=2).stderr
    run(home, "backup", "drill", code=2)


def test_doctor_looks_at_key_and_place(home: Home) -> None:
    home.receive(1)
    home.backup()

    def says() -> dict[str, str]:
        found = CliRunner().invoke(main, ["--config", str(home.write_config()), "doctor", "--json"]).stdout
        findings = json.loads(found)["findings"]
        return {one["says"]: one["level"] for one in findings if one["check"] == "backup"}

    assert set(says().values()) == {"ok"} and any("newest backup" in sentence for sentence in says())
    home.key.write_text("AGE-SECRET-KEY-1" + "Q" * 58)
    home.settings["identity"] = None
    assert "note" in says().values()
    assert not list(home.place.glob("*doctor*"))
    home.place.rename(home.place.with_name("gone"))
    home.place.write_text("no folder")
    assert "problem" in says().values()


def _small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_full_disk_is_said_and_leaves_nothing(home: Home, tmp_path: Path, command: str) -> None:
    """No file can grow beyond a size that the copy needs."""
    home.receive(*range(3))
    if command == "restore":
        home.backup()
    machine = home if command == "backup" else Home(tmp_path / "found", home.place)
    arguments = ["--config", str(machine.write_config()), command]
    arguments += [str(tmp_path / "disk")] if command == "backup" else ["latest"]
    full = subprocess.run(
        [sys.executable, "-m", "promptsync", *arguments], capture_output=True, text=True, preexec_fn=_small_files
    )
    assert full.returncode == 3, full.stderr
    assert "make room" in full.stderr and len(full.stderr.splitlines()) == 1
    assert not list(home.place.glob("mirror-*")) or command == "restore"
    assert not list(machine.database.parent.glob("backup-work-*"))
    if command == "backup":
        home.backup()
    else:
        assert machine.restore().resumed
        assert machine.rows() == home.rows()
