"""A delivery in the very transaction that a file's loading begins beside: it must be seen or noted, never neither."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from promptsync.loading.report import LoadRequest
from promptsync.loading.snapshot_merge import take_some
from promptsync.model import Key
from promptsync.store.writer import Lane

from .driver import Driver
from .files import write_file
from .test_rule_cases import load, message, sent
from .world_values import HOUR, NIGHTS

FIRST, SECOND, _ = NIGHTS


def test_a_file_that_begins_while_deliveries_are_written(driver: Driver) -> None:
    """The delivery is of the hour before the second file; its transaction is open until the loader waits for it."""
    rows = [(10, "exported", 1)]
    load(driver, message(FIRST, rows))
    second = write_file(driver.folder / "second", message(SECOND, rows))
    driver.store([sent(SECOND - HOUR)])
    written, go = threading.Event(), threading.Event()

    def apply(connection: Any) -> None:
        driver.applier.apply_some(connection)
        written.set()
        go.wait(60)

    applied = driver.mirror.writer.submit(apply, Lane.APPLY)
    assert written.wait(60)
    with ThreadPoolExecutor(1) as pool:
        loaded = pool.submit(driver.load, second)
        until = time.monotonic() + 60
        while not driver.mirror.writer.waiting() and not loaded.done():
            assert time.monotonic() < until
            time.sleep(0.001)
        go.set()
        assert loaded.result().state == "merged"
    applied.result()
    assert driver.rows("message", "id, content") == [(10, "exported")]


def test_no_claim_is_lost_that_is_noted_while_rows_are_taken() -> None:
    class Noting(dict[Key, int]):
        """The writer notes an older claim on a row whenever the loader has just looked at it."""

        def items(self) -> Any:
            found = list(super().items())
            self.update((key, 1) for key, _ in found)
            return found

        def popitem(self) -> tuple[Key, int]:
            key, oldest = super().popitem()
            self[(0,)] = self[key] = 1
            return key, oldest

    touched = Noting({(n,): 100 for n in range(30)})
    taken = take_some(touched, 20)
    assert {min(taken.get(key, 100), touched.get(key, 100)) for key in taken} == {1}


def test_files_are_staged_one_by_one_whoever_asks(driver: Driver) -> None:
    """While the first is checked the second does not begin; then both are merged."""
    paths = [write_file(driver.folder / f"{n}", message(night, [(10, "a", n)])) for n, night in enumerate(NIGHTS[:2])]
    given = [driver.kinds.at_door(LoadRequest(path, "test", accept=True)) for path in paths]
    began, second = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        began.set()
        assert not second.wait(0.3)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(driver.loader.load, given[0], hold)
        assert began.wait(60)
        other = pool.submit(driver.loader.load, given[1], lambda *_: second.set())
        assert [first.result().state, other.result().state] == ["merged", "merged"]
    assert second.is_set()
