"""What a daemon and the pages keep in memory: nothing that only files need before there is one, and not for long."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from daemon_process import CONFIG, daemon

from promptsync.cli import main
from promptsync.config import load_config
from promptsync.daemon.tasks import SearchKeeper
from promptsync.engine.engine import Engine
from promptsync.store import writer as module
from promptsync.store.connect import open_reader, open_writer
from promptsync.store.writer import Writer
from tests.bench.bulk import write_message_file

_MORE = '[qlara]\napi_key = { env = "QLARA_KEY" }\n[[nightly]]\nlocation = "exports"\nschedule = "30 2 * * *"\n'
_OF_FILES = ("libarrow", "numpy", "adbc_driver", "_obstore", "pyrage", "zstandard")
_FILE = "message_77_2026-02-04T00-00-00-0800Z.csv.gz"


def mapped(pid: int) -> set[str]:
    """Libraries of those that only files need which a process has open."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return {name for name in _OF_FILES if re.search(rf"/[^\n]*{name}[^\n]*\.so", maps)}


def make_mirror(folder: Path) -> None:
    """A mirror, as every start but the first finds it."""
    config = folder / "promptsync.toml"
    config.write_text(f"{CONFIG}[browse]\nport = 0\nanonymous = true\n")
    (folder / "drop").mkdir()
    CliRunner().invoke(main, ["--config", str(config), "load", str(folder / "drop")])
    assert (folder / "data" / "mirror.db").exists()


def have_received(database: Path, count: int) -> None:
    """Deliveries of yesterday, all applied; what is too old was swept last night."""
    with closing(open_writer(database)) as connection:
        connection.execute(
            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO sync_event (type, path, org_id, received_at, observed_at, state, attempts, body) "
            "SELECT 'message/added', 'message/added', 77, strftime('%Y-%m-%dT%H:%M:%S.', 'now', '-1 day') || "
            "printf('%06dZ', i), i, 'applied', 1, printf('%.*c', 400, 'x') FROM n",
            (count,),
        )
        now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
        connection.execute(
            f"INSERT INTO sync_run (task, started_at, finished_at, outcome) VALUES ('retention', {now}, {now}, 'done')"
        )


def read(pid: int) -> int:
    """Bytes that a process has read of files."""
    return int(Path(f"/proc/{pid}/io").read_text().split()[1])


def until(true: Callable[[], bool]) -> bool:
    """Whether it comes true within a minute."""
    end = time.monotonic() + 60
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


async def test_what_files_need_comes_with_the_first_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QLARA_KEY", "a key")
    (tmp_path / "exports").mkdir()
    make_mirror(tmp_path)
    have_received(tmp_path / "data" / "mirror.db", 100_000)
    with daemon(tmp_path, _MORE) as running:
        assert await running.stream(100, 0.5, first=1_000) == 50
        with closing(open_reader(running.database)) as connection:
            waiting = "SELECT count(*) FROM sync_event WHERE state = 'pending'"
            assert until(lambda: connection.execute(waiting).fetchone()[0] == 0)
            missed = "SELECT count(*) FROM sync_run WHERE task LIKE 'fetch %'"
            assert until(lambda: connection.execute(missed).fetchone()[0] == 1)
            looked = "SELECT count(*) FROM sync_state WHERE name = 'status'"
            assert until(lambda: connection.execute(looked).fetchone()[0] == 1)
        assert read(running.process.pid) < 40 << 20 < running.database.stat().st_size
        assert not mapped(running.process.pid)
        assert resident(running.process.pid) < 110 << 20
        write_message_file(tmp_path / "drop" / _FILE, 100, 1, 0)
        assert until(lambda: not (tmp_path / "drop" / _FILE).exists())
        assert {"libarrow", "numpy", "adbc_driver"} <= mapped(running.process.pid)


def test_people_look_without_what_merges_files(tmp_path: Path) -> None:
    make_mirror(tmp_path)
    command = [sys.executable, "-m", "promptsync", "--config", str(tmp_path / "promptsync.toml"), "browse"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("Open ").strip()
            for page in ("", "-/people", "mirror/message"):
                with urllib.request.urlopen(f"{address}{page}") as answer:  # noqa: S310  its own
                    assert answer.status == 200
            assert not mapped(process.pid) - {"zstandard"}  # an encoding of HTTP
            assert resident(process.pid) < 110 << 20
        finally:
            process.kill()


def test_the_pages_of_a_merge_are_given_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_REST_SECONDS", 0.5)
    writer = Writer(tmp_path / "mirror.db")
    try:
        writer.run(lambda connection: connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT)"))
        fill = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO t "
        writer.run(lambda connection: connection.execute(f"{fill} SELECT i, printf('%.*c', 2000, 'x') FROM n"))
        filled = resident(os.getpid())
        assert until(lambda: resident(os.getpid()) < filled - (30 << 20))
    finally:
        writer.close()


async def test_rows_that_search_lacks_are_sought_only_where_there_are_some(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[str]()
    with Engine(load_config(config_file)) as engine:
        keeper, enter = SearchKeeper(engine), engine.search.enter_missing
        monkeypatch.setattr(engine.search, "enter_missing", lambda table: asked.append(table) or enter(table))
        assert await keeper.catch_up() is None
        assert "message" in asked
        asked.clear()
        assert await keeper.catch_up() is None
        assert not asked
        engine.mirror.writer.run(lambda c: c.execute("INSERT INTO message (id, content) VALUES (1, 'a text')"))
        assert await keeper.catch_up() == "1 rows entered"
        assert asked == ["message"]


FREED = """
from pathlib import Path
from promptsync.store.memory import free_large_at_once
free_large_at_once()
bytes(16 << 20)  # freed at once, which the C library learns from
between = [(b"x" * (2 << 20), b"x" * 5000) for _ in range(40)]
resident = lambda: int(Path("/proc/self/statm").read_text().split()[1]) * 4096
before, between = resident(), [small for _, small in between]
print(before - resident())
"""


def test_large_blocks_are_given_back_from_between_small_ones() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, timeout=60)
    assert int(done.stdout) > 70 << 20, done.stderr


def resident(pid: int) -> int:
    """Bytes of memory that a process has in use."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found
    return int(found[1]) * 1024
