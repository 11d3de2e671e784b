"""Times a look at a place where every object is known, and what it takes in memory.

Run by hand: ``python -m tests.bench.bench_listing --objects 100000``. Prints, from the same run, the comparison in
SQLite and the plain one it is measured against: every object and every line of the ledger an object of Python, every
name read. The store is the one of obstore in memory, so that no server is measured.
"""

import argparse
import asyncio
import resource
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import obstore
from obstore.store import MemoryStore

from promptsync.places.objects import ObjectPlace
from promptsync.places.place import Item
from promptsync.places.plan import FetchOptions, make_plan
from promptsync.store.mirror import Mirror
from promptsync.store.place_ledger import Attempt, Known, note_seen, note_tried
from promptsync.store.place_state import Listing
from promptsync.vendors import declared_schema
from promptsync.vendors.customerio.files import parse_change_set

PLACE, NOW = "s3://bucket", "2026-02-04T00:00:00.000Z"


def fill(store: MemoryStore, mirror: Mirror, count: int) -> None:
    """So many objects, all of them loaded before."""
    for number in range(count):
        obstore.put(store, f"data/out/metrics_v5_111528_{241600000000000000 + number}.parquet", b"x")
    items = asyncio.run(every(ObjectPlace(store, PLACE)))  # type: ignore[arg-type]
    rows = [{"key": item.key, "tag": item.tag, "table": "cio_metrics", "state": "waiting"} for item in items]
    mirror.writer.run(lambda connection: note_seen(connection, PLACE, rows, NOW))
    done = [Attempt(PLACE, item.key, "loaded", NOW) for item in items]
    mirror.writer.run(lambda connection: [note_tried(connection, one) for one in done])


async def every(place: ObjectPlace) -> list[Item]:
    """The whole listing."""
    return [item async for page in place.pages() for item in page]


def plain(store: MemoryStore, mirror: Mirror) -> int:
    """Compare in Python."""
    items = asyncio.run(every(ObjectPlace(store, PLACE)))  # type: ignore[arg-type]
    with mirror.reading() as connection:
        rows = connection.execute(
            "SELECT key, tag, state, attempts, gone_at FROM sync_object WHERE place = ?", (PLACE,)
        )
        known = {key: Known(tag, state, attempts, gone is not None) for key, tag, state, attempts, gone in rows}
    names = [parse_change_set(item.file_name) for item in items]
    vanished = known.keys() - {item.key for item in items}
    changed = [item for item in items if item.key not in known or known[item.key].tag != item.tag]
    return len(names) - len(items) + len(vanished) + len(changed)


def in_sqlite(store: MemoryStore, mirror: Mirror) -> int:
    """Compare as a fetch does."""
    with mirror.reading() as connection:
        listing = Listing(connection, PLACE)

        async def look() -> None:
            async for page in ObjectPlace(store, PLACE).pages():  # type: ignore[arg-type]
                listing.add(page)

        asyncio.run(look())
        differences = ((Item(*entry), known) for entry, known in listing.differences())
        plan = make_plan(differences, lambda _: None, FetchOptions())
        return len(plan.fetch) + len(listing.vanished())


def measured(look: Callable[[MemoryStore, Mirror], int], store: MemoryStore, mirror: Mirror) -> tuple[float, float]:
    """Seconds, and MiB that Python had at the most."""
    begun = time.perf_counter()
    assert look(store, mirror) == 0
    seconds = time.perf_counter() - begun
    tracemalloc.start()
    look(store, mirror)
    most = tracemalloc.get_traced_memory()[1] / (1 << 20)
    tracemalloc.stop()
    return seconds, most


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=100_000)
    count = parser.parse_args().objects
    with tempfile.TemporaryDirectory() as folder:
        mirror = Mirror(Path(folder) / "mirror.db", declared_schema())
        try:
            store = MemoryStore()
            fill(store, mirror, count)
            for name, look in (("in SQLite", in_sqlite), ("plain", plain)):
                seconds, most = measured(look, store, mirror)
                print(f"{name:10} {seconds:6.2f} s   {most:7.1f} MiB of Python's memory")
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{count:,} objects; the process had {peak:,.0f} MiB at the most, the store included")
        finally:
            mirror.close()


if __name__ == "__main__":
    main()
