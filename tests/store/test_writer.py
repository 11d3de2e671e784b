"""The one writer, seen from outside by a second connection."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from promptsync.errors import Unavailable
from promptsync.store.connect import open_reader
from promptsync.store.writer import Lane, Preempted, Writer


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "m.db")
    writer.run(lambda connection: connection.execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y)"))
    yield writer
    writer.close()


@pytest.fixture
def outside(writer: Writer, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection, as Datasette's would be."""
    connection = open_reader(tmp_path / "m.db")
    yield connection
    connection.close()


_ENDLESS = "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i, '' FROM n"


def seen(outside: sqlite3.Connection) -> list[int]:
    return [row[0] for row in outside.execute("SELECT x FROM t ORDER BY x")]


def test_what_fails_half_way_is_never_seen(writer: Writer, outside: sqlite3.Connection) -> None:
    """Not while it runs and not after; what comes next is not touched by it."""
    during = []

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (1, 'half')")
        during.append(seen(outside))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        writer.run(half)
    assert during == [[]]
    assert seen(outside) == []
    writer.run(lambda connection: connection.execute("INSERT INTO t VALUES (2, 'whole')"))
    assert seen(outside) == [2]


def test_an_error_of_one_statement_undoes_all_of_its_function(writer: Writer, outside: sqlite3.Connection) -> None:
    def twice(connection: sqlite3.Connection) -> None:
        connection.executemany("INSERT INTO t VALUES (?, 'same')", [(1,), (2,), (1,)])

    with pytest.raises(sqlite3.IntegrityError):
        writer.run(twice)
    assert seen(outside) == []


def test_what_a_function_leaves_open_or_ends_itself_does_not_stop_the_writer(
    writer: Writer, outside: sqlite3.Connection
) -> None:
    def rolled_back(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (1, 'gone')")
        connection.execute("ROLLBACK")

    with pytest.raises(sqlite3.OperationalError):
        writer.run(rolled_back)
    writer.run(lambda connection: connection.execute("INSERT INTO t VALUES (2, 'there')"))
    assert seen(outside) == [2]


def test_deliveries_go_first_then_their_rows_then_bulk(writer: Writer) -> None:
    order: list[str] = []
    going, go_on = threading.Event(), threading.Event()
    first = writer.submit(lambda _: (going.set(), go_on.wait(5)))
    going.wait(5)
    waiting = [
        writer.submit(lambda _, name=lane.name: order.append(name), lane)  # type: ignore[misc]
        for lane in (Lane.IDLE, Lane.BULK, Lane.APPLY, Lane.DELIVERY)
    ]
    assert writer.waiting() == 4
    go_on.set()
    for future in (first, *waiting):
        future.result(5)
    assert order == ["DELIVERY", "APPLY", "BULK", "IDLE"]


def test_within_a_lane_the_order_is_kept(writer: Writer, outside: sqlite3.Connection) -> None:
    futures = [
        writer.submit(lambda c, n=n: c.execute("INSERT INTO t VALUES (NULL, ?)", (n,)).lastrowid)  # type: ignore[misc]
        for n in range(50)
    ]
    assert [future.result(5) for future in futures] == list(range(1, 51))
    assert [row[0] for row in outside.execute("SELECT y FROM t ORDER BY x")] == list(range(50))


def test_what_memory_says_changes_after_the_commit_and_before_the_next_function(
    writer: Writer, outside: sqlite3.Connection
) -> None:
    memory: list[object] = []
    writer.run(
        lambda connection: connection.execute("INSERT INTO t VALUES (1, '')").lastrowid,
        committed=lambda result: memory.append((result, seen(outside))),
    )
    assert memory == [(1, [1])]
    with pytest.raises(sqlite3.IntegrityError):
        writer.run(lambda c: c.execute("INSERT INTO t VALUES (1, '')"), committed=lambda _: memory.append("wrong"))
    assert memory == [(1, [1])]


def test_long_work_gives_way_to_a_delivery_and_leaves_nothing(writer: Writer, outside: sqlite3.Connection) -> None:
    begun = threading.Event()
    long = writer.submit(lambda connection: (begun.set(), connection.execute(_ENDLESS)), preemptible=True)
    begun.wait(5)
    writer.run(lambda connection: connection.execute("INSERT INTO t VALUES (7, 'urgent')"), Lane.DELIVERY)
    with pytest.raises(Preempted):
        long.result(5)
    assert seen(outside) == [7]


def test_so_it_does_if_the_delivery_comes_while_no_statement_runs(writer: Writer, outside: sqlite3.Connection) -> None:
    """SQLite forgets an interrupt then."""
    begun, queued = threading.Event(), threading.Event()

    def late(connection: sqlite3.Connection) -> None:
        begun.set()
        queued.wait(5)
        connection.execute(_ENDLESS)

    long = writer.submit(late, preemptible=True)
    begun.wait(5)
    urgent = writer.submit(lambda connection: connection.execute("INSERT INTO t VALUES (7, '')"), Lane.DELIVERY)
    queued.set()
    urgent.result(5)
    with pytest.raises(Preempted):
        long.result(5)
    assert seen(outside) == [7]


def test_closing_finishes_what_was_accepted_and_refuses_the_rest(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "m.db")
    writer.run(lambda connection: connection.execute("CREATE TABLE t (x)"))
    futures = [writer.submit(lambda connection: connection.execute("INSERT INTO t VALUES (1)")) for _ in range(20)]
    writer.close()
    writer.close()
    assert all(future.done() for future in futures)
    with pytest.raises(Unavailable):
        writer.submit(lambda connection: None)
    connection = sqlite3.connect(tmp_path / "m.db")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (20,)
    connection.close()
