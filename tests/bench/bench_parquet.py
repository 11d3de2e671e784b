"""Times the proof, the reading and the loading of a metrics change set that it generates.

Prints rows a second beside Arrow's own bare reading of the same columns in the same run, then the load through the
engine beside what one would write in pandas (read_parquet and to_sql, where pandas is installed), with a key and the
mirror's indexes and without, and through SQLAlchemy if that is installed; and the peak of memory after the load.

    python -m tests.bench.bench_parquet --rows 1000000
"""

import argparse
import importlib.util
import multiprocessing
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from promptsync.config import load_config
from promptsync.engine.engine import Engine
from promptsync.formats.limits import Limits
from promptsync.formats.parquet.proof import prove_parquet
from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.loading.files import LoadRequest
from promptsync.vendors.customerio.files import parse_change_set
from promptsync.vendors.customerio.tables_sent import METRICS

NAME = "metrics_v5_111528_241600000000311123.parquet"
WORKSPACE = 111528
_START = 1_767_225_600_000  # 2026-01-01, milliseconds
_AT_ONCE = 100_000
_KINDS = ("sent", "delivered", "opened", "clicked", "attempted", "bounced", "dropped")
_DOMAINS = ("gmail.com", "outlook.com", "yahoo.com", "icloud.com", "example.org")
_AGENTS = tuple(
    f"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.0.0 Safari/537.36"
    for system in ("Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64")
    for major in range(100, 140)
)


def make_metrics(path: Path, rows: int, seed: int) -> None:
    """Writes a metrics file, version 5, of so many rows, in batches. Its event ids differ from those of other seeds."""
    schema = _some_metrics(np.random.default_rng(seed), seed, 0, 1).schema
    chance = np.random.default_rng(seed)
    with pq.ParquetWriter(path, schema, compression="snappy") as writer:
        for first in range(0, rows, _AT_ONCE):
            writer.write_batch(_some_metrics(chance, seed, first, min(_AT_ONCE, rows - first)))


def _some_metrics(chance: np.random.Generator, seed: int, first: int, rows: int) -> pa.RecordBatch:
    kind = chance.integers(0, len(_KINDS), rows)
    opened, clicked = kind == 2, kind == 3
    at = _START + (first + np.arange(rows)) * 250 + chance.integers(0, 250, rows)
    delivery = chance.integers(0, max((first + rows) // 3, 1), rows)
    domain = chance.integers(0, len(_DOMAINS), rows)
    link = chance.integers(1, 400, rows)
    return pa.RecordBatch.from_pydict(
        {
            "event_id": _ids(f"01{seed % 100:02d}", first + np.arange(rows)),
            "workspace_id": np.full(rows, WORKSPACE),
            "delivery_id": _ids("dgO", delivery),
            "metric": pa.array(_named(_KINDS, kind), pa.string()),
            "reason": pa.array(_named(("", "550 5.1.1 The email account does not exist"), kind >= 4), mask=kind < 4),
            "link_id": pa.array(link, mask=~clicked),
            "link_url": pa.array(np.char.add("https://example.org/articles/", link.astype(str)), mask=~clicked),
            "created_at": pa.array(at, pa.timestamp("ms", "UTC")),
            "seq_num": first + np.arange(rows) + 1,
            "proxied": pa.array(opened & (domain == 0)),
            "prefetched": pa.array(opened & (domain == 3)),
            "machine": pa.array(clicked & (chance.random(rows) < 0.02)),
            "user_agent": pa.array(_named(_AGENTS, chance.integers(0, len(_AGENTS), rows)), mask=~(opened | clicked)),
            "email_client": pa.array(_named(("Gmail", "Apple Mail", "Outlook"), domain % 3), mask=~opened),
            "inbox_domain": pa.array(_named(_DOMAINS, domain), pa.string()),
            "inbox_provider": pa.array(_named(("Google", "Microsoft", "Yahoo", "Apple", "Other"), domain)),
            "mx_host": pa.array(np.char.add("mx.", _named(_DOMAINS, domain))),
        }
    )


def _named(words: tuple[str, ...], numbers: np.ndarray) -> np.ndarray:
    return np.array(words)[numbers.astype(np.int64)]


def _ids(prefix: str, numbers: np.ndarray) -> pa.StringArray:
    """26 letters and digits that tell the number, as ids of the vendor look."""
    scattered = (numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)).astype(str)
    return pa.array(np.char.add(prefix, np.char.zfill(scattered, 26 - len(prefix))), pa.string())


def read(path: Path) -> int:
    """Every row of the file, typed; returns how many."""
    with ChangeSetReader(path, METRICS, parse_change_set(path.name), Limits()) as reader:
        return sum(batch.rows.num_rows for batch in reader)


def read_bare(path: Path) -> int:
    """The same rows as Arrow gives them."""
    return sum(batch.num_rows for batch in pq.ParquetFile(path, pre_buffer=False).iter_batches())


def prove(path: Path) -> int:
    """The size of the proven file."""
    return prove_parquet(path, Limits()).size


def load(path: Path, folder: Path) -> float:
    """Seconds until the file is merged into an empty mirror by the engine."""
    settings = folder / "promptsync.toml"
    settings.write_text('[mirror]\ndatabase = "mirror.db"\n')
    with Engine(load_config(settings)) as engine:
        started = time.perf_counter()
        report = engine.load_file(LoadRequest(path, "bench"))
        spent = time.perf_counter() - started
    if report.state != "merged":
        sys.exit(f"{path.name}: {report.state}: {report.error}")
    return spent


def load_with_sqlalchemy(path: Path, folder: Path) -> float:
    """Seconds of read_parquet and to_sql the way pandas documents it."""
    pandas, sqlalchemy = importlib.import_module("pandas"), importlib.import_module("sqlalchemy")
    database = folder / "sqlalchemy.db"
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    started = time.perf_counter()
    pandas.read_parquet(path).to_sql("metrics", engine, index=False)
    spent = time.perf_counter() - started
    engine.dispose()
    database.unlink()
    return spent


def load_with_pandas(path: Path, folder: Path, *, indexed: bool) -> float:
    """Seconds of read_parquet and to_sql into a new SQLite database, then perhaps the mirror's key and indexes."""
    pandas = importlib.import_module("pandas")
    database = folder / "pandas.db"
    started = time.perf_counter()
    with closing(sqlite3.connect(database)) as connection:
        pandas.read_parquet(path).to_sql("metrics", connection, index=False)
        for columns in (METRICS.key, *METRICS.indexes) if indexed else ():
            connection.execute(f"CREATE INDEX {'_'.join(columns)}_index ON metrics ({', '.join(columns)})")
        connection.commit()
    spent = time.perf_counter() - started
    database.unlink()
    return spent


def timed(what: Callable[[Path], int], path: Path) -> float:
    """Seconds, the best of three."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        what(path)
        best = min(best, time.perf_counter() - started)
    return best


def main() -> None:
    """Generate, time, print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=1_000_000)
    rows = arguments.parse_args().rows
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NAME
        maker = multiprocessing.get_context("spawn").Process(target=make_metrics, args=(path, rows, 1))
        maker.start()
        maker.join()
        print(f"{rows:,} rows, {path.stat().st_size / 1e6:.0f} MB")
        loaded = load(path, Path(folder))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"load {loaded:.2f} s, {rows / loaded:,.0f} rows/s, peak memory {peak:.0f} MiB")
        bare = timed(read_bare, path)
        for name, seconds in (("prove", timed(prove, path)), ("read", timed(read, path)), ("Arrow alone", bare)):
            print(f"{name:12} {seconds:6.2f} s {rows / seconds:12,.0f} rows/s {seconds / bare:6.1f} x Arrow alone")
        if importlib.util.find_spec("pandas") is None:
            print("pandas is not installed: nothing to compare with")
            return
        for words, indexed in (("bare table", False), ("key and indexes", True)):
            other = load_with_pandas(path, Path(folder), indexed=indexed)
            print(f"pandas, {words}: {other:.2f} s; the engine is {other / loaded:.1f} times as fast")
        if importlib.util.find_spec("sqlalchemy") is not None:
            other = load_with_sqlalchemy(path, Path(folder))
            print(f"pandas through SQLAlchemy: {other:.2f} s; the engine is {other / loaded:.1f} times as fast")


if __name__ == "__main__":
    main()
