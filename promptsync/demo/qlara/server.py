"""A server that plays Qlara's Partner Gateway, with its bad days, on a loopback port.

Owns the API's side of the job model and the shapes that its documentation leaves open. What it exports is handed in.
Everything that can go wrong is asked for in ``Mood``; nothing is left to chance.
"""

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

Rows = Callable[[str, Mapping[str, Any]], str]
"""The CSV text of an export: of this kind (contacts, delivery-reports, messages) and what was asked for."""
Browse = Callable[[Mapping[str, str]], list[dict[str, Any]]]
"""The messages that fit a query of ``GET /messages/history``."""


@dataclass(slots=True)
class Mood:
    """How the server behaves. Counters of bad answers are used up one by one.

    ``id_shape``: exportId, id, export, bare or nothing. ``list_shape``: a wrapper's name, or bare. ``link_shape``: a
    name, string, text or redirect. ``pending``: looks until an export is done. ``before``, ``after``: words of status
    meanwhile and then. ``file``: whole, gzip, cut, short (less than its length), slow, gzip_cut, page (of an error) or
    down (status 500). ``post_errors``: of what is to be done; ``errors``: of any call. ``pages``: of the API itself.
    """

    id_shape: str = "exportId"
    list_shape: str = "content"
    link_shape: str = "url"
    pending: int = 0
    before: str = "PENDING"
    after: str = "COMPLETED"
    says_ready: bool = True
    not_available: int = 0
    rate_limited: int = 0
    retry_after: float = 0.0
    in_header: bool = False
    errors: int = 0
    post_errors: int = 0
    pages: int = 0
    lose_answers: int = 0
    expired: int = 0
    link_dead: int = 0
    refuse: str = ""
    file: str = "whole"
    bad_files: int = 1 << 30
    redirect_to: str = ""
    clock_ahead: float = 0.0


@dataclass(slots=True)
class _Export:
    id: str
    kind: str
    asked: dict[str, Any]
    created: str
    looks: int = 0
    expired: bool = False


@dataclass(slots=True)
class QlaraServer:
    """Use as an async context manager. ``address``: the base URL, once started. ``calls``: method and path, counted;
    ``keys``: the API key of each call, also where there should be none."""

    rows: Rows
    browse: Browse = lambda _: []
    key: str = "demo-key"
    mood: Mood = field(default_factory=Mood)
    address: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    keys: list[tuple[str, str | None]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    exports: dict[str, _Export] = field(default_factory=dict)
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> "QlaraServer":
        app = web.Application(middlewares=[self._weather])
        app.add_routes(
            [
                web.post("/v1/exports/contacts", self._request),
                web.post("/v1/exports/delivery-reports", self._request),
                web.post("/v1/messages/history/export", self._request),
                web.get("/v1/exports", self._list),
                web.get("/v1/exports/{id}", self._link),
                web.post("/v1/exports/{id}", self._regenerate),
                web.get("/v1/messages/history", self._browse),
                web.get("/files/{id}", self._file),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.address = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.address.removesuffix("/v1")

    @web.middleware
    async def _weather(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Count, then the bad answers that any call may get."""
        self.calls[f"{request.method} {request.match_info.route.resource.canonical}"] += 1  # type: ignore[union-attr]
        self.keys.append((request.path, request.headers.get("X-Api-Key")))
        api = request.path.startswith("/v1/")
        mood = self.mood
        if api and request.headers.get("X-Api-Key") != self.key:
            return web.json_response({"status": 401, "message": "Unauthorized"}, status=401)
        if api and mood.rate_limited:
            mood.rate_limited -= 1
            return _too_many(mood)
        if mood.errors:
            mood.errors -= 1
            return _broken_down()
        if mood.post_errors and request.method == "POST":
            mood.post_errors -= 1
            return _broken_down()
        if api and mood.pages:
            mood.pages -= 1
            return _page()
        response: web.StreamResponse = await handler(request)
        if api and not response.prepared:
            response.headers["X-RateLimit-Limit"], response.headers["X-RateLimit-Remaining"] = "1000", "999"
            response.headers["Date"] = self._now().strftime("%a, %d %b %Y %H:%M:%S GMT")
        return response

    async def _request(self, request: web.Request) -> web.Response:
        mood = self.mood
        asked = await request.json()
        kind = {"contacts": "contacts", "delivery-reports": "delivery-reports"}.get(
            request.path.split("/")[-1], "messages"
        )
        self.asked.append((kind, asked))
        if mood.refuse:
            return web.json_response({"status": 400, "message": mood.refuse}, status=400)
        created = self._now().isoformat(timespec="milliseconds")
        export = _Export(f"exp-{len(self.exports) + 1}", kind, asked, created)
        self.exports[export.id] = export
        if mood.expired:
            export.expired = True
        if mood.lose_answers:
            mood.lose_answers -= 1
            assert request.transport is not None  # noqa: S101  the request is still open
            request.transport.abort()
            return web.Response()
        answers: dict[str, Any] = {
            "exportId": {"exportId": export.id},
            "id": {"id": export.id, "status": "PENDING"},
            "export": {"export": {"id": export.id}},
            "bare": export.id,
        }
        answer = answers.get(mood.id_shape)
        return web.Response(status=202) if answer is None else web.json_response(answer, status=202)

    async def _list(self, request: web.Request) -> web.Response:
        page, limit = int(request.query.get("page", "0")), min(int(request.query.get("limit", "10")), 10)
        newest_first = list(self.exports.values())[::-1]
        for export in newest_first:
            export.looks += page == 0
        found = [self._entry(export) for export in newest_first[page * limit : (page + 1) * limit]]
        return web.json_response(
            found if self.mood.list_shape == "bare" else {self.mood.list_shape: found, "page": page}
        )

    def _entry(self, export: _Export) -> dict[str, Any]:
        mood = self.mood
        done = export.looks > mood.pending
        ready = export.looks > mood.pending + mood.not_available
        status = "EXPIRED" if done and export.expired else mood.after if done else mood.before
        entry = {"id": export.id, "type": export.kind.upper().replace("-", "_"), "status": status}
        entry["createdAt"] = export.created
        return entry | ({"isAvailableForDownload": ready and not export.expired} if mood.says_ready else {})

    async def _link(self, request: web.Request) -> web.Response:
        export = self.exports.get(request.match_info["id"])
        if export is None:
            return web.json_response({"status": 404, "message": "Export not found"}, status=404)
        if export.expired:
            return web.json_response({"status": 400, "message": "Link expired"}, status=400)
        link = self.mood.redirect_to or f"{self.origin}/files/{export.id}?X-Signature=signed-secret"
        match self.mood.link_shape:
            case "string":
                return web.json_response(link)
            case "text":
                return web.Response(text=link + "\n")
            case "redirect":
                return web.Response(status=302, headers={"Location": link})
        return web.json_response({self.mood.link_shape: link})

    async def _regenerate(self, request: web.Request) -> web.Response:
        export = self.exports.get(request.match_info["id"])
        if export is None:
            return web.json_response({"status": 404, "message": "Export not found"}, status=404)
        self.mood.expired = max(0, self.mood.expired - 1)
        export.expired = self.mood.expired > 0
        export.looks = 0
        return web.Response(status=202)

    async def _browse(self, request: web.Request) -> web.Response:
        page, limit = int(request.query.get("page", "0")), int(request.query.get("limit", "20"))
        if not {"channel", "from", "to"} <= request.query.keys():
            return web.json_response({"status": 400, "message": "channel, from and to are required"}, status=400)
        found = self.browse(dict(request.query))[page * limit : (page + 1) * limit]
        return web.json_response({"messages": found})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        export = self.exports[request.match_info["id"]]
        mood = self.mood
        if mood.link_dead:
            mood.link_dead -= 1
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        content = self.rows(export.kind, export.asked).encode()
        if mood.file == "whole" or not mood.bad_files:
            return web.Response(body=content, content_type="text/csv")
        if mood.file == "gzip":
            return web.Response(body=gzip.compress(content), content_type="application/gzip")
        mood.bad_files -= 1
        if mood.file in ("page", "down"):
            return _page() if mood.file == "page" else _broken_down()
        if mood.file == "gzip_cut":
            return web.Response(body=gzip.compress(content)[:-12], content_type="application/gzip")
        return await self._broken(request, content, mood.file)

    async def _broken(self, request: web.Request, content: bytes, how: str) -> web.StreamResponse:
        """Less than was announced, or less without announcing anything, or all of it and very slowly."""
        response = web.StreamResponse(headers={"Content-Type": "text/csv"})
        part = content[: len(content) * 2 // 3]
        assert request.transport is not None  # noqa: S101  the request is still open
        if how == "cut":
            request.transport.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + part)
            request.transport.close()
            return response
        response.content_length = len(content)
        await response.prepare(request)
        if how == "slow":
            for byte in content:
                await response.write(bytes((byte,)))
                await asyncio.sleep(0.05)
            return response
        await response.write(part)
        await asyncio.sleep(0.01)
        request.transport.close()
        return response

    def _now(self) -> datetime:
        return datetime.fromtimestamp(datetime.now(UTC).timestamp() + self.mood.clock_ahead, UTC)


def _broken_down() -> web.Response:
    return web.json_response({"status": 500, "error": "Internal Server Error"}, status=500)


def _page() -> web.Response:
    return web.Response(text="<!DOCTYPE html><title>Maintenance</title>", content_type="text/html")


def _too_many(mood: Mood) -> web.Response:
    body = {"status": 429, "error": "Too Many Requests", "message": "Rate limit exceeded"}
    if mood.in_header:
        return web.json_response(body, status=429, headers={"Retry-After": str(mood.retry_after)})
    return web.Response(
        text=json.dumps(body | {"retryAfter": mood.retry_after}), status=429, content_type="application/json"
    )
