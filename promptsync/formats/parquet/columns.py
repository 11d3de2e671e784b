"""What a parquet file's schema says about the columns of its table.

Owns the match of the file's columns to the declaration, and what is refused before any row is read: doubtful names, no
known column, a type that can never be what is declared. Pure.
"""

from dataclasses import dataclass

import pyarrow as pa

from promptsync.errors import Held
from promptsync.formats.csv.header import free_names, refuse_doubtful
from promptsync.formats.parquet.cells import can_be
from promptsync.model import Kind, Table

WORKSPACE = "workspace_id"


@dataclass(frozen=True, slots=True)
class FileColumn:
    """One column of a batch. ``source``: its name in the file. ``declared``: not merely found there."""

    name: str
    kind: Kind
    source: str
    declared: bool = True


@dataclass(frozen=True, slots=True)
class FileColumns:
    """``key``: key columns, without ``workspace_id`` if the file has none. ``values``: declared ones, then unknown.

    ``unknown``: names in the batch. ``lacks``: declared value columns that the file does not have or that are left out.
    """

    key: tuple[FileColumn, ...]
    values: tuple[FileColumn, ...]
    unknown: tuple[str, ...]
    lacks: tuple[str, ...]


def match_columns(schema: pa.Schema, table: Table, leave_out: frozenset[str]) -> FileColumns:
    """Matches names, ignoring case. ``leave_out``: value columns, also unknown ones, not to be read.

    The key and the column that orders the rows are never left out. Raises Held ``header`` and ``column_type``.
    """
    refuse_doubtful(schema.names)
    declared = {name.casefold(): name for name in (*table.key, *(column.name for column in table.values))}
    unwanted = {name.casefold() for name in leave_out} - {name.casefold() for name in (*table.key, table.order)}
    found: dict[str, str] = {}
    strange: dict[int, str] = {}
    for position, source in enumerate(schema.names):
        folded = source.casefold()
        if folded in declared:
            found[declared[folded]] = source
        elif folded not in unwanted:
            strange[position] = source
    if not found:
        raise Held("header", f"The file has no column of the table {table.name}.")
    if missing := [name for name in table.key if name not in found and name != WORKSPACE]:
        raise Held("header", f"The file lacks the key column {missing[0]}.")
    for name, source in found.items():
        if name.casefold() not in unwanted:
            _refuse_type(name, table.by_name[name].kind, schema.field(source).type)
    wanted = [one for one in table.values if one.name in found and one.name.casefold() not in unwanted]
    unknown = free_names(strange, table.by_name)
    return FileColumns(
        tuple(FileColumn(name, table.by_name[name].kind, found[name]) for name in table.key if name in found),
        (
            *(FileColumn(one.name, one.kind, found[one.name]) for one in wanted),
            *(FileColumn(name, Kind.TEXT, strange[at], declared=False) for name, at in unknown.items()),
        ),
        tuple(unknown),
        tuple(one.name for one in table.values if one not in wanted),
    )


def _refuse_type(name: str, kind: Kind, found: pa.DataType) -> None:
    if not can_be(found, kind):
        raise Held("column_type", f"Column {name} holds {found} in the file, which can never be {kind.value}.")
