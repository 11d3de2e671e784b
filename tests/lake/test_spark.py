"""Spark folds as DuckDB does, on a real cluster: a master and two workers, processes of their own."""

import json
import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from promptsync.clock import iso_micros, iso_millis
from promptsync.config import load_config
from promptsync.demo.cluster import Cluster
from promptsync.lake import parquet
from promptsync.lake.decode import FULL_LIST_TABLE
from promptsync.lake.engine import ClaimFile, Engine, FoldWork
from promptsync.lake.engine_duckdb import DuckDBEngine
from promptsync.lake.lake import Wanted
from promptsync.lake.opening import open_lake
from promptsync.lake.run import run as run_lake
from promptsync.lake.settings import storage_of
from promptsync.lake.shape import SEEN, SNAP, column_type, fields_of, row_key, version_type
from promptsync.lake.storage import TABLES, Storage
from promptsync.merge.layout import Layout
from promptsync.model import Role, Table
from promptsync.vendors import declared_schema
from tests.merge.files import write_file
from tests.merge.model import File
from tests.merge.world import World, worlds
from tests.merge.world_values import NIGHTS

from .home import Home
from .test_model import Lake, claims_of
from .test_run import tags

pytest.importorskip("pyspark")
SCHEMA = declared_schema()
VALUES: dict[str, list[Any]] = {
    "int64": [None, -7, -1, 0, 1, 3],
    "double": [None, -1.5, 0.0, 2.25],
    "string": [None, "", "z", "\u00e9", "Z", "\uffff", "\U0001f600", "e\u0301"],
    "binary": [None, b"", b"\x00", b"\xff\x01"],
}
VERSIONS = {"int64": [None, 1, 2, 3], "binary": [None, b"\x01", b"\x7f", b"\x80"]}


def kinds() -> dict[Any, Table]:
    """A table of every sort: what happened, what is exported, links with full lists, versions that are bytes, ..."""
    tables = [table for table in SCHEMA if table.role is not Role.OWN]
    return {(t.role, t.exported, bool(t.full_list), str(version_type(t)), len(row_key(t)) > 1): t for t in tables}


def claims(table: Table, chance: random.Random, folder: Path) -> list[ClaimFile]:
    """Files of claims that tie and contradict each other: as declared, without a column, and with others."""
    value = next((column.name for column in table.values if table.role is Role.MIRROR), "")
    layouts = [Layout(table), Layout(table)]
    if table.role is Role.MIRROR:
        layouts.append(Layout(table, (value,) if value else (), ("mood", "a `b\" 'c'.d")))
    found = []
    for number, layout in enumerate(layouts):
        fields = [field for field in fields_of(layout) if not (number == 1 and field.name == value)]
        versions = {unit.at for unit in layout.units} if table.role is Role.MIRROR else set()
        arrays = []
        for field in fields:
            if field.name in (SEEN, SNAP):
                cells = [chance.choice([None, *NIGHTS]) for _ in range(60)]
            elif field.name in versions:
                cells = [chance.choice(VERSIONS[str(field.type)]) for _ in range(60)]
            else:
                some = VALUES[str(field.type)]
                some = [one for one in some if one is not None][:3] if field.name in row_key(table) else some
                cells = [chance.choice(some) for _ in range(60)]
            arrays.append(pa.array(cells, field.type))
        path = folder / f"{table.name}{number}.parquet"
        pq.write_table(pa.Table.from_arrays(arrays, names=[field.name for field in fields]), path)
        found.append(ClaimFile(path, tuple(field.name for field in fields), 60))
    return found


def ends(table: Table, chance: random.Random) -> pa.Table | None:
    if not (table.exported or table.full_list):
        return None
    of = {name: column_type(table, name) for name in ("org_id", *(() if table.exported else row_key(table)[1:2]))}
    rows = [
        {name: chance.choice(VALUES[str(type_)][1:]) for name, type_ in of.items()}
        | {"instant": instant, "iso": iso_millis(instant)}
        for instant in NIGHTS
        for _ in range(2)
    ]
    return pa.Table.from_pylist(rows)


def rows_of(engine: Engine, work: FoldWork, storage: Storage) -> Counter[tuple[Any, ...]]:
    """What an engine makes of it: the bucket and every column of every row. Each key is there once."""
    found = Counter[tuple[Any, ...]]()
    keys = Counter[tuple[Any, ...]]()
    for file in engine.fold(work):
        path = file.path or storage.get(f"{TABLES}/{work.table.name}/{file.key}", Path())
        rows = pq.ParquetFile(path).read()
        assert (tuple(rows.column_names), rows.num_rows, path.stat().st_size) == (file.columns, file.rows, file.size)
        for row in rows.to_pylist():
            found[file.bucket, *sorted(row.items())] += 1
            keys[tuple(row[name] for name in row_key(work.table))] += 1
    assert set(keys.values()) == {1}
    return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers; this process asks them."""
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    quick = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
    with (
        Cluster(tmp_path_factory.mktemp("cluster"), settings=quick) as cluster,
        pytest.MonkeyPatch.context() as patched,
    ):
        for name, value in cluster.environment.items():
            patched.setenv(name, value)
        yield cluster


def fold_alike(spark: Engine, home: Home, tables: Sequence[Table], seed: int) -> None:
    chance, storage = random.Random(seed), storage_of(load_config(home.config))
    folder = home.folder / str(seed)
    folder.mkdir()
    duckdb = DuckDBEngine(folder / "scratch", 1)
    for table in tables:
        files, end = claims(table, chance, folder), ends(table, chance)
        work = [FoldWork(table, files, end, 4, folder / table.name / name / "made") for name in ("duckdb", "spark")]
        assert rows_of(duckdb, work[0], storage) == rows_of(spark, work[1], storage), table.name
    duckdb.close()


def fill(*homes: Home) -> None:
    """The same inputs of two nights and a day for each."""
    body = '{"orgId": 1, "bulkActionId": 3, "status": "SENT", "statusMessage": "x"}'
    for home in homes:
        for night, names in enumerate(("abcde", "Abcd")):
            write_file(home.incoming, tags(night, *names))
            write_file(home.incoming, tags(night, *names[::-1], org=2))
        rows = tuple((n, f"b{n}") for n in range(5))
        write_file(home.incoming, File("broadcast", 1, NIGHTS[0], ("id", "description"), rows))
        (home.incoming / "holiday.png").write_text("x")
        for night in (0, 1):
            line = {"received_at": iso_micros(NIGHTS[night]), "path": "broadcast/state", "body": body}
            (home.folder / "lake" / "deliveries" / f"{night}.jsonl").write_text(json.dumps(line))


def contents(home: Home) -> dict[str, Counter[str]]:
    """Every row of every table that a run writes."""
    names = ("contact_tag", "broadcast", "broadcast_change", "sync_snapshot", "sync_input", "sync_reject")
    untimed = ("seen", "seen_at", "tag", "rejected_at")
    return {n: Counter(repr({k: v for k, v in r.items() if k not in untimed}) for r in home.rows(n)) for n in names}


@pytest.mark.slow
def test_spark_makes_the_rows_that_duckdb_makes_while_executors_die(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables of every sort, row by row; whole runs, amid whose folds an executor is killed; tables in several tasks."""
    from promptsync.lake.engine_spark import SparkEngine

    one, other = Home(tmp_path / "duckdb"), Home(tmp_path / "spark")
    for home in (one, other):
        assert home.run("init").exit_code == 0
    fill(one, other)
    killed = list[int]()

    def kill(step: str, number: int, _: int) -> None:
        if step == "folding tables" and number == 1:
            killed.extend(cluster.executors()[:1])
            os.kill(killed[0], signal.SIGKILL)

    spark, some = SparkEngine(storage_of(load_config(other.config)), cluster.master), list(kinds().values())
    try:
        fold_alike(spark, other, some, 1)
        report = run_lake(open_lake(load_config(other.config)), spark, Wanted(), kill)
        monkeypatch.setattr("promptsync.lake.engine_spark._TASK_ROWS", 90)  # of a file 60
        monkeypatch.setattr("promptsync.lake.engine_spark.SHELF_ROWS", 60)
        fold_alike(spark, other, [t for t in some if t.name in ("broadcast", "alterra_error")], 2)
        assert killed and report.needs_person
    finally:
        spark.close()
    assert one.run("run").exit_code == 1
    assert contents(one) == contents(other)
    assert not (other.folder / "lake" / "parts").exists()


@pytest.mark.skipif("SPARK_BY_HAND" not in os.environ, reason="takes minutes; set SPARK_BY_HAND")
def test_so_it_does_of_worlds(cluster: Cluster, tmp_path: Path) -> None:
    """The claims of many worlds together, which contradict each other more than those of one."""
    from promptsync.lake.engine_spark import SparkEngine

    home = Home(tmp_path / "home")
    assert home.run("init").exit_code == 0
    found, duckdb = list[tuple[str, ClaimFile]](), DuckDBEngine(tmp_path / "scratch", 1)
    lake = Lake(tmp_path, duckdb)

    @settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(world=worlds())
    def gather(world: World) -> None:
        found.extend(claims_of(lake, world))

    gather()
    lake.lists += [r for t, f in found if t == FULL_LIST_TABLE for r in parquet.read(f.path).to_pylist()]
    storage = storage_of(load_config(home.config))
    spark, tables = SparkEngine(storage, cluster.master), sorted({t for t, _ in found} - {FULL_LIST_TABLE})
    try:
        assert len(tables) > 10
        for name in tables:
            files, end, ways = [file for t, file in found if t == name], lake.ends(name), ("duckdb", "spark")
            work = [FoldWork(SCHEMA[name], files, end, 4, tmp_path / name / way / "made") for way in ways]
            assert rows_of(duckdb, work[0], storage) == rows_of(spark, work[1], storage), name
    finally:
        spark.close()
        duckdb.close()
