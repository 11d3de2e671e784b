"""Any order, duplication, batching, interruption and restart of the same claims gives the same mirror."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptsync.events import merge_claims
from promptsync.loading import snapshot_merge
from promptsync.merge import bulk_sql, claim_sql, parts
from promptsync.store import slices

from .driver import Driver, Load
from .files import write_file
from .model import KINDS, Claimed, File, add_file, expected
from .model_events import add_event
from .model_files import (
    CHANGE_KINDS,
    FILE_KINDS,
    ChangeSet,
    Decoded,
    Export,
    add_change_set,
    add_decoded,
    add_export,
    stored_versions,
)
from .world import World, worlds

settings.register_profile("ci", max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
settings.register_profile("hunt", max_examples=3_000, deadline=None, suppress_health_check=list(HealthCheck))
_PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True, scope="module")
def _small_slices() -> Iterator[None]:
    """A slice of one row and chunks of two keys, so that a file of four rows is cut everywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "_FIRST", 1)
        patch.setattr(slices, "_LEAST", 1)
        patch.setattr(slices, "_MOST", 1)
        patch.setattr(snapshot_merge, "_CHUNK", 2)
        patch.setattr(merge_claims, "_CHUNK", 2)
        yield


@contextmanager
def in_parts(yes: bool) -> Iterator[None]:
    """Whether two unknown columns of a file are already so many that statements of their own merge them."""
    with pytest.MonkeyPatch.context() as patch:
        if yes:
            patch.setattr(parts, "_MOST", 1)
        _forget_statements()
        yield
    _forget_statements()


def _forget_statements() -> None:
    for statements in (
        bulk_sql.snapshot_statements,
        claim_sql.change_set_statements,
        claim_sql.export_statements,
    ):
        statements.cache_clear()


@contextmanager
def driven(empty: Path, base: Path) -> Iterator[Driver]:
    folder = Path(tempfile.mkdtemp(dir=base))
    driver = Driver(folder, empty)
    try:
        yield driver
    finally:
        driver.close()
        shutil.rmtree(folder)


@st.composite
def plans(draw: st.DrawFn, world: World) -> list[Any]:
    """Everything at least once, some of it more often, in any order, with interruptions. Half the time files come in
    the order of their nights, as they mostly do."""
    n_files, n_events = len(world.inputs), len(world.events)
    n_arriving = n_events + len([one for one in world.others if isinstance(one, Decoded)])
    which_arrive = st.lists(st.integers(0, n_arriving - 1), min_size=1, max_size=2).map(tuple)
    amid = st.dictionaries(st.integers(1, 9), which_arrive, max_size=3) if n_arriving else st.just({})
    steps: list[Any] = [("event", n) for n in range(n_events)]
    steps += [Load(n, draw(amid)) for n in range(n_files)]
    if n_files:
        which = st.integers(0, n_files - 1)
        killed = st.builds(Load, which, amid, st.integers(2, 10), st.booleans())
        steps += draw(st.lists(killed, max_size=3))
        steps += draw(st.lists(st.builds(Load, which, amid, again=st.booleans()), max_size=1))
    if n_events:
        steps += draw(st.lists(st.tuples(st.just("event"), st.integers(0, n_events - 1)), max_size=2))
    steps += draw(st.lists(st.sampled_from([("apply", 1), ("apply", 3), ("apply", 50), ("restart", 0)]), max_size=5))
    plan = draw(st.permutations(steps))
    if draw(st.booleans()):
        nightly = {n: file.as_of for n, file in enumerate(world.files)}
        ordered = iter(sorted((s for s in plan if _is_among(s, nightly)), key=lambda load: nightly[load.file]))
        plan = [next(ordered) if _is_among(step, nightly) else step for step in plan]
    return plan


def _is_among(step: Any, files: Mapping[int, int]) -> bool:
    return isinstance(step, Load) and step.file in files


def run(driver: Driver, world: World, plan: list[Any]) -> None:
    paths = [write_file(driver.folder / f"in{n}", file) for n, file in enumerate(world.inputs)]
    decoded = [path for path, file in zip(paths, world.inputs, strict=True) if isinstance(file, Decoded)]
    for step in plan:
        if isinstance(step, Load):
            file = world.inputs[step.file]
            corrects = isinstance(file, File) and file.correction > 0
            arriving = world.events if isinstance(file, Decoded) else (*world.events, *decoded)
            report = driver.load_amid(paths[step.file], step, arriving, corrects=corrects)
            assert report is None or report.state in ("merged", "unchanged"), report
            if report is not None and report.state == "merged" and isinstance(file, ChangeSet):
                assert report.inserted + report.updated + report.unchanged + report.suppressed == report.rows
        elif step[0] == "event":
            driver.store([world.events[step[1]]])
        elif step[0] == "apply":
            driver.apply(step[1])
        else:
            driver.restart()
    driver.apply_all()


def all_claims(world: World) -> Claimed:
    """What the model has been told."""
    claimed = Claimed()
    for file in world.files:
        add_file(claimed, file)
    for event in world.events:
        add_event(claimed, event)
    for other in world.others:
        if isinstance(other, ChangeSet):
            add_change_set(claimed, other)
        elif isinstance(other, Export):
            add_export(claimed, other)
        else:
            add_decoded(claimed, other)
    return claimed


def not_applied(driver: Driver) -> list[Any]:
    """Deliveries that did not become rows as they should."""
    with driver.mirror.reading() as connection:
        return connection.execute(
            "SELECT * FROM sync_event WHERE state <> 'applied' OR error LIKE '%could not%'"
        ).fetchall()


def happened(driver: Driver, table: str) -> set[Any]:
    """The rows of what happened, without the delivery that told it."""
    with driver.mirror.reading() as connection:
        return {row[2:] for row in connection.execute(f"SELECT * FROM {table}")}


def found(driver: Driver, table: str, rows: dict[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """The mirror's rows, reduced to the columns that the model speaks of."""
    key = (KINDS | FILE_KINDS)[table].key
    wanted = next(iter(rows.values()), {})
    return {tuple(row[c] for c in key): {name: row[name] for name in wanted} for row in driver.dicts(table)}


def check_versions(driver: Driver, claimed: Claimed) -> None:
    """A change set's row keeps its own version, and that of each column where it is another."""
    for kind in CHANGE_KINDS:
        for row in driver.dicts(kind.table):
            apart = [name[5:-3] for name in row if name.startswith("_col_")]
            stored = stored_versions(claimed.rows[kind.table, tuple(row[c] for c in kind.key)], [*kind.values, *apart])
            for column, stated in stored.items():
                have = row.get(f"_col_{column}_at") if column else None
                assert (row["_row_at"] if have is None else have) == stated, (kind.table, column)


@pytest.mark.slow
@settings(_PROFILE)
@given(data=st.data(), world=worlds())
def test_same_claims_same_mirror(
    data: st.DataObject, world: World, empty: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan = data.draw(plans(world))
    with in_parts(data.draw(st.booleans())), driven(empty, tmp_path_factory.getbasetemp()) as driver:
        run(driver, world, plan)
        claimed = all_claims(world)
        for table, rows in expected(claimed, KINDS | FILE_KINDS).items():
            assert found(driver, table, rows) == rows, table
        check_versions(driver, claimed)
        driver.check_layouts({table for table, _ in claimed.rows if table in {"contact", "message", *FILE_KINDS}})
        driver.check_days()
        assert not_applied(driver) == []
        for table in ("message_status", "message_error", "opt_out_change", "broadcast_change"):
            assert happened(driver, table) == claimed.happened[table], table
