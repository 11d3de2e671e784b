"""Everything that is held of a person: rows, deliveries, rejects, kept files.

Owns the looking, in one place for whoever hands it over and whoever removes it. Reads only.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from promptsync.events.mentions import Place, Record
from promptsync.model import Identity, Table
from promptsync.model.person import Identifier
from promptsync.people.files import Kept, kept_files, look
from promptsync.people.find import Archive, Person, known_person, person_of
from promptsync.people.judge import Judge, read_body
from promptsync.store import person_rows

_LEAST, _TELLING, _TRACES = 7, 25, 200
"""Letters of an identifier and of a text that hardly occur by chance, and how many texts are looked for."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """``places``: the items that are about the person; None: all of it is."""

    id: int
    type: str
    received_at: str
    body: str
    places: frozenset[Place] | None

    def theirs(self) -> Any:
        """What of the body is about the person: as parsed, or its text if that is no JSON."""
        read = read_body(self.body)
        if read is None or self.places is None:
            return self.body if read is None else read
        lists = {name for name, _ in self.places}
        return {
            name: [item for number, item in enumerate(value) if (name, number) in self.places]
            for name, value in read.items()
            if name in lists
        }


@dataclass(slots=True)
class Held:
    """``files``: with the table whose rows each has, where that is known."""

    person: Person
    judge: Judge
    deliveries: list[Delivery] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    files: list[tuple[Kept, Table | None]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything is held."""
        return bool(self.person.rows or self.deliveries or self.rejects or self.files)

    def traces(self) -> list[str]:
        """Texts by which remains of this person would be known: identifiers, and the longest of what rows say."""
        kinds = (Identity.PHONE, Identity.EMAIL, Identity.CIO, Identity.CUSTOMER)
        found = {one.value.removeprefix("+") for one in self.person.identifiers if one.kind in kinds}
        said = {
            value
            for rows in self.person.rows.values()
            for row in rows.values()
            for value in row.values()
            if isinstance(value, str) and len(value) >= _TELLING
        }
        return sorted(one for one in found if len(one) >= _LEAST) + sorted(said, key=len, reverse=True)[:_TRACES]

    def counts(self) -> dict[str, int]:
        """How many rows of each table, deliveries and rejects among them."""
        found = {name: len(rows) for name, rows in self.person.rows.items()}
        more = {"sync_event": len(self.deliveries), "sync_reject": len(self.rejects)}
        return {name: count for name, count in sorted((found | more).items()) if count}


def held_of(archive: Archive, starts: Iterable[Iterable[Identifier]]) -> Held:
    """What is held of whoever has these identifiers, people in doubt left out. Raises ConfigError."""
    return _all(archive, person_of(archive, starts))


def still_held(archive: Archive, identifiers: frozenset[Identifier], records: frozenset[Record]) -> Held:
    """What is held of a person whose identifiers and records are known."""
    person = known_person(archive, identifiers)
    person.gone |= records
    return _all(archive, person)


def _all(archive: Archive, person: Person) -> Held:
    held = Held(person, Judge(person, archive.schema))
    if not person.identifiers:
        return held
    for number, type_, at, body in person_rows.deliveries(archive.connection):
        places = held.judge.delivery(body)
        if places is None or places:
            kept = None if places is None else frozenset(places)
            held.deliveries.append(Delivery(number, type_, at, body, kept))
    whole = {one.id for one in held.deliveries if one.places is None}
    for row in person_rows.rejects(archive.connection):
        if row["event_id"] in whole or held.judge.reject(row):
            held.rejects.append(dict(row))
    for path in kept_files(archive.folders):
        stated = archive.kinds.recognise(path.name).stated
        table = archive.schema.shape(stated.table) if stated is not None else None
        if (found := look(path, table, held.judge)) is not None:
            held.files.append((found, table))
    _add_happened(archive, person, whole)
    return held


def _add_happened(archive: Archive, person: Person, deliveries: set[int]) -> None:
    """Rows that deliveries left which are all about the person."""
    for table in person_rows.there(archive.connection, archive.schema):
        if table.key == ("event_id", "item"):
            for row in person_rows.of_events(archive.connection, table, deliveries):
                person.rows.setdefault(table.name, {})[row["event_id"], row["item"]] = row


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row as it is handed over: without promptsync's own marks, bytes as text."""
    return {
        name: value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
        for name, value in row.items()
        if not name.startswith("_") or name == "_absent_since"
    }


def as_text(value: object) -> str:
    """A part of a delivery as text."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
