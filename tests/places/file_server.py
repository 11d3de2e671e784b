"""A small web server of files, as hosts of exports are: an index page or a JSON list, ranges, ETags, a password."""

import asyncio
import hashlib
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from urllib.parse import quote

from aiohttp import web


@dataclass
class FileServer:
    """``files``: key to content. ``redirects``: path to address. ``asked``: every request's method, path, headers."""

    password: str = ""
    json: bool = False
    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    cut_after: int | None = None
    silent: bool = False  # files begin and never end
    statuses: dict[tuple[str, str], int] = field(default_factory=dict)
    """What a method (``*``: any) is answered with at a path."""
    once: dict[str, list[bytes]] = field(default_factory=dict)
    """Key to what is sent in place of its content, each for one GET; the headers are those of the content."""
    says: frozenset[str] = frozenset({"ETag"})
    """Of ETag and Last-Modified, what it sends."""
    modified: str = "Wed, 04 Feb 2026 08:00:00 GMT"
    weighs_conditions: bool = True  # If-Range
    unsaid: set[str] = field(default_factory=set)  # keys of which a JSON list says no more than the name
    sizeless: bool = False  # nor does the list say a size, nor a file its own
    html: frozenset[str] = frozenset()
    """Methods that are answered as if every file were a page."""

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked.append((request.method, path, dict(request.headers)))
        if self.password and request.headers.get("Authorization") != f"Bearer {self.password}":
            return web.Response(status=401)
        for method in (request.method, "*"):
            if (method, path) in self.statuses:
                return web.Response(status=self.statuses[method, path])
        if path in self.redirects:
            return web.Response(status=302, headers={"Location": self.redirects[path]})
        if path.endswith("/"):
            return self._list(path)
        content = self.files.get(path.removeprefix("/out/"))
        return web.Response(status=404) if content is None else await self._file(request, content)

    def _list(self, path: str) -> web.Response:
        prefix = path.removeprefix("/out/")
        if self.json:
            more = {key: {"size": len(content), "etag": _etag(content)} for key, content in self.files.items()}
            if self.sizeless:
                more = {key: {"etag": _etag(content)} for key, content in self.files.items()}
            entries = [
                {"name": key, "url": f"/out/{quote(key)}", **({} if key in self.unsaid else said)}
                for key, said in more.items()
            ]
            return web.json_response({"files": entries})
        below = {key.removeprefix(prefix) for key in self.files if key.startswith(prefix)}
        names = {name.split("/")[0] + ("/" if "/" in name else "") for name in below}
        links = "".join(f'<a href="{quote(name)}">{html.escape(name)}</a>\n' for name in sorted(names))
        others = f'<a href="../">Parent</a><a href="?C=M">Date</a><a href="//elsewhere.example{path}x.csv.gz">x</a>'
        page = f"<h1>Index</h1>{others}{links}"
        return web.Response(text=page, content_type="text/html")

    def _headers(self, content: bytes) -> dict[str, str]:
        said = {"ETag": _etag(content), "Last-Modified": self.modified}
        return {name: value for name, value in said.items() if name in self.says}

    async def _file(self, request: web.Request, content: bytes) -> web.StreamResponse:
        headers = self._headers(content)
        begin, end, status = 0, len(content), 200
        wanted, condition = request.http_range, request.headers.get("If-Range")
        if "Range" in request.headers and not (self.weighs_conditions and condition not in (None, *headers.values())):
            begin, end, status = wanted.start or 0, min(wanted.stop or len(content), len(content)), 206
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(content)}"
            if begin >= len(content):
                return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
        sent = self.once.get(request.path.removeprefix("/out/")) if request.method == "GET" else None
        content, start = (sent.pop(0), 0) if sent else (content[:end], begin)
        response = web.StreamResponse(status=status, headers=headers)
        if request.method in self.html:
            response.content_type = "text/html"
        response.content_length = max(len(content) - start, 0)
        await response.prepare(request)
        if request.method == "GET":
            if self.silent:
                await response.write(content[start : start + 1])
                await asyncio.sleep(60)
            if self.cut_after is not None and start + self.cut_after < len(content):
                await response.write(content[start : start + self.cut_after])
                request.transport.close()  # type: ignore[union-attr]
                return response
            await response.write(content[start:])
        return response


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


@asynccontextmanager
async def serve(server: FileServer, tls: SSLContext | None = None) -> AsyncIterator[FileServer]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    server.address = f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
