"""What the first record of a snapshot file says about its columns.

Owns the step from header cells to the columns of a batch. Pure. A header that leaves doubt about what a cell means is
refused; columns that the declaration lacks are kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from promptsync.errors import Held
from promptsync.formats.cells import is_boolean
from promptsync.model import Column, Kind, Table

_ORG = "org_id"


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a batch. ``position``: of its cell in a record, from 0; of a derived one, that of its source."""

    name: str
    kind: Kind
    position: int
    blank_of: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """``width``: cells of a record. ``fields``: key columns, value columns as declared, unknown ones as they come.

    ``blank``: positions of last columns without a name, whose cells must all be blank.

    ``unknown``: name in the batch to the vendor's name. ``lacks``: declared columns that the file does not have.
    ``org_position``: of a column ``org_id``, or -1.
    """

    width: int
    fields: tuple[Field, ...]
    unknown: dict[str, str]
    lacks: tuple[str, ...]
    org_position: int
    blank: tuple[int, ...] = ()


def known_names(table: Table) -> frozenset[str]:
    """The names that a file of the table may have, in small letters."""
    return frozenset(name.casefold() for name in (*(c.name for c in table.file_columns), *_org_of(table)))


def read_header(cells: Sequence[bytes], table: Table, max_columns: int) -> Header:
    """Matches header cells to the table's declaration, exactly or, failing that, ignoring case.

    Raises Held ``header``: bytes that are no text, a blank or doubled name, no known name at all (then the header is
    missing), no key column, more than ``max_columns``. Last columns without a name are passed over.
    """
    if len(cells) > max_columns:
        raise _held(f"has {len(cells):,} columns, more than {max_columns:,}")
    names = texts(cells)
    declared = {column.name: column for column in table.file_columns}
    declared |= {name: table.by_name.get(name, Column(name, Kind.INTEGER, "")) for name in _org_of(table)}
    folded = {name.casefold(): name for name in declared}
    if not any(name.casefold() in folded for name in names):
        raise missing_header(names, table)
    width = len(names)
    while not names[-1]:
        names.pop()
    refuse_doubtful(names)
    found: dict[str, int] = {}
    strange: dict[int, str] = {}
    for position, name in enumerate(names):
        known = folded.get(name.casefold())
        if known is None:
            strange[position] = name
        else:
            found[known] = position
    if missing := [name for name in table.key if name not in found]:
        raise _held(f"lacks the key column {missing[0]}")
    unknown = free_names(strange, (*table.by_name, *_org_of(table)))
    fields = (*_known(table, found), *(Field(name, Kind.TEXT, at) for name, at in unknown.items()))
    lacks = tuple(name for name in declared if name not in found and name != _ORG)
    vendor = {name: strange[at] for name, at in unknown.items()}
    return Header(width, fields, vendor, lacks, found.get(_ORG, -1), tuple(range(len(names), width)))


def looks_like_data(names: Iterable[str]) -> bool:
    """Whether cells are those of a row rather than names: one is blank, begins like a number, or is true or false."""
    return any(not name or name[0] in "0123456789+-." or is_boolean(name.encode()) for name in names)


def missing_header(names: Iterable[str], table: Table) -> Held:
    """The first cells of a file name no column of its table."""
    if looks_like_data(names):
        return _held("is missing: its first line looks like data, not like a header")
    return _held(f"is missing: its first line has no column of the table {table.name}")


def _org_of(table: Table) -> tuple[str, ...]:
    return (_ORG,) if table.org_scoped else ()


def refuse_doubtful(names: Iterable[str]) -> None:
    """Refuses names of columns of which one is blank, has a control character, or occurs twice, ignoring case.

    Raises Held ``header``.
    """
    seen: set[str] = set()
    for name in names:
        if not name:
            raise _held("has a column without a name")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
            raise _held("has a column name with a control character")
        if name.casefold() in seen:
            raise _held(f"has the column {name} twice")
        seen.add(name.casefold())


def texts(cells: Iterable[bytes]) -> list[str]:
    """Header cells as text, without spaces around them. Raises Held ``header``."""
    try:
        return [cell.decode().strip() for cell in cells]
    except UnicodeDecodeError:
        raise _held("is no text in UTF-8") from None


def _known(table: Table, found: dict[str, int]) -> list[Field]:
    fields = [Field(name, table.by_name[name].kind, found[name]) for name in table.key]
    for column in table.columns:
        if column.name in table.key or not column.exported:
            continue
        if column.blank_of and column.blank_of in found:
            fields.append(Field(column.name, column.kind, found[column.blank_of], column.blank_of))
        elif column.name in found and not column.blank_of:
            fields.append(Field(column.name, column.kind, found[column.name]))
    return fields


def free_names(strange: dict[int, str], known: Iterable[str]) -> dict[str, int]:
    """A name for each unknown column that clashes with none of the table's, ignoring case, nor with ours.

    ``strange``: position to the vendor's name; returns the name chosen to the position.
    """
    taken = {name.casefold() for name in known}
    plain = {at: name for at, name in strange.items() if not name.startswith("_") and name.casefold() not in taken}
    taken |= {name.casefold() for name in plain.values()}
    renamed: dict[int, str] = {}
    for at, name in strange.items():
        chosen = name
        while at not in plain and (chosen.startswith("_") or chosen.casefold() in taken):
            chosen = f"x_{chosen}"
        taken.add(chosen.casefold())
        renamed[at] = chosen
    return {name: at for at, name in renamed.items()}


def _held(what: str) -> Held:
    return Held("header", f"The header {what}.")
