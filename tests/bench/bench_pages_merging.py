"""How soon pages answer while a large nightly file merges: wall time and processor time of each answer.

The daemon and the pages are the real commands, each in a process of its own, over a mirror that the demo made. The file
is an old night's, so that its rows are merged in slices beside those that the pages show. Pages are asked for one after
the other, before, while and after it merges; their processor time is that of all threads of their process.

    python -m tests.bench.bench_pages_merging --rows 1000000
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import httpx

from tests.bench.bench_daemon import percentile
from tests.bench.bench_pages import LINKED, PAGES, made_by_the_demo
from tests.bench.bulk import write_message_file

_SHARES = (("median", 0.5), ("p99", 0.99), ("worst", 1.0))
_OLD = "2024-06-01T00-00-00-0700Z"


@contextmanager
def running(folder: Path, command: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A command of promptsync's, and the address that it names first."""
    arguments = [sys.executable, "-m", "promptsync", "--config", str(folder / "promptsync.toml"), command]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().rpartition(" ")[2].strip()
    finally:
        process.terminate()
        process.wait(timeout=60)


def spent(process: subprocess.Popen[str]) -> float:
    """Seconds of processor time of all threads that a process has now."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def answers(
    client: httpx.Client, pages: subprocess.Popen[str], paths: list[str], goes_on: Callable[[int], bool]
) -> dict[str, list[tuple[float, float]]]:
    """By path: wall and processor seconds of each answer, for as long as ``goes_on`` says of their number."""
    found: dict[str, list[tuple[float, float]]] = {path: [] for path in paths}
    for number, path in enumerate(cycle(paths)):
        if not goes_on(number):
            return found
        cpu, begun = spent(pages), time.perf_counter()
        answer = client.get(path)
        if answer.status_code not in (200, 503):
            sys.exit(f"{path} answers {answer.status_code}")
        found[path].append((time.perf_counter() - begun, spent(pages) - cpu))
    return found


def show(name: str, found: dict[str, list[tuple[float, float]]]) -> None:
    """A line of all answers, and the path whose answers take longest."""
    every = [one for own in found.values() for one in own]
    if not every:
        print(f"{name}: nothing was asked meanwhile")
        return
    wall, cpu = ([one[place] for one in every] for place in (0, 1))
    slowest = max((path for path in found if found[path]), key=lambda path: max(one[0] for one in found[path]))
    times = [f"{len(every):,} answers"]
    for what, own in (("wall", wall), ("processor", cpu)):
        times.append(", ".join(f"{word} {percentile(own, share):.0f} ms" for word, share in _SHARES))
        times[-1] = f"{what} {times[-1]}"
    print(f"{name}: {'; '.join(times)}; slowest {slowest}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--contacts", type=int, default=5_000)
    parser.add_argument("--messages", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=5, help="before and after")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
    try:
        home = made_by_the_demo(folder, options.contacts, options.messages).parent.parent
        org = next(re.fullmatch(r"message_(\d+)_.*", path.name) for path in (home / "drop" / "done").rglob("message_*"))
        assert org is not None
        file = folder / f"message_{org[1]}_{_OLD}.csv.gz"
        write_message_file(file, options.rows, 1)
        with (
            running(home, "run"),
            running(home, "browse") as (pages, address),
            httpx.Client(base_url=address) as client,
        ):
            client.timeout = httpx.Timeout(60)
            paths = [path for path in PAGES if not path.endswith(".json")]
            for page, pattern in LINKED:
                paths += re.findall(pattern, client.get(page).text)[:1]
            answers(client, pages, paths, lambda number: number < len(paths))  # warms caches
            before = answers(client, pages, paths, lambda number: number < options.rounds * len(paths))
            dropped = home / "drop" / file.name
            file.replace(dropped)
            begun = time.perf_counter()
            meanwhile = answers(client, pages, paths, lambda _: dropped.exists())
            took = time.perf_counter() - begun
            after = answers(client, pages, paths, lambda number: number < options.rounds * len(paths))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    show("before", before)
    show(f"while {options.rows:,} rows merged in {took:.1f} s", meanwhile)
    show("after", after)


if __name__ == "__main__":
    main()
