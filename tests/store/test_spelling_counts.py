"""Counts of spellings: they add up, of a bounded number of forms of bounded length."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from promptsync.store.ddl import statements
from promptsync.store.spelling_counts import BOOLEAN, TIME, add, read
from promptsync.vendors import declared_schema


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements(declared_schema(), {}):
            connection.execute(statement)
        connection.execute("INSERT INTO sync_state (name, value) VALUES ('observer', 'x'), ('observed;', 'x')")
        yield connection


def test_counts_add_up_and_the_most_frequent_comes_first(connection: sqlite3.Connection) -> None:
    add(connection, TIME, {"9999-99-99": 3, "99:99 9": 10})
    add(connection, TIME, {"9999-99-99": 6})
    add(connection, BOOLEAN, {"yes": 1})
    assert read(connection) == {TIME: {"99:99 9": 10, "9999-99-99": 9}, BOOLEAN: {"yes": 1}}
    assert list(read(connection)[TIME]) == ["99:99 9", "9999-99-99"]


def test_forms_are_bounded_in_number_and_length(connection: sqlite3.Connection) -> None:
    add(connection, BOOLEAN, {f"{n:02}" + "x" * 100: 1 for n in range(60)})
    add(connection, BOOLEAN, {"00" + "x" * 200: 1, "new": 1})
    found = read(connection)[BOOLEAN]
    assert len(found) == 40 and "new" not in found
    assert found["00" + "x" * 38] == 2
