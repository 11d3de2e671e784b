"""Whatever came before an erasure and whatever comes after it, in any order, nothing of the person is in the mirror,
and everyone else's rows are those of a mirror that never heard of them.

Excepted are the tables of what everybody has in common (``SHARED``): there no row may lack; and the numbers kept by
day, in which messages of erased people go on counting.
"""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from promptsync.config import Config
from promptsync.engine.engine import Engine
from promptsync.model.person import Identifier
from promptsync.people.erase import erase
from promptsync.people.forgotten import remembering
from promptsync.plugins.declared import ReadOnly

from .driver import Driver
from .erased_person import KNOWN, NOBODY, PEOPLE, RECORDS, SHARED, owned, without_person
from .model import KINDS, expected
from .model_files import FILE_KINDS
from .test_convergence import _PROFILE, _small_slices, all_claims, driven, found, happened, not_applied, plans, run
from .world import World, worlds

__all__ = ["_small_slices"]

_HAPPENED = ("message_status", "message_error", "opt_out_change", "broadcast_change")
_EXAMPLES = settings(_PROFILE, max_examples=max(_PROFILE.max_examples // 7, 1))


def forget(driver: Driver) -> None:
    """Erase the person: first what is remembered, with what nobody may have told this mirror yet, then what is held."""
    remember, everyone = remembering(driver.mirror), frozenset[Identifier]().union(*PEOPLE)
    driver.mirror.writer.run(lambda connection: remember(connection, 0, everyone, RECORDS))
    erase(engine_of(driver), PEOPLE, "asked", remember)


def engine_of(driver: Driver) -> Engine:
    """What an erasure needs of an engine, of the parts that the driver has."""
    data = {"mirror": {"database": str(driver.mirror.path)}, "drop": {"folder": str(driver.folder / "drop")}}

    @contextmanager
    def paused() -> Any:
        with driver.loader.paused(), driver.decoded.paused(), driver.exports.paused():
            yield

    plugins = SimpleNamespace(extensions=driver.extensions, reading=ReadOnly(driver.mirror.reading_apart))
    return cast(
        "Engine",
        SimpleNamespace(
            mirror=driver.mirror,
            loader=driver.loader,
            config=Config.read(data, driver.folder),
            clock=lambda: 1_800_000_000_000_000,
            plugins=plugins,
            paused=paused,
            apply_pending=lambda _: driver.apply_all(),
        ),
    )


def drop_index(driver: Driver) -> None:
    """The nights' block indexes are only there for speed."""
    driver.mirror.writer.run(lambda connection: connection.execute("UPDATE sync_snapshot SET blocks = NULL"))


def wrong(driver: Driver, world: World) -> dict[str, Any]:
    """What is there of the person, or is not what it should be of everybody else: by table, what is and what should."""
    claimed = all_claims(without_person(world))
    differing: dict[str, Any] = {}
    for table, rows in expected(claimed, KINDS | FILE_KINDS).items():
        rows = {key: row for key, row in rows.items() if key[-1] != NOBODY["internal_customer_id"]}
        have = found(driver, table, rows)
        right = have.keys() >= rows.keys() if table in SHARED else have == rows
        if not right:
            differing[table] = have, rows
    for table in _HAPPENED:
        if (there := happened(driver, table)) != claimed.happened[table]:
            differing[table] = there, claimed.happened[table]
    if left := not_applied(driver):
        differing["sync_event"] = left, []
    return differing


@pytest.mark.slow
@settings(_EXAMPLES, suppress_health_check=list(HealthCheck))
@given(data=st.data(), world=worlds().map(owned))
def test_an_erasure_amid_everything(
    data: st.DataObject, world: World, empty: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan = data.draw(plans(world))
    places = data.draw(st.lists(st.integers(0, len(plan)), min_size=1, max_size=2).map(sorted))
    without_index, restarted = data.draw(st.booleans()), data.draw(st.booleans())
    with driven(empty, tmp_path_factory.getbasetemp()) as driver:
        driver.store([KNOWN])
        driver.apply_all()
        before = 0
        for place in places:
            run(driver, world, plan[before:place])
            forget(driver)
            if without_index:
                drop_index(driver)
            if restarted:
                driver.restart()
            before = place
        run(driver, world, plan[before:])
        assert wrong(driver, world) == {}
        run(driver, world, [replace(step, again=True) if hasattr(step, "again") else step for step in plan])
        assert wrong(driver, world) == {}
