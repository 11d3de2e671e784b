"""What is on record from a time when the clock was ahead: named, not believed, and dated anew when asked."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from promptsync.clock import CLOCKS_DIFFER, MICROS, iso_micros, iso_millis, parse_iso
from promptsync.daemon.metrics import mirror_metrics
from promptsync.status.facts import Expectations, Status
from promptsync.status.sources import task_of
from promptsync.status.status import read_status
from promptsync.store.mirror import Mirror
from promptsync.store.repair import Future, date_records_anew, dated_in_future
from promptsync.vendors import declared_schema

NOW = parse_iso("2026-02-04T08:00:00Z")
HOUR = 3_600 * MICROS
YEARS = 3_650 * 24 * HOUR
PLACE = "s3://place"


@pytest.fixture
def mirror(empty: Path, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "mirror.db"
    path.write_bytes(empty.read_bytes())
    Mirror(path, declared_schema()).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def run(connection: sqlite3.Connection, at: int) -> None:
    values = (task_of(PLACE), iso_millis(at), iso_millis(at + MICROS))
    connection.execute("INSERT INTO sync_run (task, started_at, finished_at, outcome) VALUES (?, ?, ?, 'done')", values)


def file(connection: sqlite3.Connection, at: int) -> None:
    sql = (
        "INSERT INTO sync_file (name, \"table\", sequence, state, seen_at) VALUES ('a', 'cio_people', '1', 'merged', ?)"
    )
    connection.execute(sql, (iso_millis(at),))


def delivery(connection: sqlite3.Connection, at: int) -> None:
    sql = "INSERT INTO sync_event (type, path, received_at, state, body) VALUES ('a', 'a', ?, 'applied', '{}')"
    connection.execute(sql, (iso_micros(at),))


def everything(connection: sqlite3.Connection, at: int) -> None:
    for write in (run, file, delivery):
        write(connection, at)


def status(connection: sqlite3.Connection) -> Status:
    expected = Expectations(timedelta(hours=36), ZoneInfo("UTC"), (PLACE,))
    return read_status(connection, declared_schema(), expected, NOW)


def test_status_names_it_and_goes_by_what_is_not(mirror: sqlite3.Connection) -> None:
    everything(mirror, NOW - 48 * HOUR)
    before = status(mirror)
    everything(mirror, NOW + YEARS)
    found = status(mirror)
    (source,) = found.sources
    assert (source.stale, source.last_success) == (True, "2026-02-02T08:00:00.000Z"), "ten years are no success"
    assert found.events.newest == before.events.newest and found.events.received == 2
    assert set(found.problems) - set(before.problems) == {
        "Dated later than now (up to 2036-02-02T08:00:00.000Z): 1 delivery, 1 file and 1 run. If this machine's clock "
        "is wrong, put it right (NTP); if it was ahead then: promptsync doctor --repair"
    }


def test_no_success_is_younger_than_now(mirror: sqlite3.Connection) -> None:
    everything(mirror, NOW - HOUR)
    everything(mirror, NOW + YEARS)
    (ages,) = (m for m in mirror_metrics(mirror, NOW) if m.name == "promptsync_last_success_age_seconds")
    assert {sample.labels["kind"]: sample.value for sample in ages.samples} == dict.fromkeys(
        ("task", "change_set", "webhook"), 3_600
    )


def test_clocks_that_merely_differ_are_nothing_to_name(mirror: sqlite3.Connection) -> None:
    everything(mirror, NOW + CLOCKS_DIFFER)
    assert dated_in_future(mirror, NOW) == Future()
    everything(mirror, NOW + CLOCKS_DIFFER + 1000)
    assert dated_in_future(mirror, NOW).deliveries == 1


def test_files_and_runs_are_dated_by_what_is_beside_them(mirror: sqlite3.Connection) -> None:
    for at in (NOW + YEARS, NOW - 3 * HOUR, NOW + YEARS, NOW + 2 * YEARS, NOW - HOUR):
        run(mirror, at)
        file(mirror, at)
    assert date_records_anew(mirror, NOW) == 6
    assert dated_in_future(mirror, NOW) == Future()
    hours = [("05"), ("05"), ("05"), ("05"), ("07")]
    for table, column in (("sync_run", "started_at"), ("sync_run", "finished_at"), ("sync_file", "seen_at")):
        assert [at[11:13] for (at,) in mirror.execute(f"SELECT {column} FROM {table} ORDER BY id")] == hours
    assert date_records_anew(mirror, NOW) == 0
