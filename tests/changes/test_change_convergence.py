"""The same change sets make the same rows: in any order, twice, sent again, interrupted, whatever columns they lack."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .change_driver import Driver
from .change_model import KINDS, ChangeSet, rows_of
from .change_world import worlds, write

_SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@_SETTINGS
@given(data=st.data(), world=worlds())
def test_any_order_makes_the_same_rows(
    data: st.DataObject, world: list[ChangeSet], empty: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("world")
    driver = Driver(folder / "mirror", empty)
    try:
        for n in data.draw(st.permutations([*range(len(world)), data.draw(st.integers(0, len(world) - 1))])):
            path = write(folder / str(n), world[n])
            killed = data.draw(st.integers(-1, 8))
            report = driver.load_until(path, killed, accept=True) if killed >= 0 else None
            report = report or driver.load(path, accept=True)
            assert report.state in ("merged", "unchanged"), report
            assert report.state == "unchanged" or report.inserted + report.updated + report.unchanged == report.rows
        expected = rows_of(world)
        for kind in KINDS:
            driver.check(kind, expected.get(kind.table, {}))
        before = {kind.table: driver.dump(kind.table) for kind in KINDS}
        for n, file in enumerate(world):
            again = driver.load(folder / str(n) / file.name, again=True, accept=True)
            assert (again.state, again.inserted, again.updated) == ("merged", 0, 0)
        assert {kind.table: driver.dump(kind.table) for kind in KINDS} == before
    finally:
        driver.close()
