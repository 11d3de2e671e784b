"""Messages counted by day: made anew whenever the days are others, and mended where something made them wrong."""

import random
import shutil
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from promptsync.store import day_count
from promptsync.store.mirror import Mirror
from promptsync.store.repair import repair
from promptsync.store.staged_days import StagedDays
from promptsync.vendors import declared_schema
from tests.merge.driver import fresh_days

SCHEMA = declared_schema()
MESSAGE = SCHEMA["message"]
FLAGS = ("is_outgoing", "is_broadcast", "is_billable", "is_mms", "is_successful", "is_whisper")
_NOW = 1_900_000_000_000_000
ZONES = ["UTC", "America/Los_Angeles", "Asia/Kathmandu", "Africa/Casablanca", "Asia/Beirut", "America/Havana"]


def _rows(seed: int) -> list[dict[str, Any]]:
    """Messages around the midnights of many days, some without a time."""
    chance = random.Random(seed)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = []
    for number in range(3_000):
        at = start + timedelta(minutes=chance.randrange(0, 3 * 365 * 24 * 60), milliseconds=chance.randrange(60_000))
        text = at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
        row = {"id": number + 1, "org_id": 1, "created_timestamp": chance.choice([text] * 9 + [None])}
        row |= {flag: chance.choice([0, 1, 1, None]) for flag in FLAGS}
        rows.append(row | {"segments": chance.choice([1, 2, None])})
    return rows


def _insert(connection: sqlite3.Connection, rows: Iterable[dict[str, Any]]) -> None:
    for row in rows:
        columns = ", ".join(row)
        connection.execute(f"INSERT INTO message ({columns}) VALUES ({', '.join('?' * len(row))})", tuple(row.values()))


def _kept(connection: sqlite3.Connection) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {row[:-3]: row[-3:] for row in connection.execute("SELECT * FROM day_count")}


@pytest.fixture
def opened(empty: Path, tmp_path: Path) -> Callable[..., Mirror]:
    path = Path(shutil.copy(empty, tmp_path))
    return lambda zone=None: Mirror(path, SCHEMA, zone=zone)


@pytest.mark.parametrize("name", ZONES)
def test_a_day_is_the_zones_whichever_way_it_is_counted(name: str, opened: Callable[..., Mirror]) -> None:
    """By triggers, in one pass, and while a first load is staged; days of 23 and 25 hours among them."""
    zone, rows = ZoneInfo(name), _rows(7)
    with closing(opened(zone)) as mirror:
        mirror.writer.run(lambda connection: _insert(connection, rows))
        with mirror.reading() as connection:
            assert _kept(connection) == fresh_days(rows, zone)
        mirror.writer.run(lambda connection: day_count.count_anew(connection, MESSAGE))
        with mirror.reading() as connection:
            assert _kept(connection) == fresh_days(rows, zone)
    assert MESSAGE.counted is not None
    staged = StagedDays(MESSAGE.counted, 1, day_count.offsets(zone))
    for start in range(0, len(rows), 700):
        some = rows[start : start + 700]
        cells = {name: pa.array([row[name] for row in some], pa.int64()) for name in (*FLAGS, "segments")}
        times = pa.array([row["created_timestamp"] for row in some], pa.string())
        staged.add(pa.RecordBatch.from_pydict(cells | {"created_timestamp": times}))
    written = _Written()
    staged.write(written)
    assert {row[:-3]: row[-3:] for row in written.rows} == fresh_days(rows, zone)


class _Written:
    """Stands in for the cursor of a staging file."""

    rows: list[tuple[Any, ...]]

    def execute(self, _sql: str) -> None:
        pass

    def adbc_ingest(self, _table: str, rows: pa.Table, mode: str) -> None:
        self.rows = list(zip(*(column.to_pylist() for column in rows.columns), strict=True))


def test_another_zone_and_a_mirror_from_before_are_counted_anew(opened: Callable[..., Mirror]) -> None:
    rows, pacific, tokyo = _rows(8), ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Tokyo")
    with closing(opened(pacific)) as mirror:
        mirror.writer.run(lambda connection: _insert(connection, rows))
        path = mirror.path
    for zone, expected in ((tokyo, tokyo), (None, tokyo), (pacific, pacific)):
        with closing(opened(zone)) as mirror, mirror.reading() as connection:
            assert _kept(connection) == fresh_days(rows, expected)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript("DROP TABLE day_count; DROP TABLE sync_zone; DROP TRIGGER message_counted_new;")
        connection.execute("DROP TRIGGER message_counted_changed")
        connection.execute("DROP TRIGGER message_counted_gone")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name GLOB 'declared_*'")
    with closing(opened(pacific)) as mirror, mirror.reading() as connection:
        assert _kept(connection) == fresh_days(rows, pacific)


def test_wrong_numbers_are_mended_day_by_day(opened: Callable[..., Mirror]) -> None:
    rows, zone = _rows(9), ZoneInfo("America/Los_Angeles")
    with closing(opened(zone)) as mirror:
        mirror.writer.run(lambda connection: _insert(connection, [*rows, {"id": 9_999, "created_timestamp": "soon"}]))
        with mirror.reading() as connection:
            right = _kept(connection)

        def spoil(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE day_count SET messages = messages + 1 WHERE day = (SELECT max(day) FROM day_count)"
            )
            connection.execute("DELETE FROM day_count WHERE day = (SELECT min(day) FROM day_count WHERE day > '')")
            connection.execute("INSERT INTO day_count VALUES ('1999-01-01', 1, 1, 1, 1, 1, 1, 1, 5, 5, 0)")

        mirror.writer.run(spoil)
        with mirror.reading() as connection:
            assert _kept(connection) != right
        assert repair(mirror, _NOW, _NOW, lambda *_: None).days == 3
        with mirror.reading() as connection:
            assert _kept(connection) == right
        assert repair(mirror, _NOW, _NOW, lambda *_: None).days == 0


def test_the_numbers_follow_every_change_of_a_row(opened: Callable[..., Mirror]) -> None:
    """Whatever is changed, back to nothing known of it as well, and down to the last row."""
    zone, chance = ZoneInfo("America/Los_Angeles"), random.Random(10)
    rows = {row["id"]: row | dict.fromkeys(FLAGS, 1) for row in _rows(10)[:400]}
    columns = ("created_timestamp", "segments", *FLAGS)

    def change(connection: sqlite3.Connection) -> None:
        for number in chance.sample(sorted(rows), len(rows) // 2):
            other = chance.choice(list(rows.values()))
            some = {column: other[column] for column in chance.sample(columns, 2)} | {
                "is_mms": chance.choice([0, None])
            }
            rows[number] |= some
            sets = ", ".join(f"{column} = ?" for column in some)
            connection.execute(f"UPDATE message SET {sets} WHERE id = ?", (*some.values(), number))
        for number in chance.sample(sorted(rows), 100):
            del rows[number]
            connection.execute("DELETE FROM message WHERE id = ?", (number,))

    with closing(opened(zone)) as mirror:
        mirror.writer.run(lambda connection: _insert(connection, rows.values()))
        while rows:
            mirror.writer.run(change)
            with mirror.reading() as connection:
                assert _kept(connection) == fresh_days(rows.values(), zone)
