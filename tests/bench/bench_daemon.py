"""The daemon as a whole, in a process of its own: durable deliveries, answer times, how soon a row is to be seen.

Prints, of one run: deliveries per second over 64 connections beside an aiohttp handler that does nothing; the time
from the answer until a reader sees the row; answer times at a steady rate, idle and while a nightly file merges; how
long another process finds the write lock held meanwhile, by whoever it is.

    python -m tests.bench.bench_daemon --rows 1000000
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from tests.bench import bench_listener
from tests.bench.bulk import write_message_file

_SECRET = bench_listener.SECRET
_CONFIG = '[webhook]\nport = 0\nsecrets = [{ file = "secret" }]\n[drop]\nsettle = "0.2 seconds"\nrescan = "1 second"\n'


@contextmanager
def daemon(folder: Path, config: str = _CONFIG) -> Iterator[tuple[str, int]]:
    """``promptsync run``; the address of its webhook and its process."""
    (folder / "promptsync.toml").write_text(config)
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_bytes(_SECRET)
    command = [sys.executable, "-m", "promptsync", "--config", str(folder / "promptsync.toml"), "run"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().rpartition(" ")[2].strip(), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def nothing(pipe: "multiprocessing.connection.Connection") -> None:
    """A server that does nothing, in a process of its own like the daemon."""

    async def run() -> None:
        pipe.send(await bench_listener.serve(bench_listener.nothing_runner()))
        await asyncio.to_thread(pipe.recv)

    asyncio.run(run())


def throughput(address: str, seconds: float, rounds: int) -> tuple[float, float]:
    """Requests per second of the server that does nothing and of the daemon, in turn."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    server = context.Process(target=nothing, args=(there,))
    server.start()
    ports = {"nothing": here.recv(), "daemon": int(address.split(":")[2].split("/")[0])}
    rates: dict[str, list[float]] = {name: [] for name in ports}
    for _ in range(rounds):
        for name, port in ports.items():
            rates[name].append(asyncio.run(bench_listener.load(port, seconds, 64)))
    here.send(None)
    server.join()
    return statistics.median(rates["nothing"]), statistics.median(rates["daemon"])


def signed(number: int) -> tuple[bytes, dict[str, str]]:
    message = {
        "id": number,
        "createdTimestamp": time.time_ns() // 1_000_000,
        "content": "bench",
        "userType": "CUSTOMER",
    }
    body = json.dumps({"orgId": 77, "message": {**message, "userId": 5, "status": "RECEIVED"}}).encode()
    headers = {
        "X-Hub-Signature": hmac.new(_SECRET, body, hashlib.sha1).hexdigest(),
        "Prompt-EventType": "message/added",
    }
    return body, headers


async def seen_after(address: str, database: Path, count: int) -> list[float]:
    """Seconds from the answer to a delivery until another process's reader sees its row."""
    reader = sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)
    times = []
    async with aiohttp.ClientSession() as session:
        for number in range(count):
            body, headers = signed(10_000_000 + number)
            async with session.post(f"{address}/message/added", data=body, headers=headers) as response:
                assert response.status == 200
            answered = time.perf_counter()
            while not reader.execute("SELECT 1 FROM message WHERE id = ?", (10_000_000 + number,)).fetchone():
                await asyncio.sleep(0.0005)
            times.append(time.perf_counter() - answered)
            await asyncio.sleep(0.02)
    reader.close()
    return times


async def answer_times(address: str, seconds: float, rate: int, first: int, until: Path | None = None) -> list[float]:
    """Seconds until the answer at a steady rate; ends early once the file ``until`` has been taken away."""
    times: list[float] = []
    loop = asyncio.get_running_loop()

    async def one(session: aiohttp.ClientSession, number: int, due: float) -> None:
        body, headers = signed(number)
        async with session.post(f"{address}/message/added", data=body, headers=headers) as response:
            assert response.status == 200, response.status
        times.append(loop.time() - due)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as tasks:
        begin = loop.time()
        for turn in range(int(seconds * rate)):
            due = begin + turn / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            tasks.create_task(one(session, first + turn, due))
            if until is not None and not until.exists():
                break
    return times


class LockWatch:
    """Asks for the write lock every millisecond, in a thread, and notes how long it was refused at a stretch."""

    def __init__(self, database: Path) -> None:
        self.held: list[float] = []
        self._database = database
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "LockWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        connection = sqlite3.connect(self._database, timeout=0, isolation_level=None)
        since = 0.0
        while not self._stop.wait(0.001):
            now = time.perf_counter()
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
            except sqlite3.OperationalError:
                since = since or now
                continue
            self.held.append(now - since if since else 0.0)
            since = 0.0
        connection.close()


def percentile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
    try:
        names = [folder / f"message_77_2026-02-0{day}T00-00-00-0800Z.csv.gz" for day in (4, 5)]
        for edition, path in enumerate(names):
            write_message_file(path, options.rows, 1, edition)
        with daemon(folder) as (address, _):
            database = folder / "data" / "mirror.db"
            seen = asyncio.run(seen_after(address, database, int(options.seconds * 25)))
            idle = asyncio.run(answer_times(address, options.seconds, 200, 20_000_000))
            merging, held = [], []
            for turn, path in enumerate(names):
                dropped = folder / "drop" / path.name
                path.replace(dropped)
                with LockWatch(database) as watch:
                    times = asyncio.run(answer_times(address, 300, 200, 30_000_000 + turn * 10_000_000, dropped))
                merging.append(times)
                held += [one for one in watch.held if one]
        os.sync()
        shutil.rmtree(folder / "data")
        with daemon(folder) as (address, _):
            bare, durable = throughput(address, options.seconds, options.rounds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(
        f"durable deliveries {durable:,.0f}/s beside {bare:,.0f}/s of a handler that does nothing: {durable / bare:.2f}"
    )
    print(f"row seen after the answer: median {percentile(seen, 0.5):.0f} ms, p99 {percentile(seen, 0.99):.0f} ms")
    print(
        f"write lock held while files merge, as seen by another: median {percentile(held, 0.5):.0f} ms, "
        f"p99 {percentile(held, 0.99):.0f} ms, worst {percentile(held, 1):.0f} ms"
    )
    for name, times in (("idle", idle), ("first load", merging[0]), ("next night", merging[1])):
        print(
            f"answers at 200/s, {name}: median {percentile(times, 0.5):.1f} ms, p99 {percentile(times, 0.99):.1f} ms, "
            f"worst {percentile(times, 1):.0f} ms ({len(times):,} deliveries)"
        )


if __name__ == "__main__":
    main()
