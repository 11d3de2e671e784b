"""What has been swept, and that it does not come in again.

Owns the marks in ``sync_state`` that say up to when each kind of thing has been swept, and what follows for claims: the
texts of older rows are blanked where they enter, whoever brings them, and what happened before is written no more. It
is a function of the claim and the mark alone, so any order of claims ends in the same rows. A trigger does the same
where a claim does not say itself how old its row is; there is none, and no cost, while texts are kept for ever.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from promptsync.merge.sql import quote
from promptsync.model import Kept, Schema, Table
from promptsync.store import ledger, marks

EVENTS = "events"
"""The name of the mark of deliveries."""
_PREFIX = "swept:"


@dataclass(frozen=True, slots=True)
class Mark:
    """What is older than ``before`` is swept, and not taken in again; up to ``done`` all of it has been ("": none).
    Both ISO, as the times that they are compared with. ``period``: for which it was kept, in words."""

    before: str
    done: str = ""
    period: str = ""


class Swept:
    """The marks of one mirror. Read by any thread, changed on the writer's."""

    def __init__(self, schema: Schema) -> None:
        self._tables = {table.keeping.key: table for table in schema if table.keeping}
        self._marks: dict[str, Mark] = {}

    @property
    def tables(self) -> dict[str, Table]:
        """The tables whose rows, or texts in them, can be kept for a limited time, by the key of the configuration."""
        return self._tables

    def load(self, connection: sqlite3.Connection) -> None:
        """Read them from the mirror."""
        self._marks = {key: Mark(**json.loads(facts)) for key, facts in marks.family(connection, _PREFIX).items()}

    def mark(self, key: str) -> Mark | None:
        """Up to when it has been swept; None: never, or it is kept for ever by now."""
        return self._marks.get(key)

    def texts(self, table: Table) -> tuple[Kept, str] | None:
        """Which texts of a table are blanked, and of rows before when (ISO); None: none are."""
        mark = self._marks.get(table.keeping.key) if table.keeping and table.keeping.texts else None
        return (table.keeping, mark.before) if table.keeping and mark else None

    def rows_before(self, table: Table) -> str:
        """Rows of what happened before then (ISO) are not written any more; "": all are."""
        mark = self._marks.get(table.keeping.key) if table.keeping and not table.keeping.texts else None
        return mark.before if mark else ""

    def put(self, connection: sqlite3.Connection, key: str, mark: Mark | None) -> None:
        """Record a mark, or (None) that it is kept for ever, in the caller's transaction; ``adopt`` it once that has
        committed.

        Where more is kept than before, what is known of unchanged blocks is dropped: they may bring texts back.
        """
        before = self._marks.get(key)
        if mark is None:
            marks.drop(connection, _PREFIX + key)
        else:
            marks.put_facts(connection, _PREFIX + key, asdict(mark))
        table = self._tables.get(key)
        if table is None or table.keeping is None or not table.keeping.texts:
            return
        for name, sql in triggers(table).items():
            connection.execute(f"DROP TRIGGER IF EXISTS {quote(name)}" if mark is None else sql)
        if before is not None and (mark is None or mark.before < before.before):
            ledger.void_all_blocks(connection, table.name)

    def adopt(self, put: Mapping[str, Mark | None]) -> None:
        """Marks that are recorded now."""
        self._marks = {key: mark for key, mark in (self._marks | dict(put)).items() if mark is not None}


def triggers(table: Table) -> dict[str, str]:
    """Of a table with texts that may be swept: name to CREATE TRIGGER statement. It is there while they are."""
    return dict(_triggers(table, table.keeping)) if table.keeping and table.keeping.texts else {}


def _triggers(table: Table, kept: Kept) -> Iterator[tuple[str, str]]:
    said = " OR ".join(f"NEW.{quote(text)} IS NOT NULL" for text in kept.texts)
    before = f"(SELECT json_extract(value, '$.before') FROM sync_state WHERE name = '{_PREFIX}{kept.key}')"
    same = " AND ".join(f"{quote(column)} = NEW.{quote(column)}" for column in table.key)
    nothing = ", ".join(f"{quote(text)} = NULL" for text in kept.texts)
    columns = ", ".join(quote(column) for column in (*kept.texts, kept.at))
    for suffix, when in (("new", "INSERT"), ("changed", f"UPDATE OF {columns}")):
        name = f"{table.name}_swept_{suffix}"
        yield (
            name,
            f"CREATE TRIGGER IF NOT EXISTS {quote(name)} AFTER {when} ON {quote(table.name)} "
            f"WHEN ({said}) AND NEW.{quote(kept.at)} < {before} "
            f"BEGIN UPDATE {quote(table.name)} SET {nothing} WHERE {same}; END",
        )
