"""From a request to the answer of one of our pages.

Owns the one thread hop and the one read transaction of a page, its time limit, the parts in which a spreadsheet is
read, and the headers. Asks ``may`` though the gate has asked before: a page never relies on the door alone.
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import IO, Any, Final

from datasette.utils.asgi import AsgiStream, Forbidden, Request, Response  # type: ignore[import-untyped]

from promptsync.browse import spreadsheet
from promptsync.browse.access import may
from promptsync.browse.dates import Dates
from promptsync.browse.page import Document, Moved, Page, Sheet, Shown, Visit
from promptsync.browse.paging import whole
from promptsync.browse.queries.reader import Reader, organisations, transaction
from promptsync.browse.settings import DATABASE

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {"content-security-policy": POLICY}
"""Of every page with our frame around it: no script, and no style but the sheet's."""
TIME_LIMIT = 2.0  # seconds

_LONGEST = 600  # characters of a value in an address
_FORMATS = ("csv", "xlsx")


def page_routes(pages: tuple[Page, ...]) -> list[tuple[str, Callable[..., Awaitable[Any]]]]:
    """Patterns and views, for Datasette's ``register_routes``."""
    return [(f"^{page.address}$", view(page)) for page in pages]


def view(page: Page) -> Callable[..., Awaitable[Any]]:
    """Answers a request for a page, for Datasette."""

    async def answer(request: Request, datasette: Any) -> Any:
        if not may(datasette.browse, request.actor, page.need.value):
            raise Forbidden(page.need.value)
        dates = Dates(datasette.browse.zone, datasette.present(), datasette.frame.words)

        def read(reader: Reader) -> Any:
            visit = _visit(request, datasette, reader, dates)
            found = page.show(visit)
            if isinstance(found, Shown):
                return datasette.frame.page(request, page.section, visit, found), found.status
            return found

        found = await _within(datasette, read)
        if isinstance(found, tuple):
            return Response.html(found[0], status=found[1], headers=dict(HEADERS))
        if isinstance(found, Document):
            return Response.json(dict(found.content), status=found.status)
        if isinstance(found, Moved):
            return Response.redirect(datasette.urls.path(found.path))
        return await _sheet(found, request.url_vars.get("format"), dates, datasette)

    return answer


async def _within(datasette: Any, read: Callable[[Reader], Any]) -> Any:
    """Runs on a thread of the database, within one read transaction."""

    def run(connection: sqlite3.Connection) -> Any:
        with transaction(connection, TIME_LIMIT, datasette.totals) as reader:
            return read(reader)

    return await datasette.databases[DATABASE].execute_fn(run)


def _visit(request: Request, datasette: Any, reader: Reader, dates: Dates) -> Visit:
    query = {name: request.args.getlist(name)[-1][:_LONGEST] for name in request.args}
    parts: Mapping[str, str] = {name: value or "" for name, value in request.url_vars.items()}
    orgs = organisations(reader)
    chosen = whole(query.get("org"))
    org = chosen if len(orgs) > 1 and any(one["id"] == chosen for one in orgs) else None
    path = request.scope.get("route_path", request.path)  # below the prefix
    return Visit(reader, datasette.frame.words, dates, path, query, parts, orgs, org, datasette.browse.stale_after)


async def _sheet(sheet: Sheet, ending: str | None, dates: Dates, datasette: Any) -> Any:
    ending = ending if ending in _FORMATS else "csv"
    name = spreadsheet.file_name(sheet.name, dates.today, ending)
    headers = HEADERS | {"content-disposition": f'attachment; filename="{name}"'}

    async def parts(take: Callable[[Any], Any]) -> AsyncIterator[Any]:
        """What ``take`` makes of the lines, part by part, each within a transaction of its own."""
        position: Any = None
        while True:
            made, position = await _within(datasette, partial(_taken, sheet, take, position))
            yield made
            if position is None:
                return

    if ending == "csv":
        texts = parts(spreadsheet.csv_lines)
        first = await anext(texts)  # before anything is sent: what fails at once is said on a page

        async def csv(stream: Any) -> None:
            await stream.write(spreadsheet.csv_head(sheet.headings))
            await stream.write(first)
            async for text in texts:
                await stream.write(text)

        return AsgiStream(csv, headers=headers, content_type=spreadsheet.CSV_TYPE)
    with tempfile.TemporaryFile() as file:
        book = await asyncio.to_thread(spreadsheet.Book, file, sheet.headings)
        async for _ in parts(book.add):
            pass
        await asyncio.to_thread(book.close)
        return Response(await asyncio.to_thread(_whole, file), headers=headers, content_type=spreadsheet.XLSX_TYPE)


def _taken(sheet: Sheet, take: Callable[[Any], Any], position: Any, reader: Reader) -> tuple[Any, Any]:
    lines, following = sheet.lines(reader, position)
    return take(lines), following


def _whole(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
