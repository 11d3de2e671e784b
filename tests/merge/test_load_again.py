"""Loading anything twice changes nothing; what is as it was is not written; a dry run writes nothing at all."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptsync.model import Role

from .driver import Driver
from .files import write_file
from .model import File
from .model_events import Event
from .world import World, worlds
from .world_values import NIGHTS

_SETTINGS = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@contextmanager
def loaded(empty: Path, factory: pytest.TempPathFactory, world: World) -> Iterator[tuple[Driver, list[Path]]]:
    """A mirror of everything in a world, and its files."""
    driver = Driver(factory.mktemp("again"), empty)
    try:
        paths = [write_file(driver.folder / f"in{n}", file) for n, file in enumerate(world.inputs)]
        driver.store(world.events)
        driver.apply_all()
        for path in paths:
            driver.load(path)
        yield driver, paths
    finally:
        driver.close()


@pytest.mark.slow
@_SETTINGS
@given(world=worlds())
def test_loading_the_same_files_again_changes_no_row(
    world: World, empty: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hidden columns and revisions included."""
    with loaded(empty, tmp_path_factory, world) as (driver, paths):
        before = _contents(driver)
        for path in paths:
            driver.load(path, again=True)
        assert _contents(driver) == before


@_SETTINGS
@given(world=worlds())
def test_applying_the_same_deliveries_again_changes_no_row(
    world: World, empty: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with loaded(empty, tmp_path_factory, world) as (driver, _):
        before = _contents(driver)
        driver.mirror.writer.run(
            lambda connection: connection.execute("UPDATE sync_event SET state = 'pending'") and None
        )
        driver.apply_all()
        assert _contents(driver) == before


@_SETTINGS
@given(world=worlds(), data=st.data())
def test_a_dry_run_writes_nothing(
    world: World, data: st.DataObject, empty: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    some = data.draw(st.integers(0, len(world.files)))
    with loaded(empty, tmp_path_factory, World(world.files[:some], world.events, world.others[:some])) as (driver, _):
        before = driver.dump()
        for n, file in enumerate(world.inputs):
            driver.load(write_file(driver.folder / f"dry{n}", file), dry_run=True)
        assert driver.dump() == before
        assert not any((driver.folder / "staging").glob("*"))


def _night(as_of: int, *contents: str) -> File:
    return File("message", 1, as_of, ("id", "content"), tuple((10 + n, text) for n, text in enumerate(contents)))


def test_the_next_night_writes_only_the_rows_that_changed(driver: Driver) -> None:
    driver.load(write_file(driver.folder / "first", _night(NIGHTS[0], "a", "b", "c")))
    before = {row[0]: row for row in driver.rows("message")}
    report = driver.load(write_file(driver.folder / "second", _night(NIGHTS[1], "a", "B", "c")))
    after = {row[0]: row for row in driver.rows("message")}
    assert (report.inserted, report.updated, report.unchanged, report.absent) == (0, 1, 2, 0)
    assert [key for key in after if after[key] != before[key]] == [11]


def test_an_unchanged_night_writes_as_much_for_300_rows_as_for_3(drivers: Callable[[], Driver]) -> None:
    """By SQLite's own count of changed rows: book-keeping and nothing else."""
    written = []
    for rows in (3, 300):
        driver, contents = drivers(), [f"text {n}" for n in range(rows)]
        driver.load(write_file(driver.folder / "first", _night(NIGHTS[0], *contents)))
        before = _total_changes(driver)
        report = driver.load(write_file(driver.folder / "second", _night(NIGHTS[1], *contents)))
        assert (report.state, report.unchanged) == ("merged", rows)
        written.append(_total_changes(driver) - before)
    assert written[0] == written[1]


def test_what_a_delivery_says_too_late_writes_no_row(driver: Driver) -> None:
    columns = ("id", "display_name", "created_timestamp")
    driver.load(write_file(driver.folder / "in", File("contact", 1, NIGHTS[1], columns, ((10, "a", None),))))
    before = driver.rows("contact")
    customer = {"id": 10, "createdTimestamp": NIGHTS[0] // 1000, "displayName": "b", "channels": []}
    driver.store([Event("customer/added", json.dumps({"orgId": 1, "customer": customer}), NIGHTS[0])])
    driver.apply_all()
    assert driver.rows("contact") == before


def _contents(driver: Driver) -> dict[str, list[tuple[Any, ...]]]:
    """What is mirrored and what happened, hidden columns and revisions included; no book-keeping."""
    kept = {table.name for table in driver.schema if table.role is not Role.OWN} | {"sync_reject", "sync_full_list"}
    return {name: rows for name, rows in driver.dump().items() if name in kept}


def _total_changes(driver: Driver) -> int:
    return driver.mirror.writer.run(lambda connection: connection.total_changes)


def test_a_reject_is_kept_once_however_often_its_file_is_loaded(driver: Driver) -> None:
    """Seen twice, of which once with nothing to do, and then loaded again."""
    path = write_file(driver.folder / "in", File("message", 1, NIGHTS[0], ("id", "content"), ((10, "a"), (10, "b"))))
    for again in (False, False, True, True):
        driver.load(path, again=again)
    assert driver.rows("sync_reject", "class, line") == [("duplicate_key", 3)]


def test_files_of_one_instant_do_not_take_a_reject_from_each_other(driver: Driver) -> None:
    twice, thrice = ((10, "a"),) * 2, ((10, "a"),) * 3
    files = [File("message", 1, NIGHTS[0], ("id", "content"), rows) for rows in (thrice, twice, thrice)]
    paths = [write_file(driver.folder / f"in{n}", file) for n, file in enumerate(files)]
    for path in paths:
        driver.load(path)
    before = driver.rows("sync_reject")
    for path in paths:
        driver.load(path, again=True)
    assert driver.rows("sync_reject") == before


def test_a_dry_run_counts_what_a_file_that_lacks_a_column_would_change(driver: Driver) -> None:
    first = File("contact", 1, NIGHTS[0], ("id", "region", "timezone"), ((10, "CA", "x"), (11, "CA", "y")))
    driver.load(write_file(driver.folder / "first", first))
    second = write_file(driver.folder / "second", File("contact", 1, NIGHTS[1], ("id", "region"), ((10, "NY"),)))
    dry, loaded = driver.load(second, dry_run=True), driver.load(second)
    assert (dry.updated, dry.unchanged, dry.absent) == (loaded.updated, loaded.unchanged, loaded.absent) == (1, 0, 1)
