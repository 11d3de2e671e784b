"""Loading nightly message files with people to be left out, compared with the same files while nobody was erased.

Prints CPU seconds of this process and their ratio, of the first load and of the next night's file, for the given number
of erased people who are in the file, and as many who are not. The pairs take turns; the least of the rounds counts.

    python -m tests.bench.bench_erased --rows 1000000 --people 1000 --rounds 3
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo

import structlog

from promptsync.clock import system_clock
from promptsync.loading.files import FileLoader, LoadSettings
from promptsync.store import erased
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema
from tests.bench.bench_load import _NAME, load
from tests.bench.bulk import write_message_file
from tests.kinds import file_kinds

WAYS = ("nobody erased", "erased, none in the file", "erased, all in the file")


def identifiers(people: int, way: str) -> Iterator[tuple[str, str]]:
    """Of each person the contact's id, a number, an address and the id at Customer.io."""
    first = 1_001 if way == WAYS[2] else 900_000_000
    for n in range(0 if way == WAYS[0] else people):
        yield "contact", str(first + n)
        yield from (("phone", f"+4915{n:09d}"), ("e-mail", f"person{n}@club.example"), ("cio_id", f"a3{n:08x}"))


def nights(folder: Path, files: tuple[Path, Path], people: int, way: str) -> tuple[float, float]:
    """CPU seconds of the first load and of the next night."""
    folder.mkdir()
    mirror = Mirror(folder / "mirror.db", declared_schema())
    listed = list(identifiers(people, way))

    def remember(connection: object) -> None:
        erased.remember(connection, erased.key_for(connection, mirror.path), 1, listed)  # type: ignore[arg-type]

    mirror.writer.run(remember)
    mirror.writer.run(mirror.adopt_forgotten)
    loader = FileLoader(mirror, LoadSettings(ZoneInfo("America/Los_Angeles")), system_clock)
    spent = []
    for file in files:
        started = time.process_time()
        load(loader, file)
        spent.append(time.process_time() - started)
    mirror.close()
    shutil.rmtree(folder)
    return spent[0], spent[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    try:
        files = folder / _NAME.format(4), folder / _NAME.format(5)
        for edition, file in enumerate(files):
            write_message_file(file, asked.rows, 1, edition)
        file_kinds()
        for round_, way in product(range(asked.rounds), WAYS):
            found[way].append(nights(folder / f"{round_}-{WAYS.index(way)}", files, asked.people, way))
    finally:
        shutil.rmtree(folder)
    print(f"{asked.rows:,} rows, {asked.people:,} people, least of {asked.rounds} rounds, CPU seconds")
    for place, night in enumerate(("first load", "next night")):
        least = {way: min(spent[place] for spent in rounds) for way, rounds in found.items()}
        for way, seconds in least.items():
            print(f"{night}, {way}: {seconds:.3f} s ({seconds / least[WAYS[0]] - 1:+.1%})")


if __name__ == "__main__":
    main()
