"""From one identifier to the whole person: their other identifiers, and every row that is about them.

Owns what is certain and what is only probable. Rows that state two identifiers together (a contact's id and number, a
person's cio_id and address) lead from one to the next, across vendors, as long as each of them names one person. A
number or an address that two people have, and a second id of a kind of which one is known, are doubts: shown, never
followed unasked. Reads only.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from promptsync.config import Config
from promptsync.errors import ConfigError
from promptsync.events.mentions import Record
from promptsync.loading.kinds import FileKinds
from promptsync.model import Column, Identity, Key, Schema, Table
from promptsync.model.person import Identifier, identifier, identifiers_in
from promptsync.plugins.calls import PluginFailed
from promptsync.plugins.declared import ReadOnly
from promptsync.plugins.loading import Extensions, Plugin
from promptsync.store import person_rows

Row = Mapping[str, Any]
MOST_SHARING: Final = 20
"""People who may share a number or an address before it is taken for a switchboard and asked about no more."""

_SECONDS: Final = 60.0
_PEOPLE: Final = (Identity.CONTACT, Identity.CIO, Identity.QLARA)
"""Ids that one person has one of; the customer's id at Customer.io is only one within a workspace."""
_RECORDS: Final = (
    *("message", "conversation", "conversation_config", "scheduled_message", "instant_app", "upload"),
    *("cio_deliveries", "cio_subjects"),
)
"""Tables whose ids deliveries, and rows of other tables, name in place of the person."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """``others``: ids of people who are perhaps the same person, empty if they are too many (``count``). ``because``:
    the identifier that links them."""

    because: Identifier
    others: tuple[Identifier, ...]
    count: int


@dataclass(slots=True)
class Person:
    """``identifiers``: those that are certain. ``rows``: table to key to row. ``gone``: records that were theirs.
    ``steps``: of rows that state none of the identifiers, over how many others they were found.
    """

    identifiers: frozenset[Identifier]
    doubts: list[Doubt] = field(default_factory=list)
    rows: dict[str, dict[Key, Row]] = field(default_factory=dict)
    gone: frozenset[Record] = frozenset()
    steps: dict[tuple[str, Key], int] = field(default_factory=dict)

    @property
    def records(self) -> frozenset[Record]:
        """Ids of their messages, conversations and so on, with the tables."""
        found = ((table, key[-1]) for table in _RECORDS for key in self.rows.get(table, ()))
        return self.gone | {(table, id_) for table, id_ in found if isinstance(id_, int | str)}


def is_theirs(table: Table, row: Row, person: frozenset[Identifier]) -> bool:
    """Whether a row is about a person, by the identifiers that it states itself."""
    found = identifiers_in(table, row)
    ids = {one for one in found if one.kind.owns}
    return not person.isdisjoint(ids or found)


@dataclass(frozen=True, slots=True)
class Archive:
    """Where people are looked for. ``mirror``: what plugins get, whose hook ``erase`` is asked. ``folders``: where
    files are kept; ``kinds``: what they are by their names."""

    connection: sqlite3.Connection
    schema: Schema
    plugins: tuple[Plugin, ...]
    mirror: ReadOnly
    kinds: FileKinds
    folders: tuple[Path, ...]


def archive_of(connection: sqlite3.Connection, config: Config, extensions: Extensions, mirror: ReadOnly) -> Archive:
    """The mirror and the folders of a configuration."""
    data, drop = config.mirror.database.parent, config.drop.folder
    folders = (drop / "done", drop / "held", data / "incoming", data / "exports")
    return Archive(connection, extensions.schema, extensions.plugins, mirror, FileKinds.of(extensions), folders)


def start_of(archive: Archive, contact: str = "", phone: str = "", customer: str = "") -> frozenset[Identifier]:
    """The identifiers that somebody typed, as far as they are some. Raises ConfigError for what is none."""
    found = set()
    for kind, text, what in ((Identity.CONTACT, contact, "contact's number"), (Identity.PHONE, phone, "phone number")):
        if text:
            one = identifier(kind, text)
            if one is None:
                raise ConfigError(f"{text} is no {what}; a phone number has its country in front: +14155550123.")
            found.add(one)
    if customer:
        tried = (identifier(kind, customer) for kind in (Identity.CIO, Identity.CUSTOMER, Identity.EMAIL))
        given = [one for one in tried if one is not None]
        people = archive.schema["cio_people"]
        rows = list(person_rows.stating(archive.connection, people, given))
        known = {one for row in rows for one in identifiers_in(people, row)} & set(given)
        found |= known or {given[-1] if given[-1].kind is Identity.EMAIL else given[0]}
    return frozenset(found)


def person_of(archive: Archive, starts: Iterable[Iterable[Identifier]]) -> Person:
    """Who has these identifiers, with every row about them; several people, each with theirs, are one in the result.

    Raises ConfigError for a number of the organization's own channels, and if a plugin cannot say what it holds.
    """
    texts = person_rows.own_numbers(archive.connection)
    ours = {one for text in texts if (one := identifier(Identity.ADDRESS, text)) is not None}
    tables = person_rows.there(archive.connection, archive.schema)
    certain: set[Identifier] = set()
    doubts: list[Doubt] = []
    for start in starts:
        given = frozenset(start)
        if mine := given & ours:
            raise ConfigError(f"{next(iter(mine)).value} is a number of your own channels, not a person's.")
        found, more = _Closure(archive.connection, tables, given, ours).run()
        certain |= found
        doubts += more
    return known_person(archive, frozenset(certain), doubts)


def known_person(archive: Archive, identifiers: frozenset[Identifier], doubts: Sequence[Doubt] = ()) -> Person:
    """Every row about a person all of whose identifiers are known."""
    person = Person(identifiers, list(doubts))
    _gather(archive, person_rows.there(archive.connection, archive.schema), person)
    for plugin in archive.plugins:
        _ask_plugin(archive, plugin, person)
    return person


class _Closure:
    """The walk from identifier to identifier."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        tables: Iterable[Table],
        start: frozenset[Identifier],
        ours: set[Identifier],
    ) -> None:
        self._connection = connection
        self._links = [table for table in tables if _links(table)]
        self._start, self._ours = start, ours
        self._known = set(start)
        self._shared: set[Identifier] = set()
        self._doubts: dict[tuple[Identifier, ...], Doubt] = {}

    def run(self) -> tuple[frozenset[Identifier], list[Doubt]]:
        """The identifiers that are certain, and the doubts."""
        waiting = sorted(self._known, key=_ids_first)
        while waiting:
            one = waiting.pop(0)
            beside = self._beside(one)
            new = beside - self._known - self._ours
            if one.kind not in _PEOPLE:
                new = self._certain(one, {other for other in beside if other.kind in _PEOPLE})
            self._known |= new
            waiting += sorted(new, key=_ids_first)
        return frozenset(self._known - self._shared), list(self._doubts.values())

    def _beside(self, one: Identifier) -> set[Identifier]:
        """What rows state together with an identifier."""
        found: set[Identifier] = set()
        for table in self._links:
            for row in person_rows.stating(self._connection, table, [one]):
                stated = identifiers_in(table, row)
                if one in stated:
                    found |= stated
        return found

    def _certain(self, one: Identifier, people: set[Identifier]) -> set[Identifier]:
        """The people that a number or address leads to for certain: one of each kind, and no second one of a kind."""
        more: set[Identifier] = set()
        for kind in _PEOPLE:
            of_kind = {other for other in people if other.kind is kind}
            if len(of_kind) > 1 or any(other.kind is kind for other in self._known):
                more |= of_kind - self._known
        if more:
            self._shared.add(one)
            others = tuple(sorted(more, key=_ids_first))
            shown = others if len(others) <= MOST_SHARING else ()
            self._doubts[others] = Doubt(one, shown, len(others))
        return people - self._known - more


def _ids_first(one: Identifier) -> tuple[bool, str, str]:
    return one.kind not in _PEOPLE, one.kind.value, one.value


def _links(table: Table) -> bool:
    """Whether its rows say which person has which number or address."""
    kinds = [column.identity for column in table.identifying if column.identity is not Identity.TEXT]
    return any(kind is not None and kind.owns for kind in kinds) and len(kinds) > 1


def _gather(archive: Archive, tables: list[Table], person: Person) -> None:
    """Every row that states an identifier of theirs, and every row that refers to such a row, and so on."""
    waiting: list[tuple[Table, list[Row], int]] = []
    for table in tables:
        rows = person_rows.stating(archive.connection, table, person.identifiers)
        if new := _enter(person, table, (row for row in rows if is_theirs(table, row, person.identifiers))):
            waiting.append((table, new, 1))
    while waiting:
        owner, theirs, steps = waiting.pop(0)
        for table, column in _referring(tables, owner):
            found = person_rows.referring(archive.connection, archive.schema, table, column, theirs)
            mine = (row for row in found if _may_be_theirs(table, row, person.identifiers))
            if new := _enter(person, table, mine, steps):
                waiting.append((table, new, steps + 1))


def _may_be_theirs(table: Table, row: Row, person: frozenset[Identifier]) -> bool:
    """Whether a row that refers to a row of theirs states nobody else's id."""
    ids = {one for one in identifiers_in(table, row) if one.kind.owns}
    return not ids or not ids.isdisjoint(person)


def _enter(person: Person, table: Table, rows: Iterable[Row], steps: int = 0) -> list[Row]:
    held = person.rows.setdefault(table.name, {})
    new = []
    for row in rows:
        key = tuple(row[name] for name in table.key)
        if key not in held:
            held[key] = row
            if steps:
                person.steps[table.name, key] = steps
            new.append(row)
    if not held:
        del person.rows[table.name]
    return new


def _referring(tables: list[Table], owner: Table) -> Iterator[tuple[Table, Column]]:
    for table in tables:
        for column in table.columns:
            if column.references == owner.name and not column.apart and column.identity is None:
                yield table, column


def _ask_plugin(archive: Archive, plugin: Plugin, person: Person) -> None:
    """Rows of tables of another shape, as a plugin's hook ``erase`` names them by their keys."""
    for eraser in plugin.declared.erase:
        if eraser.table not in archive.schema:
            raise ConfigError(f"plugin {plugin.name}: erase names the table {eraser.table}, and there is no such table")
        given = {kind.value: sorted(i.value for i in person.identifiers if i.kind is kind) for kind in Identity}
        named = {kind: values for kind, values in given.items() if values}
        try:
            keys = plugin.calls.one("erase", _keys, eraser.keys, named, archive.mirror, limit=_SECONDS)
        except PluginFailed as error:
            raise ConfigError(f"{error}; put it right, or take it out of plugins.enabled") from error
        table = archive.schema[eraser.table]
        wrong = [key for key in keys if len(key) != len(table.key)]
        if wrong:
            raise ConfigError(f"plugin {plugin.name}: erase gives keys of {table.name} that are none")
        _enter(person, table, person_rows.with_keys(archive.connection, table, keys))


def _keys(function: Callable[..., Iterable[Iterable[Any]]], *arguments: Any) -> list[tuple[Any, ...]]:
    return [tuple(key) for key in function(*arguments)]
