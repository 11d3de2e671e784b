"""Datasette's table, row and SQL pages, with three differences.

- Columns that begin with ``_`` are promptsync's own, and columns of bytes are heavy: a table leaves both out unless
  the address names them (``?_col=``, ``?_sort=``, a filter). Datasette asks ``columns_to_select`` for the columns of
  a table page, of its JSON and of its CSV alike, so that is where it is done: addresses stay free of ``_nocol``.
  ``_absent_since`` is selected, and shown on a page only where a row has it. Row pages hide the same columns when
  they are displayed; a row's JSON is complete. What else a table page leaves out is in ``shown``.
- CSV is guarded against formulas where its rows are made, so streamed pages are too; and no row is lost between pages.
- A row page links to the rows it refers to, as table pages do, and to those that refer to it by several columns.

The classes take the place of Datasette 0.65's own through ``routes``, which come before the built-in ones.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from datasette.database import QueryInterrupted  # type: ignore[import-untyped]
from datasette.utils import (  # type: ignore[import-untyped]
    CustomRow,
    tilde_decode,
    urlsafe_components,
)
from datasette.utils.asgi import NotFound, Request, Response  # type: ignore[import-untyped]
from datasette.views.database import DatabaseView  # type: ignore[import-untyped]
from datasette.views.row import RowView  # type: ignore[import-untyped]
from datasette.views.table import TableView  # type: ignore[import-untyped]

from promptsync.browse.answering import view as page_view
from promptsync.browse.cells import ABSENT, guarded, yes_no
from promptsync.browse.links import filtered, incoming
from promptsync.browse.mirror import PAGING, Paging
from promptsync.browse.pages import data
from promptsync.browse.queries.tables import counts_of
from promptsync.browse.settings import DATABASE, BrowseSettings
from promptsync.browse.shown import EVERY, Context, declared_column, drop_hidden, hidden, main, named, tidy
from promptsync.model import Kind, Table
from promptsync.model.plain_words import plain


def routes() -> list[tuple[str, Callable[..., Awaitable[Response]]]]:
    """Our pages' patterns and views, for Datasette's ``register_routes``."""
    table = rf"/(?P<database>{DATABASE})/(?P<table>[^\/\.]+)"
    return [
        (rf"/(?P<database>{DATABASE})(\.(?P<format>(?!db$)\w+))?$", _list_or_sql),
        (rf"{table}(\.(?P<format>\w+))?$", _view(MirrorTableView)),
        (rf"/(?P<database>{DATABASE})/(?P<table>[^/]+?)/(?P<pks>[^/]+?)(\.(?P<format>\w+))?$", _view(MirrorRowView)),
    ]


async def _list_or_sql(request: Request, datasette: Any) -> Any:
    """Our list of tables, but Datasette's answer to SQL, and its list for programs."""
    if "sql" in request.args or request.url_vars["format"] is not None:
        return await MirrorDatabaseView(datasette).dispatch_request(request)
    return await _all_data(request, datasette)


def _view(view: Any) -> Callable[..., Awaitable[Response]]:
    async def answer(request: Request, datasette: Any) -> Response:
        return await view(datasette).dispatch_request(request)

    return answer


_all_data = page_view(data.PAGE)


class _Guarded:
    """Rows that leave as CSV are guarded. Put before a Datasette view among the base classes."""

    async def data(self, request: Request, *args: Any, **options: Any) -> Any:
        found = await super().data(request, *args, **options)  # type: ignore[misc]
        if isinstance(found, tuple) and request.url_vars["format"] == "csv":
            data = found[0]
            names = list(data["columns"])
            data["columns"] = [guarded(name) for name in names]
            data["rows"] = [CustomRow(names, zip(names, map(guarded, row), strict=True)) for row in data["rows"]]
        return found


class MirrorDatabaseView(_Guarded, DatabaseView):  # type: ignore[misc]
    """The list of tables, and the answer of an administrator's SQL."""


class MirrorTableView(_Guarded, TableView):  # type: ignore[misc]
    """A table, its JSON and its CSV, without hidden columns."""

    async def columns_to_select(self, table_columns: list[str], pks: list[str], request: Request) -> list[str]:
        """The columns that the address asks for; by default all but the hidden ones."""
        columns: list[str] = await super().columns_to_select(table_columns, pks, request)
        kept, table = {*pks, ABSENT, *named(request)}, _declared(self.ds, request)
        shown = [name for name in columns if name in kept or not hidden(name, table)]
        if request.url_vars["format"] is None and not {EVERY, "_col"} & request.args.keys():
            kept |= main(table, shown)
            shown = [name for name in shown if name in kept]
        return shown

    async def data(self, request: Request, *args: Any, **options: Any) -> Any:
        """Datasette's data; what the template shows is dressed."""
        found = await self._paged(request, *args, **options)
        if not isinstance(found, tuple) or request.url_vars["format"] is not None:
            return found
        data, extra, *rest = found
        table = _declared(self.ds, request)

        async def dressed() -> Context:
            context: Context = await extra()
            if "display_columns" in context:  # not a canned query
                kept = named(request)
                every = [column.name for column in table.columns] if table else context["filter_columns"]
                context["filter_columns"] = [c for c in every if c in kept or not hidden(c, table)]
                context["more_columns"] = EVERY not in request.args and "_col" not in request.args
                if not any(name.startswith("_facet") for name in request.args):
                    context["facets_timed_out"] = []  # too many rows to count unasked
                context["sorted_facet_results"] = _facets_in_words(context["sorted_facet_results"], table)
                data["human_description_en"] = _plainly(data["human_description_en"], table)
                tidy(context, kept)
            return context

        return data, dressed, *rest

    async def _paged(self, request: Request, *args: Any, **options: Any) -> Any:
        """Datasette's data with ties ordered. A stream of CSV goes by key, in the largest pages there are."""
        streamed = request.url_vars["format"] == "csv" and "_stream" in request.args
        if streamed:
            options["_size"] = "max"
        keys = await self.ds.databases[DATABASE].primary_keys(tilde_decode(request.url_vars["table"]))
        counts = any(name.startswith("_facet") for name in request.args)
        token = PAGING.set(Paging(tuple(keys), streamed, counts))
        try:
            return await super().data(request, *args, **options)
        finally:
            PAGING.reset(token)


class MirrorRowView(_Guarded, RowView):  # type: ignore[misc]
    """One row, with links to the rows it refers to."""

    async def data(self, request: Request, *args: Any, **options: Any) -> Any:
        """Datasette's data; for a page, with labels of foreign keys, and dressed."""
        await self._check_key(request)
        found = await super().data(request, *args, **options)
        if not isinstance(found, tuple) or request.url_vars["format"] is not None:
            return found
        data, extra, *rest = found
        await self._expand(data)

        async def dressed() -> Context:
            context: Context = await extra()
            drop_hidden(context, named(request))
            context["foreign_key_tables"] = [
                other | _named(self.ds, other) for other in context["foreign_key_tables"] if other["count"]
            ]
            context["label"] = _label(self.ds, data)
            return context

        return data, dressed, *rest

    async def _check_key(self, request: Request) -> None:
        """Raises NotFound for an address without a value for each column of the key, which Datasette fails on."""
        keys = await self.ds.databases[DATABASE].primary_keys(tilde_decode(request.url_vars["table"]))
        if len(urlsafe_components(request.url_vars["pks"])) < len(keys):
            raise NotFound("Record not found")

    async def foreign_key_tables(self, database: str, table: str, pk_values: list[str]) -> list[Context]:
        """What refers to the row, with counts; Datasette knows of keys of one column only."""
        if len(pk_values) == 1 or table not in self.ds.browse.schema:
            found: list[Context] = await super().foreign_key_tables(database, table, pk_values)
            return found
        sources = list(incoming(self.ds.browse.schema, table))
        if not sources:
            return []
        counts = counts_of((source.name, columns) for source, columns in sources)
        try:
            key = {f"k{place}": value for place, value in enumerate(pk_values)}
            rows = list(await self.ds.databases[DATABASE].execute(counts, key))
        except QueryInterrupted:
            return []
        links = [
            filtered(self.ds.urls, source.name, dict(zip(columns, pk_values, strict=False)))
            for source, columns in sources
        ]
        return [
            {"other_table": source.name, "other_column": columns[-1], "count": count, "link": link}
            for (source, columns), count, link in zip(sources, rows[0], links, strict=True)
        ]

    async def _expand(self, data: Context) -> None:
        """Labels in place of keys, within the very list that Datasette displays later."""
        names, table = data["columns"], data["table"]
        row = CustomRow(names, zip(names, data["rows"][0], strict=True))
        for key in await self.ds.databases[DATABASE].foreign_keys_for_table(table):
            column = key["column"]
            value = row[column]
            labels = await self.ds.expand_foreign_keys(DATABASE, table, column, [value])
            if value is not None and (column, value) in labels:
                row[column] = {"value": value, "label": labels[(column, value)]}
        data["rows"][0] = row


def _declared(datasette: Any, request: Request) -> Table | None:
    return _table(datasette, tilde_decode(request.url_vars["table"]))


def _table(datasette: Any, name: str) -> Table | None:
    settings: BrowseSettings = datasette.browse
    return settings.schema.shape(name)


def _facets_in_words(facets: list[Context], table: Table | None) -> list[Context]:
    """The facets that found something, with yes and no for 1 and 0."""
    for facet in facets:
        column = declared_column(facet["name"], table)
        if column and column.kind is Kind.BOOLEAN:
            for result in facet["results"]:
                if result["value"] in (0, 1):
                    result["label"] = yes_no(result["value"])
    return [facet for facet in facets if facet["results"]]


def _plainly(description: str | None, table: Table | None) -> str:
    """What Datasette says of filter and sort, with columns called as in the headings."""
    if not description or table is None:
        return description or ""
    labels = {column.name: column.label or plain(column.name) for column in table.columns}
    named = "|".join(sorted(map(re.escape, labels), key=len, reverse=True))
    found = re.sub(rf"((?:^|where|by|and|or|,) )({named})\b", lambda m: m[1] + labels[m[2]], f" {description}")
    return found.strip()


def _named(datasette: Any, other: Context) -> Context:
    """``title`` and ``by``: what people call a table and a column that refer to a row."""
    table = _table(datasette, other["other_table"])
    column = declared_column(other["other_column"], table)
    title = (table and (table.title or plain(table.name))) or other["other_table"]
    return {"title": title, "by": (column and column.label) or plain(other["other_column"])}


def _label(datasette: Any, data: Context) -> object:
    """What names the row to people, or nothing."""
    table = _table(datasette, data["table"])
    return data["rows"][0][table.label] if table and table.label in data["columns"] else None
