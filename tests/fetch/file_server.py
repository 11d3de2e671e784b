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

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked.append((request.method, path, dict(request.headers)))
        if self.password and request.headers.get("Authorization") != f"Bearer {self.password}":
            return web.Response(status=401)
        if path in self.redirects:
            return web.Response(status=302, headers={"Location": self.redirects[path]})
        if path.endswith("/"):
            return self._list(path)
        content = self.files.get(path.removeprefix("/out/"))
        return web.Response(status=404) if content is None else await self._file(request, content)

    def _list(self, path: str) -> web.Response:
        prefix = path.removeprefix("/out/")
        if self.json:
            entries = [
                {"name": key, "url": f"/out/{quote(key)}", "size": len(content), "etag": _etag(content)}
                for key, content in self.files.items()
            ]
            return web.json_response({"files": entries})
        below = {key.removeprefix(prefix) for key in self.files if key.startswith(prefix)}
        names = {name.split("/")[0] + ("/" if "/" in name else "") for name in below}
        links = "".join(f'<a href="{quote(name)}">{html.escape(name)}</a>\n' for name in sorted(names))
        others = f'<a href="../">Parent</a><a href="?C=M">Date</a><a href="//elsewhere.example{path}x.csv.gz">x</a>'
        page = f"<h1>Index</h1>{others}{links}"
        return web.Response(text=page, content_type="text/html")

    async def _file(self, request: web.Request, content: bytes) -> web.StreamResponse:
        start, status = 0, 200
        if request.http_range.start and request.headers.get("If-Range", _etag(content)) == _etag(content):
            start, status = request.http_range.start, 206
        if start >= len(content) > 0:
            return web.Response(status=416)
        response = web.StreamResponse(status=status, headers={"ETag": _etag(content)})
        response.content_length = len(content) - start
        if status == 206:
            response.headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
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
