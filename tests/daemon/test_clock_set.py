"""The real daemon under a clock that is set ahead and back: its schedules go on, each missed run is made once."""

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from faked_clock import WallClock

CONFIG = """\
[webhook]
port = 0
allow_unauthenticated = true
[[customerio]]
location = "place"
every = "1 second"
"""
AHEAD = "+3650d"


@dataclass
class Daemon:
    """A daemon with a place that it looks at every second; each look is on record."""

    process: "subprocess.Popen[str]"
    folder: Path

    def runs(self) -> list[str]:
        """When each run was made, by the daemon's clock."""
        with closing(sqlite3.connect(f"file:{self.folder / 'data' / 'mirror.db'}?mode=ro", uri=True)) as connection:
            return [at for (at,) in connection.execute("SELECT started_at FROM sync_run ORDER BY id")]

    def log(self) -> str:
        return (self.folder / "log").read_text()


def until(what: str, true: Callable[[], bool]) -> None:
    for _ in range(1200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError(f"within a minute {what} did not happen")


@contextmanager
def running(folder: Path, clock: WallClock) -> Iterator[Daemon]:
    (folder / "place").mkdir(exist_ok=True)
    config = folder / "promptsync.toml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "promptsync", "--config", str(config), "run"]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=clock.environment) as process,
    ):
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("Listening"), (folder / "log").read_text()
            yield Daemon(process, folder)
        finally:
            process.kill()


@pytest.mark.slow
def test_schedules_go_on_whatever_the_clock_is_set_to(tmp_path: Path) -> None:
    """Three hundred million runs are missed in ten years; counting them alone would take minutes."""
    clock = WallClock(tmp_path)
    clock.set(AHEAD)
    with running(tmp_path, clock) as daemon:
        until("a second run", lambda: len(daemon.runs()) >= 2)
        assert min(daemon.runs()) > "2030"
        clock.set("+0")
        until("a third run by the clock as it is", lambda: sum(at < "2030" for at in daemon.runs()) >= 3)
        assert daemon.log().count("clock_set") == 1
        before, started = len(daemon.runs()), time.monotonic()
        clock.set(AHEAD)
        until("a third run ten years later", lambda: sum(at > "2030" for at in daemon.runs()[before:]) >= 3)
        assert len(daemon.runs()) - before <= time.monotonic() - started + 2, "one for all that were missed"
