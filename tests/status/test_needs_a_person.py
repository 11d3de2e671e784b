"""Red is real and green can be reached: what status calls a problem, by what happened to a mirror."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.clock import MICROS, iso_micros, iso_millis
from promptsync.status.facts import Expectations
from promptsync.status.problems import DaemonState, daemon_problems
from promptsync.status.status import read_status
from promptsync.store.deliveries import longest_silence
from promptsync.store.ledger import insert, keep_status
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

HOUR = 3_600 * MICROS
NOW = 20_000 * 24 * HOUR
EXPECTED = Expectations(timedelta(hours=36), ZoneInfo("UTC"))


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with closing(Mirror(tmp_path / "mirror.db", declared_schema())) as mirror:
        yield mirror


def _receive(connection: sqlite3.Connection, *at: int, state: str = "applied") -> None:
    for one in at:
        row = {"type": "console/log", "path": "console/log", "body": "{}", "digest": "", "headers": "{}", "attempts": 0}
        insert(connection, "sync_event", row | {"received_at": iso_micros(one), "observed_at": one, "state": state})


def _problems(mirror: Mirror, words: str, **expected: Any) -> list[str]:
    with mirror.reading() as connection:
        found = read_status(connection, mirror.schema, replace(EXPECTED, **expected), NOW)
    return [problem for problem in found.problems if words in problem]


@given(hours=st.lists(st.integers(0, 28 * 24), min_size=1, max_size=30))
def test_the_longest_silence_is_found_without_reading_every_delivery(hours: list[int]) -> None:
    """Against all pairs; a silence of up to six hours may go unseen."""
    at = sorted({NOW - hour * HOUR for hour in hours})
    longest = max((later - earlier for earlier, later in pairwise(at)), default=0)
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE sync_event (received_at TEXT)")
        connection.executemany("INSERT INTO sync_event VALUES (?)", [(iso_micros(one),) for one in at])
        found = longest_silence(connection)
    assert found == timedelta(microseconds=longest) or found <= timedelta(microseconds=longest) <= timedelta(hours=6)


@pytest.mark.parametrize(
    ("received", "allowed", "problem"),
    [
        ((25,), "auto", True),  # one delivery to try it, and none since
        ((23,), "auto", False),
        ((110, 50, 40), "auto", False),  # a long weekend was as quiet
        ((200, 140, 125), "auto", True),
        ((25,), "never", False),
        ((25,), timedelta(hours=26), False),
        ((25,), timedelta(hours=2), True),
        ((), "auto", False),  # who only loads files has no webhook
    ],
)
def test_a_webhook_that_has_fallen_silent(mirror: Mirror, received: Any, allowed: Any, problem: bool) -> None:
    mirror.writer.run(lambda connection: _receive(connection, *(NOW - hour * HOUR for hour in received)))
    assert bool(_problems(mirror, "No delivery has come", webhook_stale_after=allowed)) == problem


def test_deliveries_that_are_not_applied_are_said_after_a_while(mirror: Mirror) -> None:
    mirror.writer.run(lambda connection: _receive(connection, NOW - HOUR // 12, state="pending"))
    assert not _problems(mirror, "wait to be applied")
    mirror.writer.run(lambda connection: _receive(connection, NOW - HOUR // 2, state="pending"))
    (said,) = _problems(mirror, "wait to be applied")
    assert said.startswith("2 deliveries wait")


def test_a_task_that_failed_is_said_until_it_succeeds_or_is_long_past(mirror: Mirror) -> None:
    def ran(task: str, hours: int, outcome: str) -> None:
        row = {"task": task, "started_at": iso_millis(NOW - hours * HOUR), "outcome": outcome, "message": "no route."}
        mirror.writer.run(lambda connection: insert(connection, "sync_run", row))

    ran("export contacts", 20, "failed")
    ran("plugin shifts", 9 * 24, "failed")
    assert _problems(mirror, "no route.") == [
        f"The task 'export contacts' failed when it last ran, on {iso_millis(NOW - 20 * HOUR)}: no route."
    ]
    ran("export contacts", 10, "done")
    assert not _problems(mirror, "no route.")


def test_a_daemon_that_is_down_is_a_problem_where_one_has_been(mirror: Mirror) -> None:
    for watched in (False, True):
        with mirror.reading() as connection:
            status = read_status(connection, mirror.schema, EXPECTED, NOW)
        assert status.watched == watched
        down = list(daemon_problems(DaemonState(runs=False, free=1 << 40), watched=status.watched))
        assert bool(down) == watched
        mirror.writer.run(lambda connection: keep_status(connection, {"at": "", "problems": [], "places": []}))


def test_a_full_disk_is_a_problem_with_and_without_a_daemon() -> None:
    (said,) = daemon_problems(DaemonState(runs=False, free=5 << 20), watched=False)
    assert "5.0 MiB are free" in said
    assert not list(daemon_problems(DaemonState(runs=True, free=1 << 40), watched=True))
