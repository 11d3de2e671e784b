"""The whole thing from outside: the demonstration ends with a mirror that is equal to what was sent."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from importlib import import_module
from pathlib import Path
from typing import IO

import pytest

from promptsync.daemon.client import daemon_runs
from promptsync.demo.home import Home as DemoHome
from promptsync.errors import ConfigError, Unavailable
from promptsync.store.connect import open_reader
from promptsync.vendors.prompt.event_types import EVENT_TYPES
from tests.lake.home import Home, differing, unlike

demo_command = import_module("promptsync.cli.demo")
QLARA = ("qlara_contact", "qlara_delivery_report", "qlara_message")


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--crash",)], ids=["in peace", "killed in the middle"])
def test_the_mirror_is_equal_to_what_was_sent(tmp_path: Path, more: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "promptsync", "demo", str(tmp_path / "demo"), "--once", "--json"]
    sizes = ["--contacts", "400", "--messages", "4000", "--seed", "11", "--today", "2026-03-20"]
    done = subprocess.run([*command, *sizes, *more], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    tables = {table["table"]: table for table in json.loads(done.stdout)}
    assert tables["message"]["mirror"] > 3_900
    assert tables["sync_event"]["sent"] > 100
    for name in ("cio_people", "cio_metrics", "cio_inbound", "cio_campaigns_current", *QLARA):
        assert tables[name]["mirror"] > 5, name
    assert all(table["equal"] for table in tables.values())
    assert ("SIGKILL" in done.stderr) == bool(more)
    with contextlib.closing(open_reader(tmp_path / "demo" / "data" / "mirror.db")) as connection:
        told = connection.execute("SELECT DISTINCT type, state, error FROM sync_event").fetchall()
        files = connection.execute("SELECT name, state FROM sync_file WHERE error IS NOT NULL").fetchall()
        rejects = connection.execute("SELECT count(*) FROM sync_reject").fetchone()[0]
    assert sorted(told) == sorted((type_, "applied", None) for type_ in EVENT_TYPES)
    assert (files, rejects) == ([], 0)
    if not more:
        assert in_a_lake(tmp_path / "demo", Home(tmp_path / "lake", zone="America/Los_Angeles")) == set(QLARA)


def in_a_lake(demo: Path, home: Home) -> set[str]:
    """The tables in which a lake of the same deliveries and files differs from the mirror, as does the mirror that is
    pulled out of it: those alone of whose files the demo keeps none."""
    assert home.run("init").exit_code == 0
    for file in (demo / "drop" / "done").rglob("*"):
        if file.is_file():
            os.link(file, home.incoming / file.name)
    exported = home.incoming.parent / "deliveries" / "all.jsonl"
    export = [sys.executable, "-m", "promptsync", "--config", str(demo / "promptsync.toml"), "events", "export"]
    subprocess.run([*export, str(exported)], check=True, timeout=60)
    mirror, pulled = demo / "data" / "mirror.db", home.folder / "pulled"
    result = home.run("run")
    assert result.exit_code == 0, result.output
    with contextlib.closing(open_reader(mirror)) as connection:
        ((org,),) = connection.execute("SELECT id FROM org").fetchall()
    result = home.run("pull", org, pulled)
    assert result.exit_code == 0, result.output
    assert unlike(mirror, pulled / "data" / "mirror.db") == set(QLARA)
    return differing(home, mirror)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["duckdb", "spark"])
def test_so_is_a_lake(tmp_path: Path, engine: str) -> None:
    if engine == "spark" and "SPARK_BY_HAND" not in os.environ:
        pytest.skip("takes minutes; set SPARK_BY_HAND")
    command = [sys.executable, "-m", "promptsync", "demo", str(tmp_path / "demo"), "--lake", "--json"]
    sizes = ["--engine", engine, "--contacts", "200", "--messages", "1500", "--today", "2026-03-20"]
    done = subprocess.run([*command, *sizes], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    tables = {table["table"]: table for table in json.loads(done.stdout)}
    for name in ("message", "sync_event", "cio_people", "cio_metrics", *QLARA):
        assert tables[name]["equal"] and tables[name]["mirror"] > 5, name


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    done = subprocess.run(
        [sys.executable, "-m", "promptsync", "demo", str(tmp_path), "--once"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def read_to(stream: IO[str], words: str) -> None:
    """Reads the lines up to one that has these words."""
    while words not in (line := stream.readline()):
        assert line, f"it ended before {words!r}"


def test_the_address_comes_first_and_a_closed_terminal_leaves_nothing_running(tmp_path: Path) -> None:
    """Whoever opens it at once waits for the pages and is not refused; at the end it says how to remove what stays."""
    folder = tmp_path / "the demo"
    command = [sys.executable, "-m", "promptsync", "demo", str(folder), "--contacts", "50", "--messages", "100"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stderr is not None
            address = demo.stderr.readline().split()[1]
            with urllib.request.urlopen(address, timeout=60) as page:  # noqa: S310  what it printed
                assert b"promptsync" in page.read()
            read_to(demo.stderr, "webhooks are posted")
            with pytest.raises(ConfigError, match="is running in"):
                DemoHome(folder).clear(1)
            demo.send_signal(signal.SIGHUP)
            *_, ending, stays, remove = demo.stderr.read().splitlines()
            assert demo.wait(30) == 130
        finally:
            demo.kill()
    assert not daemon_runs(folder / "data" / "mirror.db")
    assert ending == "Ending ..."
    assert re.match(rf"'{folder}' stays, [\d.]+ MiB\. To look again: .*promptsync --config ", stays)
    subprocess.run(remove.removeprefix("To remove it: "), shell=True, check=True)  # noqa: S602  as printed
    assert not folder.exists()


def test_the_usual_port_is_taken_if_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        monkeypatch.setattr(demo_command, "PAGES_PORT", number)
        with demo_command.listening(None) as other:
            assert other.getsockname()[1] not in (0, number)
        with pytest.raises(Unavailable, match="--browse-port"):
            demo_command.listening(number)
    with demo_command.listening(None) as usual:
        assert usual.getsockname()[1] == number
