"""Qlara's gateway on its bad days, and in each of the shapes that its documentation leaves open.

Owns everything that the demo's server does not need: what goes wrong is asked for in ``BadDays``, what was called is
counted. Nothing is left to chance.
"""

import asyncio
import gzip
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from promptsync.demo.qlara.server import Export, Faults, QlaraServer, broken_down, refused

Browse = Callable[[Mapping[str, str]], list[dict[str, Any]]]
"""The messages that fit a query of ``GET /messages/history``."""


@dataclass
class BadDays(Faults):
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
    in_header: bool = False
    post_errors: int = 0
    pages: int = 0
    lose_answers: int = 0
    expired: int = 0
    refuse: str = ""
    file: str = "whole"
    bad_files: int = 1 << 30
    redirect_to: str = ""
    clock_ahead: float = 0.0


@dataclass
class FaultyQlara(QlaraServer):
    """``calls``: method and path, counted; ``keys``: the API key of each call, also where there should be none."""

    browse: Browse = lambda _: []
    faults: BadDays = field(default_factory=BadDays)
    calls: Counter[str] = field(default_factory=Counter)
    keys: list[tuple[str, str | None]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    expired: set[str] = field(default_factory=set)

    def routes(self) -> list[web.RouteDef]:
        return [*super().routes(), web.get("/v1/messages/history", self._browse)]

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.address.removesuffix("/v1")

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.faults.clock_ahead)

    def fault(self, request: web.Request) -> web.StreamResponse | None:
        self.calls[f"{request.method} {request.match_info.route.resource.canonical}"] += 1
        self.keys.append((request.path, request.headers.get("X-Api-Key")))
        if found := super().fault(request):
            return found
        if request.method == "POST" and self.faults.strikes("post_errors"):
            return broken_down()
        return _page() if request.path.startswith("/v1/") and self.faults.strikes("pages") else None

    def too_many(self) -> web.Response:
        if not self.faults.in_header:
            return super().too_many()
        return web.json_response({"status": 429}, status=429, headers={"Retry-After": str(self.faults.retry_after)})

    async def request(self, request: web.Request) -> web.Response:
        response = await super().request(request)
        if not self.faults.refuse and self.faults.strikes("lose_answers"):
            request.transport.abort()
        return response

    def accept(self, kind: str, asked: dict[str, Any]) -> web.Response:
        self.asked.append((kind, asked))
        if self.faults.refuse:
            return refused(400, self.faults.refuse)
        super().accept(kind, asked)
        export = list(self.exports.values())[-1]
        self._expire(export.id)
        answers: dict[str, Any] = {
            "exportId": {"exportId": export.id},
            "id": {"id": export.id, "status": "PENDING"},
            "export": {"export": {"id": export.id}},
            "bare": export.id,
        }
        answer = answers.get(self.faults.id_shape)
        return web.Response(status=202) if answer is None else web.json_response(answer, status=202)

    def listed(self, entries: list[dict[str, Any]], page: int) -> web.Response:
        shape = self.faults.list_shape
        return web.json_response(entries if shape == "bare" else {shape: entries, "page": page})

    def entry(self, export: Export) -> dict[str, Any]:
        faults, entry = self.faults, super().entry(export)
        if export.looks <= faults.pending:
            entry["status"] = faults.before
        else:
            entry["status"] = "EXPIRED" if export.id in self.expired else faults.after
        ready = export.looks > faults.pending + faults.not_available
        entry["isAvailableForDownload"] = ready and export.id not in self.expired
        if not faults.says_ready:
            del entry["isAvailableForDownload"]
        return entry

    def linked(self, link: str) -> web.Response:
        link = self.faults.redirect_to or link
        match self.faults.link_shape:
            case "string":
                return web.json_response(link)
            case "text":
                return web.Response(text=link + "\n")
            case "redirect":
                return web.Response(status=302, headers={"Location": link})
        return web.json_response({self.faults.link_shape: link})

    async def link(self, request: web.Request) -> web.Response:
        if request.match_info["id"] in self.expired:
            return refused(400, "Link expired")
        return await super().link(request)

    async def regenerate(self, request: web.Request) -> web.Response:
        self.faults.strikes("expired")
        self._expire(request.match_info["id"])
        return await super().regenerate(request)

    def _expire(self, export_id: str) -> None:
        """Let an export that was made be expired at once, or not."""
        (self.expired.add if self.faults.expired else self.expired.discard)(export_id)

    async def _browse(self, request: web.Request) -> web.Response:
        page, limit = int(request.query.get("page", "0")), int(request.query.get("limit", "20"))
        if not {"channel", "from", "to"} <= request.query.keys():
            return refused(400, "channel, from and to are required")
        found = self.browse(dict(request.query))[page * limit : (page + 1) * limit]
        return web.json_response({"messages": found})

    async def sent(self, request: web.Request, content: bytes) -> web.StreamResponse:
        how = self.faults.file
        if how == "whole" or not self.faults.bad_files:
            return await super().sent(request, content)
        if how == "gzip":
            return web.Response(body=gzip.compress(content), content_type="application/gzip")
        self.faults.bad_files -= 1
        match how:
            case "page":
                return _page()
            case "down":
                return broken_down()
            case "gzip_cut":
                return web.Response(body=gzip.compress(content)[:-12], content_type="application/gzip")
        return await _broken(request, content, how)


async def _broken(request: web.Request, content: bytes, how: str) -> web.StreamResponse:
    """Less than was announced, or less without announcing anything, or all of it and very slowly."""
    response = web.StreamResponse(headers={"Content-Type": "text/csv"})
    part = content[: len(content) * 2 // 3]
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


def _page() -> web.Response:
    return web.Response(text="<!DOCTYPE html><title>Maintenance</title>", content_type="text/html")
