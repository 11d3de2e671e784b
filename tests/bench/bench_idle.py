"""What promptsync takes while nothing happens: memory and processor of the daemon and of the pages, and its start.

Prints, of one run: memory (resident, and of that what no other process shares) and processor time of ``promptsync run``
with the demonstration's configuration once it has been idle, fresh and after a first load has been merged; of
``promptsync browse`` before and after its first page; how long the daemon takes until it listens with a large mirror
and many deliveries that wait to be applied; and the size of the write-ahead log after a merge.

    python -m tests.bench.bench_idle --rows 1000000 --pending 1000000
"""

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.bulk import write_message_file

_CONFIG = """
[webhook]
port = 0
secrets = [{ file = "secret" }]
health = true
[drop]
settle = "0.3 seconds"
rescan = "1 second"
[qlara]
base_url = "http://127.0.0.1:9/"
api_key = { file = "secret" }
allowed_hosts = ["127.0.0.1"]
[browse]
port = 0
anonymous = true
[log]
level = "warning"
"""
_PAGES = ("", "/-/people", "/-/broadcasts", "/-/delivery", "/-/search?q=and", "/mirror/message", "/mirror/message.json")
_LISTENS = "Listening for webhooks at "
_TICKS = os.sysconf("SC_CLK_TCK")
_DELIVERY = '{"orgId": 77, "message": {"id": %d, "content": "bench", "userType": "CUSTOMER", "status": "RECEIVED"}}'


@dataclass(frozen=True, slots=True)
class Idle:
    """``resident``, ``private``, ``most``: MiB now, of that unshared, and at the highest; ``share``: of one core."""

    resident: float
    private: float
    most: float
    share: float

    def __str__(self) -> str:
        return (
            f"{self.resident:.0f} MiB resident ({self.private:.0f} of its own; {self.most:.0f} at the most), "
            f"{self.share:.2%} of a core"
        )


@contextmanager
def running(folder: Path, command: str, announces: str) -> Iterator[tuple[int, str, float]]:
    """A command as people start it: its process, the address that it says, and the seconds until it did."""
    arguments = [sys.executable, "-m", "promptsync", "--config", str(folder / "promptsync.toml"), command]
    began = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        said = next(line for line in process.stdout if line.startswith(announces))
        yield process.pid, said.removeprefix(announces).strip(), time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def started(folder: Path) -> str:
    """How long ``promptsync run`` takes until it listens and until it says that it is ready."""
    began = time.perf_counter()
    with running(folder, "run", _LISTENS) as (pid, address, seconds):
        spent, ready = processor(pid), "/".join((*address.split("/")[:3], "-", "ready"))
        while answers(ready) != 200:
            time.sleep(0.02)
        total = time.perf_counter() - began
        return f"{seconds:.2f} s until it listens ({spent:.2f} s of a processor), {total:.2f} s until it is ready"


def answers(address: str) -> int:
    """The status of an address."""
    try:
        with urllib.request.urlopen(address) as answer:  # noqa: S310  our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def at_rest(pid: int, settle: float, seconds: float) -> Idle:
    """How a process does while nothing happens: after ``settle`` seconds, for ``seconds``."""
    time.sleep(settle)
    before, began = processor(pid), time.perf_counter()
    time.sleep(seconds)
    share = (processor(pid) - before) / (time.perf_counter() - began)
    found = facts(Path(f"/proc/{pid}/smaps_rollup"))
    private = found["Private_Clean"] + found["Private_Dirty"]
    return Idle(found["Rss"] / 1024, private / 1024, facts(Path(f"/proc/{pid}/status"))["VmHWM"] / 1024, share)


def facts(path: Path) -> dict[str, int]:
    """Names and KiB of a file of /proc."""
    lines = (line.split() for line in path.read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) for words in lines if words[-1] == "kB"}


def processor(pid: int) -> float:
    """Seconds of a processor that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def merge(folder: Path, rows: int) -> int:
    """Drop a nightly file and wait until it is merged; the most bytes that the write-ahead log had meanwhile."""
    dropped = folder / "drop" / "message_77_2026-02-04T00-00-00-0800Z.csv.gz"
    partial = dropped.with_name(".partial")
    write_message_file(partial, rows, 1, 0)
    partial.rename(dropped)
    largest, log = 0, folder / "data" / "mirror.db-wal"
    while dropped.exists():
        time.sleep(0.1)
        largest = max(largest, log.stat().st_size)
    return largest


def enlarge(database: Path, times: int) -> None:
    """Copy the messages of a mirror that nobody has open, with other ids, so that it is so many times as large."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(message)") if name != "id"]
        connection.execute("PRAGMA synchronous = OFF")
        highest = connection.execute("SELECT max(id) FROM message").fetchone()[0]
        for turn in range(1, times):
            some = ", ".join(f'"{name}"' for name in columns)
            connection.execute(
                f"INSERT INTO message (id, {some}) SELECT id + {turn} * ?, {some} FROM message WHERE id <= ?",
                (highest, highest),
            )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def let_wait(database: Path, count: int) -> None:
    """Deliveries that were stored and not yet applied."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(
            "WITH RECURSIVE turns(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM turns WHERE n < ?) "
            "INSERT INTO sync_event (type, path, org_id, received_at, observed_at, state, attempts, body) "
            "SELECT 'message/added', 'message/added', 77, "
            "strftime('%Y-%m-%dT%H:%M:%S.', 'now') || printf('%06dZ', n % 1000000), 1780000000000000 + n, "
            "'pending', 0, printf(?, 10000000 + n) FROM turns",
            (count, _DELIVERY),
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=4, help="how many times the mirror is as large for the start")
    parser.add_argument("--pending", type=int, default=1_000_000)
    parser.add_argument("--settle", type=float, default=60.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
    (folder / "promptsync.toml").write_text(_CONFIG)
    (folder / "secret").touch(mode=0o600)
    (folder / "secret").write_text("a secret of the benchmark")
    database = folder / "data" / "mirror.db"
    try:
        with running(folder, "run", _LISTENS) as (pid, _, _):
            print(f"daemon, fresh: {at_rest(pid, options.settle, options.seconds)}")
            largest = merge(folder, options.rows)
            print(f"daemon, {options.rows:,} rows merged: {at_rest(pid, options.settle, options.seconds)}")
            left = database.with_name("mirror.db-wal").stat().st_size
            print(
                f"write-ahead log: {largest / 2**20:.0f} MiB while they were merged, {left / 2**20:.0f} MiB afterwards"
            )
        with running(folder, "browse", "Open ") as (pid, address, _):
            print(f"browse, fresh: {at_rest(pid, 5, options.seconds)}")
            for page in _PAGES:
                assert answers(f"{address.rstrip('/')}{page}") == 200, page
            print(f"browse, some pages later: {at_rest(pid, 5, options.seconds)}")
        enlarge(database, options.times)
        size = database.stat().st_size
        print(f"start with {size / 2**30:.1f} GiB: {started(folder)}")
        let_wait(database, options.pending)
        print(f"start with {options.pending:,} deliveries waiting too: {started(folder)}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
