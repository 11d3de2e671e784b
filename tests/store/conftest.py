"""What tests of statements begin with."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from promptsync.store.ddl import statements
from promptsync.vendors import declared_schema


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """Every table, empty, without a mirror around them."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in statements(declared_schema(), {}):
            connection.execute(statement)
        yield connection
