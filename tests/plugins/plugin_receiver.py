"""An HTTP server that takes posts after refusing the first few, or sends whoever posts elsewhere."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """``posts``: (webhook-id, body) of those taken; ``raw``: body as sent, and headers. ``tries``: how many came.
    ``left``: how many to refuse. ``redirecting``: a status such as 302, to answer every post with. ``gets``: how many
    came."""

    def __init__(self, refusing: int = 0, redirecting: int | None = None) -> None:
        self.posts: list[tuple[str, Any]] = []
        self.raw: list[tuple[bytes, dict[str, str]]] = []
        self.tries = 0
        self.left = refusing
        self.gets = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.tries += 1
                outer.left -= 1
                taken = outer.left < 0
                if taken:
                    outer.posts.append((self.headers["webhook-id"], json.loads(body)))
                    outer.raw.append((body, dict(self.headers)))
                self.send_response(redirecting or (204 if taken else 503))
                if redirecting:
                    self.send_header("Location", "/login")
                self.end_headers()

            def do_GET(self) -> None:
                outer.gets += 1
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/opt-outs?token=abc"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
