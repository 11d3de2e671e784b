"""Pages and metadata that plugins add to the browser.

Owns their addresses and the frame around them. The plugin's function runs on a thread of the plugin's own, within its
time; what it gives is put below the title as it is.
"""

import asyncio
import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from datasette.utils.asgi import NotFound, Request, Response  # type: ignore[import-untyped]
from markupsafe import Markup

from promptsync.browse.settings import DATABASE, PluginPage
from promptsync.store import plugin_state

_ELSEWHERE = r"/plugins/(?P<plugin>[^/]+)(?:/.*)?$"
Route = tuple[str, Callable[..., Awaitable[Response]]]


def plugin_routes(pages: tuple[PluginPage, ...]) -> list[Route]:
    """The pages' patterns and views, for Datasette's ``register_routes``."""
    return [*((f"{re.escape(page.address)}$", _view(page)) for page in pages), (_ELSEWHERE, _missing)]


async def _missing(request: Request, datasette: Any) -> Response:
    """Says why there is no such page: the daemon may have a plugin that these pages were not given."""
    name = request.url_vars["plugin"]

    def has_pages(connection: sqlite3.Connection) -> bool:
        return any(plugin["pages"] for plugin in plugin_state.loaded(connection) if plugin["name"] == name)

    if await datasette.databases[DATABASE].execute_fn(has_pages):
        raise NotFound(
            f"The daemon runs the plugin {name}, these pages do not: name it in [plugins] enabled of the configuration "
            "that 'promptsync browse' reads too (of a service that is browse.toml), then restart it."
        )
    raise NotFound("There is no such page of a plugin; 'promptsync plugins list' says which plugins are enabled.")


def with_more(metadata: dict[str, Any], database: str, more: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Datasette's metadata with what plugins say of tables on top; descriptions of columns add up."""
    tables = metadata["databases"][database]["tables"]
    for name, said in more.items():
        entry = tables.setdefault(name, {})
        columns = {**entry.get("columns", {}), **said.get("columns", {})}
        entry.update({**said, "columns": columns} if columns else said)
    return metadata


def _view(page: PluginPage) -> Callable[..., Awaitable[Response]]:
    async def answer(request: Request, datasette: Any) -> Response:
        query = {name: request.args.get(name) for name in request.args}
        html = await asyncio.to_thread(page.html, query)
        values = {"title": page.title, "content": Markup(html)}  # noqa: S704  the plugin escapes what people wrote
        return Response.html(datasette.frame.plain(request, "staff/plugin.html", values))

    return answer
