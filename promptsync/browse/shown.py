"""Which columns a page shows.

Owns what is left out of a page that nobody asked for by name: promptsync's own columns and bytes, columns that are
blank in every row, the organization or workspace where every row has the same; and the words of the link to a row
whose key has several columns. Works on the context of Datasette's templates. Knows no SQL and no file.
"""

from collections.abc import Collection
from itertools import chain
from typing import Any

from datasette.utils.asgi import Request  # type: ignore[import-untyped]
from markupsafe import Markup

from promptsync.browse.cells import ABSENT
from promptsync.model import Column, Kind, Table

Context = dict[str, Any]
_NAMING = ("_col", "_sort", "_sort_desc", "_facet", "_label")
_SCOPES = ("org_id", "workspace_id")
_MAIN = 8
EVERY = "_all"
"""What an address asks for all columns by."""


def named(request: Request) -> set[str]:
    """The columns that an address names: as a value of ``?_col=`` and its like, or as a filter's key."""
    values = chain.from_iterable(request.args.getlist(key) for key in _NAMING)
    return {*values, *(key.rpartition("__")[0] for key in request.args if "__" in key)}


def declared_column(name: str, table: Table | None) -> Column | None:
    """A column by its name; None if it is not declared."""
    return table.by_name.get(name) if table else None


def hidden(name: str, table: Table | None) -> bool:
    """Whether a table leaves a column out unless asked for it."""
    column = declared_column(name, table)
    return name.startswith("_") or (column is not None and column.kind is Kind.BLOB)


def main(table: Table | None, names: Collection[str]) -> set[str]:
    """Of a table's columns (``names``) those that a page of it shows unless asked for more: what is declared, else the
    first ones; all of a table that is not declared."""
    if table is None:
        return set(names)
    usual = table.main or tuple(c.name for c in table.columns if c.name not in _SCOPES)[:_MAIN]
    return {*usual, *_SCOPES, *table.key, ABSENT}


def tidy(context: Context, kept: Collection[str]) -> None:
    """Leaves out of a table's page what tells its readers nothing; the page says so (``blank`` and ``same``).

    ``kept``: the columns that the address names.
    """
    kept = {*kept, context["sort"], context["sort_desc"]}
    drop_hidden(context, kept)
    context["blank"] = _blank(context, kept)
    context["same"] = _same(context, kept)
    drop(context, {*context["blank"], *context["same"]})
    _shorten_links(context)


def drop_hidden(context: Context, kept: Collection[str]) -> None:
    """Takes out promptsync's own columns, but for ``_absent_since`` where some row has it."""
    for column in context["display_columns"]:
        name = column["name"]
        if name.startswith("_") and name not in kept and not (name == ABSENT and _any(name, context)):
            drop(context, {name})


def drop(context: Context, names: Collection[str]) -> None:
    """Takes columns out of what the template shows."""
    context["display_columns"] = [column for column in context["display_columns"] if column["name"] not in names]
    for row in context["display_rows"]:
        row.cells = [cell for cell in row.cells if cell["column"] not in names]


def _any(name: str, context: Context) -> bool:
    return any(row[name] is not None for row in context["display_rows"])


def _blank(context: Context, kept: Collection[str]) -> list[str]:
    """The columns that no row of the page has a value in."""
    rows = context["display_rows"]
    filled = {cell["column"] for row in rows for cell in row if cell["raw"] not in (None, "")}
    return [c["name"] for c in context["display_columns"] if rows and c["name"] not in {*filled, *kept}]


def _same(context: Context, kept: Collection[str]) -> Context:
    """The organization or workspace that all rows of the page have, as it is shown; of one row nothing is left out."""
    found: Context = {}
    for name in set(_SCOPES).difference(kept, context["blank"]):
        cells = [cell for row in context["display_rows"] for cell in row if cell["column"] == name]
        if len(cells) > 1 and all(cell["raw"] == cells[0]["raw"] for cell in cells):
            found[name] = cells[0]["value"]
    return found


def _shorten_links(context: Context) -> None:
    """``open`` in place of a key of several columns, which the row's other cells say already."""
    for row in context["display_rows"]:
        for cell in row:
            if cell.get("is_special_link_column"):
                start = cell["value"].partition(">")[0]
                cell["value"] = Markup('{0} title="{1}" aria-label="open {1}">open</a>').format(start, cell["raw"])
