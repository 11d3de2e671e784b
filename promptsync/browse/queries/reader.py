"""Reading within one page's transaction, and what every page asks: who these people are, which organisations there are.

Owns how rows come out: as dicts, by column name. Every statement must be bounded, by a LIMIT or by an index.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

Row = dict[str, Any]
T = TypeVar("T")

PAGE: Final = 50
"""Rows of a list."""

BOUND: Final = 1001
"""Nothing is counted further: beyond it reads "more than 1,000"."""

LAST: Final = "9"
"""Later than any time."""

OUT: Final = (
    "CASE WHEN EXISTS (SELECT 1 FROM channel_opt_out c WHERE c.contact_id = p.id AND c.opted_out = 1) THEN 1 "
    "ELSE p.is_opted_out END"
)
"""Whether a row ``p`` of ``contact`` may not be texted, at one number or at all: 1, 0, or None if it is not known."""

_ORGS: Final = 200
_HELD: Final = 12
_TIMES: Final = 1_000
_STEPS: Final = 1_000  # of SQLite's machine between two looks at the clock


class Held:
    """Totals over many rows that change little within minutes. For several threads.

    Each is shown again for a thousand times as long as it took to make, to a bound: what costs little is made anew
    each time.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._found: dict[tuple[object, ...], tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...], seconds: float, make: Callable[[], Any]) -> Any:
        """What was made last for a key, or, if that may not be shown any longer, what ``make`` makes now. None is not
        kept. ``seconds``: the bound."""
        begun = self._clock()
        with self._lock:
            until, found = self._found.get(key, (begun, None))
        if found is not None and begun < until:
            return found
        found, now = make(), self._clock()
        with self._lock:
            self._found.pop(key, None)
            self._found[key] = now + min(seconds, _TIMES * (now - begun)), found
            while len(self._found) > _HELD:
                del self._found[next(iter(self._found))]
        return found


class Reader:
    """Statements over a connection, for as long as its transaction lasts. Parameters are named.

    ``seconds``: after them a statement is interrupted (sqlite3.OperationalError); 0: never. ``totals``: of all pages;
    without any, they are made each time.
    """

    def __init__(self, connection: sqlite3.Connection, seconds: float = 0, totals: Held | None = None) -> None:
        self._connection = connection
        self._totals = totals
        self._deadline = time.monotonic() + seconds
        if seconds:
            connection.set_progress_handler(lambda: time.monotonic() > self._deadline, _STEPS)

    def rows(self, sql: str, **values: object) -> list[Row]:
        """Every row."""
        cursor = self._connection.execute(sql, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def row(self, sql: str, **values: object) -> Row | None:
        """The first row, if any."""
        cursor = self._connection.execute(sql, values)
        found = cursor.fetchone()
        return None if found is None else dict(zip((c[0] for c in cursor.description), found, strict=True))

    def rows_within(self, seconds: float, sql: str, **values: object) -> list[Row] | None:
        """Every row, or None if that takes longer; 0: as long as the whole page may take."""
        return self.within(seconds, lambda: self.rows(sql, **values))

    def within(self, seconds: float, read: Callable[[], T]) -> T | None:
        """What ``read`` reads, or None if that takes longer; 0: as long as the whole page may take."""
        if not seconds:
            return read()
        end = self._deadline
        self._deadline = min(end, time.monotonic() + seconds)
        try:
            return read()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT or time.monotonic() > end:
                raise
            return None
        finally:
            self._deadline = end

    def value(self, sql: str, **values: object) -> Any:
        """The first cell of the first row; None without one."""
        found = self._connection.execute(sql, values).fetchone()
        return None if found is None else found[0]

    def columns(self, names: Sequence[str], rest: str, **values: object) -> list[list[Any]]:
        """Every row, column by column: of many rows in a fifth of the time that ``rows`` takes.

        ``names``: of columns of numbers or texts, or other expressions; ``rest``: of the statement, from FROM on.
        """
        arrays = ", ".join(f"json_group_array({name})" for name in names)
        found = self._connection.execute(f"SELECT {arrays} {rest}", values).fetchone()
        return [json.loads(text) for text in found]

    def held(self, seconds: float, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        """A total that may be that old, if it takes long to make; see ``Held.get``."""
        return self._totals.get(key, seconds, make) if self._totals else make()

    def among(self, sql: str, ids: Iterable[object], **values: object) -> list[Row]:
        """Every row of a statement with ``{ids}`` in it, the place of a list. None and repetitions are left out."""
        wanted = sorted({id_ for id_ in ids if isinstance(id_, int)})
        if not wanted:
            return []
        marks = ", ".join(f":i{place}" for place in range(len(wanted)))
        return self.rows(
            sql.replace("{ids}", marks), **{f"i{place}": id_ for place, id_ in enumerate(wanted)}, **values
        )


@contextmanager
def transaction(connection: sqlite3.Connection, seconds: float, totals: Held | None = None) -> Iterator[Reader]:
    """A reader that sees the mirror as it is now, whatever is merged meanwhile, for this many seconds."""
    connection.execute("BEGIN")
    try:
        yield Reader(connection, seconds, totals)
    finally:
        connection.set_progress_handler(None, 0)
        connection.execute("ROLLBACK")


def of_org(org: int | None, alias: str = "") -> str:
    """The condition that a row is of one organisation, bound to ``:org``; nothing where all are meant."""
    return "" if org is None else f" AND {alias}org_id = :org"


def organisations(reader: Reader) -> list[Row]:
    """``id`` and ``name`` of each."""
    return reader.rows("SELECT id, name FROM org ORDER BY id LIMIT :n", n=_ORGS)


def people(reader: Reader, ids: Iterable[object]) -> dict[int, Row]:
    """``id``, ``name``, ``phone``, ``out`` (opted out: 1, 0 or None) of people by id; of one not known yet the id."""
    wanted = {id_ for id_ in ids if isinstance(id_, int)}
    found: dict[int, Row] = {id_: {"id": id_, "name": None, "phone": None, "out": None} for id_ in wanted}
    sql = f"SELECT p.id, p.display_name AS name, p.phone, {OUT} AS out FROM contact p WHERE p.id IN ({{ids}})"
    found.update((row["id"], row) for row in reader.among(sql, wanted))
    return found


def names_of(reader: Reader, table: str, ids: Collection[object]) -> dict[int, str]:
    """What people call rows of ``team_member``, ``broadcast`` or ``contact_list``, by id; those without a name lack."""
    column = {"team_member": "display_name", "broadcast": "description", "contact_list": "name"}[table]
    rows = reader.among(f"SELECT id, {column} AS name FROM {table} WHERE id IN ({{ids}})", ids)
    return {row["id"]: row["name"] for row in rows if row["name"]}


def has_table(reader: Reader, name: str) -> bool:
    """Whether the mirror has a table; one that an older promptsync has made may lack newer ones."""
    return reader.value("SELECT 1 FROM sqlite_master WHERE name = :name", name=name) is not None
