"""Where cells lead, and what refers to a row, across keys of several columns.

Datasette 0.65 follows foreign keys of one column only. Here are those of several, and references to the newest of
several rows. Owns the choice of the page: a row's own where its whole key is known, else the view of newest rows,
filtered; and of the references that are followed backwards: those that an index or a key answers. Pure; a page may turn
out empty, as rows that refer to rows not yet known are normal.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from datasette.utils import tilde_encode  # type: ignore[import-untyped]

from promptsync.browse.settings import DATABASE
from promptsync.model import Schema, Table, Target


def address(urls: Any, schema: Schema, table: str, column: str, row: Mapping[str, Any]) -> str | None:
    """The page that a cell of a table or view leads to, by Datasette's ``urls``; None if it leads nowhere from here.

    ``row`` may lack columns, as pages show those that were asked for.
    """
    shape = schema.shape(table)
    if shape is None or column not in shape.by_name or row.get(column) in (None, ""):
        return None
    target = schema.target(shape.by_name[column])
    if target and len(target.columns) > 1:
        return _referred(urls, target, column, row)
    return _row(urls, shape.name, [row.get(name) for name in shape.key]) if _names_row(schema, table, column) else None


def _referred(urls: Any, target: Target, column: str, row: Mapping[str, Any]) -> str | None:
    *scope, last = target.columns
    known = {name: row[name] for name in scope if row.get(name) is not None}
    if target.whole:
        return _row(urls, target.name, [*(known.get(name) for name in scope), row[column]])
    return filtered(urls, target.name, {**known, last: row[column]})


def _row(urls: Any, table: str, key: Sequence[object]) -> str | None:
    if None in key:
        return None
    found: str = urls.row(DATABASE, table, ",".join(tilde_encode(str(cell)) for cell in key))
    return found


def _names_row(schema: Schema, table: str, column: str) -> bool:
    """Whether it is the column by which rows of a view are told apart; a table's rows have a link of Datasette's."""
    for view in schema.views:
        if view.name == table:
            return column == (view.per or schema[view.table].key)[-1]
    return False


def filtered(urls: Any, table: str, cells: Mapping[str, object]) -> str:
    """The page of a table's or view's rows with these cells."""
    return f"{urls.table(DATABASE, table)}?{urlencode(cells)}"


def incoming(schema: Schema, name: str) -> Iterator[tuple[Table, tuple[str, ...]]]:
    """The tables that refer to a table by several columns, and these: as many as its key begins with, in its order."""
    for table in schema:
        for column in table.columns:
            target = schema.target(column)
            if target is None or len(target.columns) == 1 or schema.shape(target.name) is not schema[name]:
                continue
            ours = (*target.columns[:-1], column.name)
            if set(ours) <= table.by_name.keys() and _quick(table, ours):
                yield table, ours


def _quick(table: Table, columns: tuple[str, ...]) -> bool:
    return table.key[: len(columns)] == columns or any(index[0] in columns for index in table.indexes)
