"""The rule in SQL is the rule: worlds of claims, folded in any order, twice and in steps, are what the model says."""

import json
import os
import random
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptsync.clock import iso_micros, iso_millis
from promptsync.events.suppression import Suppression
from promptsync.formats.csv.reader import SnapshotReader
from promptsync.formats.limits import Limits
from promptsync.formats.parquet.reader import ChangeSetReader
from promptsync.lake import decode
from promptsync.lake.engine import ClaimFile, FoldWork
from promptsync.lake.engine_duckdb import DuckDBEngine
from promptsync.lake.erased import Listed
from promptsync.model.file_name import ChangeSetName, FileName
from promptsync.vendors import declared_schema
from promptsync.vendors.prompt.events import HANDLERS
from tests.kinds import file_kinds
from tests.merge.files import DECODED, exported, write_file
from tests.merge.model import KINDS, File, expected
from tests.merge.model_files import FILE_KINDS, Decoded, Export
from tests.merge.test_convergence import all_claims
from tests.merge.world import Input, World, worlds
from tests.merge.world_values import NIGHTS

_PROFILE = settings(
    max_examples=int(os.environ.get("LAKE_WORLDS", "30")), deadline=None, suppress_health_check=list(HealthCheck)
)
_NOW = 1_800_000_000_000_000
SCHEMA = declared_schema()
NOBODY = Suppression(Listed(SCHEMA))
"""Nobody was erased."""
HAPPENED = ("message_status", "message_error", "opt_out_change", "broadcast_change")


class Lake:
    """Files of claims and of rows in a folder, folded by hand."""

    def __init__(self, folder: Path, engine: DuckDBEngine) -> None:
        self.folder, self.engine = folder, engine
        self.rows: dict[str, list[ClaimFile]] = {}
        self.snapshots: set[tuple[str, int, int]] = set()
        self.lists: list[dict[str, Any]] = []

    def take(self, table: str, batches: Iterable[pa.RecordBatch]) -> tuple[str, ClaimFile] | None:
        """Claims as a file of their own."""
        found = list(batches)
        if not found:
            return None
        path = self.folder / f"{uuid4().hex}.parquet"
        pq.write_table(pa.Table.from_batches(found), path)
        return table, ClaimFile(path, tuple(found[0].schema.names))

    def fold(self, claims: Sequence[tuple[str, ClaimFile]]) -> None:
        """Fold claims with the rows that are there."""
        touched = {table for table, _ in claims if table != decode.FULL_LIST_TABLE}
        self.lists += [r for t, f in claims if t not in touched for r in pq.read_table(f.path).to_pylist()]
        for name in sorted(touched):
            self._fold(name, [file for table, file in claims if table == name])

    def settle(self) -> None:
        """Once all ends are known: end what ended."""
        ended = {table for table, *_ in self.snapshots} | {t.name for t in SCHEMA if t.full_list and self.lists}
        for name in sorted(ended & self.rows.keys()):
            self._fold(name, [])

    def _fold(self, name: str, more: Sequence[ClaimFile]) -> None:
        target = self.folder / uuid4().hex
        self.engine.fold(FoldWork(SCHEMA[name], [*self.rows.get(name, ()), *more], self.ends(name), 4, target))
        made = sorted(target.rglob("*.parquet"))
        self.rows[name] = [ClaimFile(path, tuple(pq.read_schema(path).names)) for path in made]

    def ends(self, name: str) -> pa.Table | None:
        table = SCHEMA[name]
        if table.full_list:
            ends = [one for one in self.lists if one["list"] == table.full_list]
        else:
            stamps = [(org, at) for of, org, at in self.snapshots if of == name]
            ends = [{"org_id": org, "instant": at, "iso": iso_millis(at)} for org, at in stamps]
        return pa.Table.from_pylist(ends) if ends else None

    def dicts(self, name: str) -> list[dict[str, Any]]:
        """The rows, by column in lower case."""
        read = (pq.ParquetFile(file.path).read().to_pylist() for file in self.rows.get(name, ()))
        return [{column.lower(): value for column, value in row.items()} for rows in read for row in rows]


def claims_of(lake: Lake, world: World) -> list[tuple[str, ClaimFile]]:
    """Every input as files of claims."""
    found: list[tuple[str, ClaimFile] | None] = []
    for number, file in enumerate(world.inputs):
        path = write_file(lake.folder / f"in{number}", file)
        found += of_file(lake, file, path)
    for event in world.events:
        line = {"received_at": iso_micros(event.received_at), "path": event.type, "body": event.body}
        claims = decode.deliveries([pa_json(line)], HANDLERS, _NOW, decode.Learned(), NOBODY)
        found += [lake.take(t, rows.to_batches()) for t, rows in decode.claimed(claims, SCHEMA).items()]
    return [one for one in found if one is not None]


def of_file(lake: Lake, file: Input, path: Path) -> list[tuple[str, ClaimFile] | None]:
    """A file as files of claims."""
    learned, utc = decode.Learned(), ZoneInfo("UTC")
    if isinstance(file, Decoded):
        tables = decode.claimed(DECODED.decode(path), SCHEMA)
        return [lake.take(name, rows.to_batches()) for name, rows in tables.items()]
    if isinstance(file, Export):
        rows, at = exported(path, SCHEMA)
        batches = rows.open(path, (utc, at), Limits(), vouched=True, accepted=True)
        return [lake.take("qlara_contact", [decode.export(one, rows.table, learned, NOBODY) for one in batches])]
    stated = file_kinds().recognise(path.name).stated
    if isinstance(stated, ChangeSetName):
        with ChangeSetReader(path, SCHEMA[stated.table], stated, Limits(accept=True)) as reader:
            return [lake.take(stated.table, decode.change_set(reader, SCHEMA[stated.table], learned, NOBODY))]
    assert isinstance(stated, FileName)
    stated = replace(stated, correction=getattr(file, "correction", 0))
    lake.snapshots.add((stated.table, stated.org_id or 0, stated.at))
    with SnapshotReader(path, SCHEMA[stated.table], stated, utc, Limits(accept=True)) as snapshot:
        return [lake.take(stated.table, decode.snapshot(snapshot, SCHEMA[stated.table], stated, learned, NOBODY))]


def pa_json(line: dict[str, Any]) -> str:
    """A line of deliveries."""
    return json.dumps(line)


def what_happened(lake: Lake, name: str) -> set[tuple[Any, ...]]:
    """The rows of a table of what happened, without what numbers them."""
    columns = [column.name for column in SCHEMA[name].columns][2:]
    return {tuple(row[c] for c in columns) for row in lake.dicts(name)}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterable[DuckDBEngine]:
    """One DuckDB for all worlds."""
    engine = DuckDBEngine(tmp_path_factory.mktemp("scratch"), threads=1)
    yield engine
    engine.close()


@_PROFILE
@given(world=worlds(), seed=st.integers(0, 1 << 16), steps=st.integers(1, 3))
def test_folded_claims_are_what_the_rule_says(
    world: World, seed: int, steps: int, engine: DuckDBEngine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path_factory.getbasetemp()))
    try:
        lake, chance = Lake(folder, engine), random.Random(seed)
        claims = claims_of(lake, world)
        claims += chance.sample(claims, len(claims) // 3)
        chance.shuffle(claims)
        for step in range(steps):
            lake.fold(claims[step::steps])
        lake.settle()
        claimed = all_claims(world)
        for name, rows in expected(claimed, KINDS | FILE_KINDS).items():
            key, wanted = (KINDS | FILE_KINDS)[name].key, next(iter(rows.values()), {})
            found = {tuple(row[c] for c in key): {c: row.get(c) for c in wanted} for row in lake.dicts(name)}
            assert found == rows, name
        for name in HAPPENED:
            assert what_happened(lake, name) == claimed.happened[name], name
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["as they came", "the other way round"])
def test_a_row_without_a_column_does_not_overrule_one_that_has_it(
    order: tuple[int, int], engine: DuckDBEngine, tmp_path: Path
) -> None:
    """A file's own columns decide: folded with a column split off and not claimed, a row says nothing about it, however
    new it is."""
    columns = ("id", "contact_id", "name", "created_timestamp", "updated_timestamp", "deleted_timestamp")
    without = tuple(column for column in columns if column != "name")
    nights = (
        File("contact_tag", 1, NIGHTS[0], columns, ((1, 1, "named", None, None, None),)),
        File("contact_tag", 1, NIGHTS[1], without, ((1, 2, None, None, None),)),
    )
    lake = Lake(tmp_path, engine)
    for n in order:
        lake.fold(claims_of(lake, World((nights[n],), ())))
    (row,) = lake.dicts("contact_tag")
    assert (row["name"], row["contact_id"]) == ("named", 2)
