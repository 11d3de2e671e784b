"""Who is meant, and which rows of a lake are theirs, found as in a mirror (people/find.py).

Owns a small mirror of just the rows that name an identifier which is known so far. What is found in it leads to more
rows of the lake, until no identifier is new; then it holds what a mirror of everything would have had to be asked for.
Reads only.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from promptsync.errors import ConfigError
from promptsync.events.mentions import Record
from promptsync.events.recognition import Recogniser, has, watched
from promptsync.lake import parquet
from promptsync.lake.erased import Listed
from promptsync.lake.lake import Lake
from promptsync.lake.ledger import SCHEMAS
from promptsync.lake.scratch import scratch_folder
from promptsync.lake.shape import ORG
from promptsync.lake.storage import TABLES
from promptsync.lake.tables import PresentFile
from promptsync.model import Identity, Role, Table
from promptsync.model.person import Identifier, identifier, identifiers_in
from promptsync.people import find
from promptsync.people.find import Archive, Person, person_of
from promptsync.plugins.declared import ReadOnly
from promptsync.store import person_rows
from promptsync.store.erased import ErasedList, Secret
from promptsync.store.mirror import Mirror
from promptsync.store.pulled import write_rows
from promptsync.store.slices import Progress

Starts = list[frozenset[Identifier]]
"""Of each person some identifiers."""
_NUMBERS: Final = "channel"
"""The table of the organizations' own numbers, which are nobody's."""
_ANY_KEY: Final = bytes(32)
"""Of a list that is never kept."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a person typed to say whom they mean. ``org``: whose contact it is; 0 leaves that open."""

    contacts: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    org: int = 0

    @property
    def says_anybody(self) -> bool:
        """Whether anything was typed."""
        return bool(self.contacts or self.phones or self.customers)

    @property
    def candidates(self) -> set[Identifier]:
        """Everything that these texts may be."""
        kinds = [(Identity.CONTACT, self.contacts), (Identity.PHONE, self.phones)]
        kinds += [(kind, self.customers) for kind in (Identity.CIO, Identity.CUSTOMER, Identity.EMAIL)]
        found = (identifier(kind, text) for kind, texts in kinds for text in texts)
        return {one for one in found if one is not None}


@contextmanager
def finder(lake: Lake, progress: Progress = lambda *_: None) -> Iterator["Finder"]:
    """What finds people, with room for what it finds."""
    with scratch_folder() as scratch:
        mirror = Mirror(scratch / "mirror.db", lake.schema)
        try:
            yield Finder(lake, mirror, scratch, progress)
        finally:
            mirror.close()


class Finder:
    """Finds people in one lake."""

    def __init__(self, lake: Lake, mirror: Mirror, scratch: Path, progress: Progress) -> None:
        self._lake, self._mirror, self._scratch, self._progress = lake, mirror, scratch, progress
        self._watched = watched(lake.schema)
        self._referred = {column.references for table in lake.schema for column in table.columns if column.references}
        self._sought: set[tuple[str, str]] = set()
        self._rounds = 0
        self._claimed: dict[str, set[int]] = {}

    @contextmanager
    def archive(self) -> Iterator[Archive]:
        """What has been gathered so far, as people are looked for in it."""
        mirror = self._mirror
        with mirror.reading_apart() as connection:
            yield Archive(connection, mirror.schema, (), ReadOnly(mirror.reading), self._lake.kinds, ())

    def person(self, starts: Callable[[Archive], Starts], named: Iterable[Identifier]) -> Person:
        """Who is meant by ``starts``, which reads what is known so far, with every row that is about them; several
        people are one. ``named``: the identifiers that ``starts`` has to know of. Raises ConfigError if it is nobody.
        """
        sought = {(one.kind.value, one.value) for one in named}
        person: Person | None = None
        while person is None or not sought <= self._sought:
            self._gather(sought)
            with self.archive() as archive:
                person = person_of(archive, starts(archive))
            sought = {(one.kind.value, one.value) for one in person.identifiers}
            sought |= {(table, str(id_)) for table, id_ in self._records(person)}
        return person

    def gone_at_vendor(self) -> set[Identifier]:
        """The ids of people who are deleted or suppressed at Customer.io."""
        found, tables = set[Identifier](), self._lake.tables
        present = tables.present(self._lake.schema["cio_people"])
        for kept in present.files if present else ():
            with tables.reading(kept, self._scratch) as file:
                asked = [name for name in ("deleted", "suppressed") if name in file.columns]
                for batch in parquet.read_batches(file.path, ["internal_customer_id", *asked]):
                    for row in batch.to_pylist():
                        if any(row[name] for name in asked):
                            found.add(Identifier(Identity.CIO, row["internal_customer_id"]))
        return found

    def not_sure(self, person: Person) -> list[str]:
        """What else is left open, each a sentence."""
        found = []
        for one in sorted(person.identifiers, key=lambda one: one.value):
            orgs = self._claimed.get(one.value, set()) if one.kind is Identity.CONTACT else set()
            if len(orgs) > 1:
                claims = " and ".join(map(str, sorted(orgs)))
                found.append(f"contact {one.value} is claimed by organizations {claims}: its rows are taken in each.")
        there = (name for name in self._lake.storage.folders(TABLES) if name not in SCHEMAS)
        if unknown := [name for name in there if name not in self._lake.schema]:
            found.append(f"{', '.join(unknown)} were not looked at: enable the plugin whose they are, then ask again.")
        return found

    def _records(self, person: Person) -> Iterator[Record]:
        """The rows of theirs to which others may refer."""
        yield from person.records
        for table, rows in person.rows.items():
            if table in self._referred:
                yield from ((table, key[-1]) for key in rows if isinstance(key[-1], int | str))

    def _gather(self, sought: set[tuple[str, str]]) -> None:
        """All rows that name one of these, or one of those that were sought before."""
        self._sought |= sought
        self._rounds += 1
        secret = Secret(_ANY_KEY)
        people = ErasedList([(kind, secret.hash(kind, value)) for kind, value in self._sought], secret)
        recogniser, tables = Recogniser(self._lake.schema, people), self._lake.tables
        for number, (table, files) in enumerate(self._files):
            self._progress(f"looking for them, round {self._rounds}", number, len(self._files))
            for kept in files:
                with tables.reading(kept, self._scratch) as file:
                    wanted = self._columns(table, file.columns)
                    for batch in parquet.read_batches(file.path, wanted):
                        self._take(table, wanted, recogniser, batch)

    @cached_property
    def _files(self) -> list[tuple[Table, tuple[PresentFile, ...]]]:
        """What counted when the looking began, by table."""
        some = [table for table in self._lake.schema if table.role is not Role.OWN]
        found = ((table, self._lake.tables.present(table)) for table in some)
        return [(table, present.files) for table, present in found if present is not None]

    def _take(self, table: Table, columns: Sequence[str], recogniser: Recogniser, batch: pa.RecordBatch) -> None:
        found = (batch if table.name == _NUMBERS else recogniser.naming(table.name, batch)).to_pylist()
        for row in found if table.name == "contact" else ():
            self._claimed.setdefault(str(row["id"]), set()).add(row[ORG])
        if found:
            rows = [list(row.values()) for row in found]
            self._mirror.writer.run(partial(_write, table.name, columns, rows))

    def _columns(self, table: Table, have: Sequence[str]) -> list[str]:
        """Those by which rows are told apart, and by which it is told whose they are."""
        wanted = {*table.key, *self._watched[table.name].names, table.label, ORG}
        wanted |= {"channel_key"} if table.name == _NUMBERS else set()
        return [name for name in have if name in wanted and name in table.by_name]


def _write(table: str, columns: Sequence[str], rows: list[list[Any]], connection: sqlite3.Connection) -> None:
    write_rows(connection, table, columns, rows)


def people_on(lake: Lake, listed: Listed, scratch: Path) -> set[Identifier]:
    """The identifiers on a list that rows of the lake state."""
    recogniser, of = Recogniser(lake.schema, listed.forgotten), watched(lake.schema)
    found: set[Identifier] = set()
    for table in lake.schema:
        present = lake.tables.present(table) if table.role is not Role.OWN else None
        for kept in present.files if present else ():
            with lake.tables.reading(kept, scratch) as file:
                columns = [name for name in file.columns if name in of[table.name].names]
                for batch in parquet.read_batches(file.path, columns) if columns else ():
                    for row in recogniser.naming(table.name, batch).to_pylist():
                        found |= {one for one in identifiers_in(table, row) if has(listed.forgotten, one)}
    return found


def start_of(archive: Archive, named: Named) -> frozenset[Identifier]:
    """The identifiers that are meant, as far as they are some. Raises ConfigError for what is none, and for nobody."""
    found = set(_of_organization(archive, named)) if named.org else set()
    for option, texts in (("contact", named.contacts), ("phone", named.phones), ("customer", named.customers)):
        for text in texts if option == "customer" or not named.org else ():
            found |= find.start_of(archive, **{option: text})
    if not found:
        raise ConfigError("Say whom: --contact ID, --phone P, or --customer ID.")
    return frozenset(found)


def _of_organization(archive: Archive, named: Named) -> frozenset[Identifier]:
    """The contacts of an organization that are meant. Raises ConfigError if there is none."""
    table, found = archive.schema["contact"], set()
    for kind, texts in ((Identity.CONTACT, named.contacts), (Identity.PHONE, named.phones)):
        for text in texts:
            one = identifier(kind, text)
            rows = person_rows.stating(archive.connection, table, [one] if one else [])
            mine = {identifier(Identity.CONTACT, row["id"]) for row in rows if row[ORG] == named.org}
            if not mine - {None}:
                raise ConfigError(f"Organization {named.org} has no contact {text} in the lake.")
            found |= {known for known in mine if known is not None}
    return frozenset(found)
