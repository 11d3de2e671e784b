"""What is shipped between backups: every delivery, once the place has it, however ids and clocks behave."""

from pathlib import Path

from backup_home import KEY, Home, receive, when

from promptsync.backup.names import sort_out
from promptsync.backup.seal import unseal
from promptsync.backup.segments import is_delivery, read_lines
from promptsync.places.place import Item
from promptsync.store.backups import unshipped
from promptsync.store.marks import put_facts, read_facts


def shipped(home: Home, tmp_path: Path) -> list[str]:
    """Times of receipt in all segments, in their order."""
    times = []
    for path in home.segments:
        unseal(path, tmp_path / "plain", [KEY])
        lines = list(read_lines(tmp_path / "plain"))
        assert all(map(is_delivery, lines))
        times += [line["received_at"] for line in lines]
    return times


def test_what_was_not_shipped_is_and_nothing_twice(home: Home, tmp_path: Path) -> None:
    with home.engine():
        home.ship()
        assert home.segments == []
        for numbers in ((1, 2), (), (3,), (4, 5, 6)):
            home.receive(*numbers)
            home.ship()
    assert shipped(home, tmp_path) == [when(number) for number in range(1, 7)]
    assert len(home.segments) == 3
    stored = sort_out(Item(path.name, "") for path in home.segments)
    assert [a.to == b.after for a, b in zip(stored.segments, stored.segments[1:], strict=False)] == [True, True]


def test_ids_that_begin_anew_hide_no_delivery(home: Home, tmp_path: Path) -> None:
    """As they do once every delivery has been swept."""
    with home.engine() as engine:
        home.receive(1, 2, 3)
        home.ship()
        engine.mirror.writer.run(lambda connection: connection.execute("DELETE FROM sync_event").rowcount)
        home.receive(4, 5)
        home.ship()
        home.receive(6)
        home.ship()
        with engine.mirror.reading() as connection:
            assert (read_facts(connection, "backup_shipped") or {})["id"] == 3
    assert shipped(home, tmp_path) == [when(number) for number in range(1, 7)]


def test_a_clock_that_was_set_back_leaves_the_segments_in_order(home: Home, tmp_path: Path) -> None:
    with home.engine() as engine:
        home.receive(1)
        home.ship()
        with engine.mirror.reading() as connection:
            mark = read_facts(connection, "backup_shipped") or {}
        ahead = mark | {"to": "2099-01-01T00:00:00.000000Z"}
        engine.mirror.writer.run(lambda connection: put_facts(connection, "backup_shipped", ahead))
        home.receive(2)
        home.ship()
        home.receive(3)
        home.ship()
    stored = sort_out(Item(path.name, "") for path in home.segments)
    assert len({one.to for one in stored.segments}) == 3
    assert [one.after < one.to for one in stored.segments] == [True] * 3
    assert shipped(home, tmp_path) == [when(number) for number in (1, 2, 3)]


def test_the_whole_inbox_is_not_read_for_it(home: Home) -> None:
    with home.engine() as engine, engine.mirror.reading() as connection:
        receive(engine, 1)
        seen: list[str] = []
        connection.set_trace_callback(seen.append)
        list(unshipped(connection))
        connection.set_trace_callback(None)
        (sql,) = [one for one in seen if "sync_event" in one]
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}")]
    assert plan and not any(step.startswith("SCAN") for step in plan)
