"""The shape of a table's claims and rows in the lake, from its declaration.

Owns the one shape that claims and rows share, so that folding is closed: rows are claims again. Per table: the key,
``org_id`` first where organizations own rows; per unit (merge/layout.py) its version column, NULL where nothing is
claimed, and its value columns; ``_seen_at``, when the row was last claimed; ``_snap_at``, the newest snapshot that held
it. Both in microseconds since 1970, UTC, NULL for never.

A file has the columns that its input had. Which columns it has decides what it claims, never a wider schema with NULLs
filled in: NULL in a version column says "not claimed", a version column that is not there says "as its group".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from promptsync.formats.csv.reader import ARROW
from promptsync.merge.layout import Layout, Unit
from promptsync.model import FilledBy, Kind, Role, Table

ORG = "org_id"
SEEN, SNAP = "_seen_at", "_snap_at"
_LISTED: dict[str, pa.DataType] = {
    ORG: pa.int64(),
    "contact_id": pa.int64(),
    "list": pa.string(),
    "instant": pa.int64(),
    "iso": pa.string(),
}
FULL_LISTS = pa.schema(_LISTED)
"""Rows of ``sync_full_list``: that a delivery stated all links of one sort of a contact, and when."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its name and Arrow type."""

    name: str
    type: pa.DataType


def arrow_type(kind: Kind) -> pa.DataType:
    """The type of a column of a kind."""
    return pa.binary() if kind is Kind.BLOB else ARROW.get(kind, pa.string())


def version_type(table: Table) -> pa.DataType:
    """The type of a version: a number, or the bytes of a change set's."""
    return pa.binary() if table.filled_by is FilledBy.CHANGE_SET else pa.int64()


def is_owned(table: Table) -> bool:
    """Whether each row belongs to an organization."""
    return table.org_scoped or ORG in table.by_name


def row_key(table: Table) -> tuple[str, ...]:
    """What a row is told apart by: its organization, if it has one, then the vendor's key."""
    return (ORG, *table.key) if is_owned(table) and ORG not in table.key else table.key


def shelf_of(table: Table) -> str:
    """The column by whose values a bucket's rows are divided into files: of what happened its time, as its numbers are
    digests; else the first of the vendor's key that says more than which account it is."""
    if table.role is Role.HAPPENED and "at" in table.by_name:
        return "at"
    return next((name for name in table.key if name != "workspace_id"), table.key[0])


def bounded(table: Table, name: str) -> bool:
    """Whether the least and the greatest value of a column may stand in Delta's log, which outlives the rows: not those
    of a text that says who somebody is."""
    column = table.by_name.get(name)
    return column is None or column.identity is None or column.kind is Kind.INTEGER


def sees(table: Table) -> bool:
    """Whether it matters when a row was last claimed."""
    return table.role is Role.MIRROR and (table.exported or bool(table.full_list))


def column_type(table: Table, name: str) -> pa.DataType:
    """The type of a key or value column; text if it is not declared."""
    if name in table.by_name:
        return arrow_type(table.by_name[name].kind)
    return pa.int64() if name == ORG else pa.string()


def fields_of(layout: Layout) -> tuple[Field, ...]:
    """The columns of a folded row, those apart that follow from it: ``_absent_since``, ``removed_at``."""
    table = layout.table
    fields = [Field(name, column_type(table, name)) for name in row_key(table)]
    if table.role is Role.HAPPENED:
        rest = [column.name for column in table.columns if column.name not in row_key(table)]
        return (*fields, *(Field(name, column_type(table, name)) for name in rest))
    for unit in layout.units:
        fields.append(Field(unit.at, version_type(table)))
        fields += [Field(name, column_type(table, name)) for name in unit.columns]
    if sees(table):
        fields.append(Field(SEEN, pa.int64()))
    if table.exported:
        fields.append(Field(SNAP, pa.int64()))
    return tuple(fields)


def claims_schema(table: Table) -> pa.Schema:
    """Of claims made group by group, as deliveries make them."""
    return pa.schema([(field.name, field.type) for field in fields_of(Layout(table)) if field.name != SNAP])


def layout_of(table: Table, shapes: Iterable[Sequence[str]]) -> Layout:
    """The layout in which files of these columns can be put together.

    A declared column is split if a file has its group without it, or has it split; what is not declared has a version
    of its own. Names that differ in case alone are one column, spelled as the first file has it.
    """
    if table.role is Role.HAPPENED:
        return Layout(table)
    split: set[str] = set()
    extra: dict[str, str] = {}
    for shape in shapes:
        have = set(shape)
        for group, columns in table.groups.items():
            if f"_{group}_at" in have:
                split |= {column.name for column in columns} - have
        for at in shape:
            name = at[len("_col_") : -len("_at")] if at.startswith("_col_") and at.endswith("_at") else ""
            if name in table.by_name:
                split.add(name)
            elif name in have:
                extra.setdefault(folded(name), name)
    declared = tuple(column.name for column in table.values if column.name in split)
    return Layout(table, declared, tuple(sorted(extra.values(), key=folded)))


def claiming(unit: Unit, have: Mapping[str, str]) -> str | None:
    """The version column by which a file claims a unit; None if it does not, as of one of which it lacks a column.
    ``have``: its columns as it spells them, by ``folded`` name."""
    at = have.get(folded(unit.at))
    if at is None and unit.split and unit.group:
        at = have.get(folded(f"_{unit.group}_at"))
    return at if all(folded(column) in have for column in unit.columns) else None


def folded(name: str) -> str:
    """A name as engines compare names: without regard to the case of ASCII letters."""
    return name.encode().lower().decode()
