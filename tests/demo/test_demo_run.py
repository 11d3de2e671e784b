"""The whole thing from outside: the demonstration ends with a mirror that is equal to what was sent."""

import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from promptsync.daemon.client import daemon_runs
from promptsync.store.connect import open_reader
from promptsync.vendors.prompt.event_types import EVENT_TYPES

QLARA = ("qlara_contact", "qlara_delivery_report", "qlara_message")


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


def test_a_closed_terminal_leaves_nothing_running(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "promptsync",
        "demo",
        str(tmp_path / "demo"),
        "--contacts",
        "50",
        "--messages",
        "100",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as demo:
        assert demo.stderr is not None
        while "webhooks are posted" not in demo.stderr.readline():
            assert demo.poll() is None
        assert daemon_runs(tmp_path / "demo" / "data" / "mirror.db")
        demo.send_signal(signal.SIGHUP)
        assert demo.wait(30) == 130
    assert not daemon_runs(tmp_path / "demo" / "data" / "mirror.db")
