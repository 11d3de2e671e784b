"""A mirror to try deliveries on: applied for real, looked at, and undone."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from promptsync.events.apply import EventApplier
from promptsync.model import Role
from promptsync.model.delivery import Delivery
from promptsync.store.inbox import insert_event
from promptsync.store.mirror import Mirror
from promptsync.vendors.prompt.event_types import type_of_path
from promptsync.vendors.prompt.events import HANDLERS

Given = tuple[str, Any, int]
"""Path, body (JSON text if it is a string), and time of receipt in microseconds."""
Tables = dict[str, list[tuple[Any, ...]]]


class Bench:
    """Applies deliveries inside a transaction that never commits."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self.columns = {
            table.name: [column.name for column in table.columns if column.name != "event_id"]
            for table in mirror.schema
            if table.role is not Role.OWN
        }

    def rows(self, batches: Iterable[Sequence[Given]]) -> tuple[Tables, list[tuple[str, str]]]:
        """Every non-empty table after these batches, and (state, error) of each delivery in order of receipt."""

        def work(connection: sqlite3.Connection) -> tuple[Tables, list[tuple[str, str]]]:
            connection.execute("SAVEPOINT try")
            try:
                for batch in batches:
                    for path, body, received_at in batch:
                        text = body if isinstance(body, str) else json.dumps(body)
                        insert_event(connection, Delivery(path, text, type=type_of_path(path)), received_at)
                    applier = EventApplier(self.mirror, HANDLERS)
                    while applier.apply_some(connection):
                        pass
                told = connection.execute("SELECT state, error FROM sync_event ORDER BY received_at").fetchall()
                return self._dump(connection), told
            finally:
                connection.execute("ROLLBACK TO try")
                connection.execute("RELEASE try")

        return self.mirror.writer.run(work)

    def _dump(self, connection: sqlite3.Connection) -> Tables:
        found: Tables = {}
        for table, columns in self.columns.items():
            names = ", ".join(f'"{name}"' for name in columns)
            if rows := connection.execute(f'SELECT {names} FROM "{table}"').fetchall():
                found[table] = sorted(rows, key=repr)
        return found
