"""What a table, a column and a column group ARE.

Owns the vocabulary in which every table is declared once, as data. DDL, file reading, merge SQL, Datasette metadata
and the schema page are all derived from these declarations elsewhere; this module knows nothing of SQL or files.
"""

import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Final

Value = str | int | float | None
"""What a cell of a mirrored table holds."""
Key = tuple[Value, ...]
"""The values of a row's primary key columns, in order."""


class Kind(Enum):
    """What a column holds."""

    INTEGER = "integer"
    REAL = "real"
    TEXT = "text"
    BOOLEAN = "yes/no"  # stored as 0 or 1
    TIME = "time"  # ISO 8601 UTC with milliseconds, 2026-02-04T08:00:00.000Z
    JSON = "json"  # a JSON document
    BLOB = "bytes"

    @property
    def storage(self) -> str:
        """The SQLite type name in a STRICT table."""
        return _STORAGE.get(self, "TEXT")


_STORAGE = {Kind.INTEGER: "INTEGER", Kind.BOOLEAN: "INTEGER", Kind.REAL: "REAL", Kind.BLOB: "BLOB"}


class Identity(Enum):
    """A kind of identifier of a person. A column may also be an ADDRESS (a phone number, an e-mail address or another
    account, as its value reads), and TEXT in which numbers and addresses may stand."""

    CONTACT = "contact"
    CIO = "cio_id"
    CUSTOMER = "customer_id"
    QLARA = "qlara_id"
    PHONE = "phone"
    EMAIL = "e-mail"
    ACCOUNT = "account"
    ADDRESS = "address"
    TEXT = "text"

    @property
    def owns(self) -> bool:
        """Whether a row that names one is that person's, whatever number or address it names beside it."""
        return self in OWNING


OWNING: Final = (Identity.CONTACT, Identity.CIO, Identity.CUSTOMER, Identity.QLARA)
"""The ids that vendors give people; ``owns`` says what that means."""

MADE_UP: Final = {Identity.QLARA: "~"}
"""What an id begins with that is made from a row's other cells, as the vendor gave it none: it identifies nobody."""

IDENTIFIED_BY: Final = {"contact": Identity.CONTACT, "cio_people": Identity.CIO}
"""The tables of people, and what a reference to a row of them identifies."""

ADDRESS_FIELDS: Final = frozenset(
    {
        *("phone", "phone_number", "phonenumber", "phone number", "mobile", "mobile_phone", "mobile_number", "cell"),
        *(
            "mobile phone",
            "mobile number",
            "cell_phone",
            "cellphone",
            "telephone",
            "tel",
            "sms",
            "sms_number",
            "msisdn",
        ),
        *("whatsapp", "email", "e-mail", "e_mail", "mail", "email_address", "email address", "emailaddress"),
    }
)
"""Names of free fields whose value is the person's own number or address. What other fields hold (a friend's number, an
employer's address) is theirs as well, and says nothing of who they are."""


class Role(Enum):
    """How rows of a table come to be."""

    MIRROR = "mirror"  # state: claims compete, column group by column group
    HAPPENED = "happened"  # one row per item of an event, written once
    OWN = "own"  # promptsync's book-keeping


class FilledBy(Enum):
    """What brings a table its rows. Of promptsync's own book-keeping it says nothing."""

    SNAPSHOT = "snapshot"  # files that each state all rows of an organization; deliveries may state them too
    CHANGE_SET = "change set"  # files of rows that have changed, which are upserted
    EXPORT = "export"  # files that an API makes when it is asked; what they lack may still be there
    EVENT = "event"  # deliveries, and files that a plugin decodes into claims


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``exported``: every nightly snapshot of the table states it. ``group``: see merge/layout.py.

    ``blank_of``: not a cell of the file, but 1 where that other column's cell is blank, else 0. ``label``: what people
    call it, "" if that is said by its name (plain_words.py). ``identifies``: which person the row is about or names;
    said by ``references`` where that is a table of people. ``only_if``: another column, and the words in it (in small
    letters) with which alone this one identifies somebody. ``apart``: the row does not belong to the person to whom the
    row belongs that it refers to.
    """

    name: str
    kind: Kind
    about: str
    group: str = ""
    references: str = ""  # "table": the row it points to, see Schema.target
    exported: bool = False
    unit: str = ""
    blank_of: str = ""
    label: str = ""
    identifies: Identity | None = None
    only_if: tuple[str, frozenset[str]] | None = None
    apart: bool = False

    @property
    def identity(self) -> Identity | None:
        """Which kind of identifier of a person it holds, None if none."""
        return self.identifies or IDENTIFIED_BY.get(self.references)


@dataclass(frozen=True, slots=True)
class Index:
    """An index with a name of its own: ``on`` columns or SQL expressions, of the rows that meet ``condition`` (SQL; "":
    of all).

    A column that ``condition`` fixes stands at the end of ``on`` all the same, where a query reads it: SQLite before
    3.47 otherwise looks it up in the row.
    """

    name: str
    on: tuple[str, ...]
    condition: str = ""

    @property
    def words(self) -> str:
        """What it holds: ``org_id, created_at`` or ``id WHERE state <> 'applied'``."""
        return ", ".join(self.on) + (f" WHERE {self.condition}" if self.condition else "")


@dataclass(frozen=True, slots=True)
class DayCount:
    """Rows of a table counted in the table ``into``: by the day of the time ``at``, by organization and by some yes/no
    columns; beside their number the total of one column, and of how many rows that is blank.

    ``sums`` names those three columns of ``into``; the columns before are ``day``, ``org_id`` and ``by``. ``erased``: a
    table of the same columns, of rows that were deleted to forget somebody and count all the same.
    """

    into: str
    at: str
    by: tuple[str, ...]
    total: str
    sums: tuple[str, str, str]
    erased: str


@dataclass(frozen=True, slots=True)
class View:
    """Rows of one table under a name of their own: those that meet ``where``, and of each ``per`` the newest.

    ``per`` and ``newest`` together are the table's key, so that there is one newest row; both empty: every row.
    """

    name: str
    about: str
    table: str
    per: tuple[str, ...] = ()
    newest: str = ""
    where: str = ""  # SQL condition
    title: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """That rows may be kept for a limited time. ``key``: what the configuration calls that; ``at``: the time column by
    which a row is old; ``texts``: what is blanked then, and the row stays; none: the row is deleted."""

    key: str
    at: str
    texts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """One declared table. ``key`` names the primary key columns, in order. ``vendor``: whose it is, as people say it.

    ``org_scoped``: carries ``org_id``. ``full_list``: rows of one parent (the first key column) that a full list of
    that name restates; what such a list lacks gets ``removed_at``. ``label``: the column that names a row to people;
    ``title``: what they call the table.
    ``order``: of a table that change sets fill, the column by which the vendor orders the rows of one key, "" if it has
    none. ``unchanging``: its rows say what happened once, so that this order only decides between copies that say the
    same.
    """

    name: str
    about: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    role: Role = Role.MIRROR
    label: str = ""
    sort: str = ""  # column to sort by, newest first where it is a time
    facets: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    partial_indexes: tuple[tuple[str, str] | Index, ...] = ()  # (column, SQL condition), or what that cannot say
    full_list: str = ""
    observed_column: str = ""  # exported time column that can be later than the snapshot's own as_of
    org_scoped: bool = field(default=True)
    vendor: str = ""
    filled_by: FilledBy = FilledBy.EVENT
    order: str = ""
    unchanging: bool = False
    views: tuple[View, ...] = ()
    counted: DayCount | None = None
    title: str = ""
    main: tuple[str, ...] = ()  # columns that a list of its rows shows unless asked for more; the first ones if blank
    kept: Kept | None = None  # declared of texts; see ``keeping``

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Column name to column."""
        return {column.name: column for column in self.columns}

    @cached_property
    def all_indexes(self) -> tuple[Index, ...]:
        """Every index, by the name it has in the mirror."""
        whole = [Index("_".join((self.name, *columns)), columns) for columns in self.indexes]
        named = [
            one if isinstance(one, Index) else Index(f"{self.name}_{one[0]}_open", (one[0],), one[1])
            for one in self.partial_indexes
        ]
        return (*whole, *named)

    @cached_property
    def indexed(self) -> frozenset[str]:
        """The columns that an index depends on, by its entries or its condition."""
        words = {word for index in self.all_indexes for word in re.findall(r"\w+", index.words)}
        return frozenset(words & self.by_name.keys())

    @cached_property
    def identifying(self) -> tuple[Column, ...]:
        """The columns that can name a person."""
        return tuple(column for column in self.columns if column.identity is not None)

    @cached_property
    def exported(self) -> bool:
        """Whether snapshots of this table exist."""
        return self.filled_by is FilledBy.SNAPSHOT

    @cached_property
    def values(self) -> tuple[Column, ...]:
        """The columns that claims compete for: all but the key, ``org_id`` and ``removed_at``."""
        fixed = {*self.key, "org_id", "removed_at"} if self.role is Role.MIRROR else set(self.key)
        return tuple(column for column in self.columns if column.name not in fixed)

    @cached_property
    def groups(self) -> dict[str, tuple[Column, ...]]:
        """Group name to its columns, in order of declaration."""
        groups: dict[str, list[Column]] = {}
        for column in self.values:
            if column.group:
                groups.setdefault(column.group, []).append(column)
        return {name: tuple(columns) for name, columns in groups.items()}

    @cached_property
    def blockwise(self) -> bool:
        """Whether its snapshots may be sorted by one integer key, so that unchanged stretches can be recognised."""
        return self.exported and len(self.key) == 1 and self.by_name[self.key[0]].kind is Kind.INTEGER

    @cached_property
    def keeping(self) -> Kept | None:
        """By what, and under which name, rows can be kept for a limited time: those of what happened always can."""
        happened = self.role is Role.HAPPENED and "at" in self.by_name and self.by_name["at"].kind is Kind.TIME
        return self.kept or (Kept(self.name, "at") if happened else None)

    @property
    def file_columns(self) -> tuple[Column, ...]:
        """The columns of a nightly snapshot file, in the specification's order."""
        return tuple(column for column in self.columns if column.exported and not column.blank_of)
