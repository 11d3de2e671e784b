"""Times of receipt under clocks that stand, jump ahead and are set back."""

import sqlite3

from hypothesis import given
from hypothesis import strategies as st

from promptsync.clock import CLOCKS_DIFFER, MICROS, YEAR_2000, iso_micros, parse_iso
from promptsync.store.inbox import receipts

NOW = parse_iso("2026-02-04T08:00:00Z")
CLOCKS = st.lists(
    st.tuples(
        st.one_of(
            st.integers(-10, 10),
            st.integers(-600, 600).map(lambda seconds: seconds * MICROS),
            st.sampled_from([3_650 * 86_400 * MICROS, -3_650 * 86_400 * MICROS, -NOW]),
        ),
        st.integers(1, 4),
    ),
    max_size=12,
)


def database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE sync_event (id INTEGER PRIMARY KEY, received_at TEXT)")
    return connection


def receive(connection: sqlite3.Connection, now: int, count: int) -> list[int]:
    given = list(receipts(connection, now, count))
    connection.executemany("INSERT INTO sync_event (received_at) VALUES (?)", [(iso_micros(at),) for at in given])
    return given


@given(CLOCKS)
def test_none_is_given_twice_none_follows_an_outlier_and_the_rest_grow(clocks: list[tuple[int, int]]) -> None:
    connection = database()
    before: list[int] = []
    for difference, count in clocks:
        now = NOW + difference
        received = receive(connection, now, count)
        assert len(received) == count and received == sorted(set(received)) and not set(received) & set(before)
        assert received[0] >= now
        if now >= YEAR_2000:
            assert received[-1] <= now + CLOCKS_DIFFER + len(before) + count
            assert received[0] > max((at for at in before if at <= now + CLOCKS_DIFFER), default=0)
        else:
            assert received[0] > max(before, default=-1)
        before += received
    connection.close()


def test_one_delivery_ten_years_ahead_dates_no_other() -> None:
    connection = database()
    ahead = NOW + 3_650 * 86_400 * MICROS
    assert receive(connection, ahead, 2) == [ahead, ahead + 1]
    assert receive(connection, NOW, 1) == [NOW]
    assert receive(connection, NOW, 1) == [NOW + 1]
    assert receive(connection, ahead, 1) == [ahead + 2]
    connection.close()


def test_what_was_given_meanwhile_is_passed_over_once_the_clock_comes_there() -> None:
    """The clock was ten minutes ahead for a while, and is right again."""
    connection = database()
    receive(connection, NOW + 600 * MICROS, 3)
    assert receive(connection, NOW, 1) == [NOW]
    assert receive(connection, NOW + 600 * MICROS - 1, 2) == [NOW + 600 * MICROS + 3, NOW + 600 * MICROS + 4]
    connection.close()
