"""What Datasette is told about the tables, derived from their declarations.

The one place that knows the shape of Datasette 0.65's metadata (1.0 changes it). Pure. Units are said in the column's
description: Datasette's own units go through a physics library, fail on unknown ones, and are gone in 1.0.

``databases.mirror.groups`` is ours, for the page that lists the tables, and so are a table's ``labels``, headings by
column; Datasette ignores them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from promptsync.browse.cells import ABSENT
from promptsync.browse.settings import DATABASE
from promptsync.model import Column, FilledBy, Kind, Role, Schema, Table, View
from promptsync.model.plain_words import plain

PAGE_SIZE = 50
INTERNAL = ("sync_state", "sync_full_list", "sync_change", "sync_touched", "sync_zone", "_sqlite_migrations")
_TITLE = "promptsync"
_ABOUT = "A copy of the messaging account, kept current by promptsync. Nothing can be changed here."
_ABSENT = "Since when the exports no longer have the row; blank while they do"
_NOT_EXPORTED = "No longer exported since"
_UNKNOWN = "Column that the vendor added; its meaning is not known here"


def metadata(schema: Schema, extra_columns: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
    """Datasette's metadata of every declared table and view. ``extra_columns``: undeclared vendor columns, by table."""
    extra = extra_columns or {}
    tables = {table.name: _table(table, extra.get(table.name, ())) for table in schema}
    tables |= {view.name: _view(view, tables[view.table]) for view in schema.views}
    for name in INTERNAL:
        tables.setdefault(name, {})["hidden"] = True
    database = {"title": "All tables", "description": _ABOUT, "tables": tables, "groups": _groups(schema)}
    return {"title": _TITLE, "description": _ABOUT, "databases": {DATABASE: database}}


def _table(table: Table, extra: Sequence[str]) -> dict[str, Any]:
    """One table's entry: every key is Datasette's."""
    columns = {c.name: _meaning(c) for c in table.columns}
    columns |= {name: _UNKNOWN for name in extra if not name.startswith("_") and name not in columns}
    if table.exported:
        columns[ABSENT] = _ABSENT
    labels = {c.name: c.label or plain(c.name) for c in table.columns}
    labels |= {name: plain(name) for name in columns if name not in labels} | {ABSENT: _NOT_EXPORTED}
    entry: dict[str, Any] = {"description": table.about, "columns": columns, "labels": labels, "size": PAGE_SIZE}
    entry["title"] = table.title or plain(table.name)
    if table.label:
        entry["label_column"] = table.label
    if table.sort in table.by_name:
        entry["sort_desc" if _newest_first(table) else "sort"] = table.sort
    if table.facets:
        entry["facets"] = list(table.facets)
    if table.search:
        entry["fts_table"] = f"{table.name}_fts"
        entry["fts_pk"] = table.key[0] if len(table.key) == 1 else "rowid"
    return entry


def _view(view: View, table: Mapping[str, Any]) -> dict[str, Any]:
    """A view's entry: its table's, less what takes an index or a key to be quick."""
    entry = {name: said for name, said in table.items() if name in ("columns", "labels", "size", "sort", "sort_desc")}
    return {"title": view.title or plain(view.name), "description": view.about, **entry}


def _meaning(column: Column) -> str:
    """A column's description, with its unit where the words do not say it already."""
    said = column.unit.casefold() in column.about.casefold()
    return column.about if said else f"{column.about} (in {column.unit})"


def _newest_first(table: Table) -> bool:
    """Times, and the running numbers of what has been recorded."""
    return table.by_name[table.sort].kind is Kind.TIME or table.role is not Role.MIRROR


def _groups(schema: Schema) -> list[dict[str, Any]]:
    """The tables under headings for people, in order of declaration, internal ones left out."""
    groups: dict[str, list[str]] = {}
    for table in schema:
        if table.name not in INTERNAL:
            groups.setdefault(_group(table), []).extend((table.name, *(view.name for view in table.views)))
    return [{"title": title, "tables": tables} for title, tables in groups.items()]


def table_groups(schema: Schema) -> list[dict[str, Any]]:
    """The same with what a page says of each: ``name``, ``title``, ``about`` and ``kind`` (table or view)."""
    views = {view.name: view for view in schema.views}

    def said(name: str) -> dict[str, str]:
        one = views.get(name) or schema[name]
        kind = "view" if name in views else "table"
        return {"name": name, "title": one.title or plain(name), "about": one.about, "kind": kind}

    return [{**group, "tables": [said(name) for name in group["tables"]]} for group in _groups(schema)]


def _group(table: Table) -> str:
    if table.filled_by in (FilledBy.CHANGE_SET, FilledBy.EXPORT):
        return table.vendor
    if table.role is Role.OWN and not table.vendor:
        return "How this copy is kept"
    if table.role is Role.HAPPENED:
        return "What happened, event by event"
    return (
        "People, messages and broadcasts"
        if table.exported or table.role is Role.OWN
        else "Conversations, team, channels and lists"
    )
