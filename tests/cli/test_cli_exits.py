"""Every command's exit code and its one sentence when it cannot do what it is asked."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_deliveries import customer, line, write
from cli_place import Place, run

from promptsync.cli.app import COMMANDS
from promptsync.errors import MirrorFull, Unavailable
from promptsync.store.connect import WriteLock

READERS = [
    ["status"],
    ["events", "list"],
    ["events", "show", "1"],
    ["events", "export", "-"],
    ["rejects", "list"],
    ["rejects", "show", "1"],
    ["browse"],
]
WRONG = [
    ["load", "/nowhere/at/all"],
    ["load", "--table", "contact", "."],
    ["load", "--table", "contact", "--as-of", "2026-02-04", "."],
    ["load", "--as-of", "yesterday", "."],
    ["load", "--table", "nope", "--org", "1", "--as-of", "2026-02-04", "."],
    ["events", "import", "/nowhere/at/all"],
    ["events", "replay", "--since", "yesterday"],
    ["rejects", "discard"],
    ["rejects", "discard", "1", "--all"],
    ["schema", "nope"],
]
USAGE = [["nope"], ["load"], ["events", "show", "x"], ["run", "--nope"], ["browse", "--port", "65536"], ["rejects"]]


def one_sentence(text: str) -> bool:
    return bool(re.fullmatch(r"promptsync: [^\n]+\n", text))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0 and len(result.stdout.splitlines()) > 4


def test_the_list_is_whole() -> None:
    text = run("--help").stdout.split("Commands:\n")[1]
    assert [row.split(maxsplit=1) for row in text.splitlines()] == [list(line) for line in sorted(COMMANDS.items())]
    assert run("--version").stdout.startswith("promptsync, version ")


@pytest.mark.parametrize("args", [["run"], ["load", "."], *READERS], ids=" ".join)
def test_without_a_configuration(args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*args)
    assert result.exit_code == 2 and one_sentence(result.stderr) and "promptsync init" in result.stderr


@pytest.mark.parametrize("args", READERS, ids=" ".join)
def test_without_a_mirror(args: list[str], place: Place) -> None:
    result = place.run(*args)
    assert result.exit_code == 3 and one_sentence(result.stderr)
    assert not place.database.exists()


def test_a_database_that_is_no_mirror(place: Place) -> None:
    with sqlite3.connect(place.database) as connection:
        connection.execute("CREATE TABLE t (c)")
    connection.close()
    for args in (["status"], ["events", "list"], ["rejects", "list"]):
        result = place.run(*args)
        assert result.exit_code == 3 and one_sentence(result.stderr) and "doctor" in result.stderr
    place.database.write_bytes(b"no database" * 1000)
    result = place.run("status")
    assert result.exit_code == 1 and one_sentence(result.stderr)


@pytest.mark.parametrize("args", WRONG, ids=" ".join)
def test_wrong_use(args: list[str], place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.folder)
    result = place.run(*args)
    assert result.exit_code == 2 and one_sentence(result.stderr), result.stderr


@pytest.mark.parametrize("args", USAGE, ids=" ".join)
def test_wrong_options(args: list[str], place: Place) -> None:
    result = place.run(*args)
    assert result.exit_code == 2 and result.stderr.startswith("Usage: ") and "Traceback" not in result.stderr


@pytest.mark.parametrize("args", [["events", "show", "99"], ["rejects", "show", "99"]], ids=" ".join)
def test_what_is_not_there(args: list[str], mirror: Place) -> None:
    result = mirror.run(*args)
    assert result.exit_code == 2 and one_sentence(result.stderr) and "99" in result.stderr


def test_a_configuration_that_is_wrong_says_all_of_it(place: Place) -> None:
    place.file.write_text("[webhook]\nport = -1\n[drip]\n")
    result = place.run("status")
    assert result.exit_code == 2
    assert "webhook.port" in result.stderr and "drip" in result.stderr and "Traceback" not in result.stderr


@pytest.fixture
def mirror(place: Place, tmp_path: Path) -> Place:
    lines = write(tmp_path / "in.jsonl", line("customer/added", customer()))
    assert place.run("events", "import", lines).exit_code == 0
    return place


@pytest.fixture
def locked(mirror: Place) -> Iterator[Place]:
    lock = WriteLock(mirror.database)
    lock.acquire()
    yield mirror
    lock.release()


def test_a_locked_mirror_is_for_later(locked: Place, night: Path, tmp_path: Path) -> None:
    lines = tmp_path / "in.jsonl"
    for args in (
        ["run"],
        ["load", night],
        ["load", "--dry-run", night],
        ["events", "import", lines],
        ["events", "replay", "--all"],
        ["rejects", "retry"],
        ["rejects", "discard", "--all"],
    ):
        result = locked.run(*args)
        assert result.exit_code == 3 and one_sentence(result.stderr), args
        assert str(os.getpid()) in result.stderr


def test_a_locked_mirror_can_be_read(locked: Place) -> None:
    for args in (["events", "list"], ["events", "show", "1"], ["events", "export", "-"], ["rejects", "list"]):
        assert locked.run(*args).exit_code == 0, args


def test_a_port_that_is_taken(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        place.edit("^port = 0", f"port = {server.getsockname()[1]}")
        result = place.run("run")
    assert result.exit_code == 3 and one_sentence(result.stderr) and "webhook.port" in result.stderr


def test_export_to_where_nothing_can_be_written(mirror: Place) -> None:
    result = mirror.run("events", "export", "/nowhere/at/all")
    assert result.exit_code == 2 and one_sentence(result.stderr)
    if Path("/dev/full").exists():
        result = mirror.run("events", "export", "/dev/full")
        assert result.exit_code == 3 and one_sentence(result.stderr)


def test_tracebacks_only_when_asked_for(mirror: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr("promptsync.cli.status.read_status", fail)
    result = mirror.run("status")
    assert result.exit_code == 3 and one_sentence(result.stderr) and "-v -v" in result.stderr
    with pytest.raises(RuntimeError):
        mirror.run("-v", "-v", "status")


def test_a_broken_pipe_is_no_good_end_unless_it_is_the_output(mirror: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the connection to a vendor; and the daemon is not asked to end by it at all."""

    def fail(*_: object, **__: object) -> Any:
        raise BrokenPipeError

    monkeypatch.setattr("promptsync.cli.status.read_status", fail)
    monkeypatch.setattr("promptsync.cli.run.run_daemon", fail)
    for command in ("status", "run"):
        result = mirror.run(command)
        assert result.exit_code == 3 and one_sentence(result.stderr), command


def test_a_reader_that_has_seen_enough_is_no_error(mirror: Place) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "promptsync", "--config", str(mirror.file), "status"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(("error", "code"), [(MirrorFull("Make room."), 3), (Unavailable("Wait."), 3)])
def test_errors_become_sentences(error: Exception, code: int, mirror: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise error

    monkeypatch.setattr("promptsync.cli.status.read_status", fail)
    result = mirror.run("status")
    assert (result.exit_code, result.stderr) == (code, f"promptsync: {error}\n")


@pytest.fixture
def daemon(place: Place) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "promptsync", "--config", str(place.file), "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Listening for webhooks at http://127.0.0.1:")
        yield process
        process.kill()


def test_commands_hand_their_work_to_the_daemon(
    daemon: "subprocess.Popen[str]", place: Place, night: Path, tmp_path: Path
) -> None:
    lines = write(tmp_path / "in.jsonl", line("customer/added", customer()))
    assert json.loads(place.run("events", "import", lines, "--json").stdout) == {
        "imported": 1,
        "known": 0,
        "refused": 0,
    }
    loaded = json.loads(place.run("load", night, "--json").stdout)
    assert {file["state"] for file in loaded} == {"merged"}
    assert place.run("load", "--table", "x", "--org", "1", "--as-of", "2026-01-01", night).exit_code == 2
    assert json.loads(place.run("status", "--json").stdout)["daemon"] is True
    assert "The daemon is running." in place.run("doctor").stdout
    assert place.run("run").exit_code == 3
    daemon.send_signal(signal.SIGTERM)
    out, err = daemon.communicate(timeout=120)
    assert daemon.returncode == 0 and "Traceback" not in out + err
    assert json.loads(place.run("status", "--json").stdout)["daemon"] is False


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m promptsync schema | head -n 1"
    result = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert result.stdout == "# Tables and views\n" and result.stderr == ""
