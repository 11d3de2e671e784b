"""A file with four hundred unknown columns keeps no delivery waiting, and its rows are right.

What the writer does for the loader is timed on its thread, piece by piece, in seconds of its processor: a delivery
comes before each piece, so none is longer than it is when deliveries wait.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from promptsync.store.writer import Lane

from .driver import Driver, few
from .files import write_file
from .model import KINDS, Claimed, File, add_file, expected
from .model_events import Event, add_event
from .model_files import CHANGE_KINDS, FILE_KINDS, ChangeSet, add_change_set
from .world_values import HOUR, NIGHTS, SHAPES

_SECONDS = 0.1
_ROWS = 1_001
_EACH = 7
"""Every seventh row is compared with the rule; these are the ones that deliveries are about."""
_UNKNOWN = tuple(f"extra_{n:03}" for n in range(400))
_PEOPLE = next(kind for kind in CHANGE_KINDS if kind.table == "cio_people")


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[Driver]:
    """One of the tables that a delivery about a contact writes, and of these files."""
    contact = ("contact", "contact_channel", "contact_identity", "contact_current_tag", "contact_list_member", "tag")
    with closing(Driver(tmp_path, None, few(*contact, "contact_list", "channel", "cio_people"))) as driver:
        yield driver


class _Timed:
    """Stands in for ``Writer.submit``: lets a delivery in before each piece of the loader's work, and times that."""

    def __init__(self, driver: Driver, nights: Sequence[int], *, late: bool) -> None:
        self._driver, self._nights, self._late = driver, nights, late
        self.seconds: list[float] = []
        self.events: list[Event] = []

    def __call__(self, work: Callable[..., Any], lane: Lane = Lane.BULK, **kwargs: Any) -> "Future[Any]":
        def timed(connection: Any) -> Any:
            started = time.thread_time()
            try:
                return work(connection)
            finally:
                self.seconds.append(time.thread_time() - started)

        self._late = self._late and not kwargs.get("bare")
        if not self._late:
            self._deliver(len(self.seconds))
        return self._driver._submit(timed, lane, **kwargs)

    def _deliver(self, n: int) -> None:
        self.events.append(_contact(1 + n * _EACH % _ROWS, self._nights[n % len(self._nights)] + n))
        self._driver.store(self.events[-1:])
        self._driver.apply_all()


def _load(driver: Driver, number: int, file: File | ChangeSet, nights: Sequence[int], *, late: bool = False) -> _Timed:
    """Load a file among deliveries of these nights. ``late``: none before it has been compared."""
    timed = driver.mirror.writer.submit = _Timed(driver, nights, late=late)  # type: ignore[method-assign, assignment]
    try:
        report = driver.load(write_file(driver.folder / f"in{number}", file))
    finally:
        driver.mirror.writer.submit = driver._submit  # type: ignore[method-assign]
    assert (report.state, report.rows) == ("merged", len(file.rows))
    return timed


def _contact(id_: int, at: int) -> Event:
    customer = {"id": id_, "createdTimestamp": NIGHTS[0] // 1000, "userType": "CUSTOMER", "channels": []}
    customer |= {"globalOptOut": False, "globalOptOutTimestamp": 0, "displayName": f"delivered {at}"}
    body = {"orgId": 1, "timestamp": at // 1000, "customer": customer}
    return Event("customer/added", json.dumps(body), at)


def _snapshot(night: int, ids: Sequence[int], extra: tuple[str, ...]) -> File:
    shape = SHAPES["contact"]
    known = [None] * (len(shape.varied) + len(shape.blank))
    rows = tuple((n, *known, *(f"{night} {n % 5}" for _ in extra)) for n in ids)
    return File("contact", 1, NIGHTS[night], (*shape.keys, *shape.varied, *shape.blank, *extra), rows)


def _change_set(sequence: int, ids: Sequence[int], extra: tuple[str, ...]) -> ChangeSet:
    rows = []
    for n in ids:
        row: dict[str, Any] = {"workspace_id": 7, "internal_customer_id": f"k{n}", "customer_id": None}
        row |= {"email_addr": f"{sequence}", "updated_at": sequence + n % 2 * 5}
        rows.append(row | dict.fromkeys(extra, f"{sequence} {n % 5}"))
    return ChangeSet(_PEOPLE, 7, sequence, 0, (*_PEOPLE.values, *extra), tuple(rows))


def _compared(files: Sequence[File]) -> Sequence[File]:
    return [replace(file, rows=tuple(row for row in file.rows if row[0] % _EACH == 1)) for file in files]


def _check_rows(driver: Driver, table: str, claimed: Claimed) -> None:
    kind = (KINDS | FILE_KINDS)[table]
    rows = expected(claimed, {table: kind})[table]
    wanted = next(iter(rows.values()))
    assert set(_UNKNOWN) <= wanted.keys()
    have = {tuple(row[c] for c in kind.key): {n: row[n] for n in wanted} for row in driver.dicts(table)}
    assert {key: row for key, row in have.items() if key in rows} == rows


def _longest(timed: _Timed) -> float:
    assert len(timed.seconds) > 10
    return max(timed.seconds)


@pytest.mark.slow
def test_snapshot_of_many_unknown_columns(driver: Driver) -> None:
    """Without them first; then with them, some rows gone and some new; then again, as of the night between."""
    ids = range(1, _ROWS + 1)
    files = [_snapshot(0, ids, ()), _snapshot(2, [*ids[5:], *range(9_001, 9_400)], _UNKNOWN)]
    files.append(_snapshot(1, ids[:300], _UNKNOWN))
    claimed, longest = Claimed(), 0.0
    for number, (file, compared) in enumerate(zip(files, _compared(files), strict=True)):
        timed = _load(driver, number, file, (file.as_of - HOUR, file.as_of + HOUR))
        add_file(claimed, compared)
        for event in timed.events:
            add_event(claimed, event)
        longest = max(longest, _longest(timed) if number else 0.0)
    _check_rows(driver, "contact", claimed)
    assert longest < _SECONDS


@pytest.mark.slow
def test_first_snapshot_of_many_unknown_columns(driver: Driver) -> None:
    """Into a table that is empty until deliveries come while it is merged."""
    file = _snapshot(0, range(1, _ROWS + 1), _UNKNOWN)
    timed = _load(driver, 0, file, (file.as_of - HOUR, file.as_of + HOUR), late=True)
    claimed = Claimed()
    add_file(claimed, *_compared([file]))
    for event in timed.events:
        add_event(claimed, event)
    _check_rows(driver, "contact", claimed)
    assert _longest(timed) < _SECONDS


@pytest.mark.slow
def test_change_set_of_many_unknown_columns(driver: Driver) -> None:
    """Without them first; then with them, half of the rows older than those that are there, some of them new."""
    ids, claimed = range(_ROWS), Claimed()
    files = [_change_set(10, ids, ()), _change_set(12, range(5, _ROWS + 300), _UNKNOWN)]
    timed = [_load(driver, number, file, NIGHTS) for number, file in enumerate(files)]
    for file in files:
        rows = tuple(row for row in file.rows if int(row["internal_customer_id"][1:]) % _EACH == 1)
        add_change_set(claimed, replace(file, rows=rows))
    _check_rows(driver, "cio_people", claimed)
    assert _longest(timed[1]) < _SECONDS
