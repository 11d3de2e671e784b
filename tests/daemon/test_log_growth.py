"""The write-ahead log beside a reader that keeps a transaction open: slow to grow, seen, and small again."""

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from daemon_process import CONFIG, daemon

from promptsync.cli import main
from promptsync.errors import size_in_words
from promptsync.status.wal import LARGE, LogState, log_state
from promptsync.store.connect import open_reader, open_writer
from promptsync.store.lock_holders import lasting_readers
from promptsync.store.mirror import Mirror
from promptsync.store.wal import KEPT, WriteAheadLog, log_size
from promptsync.store.writer import Lane, Writer
from promptsync.vendors import declared_schema

READ = """import sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
print("reading", flush=True)
sys.stdin.read()
"""


@contextmanager
def reader(database: Path) -> Iterator[int]:
    """Another process that keeps a transaction open; its id."""
    command = [sys.executable, "-c", READ, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading\n"
        yield process.pid
        process.kill()


async def test_a_delivery_costs_a_few_pages_beside_a_reader_that_stays(tmp_path: Path) -> None:
    """Before deliveries gathered it was 60 kB each. What the sender was told is stored, and its rows follow."""
    with daemon(tmp_path) as running:
        stored = await running.stream(200, 1, first=1_000)
        with reader(running.database):
            before = running.log_bytes
            stored += (more := await running.stream(200, 5, first=10_000))
            assert more == 1_000
            assert (running.log_bytes - before) / more < 20_000
        with closing(open_reader(running.database)) as connection:
            assert connection.execute("SELECT count(*) FROM sync_event").fetchone()[0] == stored
            await until(lambda: connection.execute("SELECT count(*) FROM message").fetchone()[0] >= stored // 2)
            await until(lambda: running.log_bytes < 5 << 20)


async def until(true: Callable[[], bool]) -> None:
    """Wait for it."""
    while not true():
        await asyncio.sleep(0.1)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "m.db")
    writer.run(lambda connection: connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y)"))
    yield writer
    writer.close()


def grow(writer: Writer, mebibytes: int) -> None:
    for _ in range(mebibytes):
        writer.run(lambda c: c.execute("INSERT OR REPLACE INTO t VALUES (1, randomblob(1 << 20))"), Lane.DELIVERY)


def test_a_file_that_grew_is_cut_once_work_stops(writer: Writer, tmp_path: Path) -> None:
    with reader(tmp_path / "m.db"):
        writer.run(lambda c: c.execute("INSERT INTO t VALUES (2, '')"))
        grow(writer, 140)
        assert writer.log.held
        assert log_size(tmp_path / "m.db") > 100 << 20
    while writer.log.held:
        time.sleep(0.1)
    assert log_size(tmp_path / "m.db") == 0


def test_a_file_that_grew_is_cut_while_work_goes_on(writer: Writer, tmp_path: Path) -> None:
    """No quiet second comes, and nothing waits for one."""
    with reader(tmp_path / "m.db"):
        grow(writer, 80)
    assert log_size(tmp_path / "m.db") > KEPT
    grow(writer, 70)
    assert log_size(tmp_path / "m.db") <= KEPT + (2 << 20)


def test_a_cut_waits_for_no_reader(tmp_path: Path) -> None:
    """A writer that may wait a minute for others does not do so for this."""
    with closing(open_writer(tmp_path / "m.db")) as connection, closing(open_reader(tmp_path / "m.db")) as outside:
        connection.execute("PRAGMA busy_timeout = 60000")
        connection.execute("CREATE TABLE t (x)")
        outside.execute("BEGIN")
        outside.execute("SELECT * FROM t").fetchall()
        began = time.monotonic()
        WriteAheadLog(tmp_path / "m.db").truncate(connection)
        assert time.monotonic() - began < 30
        assert log_size(tmp_path / "m.db") > 0
        assert connection.execute("PRAGMA busy_timeout").fetchone() == (60_000,)


def test_who_keeps_it_large_is_named(tmp_path: Path) -> None:
    config = tmp_path / "promptsync.toml"
    config.write_text(CONFIG)
    database = tmp_path / "data" / "mirror.db"
    mirror = Mirror(database, declared_schema())
    with closing(mirror), reader(database) as pid, closing(open_reader(database)) as connection:
        mirror.writer.run(lambda c: c.execute("CREATE TABLE t (y)"))
        assert log_state(connection).problem is None
        assert log_state(connection).sentence == f"The write-ahead log has {size_in_words(log_size(database))}."
        assert log_state(connection, large=0) == LogState(log_size(database), (f"python, process {pid}",))
        mirror.writer.run(lambda c: c.execute("INSERT INTO t VALUES (zeroblob(?))", (KEPT,)))
        said = rf"log has 6\d\.\d MiB, since python, process {pid} keeps a transaction open; it shrinks once"
        assert re.search(said, CliRunner().invoke(main, ["--config", str(config), "status"]).output)
        found = json.loads(CliRunner().invoke(main, ["--config", str(config), "status", "--json"]).output)["log"]
        assert found == {"bytes": log_size(database), "readers": [f"python, process {pid}"]}
        mirror.writer.run(lambda c: c.execute("INSERT INTO t VALUES (zeroblob(?))", (LARGE - KEPT,)))
        log = log_state(connection)
        assert log.bytes > LARGE
        for command in ("status", "doctor"):
            ran = CliRunner().invoke(main, ["--config", str(config), command])
            assert ran.exit_code == 1
            assert re.search(rf"log grows \(25\d\.\d MiB\) because python, process {pid} keeps", ran.output), command
    assert lasting_readers(database) == ()
