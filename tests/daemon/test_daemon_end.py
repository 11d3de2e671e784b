"""The daemon as a process, with something else wrong: what it answers meanwhile, how it ends and what it says."""

import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from service_manager import Heard

BODY = b'{"orgId": 1, "message": {"id": 7}}'
_COMMAND = [sys.executable, "-m", "promptsync", "--config"]


class Running:
    """``promptsync run``, once it is ready."""

    def __init__(self, process: "subprocess.Popen[str]", config: Path, address: str) -> None:
        self.process = process
        self.config = config
        self.database = config.parent / "data/mirror.db"
        self._address = urlsplit(address)

    def post(self) -> int:
        """The status of a delivery; 0: no answer."""
        try:
            with closing(http.client.HTTPConnection(self._address.netloc, timeout=60)) as connection:
                connection.request("POST", f"{self._address.path}/message/added", BODY)
                return connection.getresponse().status
        except OSError:
            return 0

    def command(self, *args: str) -> tuple[int, str]:
        done = subprocess.run([*_COMMAND, self.config, *args], capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def stored(self) -> int:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM sync_event").fetchone()[0])


@contextmanager
def started(heard: Heard, config: Path, *, out: int, err: int) -> Iterator[Running]:
    env = os.environ | {"NOTIFY_SOCKET": heard.address}
    with subprocess.Popen([*_COMMAND, config, "-v", "run"], env=env, stdout=out, stderr=err, text=True) as process:
        try:
            yield Running(process, config, heard.until("READY=1", 120)[1].split()[-1])
        finally:
            process.kill()


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Somebody has begun to write and does not finish."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def test_no_collection_goes_through_what_was_there_at_the_start(config_file: Path) -> None:
    at_the_end = "atexit.register(lambda: print('kept', gc.get_freeze_count()))"
    code = f"import atexit, gc, promptsync.cli; {at_the_end}; promptsync.cli.main()"
    command = [sys.executable, "-c", code, "--config", config_file, "run"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None and process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        word, count = process.stdout.read().splitlines()[-1].split()
    assert word == "kept" and int(count) > 50_000


@pytest.mark.parametrize("where", ["full disk", "reader gone"])
def test_output_that_goes_nowhere_stops_nothing_and_the_end_is_good(
    heard: Heard, config_file: Path, where: str
) -> None:
    if where == "full disk":
        target = os.open("/dev/full", os.O_WRONLY)
    else:
        read, target = os.pipe()
        os.close(read)
    with started(heard, config_file, out=target, err=target) as daemon:
        os.close(target)
        answers = [daemon.post()]
        with locked(daemon.database):  # so that there is something to warn of
            answers.append(daemon.post())
        answers.append(daemon.post())
        assert answers == [200, 503, 200]
        assert daemon.stored() == 2
        assert daemon.stop() == 0


def test_a_mirror_that_was_deleted_ends_it_with_a_sentence_and_not_with_zero(heard: Heard, config_file: Path) -> None:
    with started(heard, config_file, out=subprocess.DEVNULL, err=subprocess.PIPE) as daemon:
        assert daemon.post() == 200
        for path in daemon.database.parent.glob("mirror.db*"):
            path.unlink()
        assert daemon.post() in (503, 0)  # it may have ended by itself
        _, said = daemon.process.communicate(timeout=60)
        assert daemon.process.returncode == 3
        assert said.splitlines()[-1].startswith("promptsync: The mirror ") and "deleted" in said.splitlines()[-1]
        assert "Traceback" not in said


def test_so_does_one_that_was_deleted_when_nobody_reads_what_it_says(heard: Heard, config_file: Path) -> None:
    read, target = os.pipe()
    with started(heard, config_file, out=target, err=target) as daemon:
        os.close(target)
        os.close(read)
        daemon.database.unlink()
        assert daemon.process.wait(60) == 3


@pytest.mark.slow
def test_while_another_program_holds_the_lock_everyone_is_told_and_it_ends_well(
    heard: Heard, config_file: Path
) -> None:
    with started(heard, config_file, out=subprocess.DEVNULL, err=subprocess.DEVNULL) as daemon:
        assert daemon.post() == 200
        with locked(daemon.database):
            assert daemon.post() == 503
            for command in ("status", "doctor"):
                code, said = daemon.command(command, "--json")
                problems = json.loads(said)["problems" if command == "status" else "findings"]
                assert code == 1 and any(f"process {os.getpid()}" in str(one) for one in problems), said
            assert daemon.stop() == 0
        assert daemon.stored() == 1


def test_a_second_daemon_does_not_start_though_the_lock_file_was_deleted(heard: Heard, config_file: Path) -> None:
    with started(heard, config_file, out=subprocess.DEVNULL, err=subprocess.DEVNULL) as daemon:
        daemon.database.with_name("mirror.db.lock").unlink()
        code, said = daemon.command("run")
        assert code == 3 and "stop it" in said
        assert daemon.post() == 200
        assert daemon.stop() == 0
