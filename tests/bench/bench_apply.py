"""Applying deliveries to rows: a burst of mixed webhooks lies in the inbox, how fast does it become rows?

The deliveries are the simulated organisation's own, of every event type, most of them message/added and
message/status. Prints deliveries a second, beside the requests a second of an aiohttp handler that does nothing (at
least 0.6 of it), and the ratio to merely decoding the same bodies as JSON with Python's own parser.

    python -m tests.bench.bench_apply --rows 100000
"""

import argparse
import asyncio
import cProfile
import gc
import json
import pstats
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import structlog

from promptsync.cli.run import YOUNG
from promptsync.demo.prompt.days import happenings
from promptsync.demo.world.world import World
from promptsync.events.apply import EventApplier
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import insert_event
from promptsync.store.mirror import Mirror
from promptsync.store.writer import Lane
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.event_types import type_of_path
from promptsync.vendors.prompt.events import HANDLERS
from tests.bench import bench_listener

_PER_MESSAGE = 2.5
"""About so many deliveries come of one message."""


def deliveries(rows: int) -> list[Delivery]:
    """So many deliveries in order of time, as the simulated organisation's vendor makes them."""
    messages = int(rows / _PER_MESSAGE) + 600
    while True:
        world = World(5, contacts=max(messages // 10, 200), messages=messages)
        events = happenings(world, world.start, world.present)
        if len(events) >= rows:
            return [
                Delivery(e.path, e.text, received_at=e.at + n, type=type_of_path(e.path))
                for n, e in enumerate(islice(events, rows))
            ]
        messages = int(messages * 1.05 * rows / len(events)) + 100


def store(mirror: Mirror, burst: Sequence[Delivery]) -> None:
    """Put them all into the inbox."""

    def insert(connection: sqlite3.Connection) -> None:
        for delivery in burst:
            insert_event(connection, delivery, delivery.received_at)

    mirror.writer.run(insert, Lane.DELIVERY)


@dataclass
class Taken:
    """What applying took: seconds by the clock and of processor time, batches, seconds of the longest."""

    seconds: float = 0.0
    processor: float = 0.0
    batches: int = 0
    longest: float = 0.0


def apply_all(mirror: Mirror) -> Taken:
    """Apply whatever is pending as the daemon does."""
    applier, taken = EventApplier(mirror, HANDLERS), Taken()
    started, processor = time.perf_counter(), time.process_time()
    while True:
        begun = time.perf_counter()
        if not applier.apply_next():
            break
        taken.longest = max(taken.longest, time.perf_counter() - begun)
        taken.batches += 1
    taken.seconds, taken.processor = time.perf_counter() - started, time.process_time() - processor
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="deliveries in the burst")
    parser.add_argument("--profile", action="store_true", help="say where the time goes instead")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    burst = deliveries(arguments.rows)
    started = time.process_time()
    for delivery in burst:
        json.loads(delivery.body)
    decoding = time.process_time() - started
    folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
    try:
        mirror = Mirror(folder / "mirror.db", declared_schema())
        store(mirror, burst)
        gc.set_threshold(YOUNG)  # as the daemon does
        gc.freeze()  # what the benchmark itself holds is nothing the daemon would have to look through
        if arguments.profile:
            _profile(mirror)
            return
        taken = apply_all(mirror)
        with mirror.reading() as connection:
            states = dict(connection.execute("SELECT state, count(*) FROM sync_event GROUP BY state"))
        mirror.close()
    finally:
        shutil.rmtree(folder)
    if states != {"applied": len(burst)}:
        sys.exit(f"not all were applied: {states}")
    types = Counter(delivery.path for delivery in burst)
    share = sum(types[name] for name in ("message/added", "message/status")) / len(burst)
    print(f"{len(burst):,} deliveries of {len(types)} paths, {share:.0%} message/added or message/status")
    print(f"applied {len(burst) / taken.seconds:,.0f}/s in {taken.seconds:.2f} s")
    ratio = taken.processor / decoding
    print(f"{len(burst) / taken.processor:,.0f}/s of processor time, {ratio:.1f} times decoding alone")
    rates, costs = asyncio.run(bench_listener.measure({"nothing": bench_listener.nothing_runner()}, 2.0, 3))
    rate, cost = statistics.median(rates["nothing"]), statistics.median(costs["nothing"])
    print(
        f"beside {rate:,.0f}/s of a handler that does nothing: {len(burst) / taken.seconds / rate:.2f}, "
        f"by processor time {cost * len(burst) / taken.processor / 1e6:.2f} (at least 0.6)"
    )
    mean = taken.seconds / taken.batches
    print(f"{taken.batches:,} batches, {mean * 1000:.1f} ms on average, the longest {taken.longest * 1000:.0f} ms")


def _profile(mirror: Mirror) -> None:
    applier, profile = EventApplier(mirror, HANDLERS), cProfile.Profile()

    def work(connection: sqlite3.Connection) -> int:
        return profile.runcall(applier.apply_some, connection)

    while mirror.writer.run(work, Lane.APPLY, durable=False):
        pass
    mirror.close()
    pstats.Stats(profile).sort_stats("tottime").print_stats(35)


if __name__ == "__main__":
    main()
