"""The Datasette plugin: joins Datasette's hooks to our rules.

Registered by ``serve.build_datasette``, not by an entry point. Datasette's plugins belong to the process, so each
hook leaves any Datasette alone that does not carry ``browse`` (our settings). Owns no rule itself: rights are in
``access`` and ``gate``, cells in ``cells``, pages in ``views``. Stays away from Datasette's own error page, which
prints local variables to standard error and so people's data into the journal.
"""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from datasette import hookimpl  # type: ignore[import-untyped]
from datasette.utils import tilde_encode  # type: ignore[import-untyped]
from datasette.utils.asgi import Base400, Forbidden, Request, Response  # type: ignore[import-untyped]
from datasette.views.base import DatasetteError  # type: ignore[import-untyped]
from markupsafe import Markup

from promptsync import __version__
from promptsync.browse import cells, links
from promptsync.browse.access import Actor, may
from promptsync.browse.answering import HEADERS, page_routes
from promptsync.browse.extended import plugin_routes
from promptsync.browse.gate import PROGRAM, REFUSED, App, Gate
from promptsync.browse.login import log_in, make_hash
from promptsync.browse.pages import PAGES
from promptsync.browse.settings import BrowseSettings
from promptsync.browse.views import routes
from promptsync.errors import PromptsyncError, Unavailable

_REFUSALS = {"execute-sql": "Only administrators may run SQL.", REFUSED: "This page is for administrators."}
_UNREADABLE = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_READONLY}


def _settings(datasette: Any) -> BrowseSettings | None:
    return getattr(datasette, "browse", None)


@hookimpl(trylast=True)  # type: ignore[untyped-decorator]
def permission_allowed(datasette: Any, actor: Actor, action: str, resource: object) -> bool | None:
    """Has the last word: Datasette takes the last answer that is not None."""
    settings = _settings(datasette)
    return may(settings, actor, action, resource) if settings else None


@hookimpl(trylast=True)  # type: ignore[untyped-decorator]
def asgi_wrapper(datasette: Any) -> Callable[[App], App]:
    """The gate, outermost of all wrappers."""
    return lambda app: Gate(app, datasette) if _settings(datasette) else app


@hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]
def actor_from_request(request: Request) -> dict[str, object] | None:
    """The program whose token the gate has found; people are known by their session."""
    program: dict[str, object] | None = request.scope.get(PROGRAM)
    return program


@hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]
def register_routes(datasette: Any) -> list[tuple[str, Any]]:
    """Our pages for logging in, tables, rows and SQL, before Datasette's and its plugins'."""
    settings = _settings(datasette)
    if settings is None:
        return []
    own = [(r"/-/login$", log_in), (r"/-/password-tool$", make_hash)]
    added = plugin_routes(settings.pages)
    return [*own, *page_routes(PAGES), *added, *routes(), (f"{REFUSED}$", _refused)]


async def _refused() -> Response:
    raise Forbidden(REFUSED)


@hookimpl  # type: ignore[untyped-decorator]
def extra_template_vars(datasette: Any) -> dict[str, object]:
    """What every template may use."""
    settings = _settings(datasette)
    if settings is None:
        return {}
    navigation = [
        (words, datasette.urls.path(path), name == "data") for name, words, path in datasette.frame.sections()
    ]
    return {"promptsync_version": __version__, "zone": settings.zone.key, "navigation": navigation}


@hookimpl  # type: ignore[untyped-decorator]
def render_cell(row: Any, value: Any, column: str, table: str | None, database: str, datasette: Any) -> Markup | None:
    """A cell of a declared column; the rest is Datasette's."""
    settings = _settings(datasette)
    if settings is None or table is None:
        return None
    shape = settings.schema.shape(table)
    declared = shape.by_name.get(column) if shape else None
    if isinstance(value, dict):  # a foreign key with its label
        if not declared or not declared.references:
            return None
        address = datasette.urls.row(database, declared.references, tilde_encode(str(value["value"])))
        return cells.link(address, value["value"], value["label"])
    known = dict(zip(row.keys(), tuple(row), strict=True))
    address = links.address(datasette.urls, settings.schema, table, column, known)
    return cells.link(address, value, None) if address else cells.cell(column, declared, value, settings.zone)


@hookimpl(tryfirst=True)  # type: ignore[untyped-decorator]
def forbidden(datasette: Any, request: Request, message: str) -> Any:
    """The refusal in words; as JSON where JSON or CSV was asked for."""
    if _settings(datasette) is None:
        return None
    words = _REFUSALS.get(message, "You may not see this page.")

    async def answer() -> Response:
        if request.path.endswith((".json", ".csv")):
            return Response.json({"ok": False, "error": words, "status": 403}, status=403)
        page = datasette.frame.plain(request, "staff/error.html", {"title": "Not for you", "error": words})
        return Response.html(page, status=403, headers=dict(HEADERS))

    return answer


@hookimpl(hookwrapper=True)  # type: ignore[untyped-decorator]
def handle_exception(datasette: Any, request: Request, exception: Exception) -> Iterator[None]:
    """Replaces every other error page, Datasette's own included, before it is asked."""
    outcome: Any = yield
    if _settings(datasette):
        outcome.force_result([lambda: _failure(datasette, request, exception)])


async def _failure(datasette: Any, request: Request, exception: Exception) -> Response:
    status, title, error = _in_words(exception)
    if request.path.endswith((".json", ".csv")):
        return Response.json({"ok": False, "error": str(error), "status": status, "title": title}, status=status)
    page = datasette.frame.plain(request, "staff/error.html", {"title": title, "error": error})
    return Response.html(page, status=status, headers=dict(HEADERS))


def _in_words(exception: Exception) -> tuple[int, str, str]:
    """Status, title and sentence of a failure. An unforeseen one is named by its type alone."""
    if isinstance(exception, DatasetteError):
        if exception.title == "SQL Interrupted":
            return exception.status, "That took too long", "Ask for less: fewer rows, or a narrower filter."
        return exception.status, exception.title or "That did not work", exception.message
    if isinstance(exception, Base400):
        title = "Not found" if exception.status == 404 else "That did not work"
        return exception.status, title, str(exception.args[0]) if exception.args else ""
    if isinstance(exception, sqlite3.OperationalError) and str(exception) == "interrupted":
        return 400, "That took too long", "Ask for less: a narrower filter, or fewer days."
    if isinstance(exception, sqlite3.OperationalError) and str(exception).startswith("no such "):
        return 503, "Not just now", 'This copy is of an older version: start the new "promptsync run" once.'
    unreadable = (
        isinstance(exception, sqlite3.Error) and (getattr(exception, "sqlite_errorcode", 0) & 0xFF) in _UNREADABLE
    )
    if unreadable or isinstance(exception, Unavailable):
        return 503, "Not just now", "The mirror cannot be read at the moment. Try again in a minute."
    if isinstance(exception, PromptsyncError):  # of a plugin: its sentence holds nothing of what it read
        return 500, "That went wrong", f"This page could not be made: {exception}."
    return 500, "That went wrong", f"This page could not be made ({type(exception).__name__})."
