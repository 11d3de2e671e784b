"""Applying deliveries with the three example plugins enabled, beside the same without any.

The deliveries are those of bench_apply. Prints deliveries a second and the ratio (at least 0.85), and what it costs to
keep the observers' queues: they are filled meanwhile, and told afterwards to a receiver that takes everything.

    python -m tests.bench.bench_plugins --rows 20000
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog

from promptsync.config import Config
from promptsync.engine.engine import Engine
from promptsync.model.delivery import Delivery
from tests.bench.bench_apply import deliveries, store
from tests.plugins.plugin_receiver import Receiver

EXAMPLES = Path(__file__).parents[2] / "plugins"


def seconds(burst: Sequence[Delivery], plugins: dict[str, Any], url: str) -> tuple[float, float, float]:
    """Seconds to apply them all, the same of processor time, and to tell the observers afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="promptsync-bench-"))
    try:
        (folder / "alert.url").write_text(url)
        with Engine(Config.read({"plugins": plugins}, folder)) as engine:
            store(engine.mirror, burst)
            started, processor = time.perf_counter(), time.process_time()
            engine.apply_pending()
            applied, processor = time.perf_counter() - started, time.process_time() - processor
            if any(plugin.calls.error for plugin in engine.plugins.extensions.plugins):
                sys.exit("a plugin failed")
            started = time.perf_counter()
            for queue in engine.plugins.queues:
                engine.plugins.tell(queue)
            return applied, processor, time.perf_counter() - started
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="deliveries in the burst")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    burst = deliveries(arguments.rows)
    plugins = {
        "folder": str(EXAMPLES),
        "enabled": ["opt_out_alert", "message_topics", "csv_drop"],
        "opt_out_alert": {"url": {"file": "alert.url"}, "newest_days": 100_000},
        "message_topics": {"topics": {"thanks": ["thank*", "great"], "stop": ["stop", "quit"], "time": ["when"]}},
    }
    receiver = Receiver()
    bare, with_them = [], []
    for _ in range(arguments.rounds):  # in turn, so that a busy machine hits both alike
        bare.append(seconds(burst, {}, receiver.url))
        with_them.append(seconds(burst, plugins, receiver.url))
    without, processor, _ = map(min, zip(*bare, strict=True))
    applied, more_processor, told = map(min, zip(*with_them, strict=True))
    receiver.close()
    print(f"{len(burst):,} deliveries without plugins: {len(burst) / without:,.0f}/s")
    print(
        f"with the three examples: {len(burst) / applied:,.0f}/s, {without / applied:.2f} of that, "
        f"by processor time {processor / more_processor:.2f} (at least 0.85)"
    )
    print(f"observers told in {told:.2f} s more, {len(receiver.posts) // arguments.rounds:,} opt-outs posted")


if __name__ == "__main__":
    main()
