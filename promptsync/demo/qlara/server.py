"""A server that plays Qlara's Partner Gateway on a loopback port.

Owns the API's side of the job model. What it exports is handed in. What goes wrong is asked for in ``Faults``; nothing
is left to chance.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

Rows = Callable[[str, Mapping[str, Any]], str]
"""The CSV text of an export: of this kind (contacts, delivery-reports, messages) and what was asked for."""


@dataclass
class Faults:
    """Bad answers still to be given: too many calls (with seconds to wait), failures of any call, links denied."""

    rate_limited: int = 0
    retry_after: float = 0.0
    errors: int = 0
    link_dead: int = 0

    def strikes(self, name: str) -> bool:
        """Whether this fault is due now; one fewer is left then."""
        left = int(getattr(self, name))
        setattr(self, name, max(0, left - 1))
        return left > 0


@dataclass
class Export:
    """An export job. ``looks``: how often the list of exports has been read since it was asked for."""

    id: str
    kind: str
    asked: dict[str, Any]
    created: str
    looks: int = 0


@dataclass
class QlaraServer:
    """Use as an async context manager. ``address``: the base URL, once started. ``exports``: by id, oldest first."""

    rows: Rows
    key: str = "demo-key"
    faults: Faults = field(default_factory=Faults)
    address: str = ""
    exports: dict[str, Export] = field(default_factory=dict)
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> "QlaraServer":
        app = web.Application(middlewares=[self._answer])
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def routes(self) -> list[web.RouteDef]:
        """The calls that are answered."""
        return [
            web.post("/v1/exports/contacts", self.request),
            web.post("/v1/exports/delivery-reports", self.request),
            web.post("/v1/messages/history/export", self.request),
            web.get("/v1/exports", self._list),
            web.get("/v1/exports/{id}", self.link),
            web.post("/v1/exports/{id}", self.regenerate),
            web.get("/files/{id}", self.file),
        ]

    @web.middleware
    async def _answer(self, request: web.Request, handler: Any) -> web.StreamResponse:
        response: web.StreamResponse = self.fault(request) or await handler(request)
        if request.path.startswith("/v1/") and not response.prepared:
            response.headers["X-RateLimit-Limit"], response.headers["X-RateLimit-Remaining"] = "1000", "999"
            response.headers["Date"] = self.now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        return response

    def now(self) -> datetime:
        """The server's clock."""
        return datetime.now(UTC)

    def fault(self, request: web.Request) -> web.StreamResponse | None:
        """The bad answer that a call of any kind gets, if it gets one."""
        if request.path.startswith("/v1/"):
            if request.headers.get("X-Api-Key") != self.key:
                return refused(401, "Unauthorized")
            if self.faults.strikes("rate_limited"):
                return self.too_many()
        return broken_down() if self.faults.strikes("errors") else None

    def too_many(self) -> web.Response:
        """What a caller gets who calls too often."""
        body = {"status": 429, "error": "Too Many Requests", "message": "Rate limit exceeded"}
        return web.json_response(body | {"retryAfter": self.faults.retry_after}, status=429)

    async def request(self, request: web.Request) -> web.Response:
        """An export is asked for."""
        last = request.path.split("/")[-1]
        return self.accept("messages" if last == "export" else last, await request.json())

    def accept(self, kind: str, asked: dict[str, Any]) -> web.Response:
        """Enter an export, answer its id."""
        created = self.now().isoformat(timespec="milliseconds")
        export = Export(f"exp-{len(self.exports) + 1}", kind, asked, created)
        self.exports[export.id] = export
        return web.json_response({"exportId": export.id}, status=202)

    async def _list(self, request: web.Request) -> web.Response:
        page, limit = int(request.query.get("page", "0")), min(int(request.query.get("limit", "10")), 10)
        newest_first = list(self.exports.values())[::-1]
        for export in newest_first:
            export.looks += page == 0
        return self.listed([self.entry(export) for export in newest_first[page * limit : (page + 1) * limit]], page)

    def listed(self, entries: list[dict[str, Any]], page: int) -> web.Response:
        """One page of the list of exports."""
        return web.json_response({"content": entries, "page": page})

    def entry(self, export: Export) -> dict[str, Any]:
        """An export as the list has it: done at once."""
        return {
            "id": export.id, "type": export.kind.upper().replace("-", "_"), "status": "COMPLETED",
            "createdAt": export.created, "isAvailableForDownload": True,
        }  # fmt: skip

    async def link(self, request: web.Request) -> web.Response:
        """The link to an export's file."""
        if request.match_info["id"] not in self.exports:
            return refused(404, "Export not found")
        return self.linked(
            f"{self.address.removesuffix('/v1')}/files/{request.match_info['id']}?X-Signature=signed-secret"
        )

    def linked(self, link: str) -> web.Response:
        """A link, as it is given out."""
        return web.json_response({"url": link})

    async def regenerate(self, request: web.Request) -> web.Response:
        """An export is to be made anew."""
        if request.match_info["id"] not in self.exports:
            return refused(404, "Export not found")
        self.exports[request.match_info["id"]].looks = 0
        return web.Response(status=202)

    async def file(self, request: web.Request) -> web.StreamResponse:
        """An export's file, to whoever has the link."""
        if self.faults.strikes("link_dead"):
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        export = self.exports[request.match_info["id"]]
        return await self.sent(request, self.rows(export.kind, export.asked).encode())

    async def sent(self, _request: web.Request, content: bytes) -> web.StreamResponse:
        """The content of a file."""
        return web.Response(body=content, content_type="text/csv")


def refused(status: int, message: str) -> web.Response:
    """An error of the caller's, as the API words it."""
    return web.json_response({"status": status, "message": message}, status=status)


def broken_down() -> web.Response:
    """An error of the server's."""
    return web.json_response({"status": 500, "error": "Internal Server Error"}, status=500)
