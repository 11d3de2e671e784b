"""What a plugin can declare, as data: the shapes that hooks return, and those that its functions are given and return.

Owns shapes and their own checks. Everything here is part of the contract with plugin authors, who import it from
``promptsync``.
"""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from promptsync.model.file_name import TableFileName

Schedule = str | timedelta
"""When: five cron fields in the configuration's time zone (``"30 2 * * *"``), or how often."""


class PluginError(Exception):
    """Raised by a plugin to fail with a sentence of its own; of every other exception only the class is shown, since
    its text may hold what people wrote."""


class ReadOnly:
    """The mirror, for reading only. Each call opens a connection of its own and closes it."""

    def __init__(self, reading: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        self.reading = reading

    def rows(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[dict[str, Any]]:
        """The rows of a SELECT, column name to value. Raises sqlite3.Error for anything that writes."""
        with self.reading() as connection:
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            cursor = connection.execute(sql, parameters)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]


@dataclass(frozen=True, slots=True)
class Change:
    """A row that changed. ``key``: its primary key, in the table's order. ``revision``: its ``_rev``, or None where
    rows are written once and have none."""

    table: str
    key: tuple[Any, ...]
    revision: int | None


@dataclass(frozen=True, slots=True, init=False)
class Observer:
    """Is called with changes after they were committed, at least once each, oldest first.

    ``tables``: table to the columns whose changes count (none named: any). ``on_change(changes, mirror)`` gets up to
    ``batch`` of them; if it raises, it is called with all of them again, with growing delay. ``schedule``: only then.
    ``limit``: seconds. (``told`` is the old name of ``on_change``.)
    """

    name: str
    tables: Mapping[str, Sequence[str]]
    on_change: Callable[[list[Change], ReadOnly], None]
    batch: int = 500
    schedule: Schedule | None = None
    limit: float = 30.0

    def __init__(
        self,
        name: str,
        tables: Mapping[str, Sequence[str]],
        on_change: Callable[[list[Change], ReadOnly], None] | None = None,
        batch: int = 500,
        schedule: Schedule | None = None,
        limit: float = 30.0,
        **old: Callable[[list[Change], ReadOnly], None],
    ) -> None:
        if old.keys() - {"told"} or (on_change is None) is (not old):
            raise TypeError("an Observer takes name, tables, on_change, batch, schedule and limit")
        values = (name, tables, on_change or old["told"], batch, schedule, limit)
        for field_, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, field_.name, value)

    @property
    def told(self) -> Callable[[list[Change], ReadOnly], None]:
        """The old name of ``on_change``."""
        return self.on_change


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file. ``pattern``: of names, as in a shell (``"orders_*.parquet"``).

    ``decode(path)`` yields ``Claims``; it is run twice, first to see that the whole file can be read, and must yield
    the same both times. A row with ``problems`` is merged as far as it goes, and kept as a reject; too many of them
    hold the file. ``limit``: seconds for each 500 rows.
    """

    name: str
    pattern: str
    decode: Callable[[Path], Iterable[Any]]
    limit: float = 60.0


@dataclass(frozen=True, slots=True)
class AtPlace:
    """How files of one configured place are dealt with. ``recognise``: as there, in the place of the kind's own.

    ``skip``: tables to note and not to fetch. ``downloads``: how many at once. ``putting_away``: what becomes of a file
    there once it is loaded: None to leave it, "" to delete it, else the folder to move it to. ``leave_out``: table to
    columns that are not wanted. ``budgets``: table to bytes that its files may bring.
    """

    recognise: Callable[[str], TableFileName | None]
    skip: frozenset[str] = frozenset()
    downloads: int = 1
    putting_away: str | None = None
    leave_out: Mapping[str, frozenset[str]] = field(default_factory=dict)
    budgets: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableFiles:
    """A kind of file that holds rows of one table and is merged as the table is filled: ``ChangeSetName`` stands for
    parquet change sets, ``FileName`` for CSV snapshots. ``endings``: of its names, for a sentence.

    ``recognise(file_name)`` gives what a name states, None for one that is of another kind; it raises ``InputRefused``
    with a reason and a sentence for one that is of this kind and cannot be taken. ``mark(file_name)``: what a file is
    that the vendor writes for itself, a sentence; None for every other. ``empty``: whether a file of no bytes counts;
    if not, it is passed over in silence. ``leave_out``: table to columns that are not even decoded. ``at_place``: takes
    the configuration section of a place, whose name is the kind's; None if no section has its places. ``samples``:
    names of such files, which no other kind's pattern may fit.
    """

    name: str
    recognise: Callable[[str], TableFileName | None]
    endings: tuple[str, ...]
    mark: Callable[[str], str | None] = lambda _: None
    empty: bool = True
    leave_out: Mapping[str, frozenset[str]] = field(default_factory=dict)
    at_place: Callable[[Any], AtPlace] | None = None
    samples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A place that files come from. ``fetch(folder)`` puts them into an empty folder; what it leaves there is loaded.

    ``limit``: seconds.
    """

    name: str
    schedule: Schedule
    fetch: Callable[[Path], None]
    limit: float = 3600.0


@dataclass(frozen=True, slots=True)
class Filter:
    """Looks at claims before they are merged, and may change or drop them.

    ``claims(type, claims)``: of one delivery; change ``claims.rows`` and so on in place. ``rows(table, batch)``: of a
    nightly file, a pyarrow.RecordBatch; returns one of the same columns. Every batch of a file must be treated alike.
    """

    claims: Callable[[str, Any], None] | None = None
    rows: Callable[[str, Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the browser at ``/plugins/<plugin>/<path>``. ``html(query, mirror)`` gives what stands below the title;
    it must escape what people wrote."""

    path: str
    title: str
    html: Callable[[Mapping[str, str], ReadOnly], str]


@dataclass(frozen=True, slots=True)
class Eraser:
    """Says which rows of a plugin's ``table`` are about a person, where no column of it refers to ``contact`` or
    declares what it ``identifies``.

    ``keys(identifiers, mirror)`` gets what identifies the person, by kind (``contact``, ``phone``, ``e-mail``,
    ``cio_id``, ``customer_id``, ``qlara_id``, ``account``), each a list of texts, and gives primary keys in the table's
    order. promptsync shows the rows when it is asked for what is held of somebody, and deletes them to forget them.
    """

    table: str
    keys: Callable[[Mapping[str, Sequence[str]], ReadOnly], Iterable[Sequence[Any]]]


if TYPE_CHECKING:
    from promptsync.events.claims import Claims
    from promptsync.events.fields import Fields

    EventHandler = Callable[[Fields, Claims], None]
else:
    EventHandler = Callable[[Any, Any], None]
"""Takes ``Fields`` (the delivery's body) and ``Claims`` (to be filled). Pure."""

Check = Callable[[ReadOnly], Iterable["Finding"]]
"""Gives ``Finding`` objects; the problems among them make ``status`` and ``doctor`` exit 1."""


@dataclass(slots=True)
class Declared:
    """Everything one plugin declares, by hook."""

    tables: list[Any] = field(default_factory=list)
    columns: dict[str, list[Any]] = field(default_factory=dict)
    event_handlers: dict[str, EventHandler] = field(default_factory=dict)
    file_kinds: list[FileKind | TableFiles] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    observers: list[Observer] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    commands: list[Any] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    metadata: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    erase: list[Eraser] = field(default_factory=list)


class Level(Enum):
    """``NOTE``: worth knowing, nothing has to be done. ``PROBLEM``: a person has to do something."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer of a check. ``check``: what was looked at, a stable name. ``says``: a sentence; of a problem, with
    what to do. It never holds a secret or personal data: it is printed and pasted into mails."""

    level: Level
    check: str
    says: str

    def as_dict(self) -> dict[str, str]:
        """Plain data, for JSON."""
        return {"level": self.level.value, "check": self.check, "says": self.says}


def ok(check: str, says: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.OK, check, says)


def note(check: str, says: str) -> Finding:
    """Worth knowing."""
    return Finding(Level.NOTE, check, says)


def problem(check: str, says: str) -> Finding:
    """Somebody has to do something."""
    return Finding(Level.PROBLEM, check, says)
