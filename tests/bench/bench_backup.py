"""A backup of a mirror while the daemon receives, and its way back: time, size, memory, answer times meanwhile.

    python -m tests.bench.bench_backup --rows 1000000

A row is a message of about 350 bytes in the mirror, indexes and search included: 10 GB are some 25 million rows.
"""

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]

from promptsync.config import load_config
from promptsync.daemon.client import ask_daemon
from promptsync.store.wal import log_size
from tests.bench import bench_daemon
from tests.bench.bench_daemon import answer_times, percentile
from tests.bench.bulk import write_message_file

_CONFIG = (
    '[webhook]\nport = 0\nsecrets = [{{ file = "secret" }}]\n[drop]\nsettle = "0.2 seconds"\n'
    '[backup]\nrecipient = "{recipient}"\nidentity = {{ file = "key" }}\nevery = "10 seconds"\n'
)


def prepare(folder: Path, rows: int) -> Path:
    """A folder with a mirror of that many messages, a key and a configuration, whose file is returned."""
    key = pyrage.x25519.Identity.generate()
    (folder / "key").touch(mode=0o600)
    (folder / "key").write_text(str(key))
    file = folder / "promptsync.toml"
    file.write_text(_CONFIG.format(recipient=key.to_public()))
    export = folder / "message_77_2026-02-04T00-00-00-0800Z.csv.gz"
    write_message_file(export, rows, 1, 0)
    subprocess.run(command(file, "load", str(export)), check=True, stdout=subprocess.DEVNULL)
    export.unlink()
    return file


def command(file: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "promptsync", "--quiet", "--config", str(file), *arguments]


def memory(process: int, what: str) -> int:
    """``VmRSS`` or ``VmHWM`` of a process, MiB."""
    found = re.search(rf"^{what}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.M)
    return int(found[1]) >> 10 if found else 0


def measured(work: list[str]) -> tuple[float, int]:
    """Seconds that a command takes, and its peak memory in MiB."""
    begun = time.perf_counter()
    process = subprocess.Popen(work)
    peak = 0
    while process.poll() is None:
        peak = max(peak, memory(process.pid, "VmHWM"))
        time.sleep(0.02)
    assert process.returncode == 0
    return time.perf_counter() - begun, peak


class Meanwhile:
    """Work on a thread, with the largest size of the log while it runs."""

    def __init__(self, work: Callable[[], Any], database: Path, marker: Path) -> None:
        self.result: Any = None
        self.log = 0
        self._work, self._database, self._marker = work, database, marker
        marker.touch()
        self._threads = [threading.Thread(target=self._run), threading.Thread(target=self._watch)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        try:
            self.result = self._work()
        finally:
            self._marker.unlink()

    def _watch(self) -> None:
        while self._marker.exists():
            self.log = max(self.log, log_size(self._database))
            time.sleep(0.005)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=4.0, help="of idle answer times")
    parser.add_argument("--folder", type=Path, help="where the mirror is made; a temporary one without")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-", dir=options.folder))
    try:
        _measure(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(folder: Path, options: argparse.Namespace) -> None:
    file = prepare(folder, options.rows)
    config = load_config(file)
    database, place = config.mirror.database, Path(config.backup.location)
    with bench_daemon.daemon(folder, file.read_text()) as (address, process):
        while not list(place.glob("*.sha256")):  # the first backup, which is made at the start
            time.sleep(0.1)
        time.sleep(2)
        before = memory(process, "VmRSS")
        idle = asyncio.run(answer_times(address, options.seconds, 200, 20_000_000))
        ask = lambda: ask_daemon(database, "backup", {}, lambda _: None)  # noqa: E731
        backup = Meanwhile(ask, database, folder / "running")
        busy = asyncio.run(answer_times(address, 3_600, 200, 30_000_000, folder / "running"))
        backup.join()
        peak = memory(process, "VmHWM")
    made = backup.result
    print(
        f"backup of {options.rows:,} messages: {made['plain_bytes'] >> 20} MiB in {made['seconds']} s, "
        f"{made['bytes'] >> 20} MiB encrypted; daemon {before} MiB before, {peak} MiB at its peak; log up to "
        f"{backup.log >> 20} MiB"
    )
    for name, times in (("idle", idle), ("meanwhile", busy)):
        print(
            f"answers at 200/s, {name}: median {percentile(times, 0.5):.1f} ms, p99 {percentile(times, 0.99):.1f} ms, "
            f"worst {percentile(times, 1):.0f} ms ({len(times):,} deliveries)"
        )
    for what, arguments in (
        ("verify", ("backup", "verify")),
        ("restore", ("restore", "latest", "--to", str(folder / "to"))),
    ):
        seconds, most = measured(command(file, *arguments))
        print(f"{what}: {seconds:.1f} s, peak {most} MiB")


if __name__ == "__main__":
    main()
