"""A listener on a loopback port, and a client that sends exactly the bytes it is told to."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from promptsync.model.delivery import Accept, Delivery
from promptsync.webhook.listener import (
    STATE,
    ListenerSettings,
    ListenerState,
    build_listener,
    listener_runner,
)

SECRET = b"It's a Secret to Everybody"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Listening:
    """A running listener and what it handed on."""

    app: web.Application
    port: int
    stored: list[Delivery] = field(default_factory=list)

    @property
    def state(self) -> ListenerState:
        return self.app[STATE]

    async def send(self, *parts: bytes, pause: float = 0) -> Answer:
        """Sends ``parts`` on a connection of its own, ``pause`` seconds apart, and reads one answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
            return await read_answer(reader)
        finally:
            writer.close()

    async def post(self, path: str, body: bytes, *headers: tuple[str, str | bytes]) -> Answer:
        """A signed delivery below the base path."""
        return await self.send(request(path, body, ("X-Hub-Signature", signed(body)), *headers))


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    async with asyncio.timeout(120):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.split(": ", 1) for line in head[1:] if line)
        body = await reader.readexactly(int(headers.get("Content-Length", 0)))
    return Answer(int(head[0].split()[1]), headers, body)


def signed(body: bytes, secret: bytes = SECRET) -> str:
    return "sha1=" + hmac.digest(secret, body, "sha1").hex()


def request(path: str, body: bytes, *headers: tuple[str, str | bytes], method: str = "POST") -> bytes:
    """The bytes of a request below ``/hooks/prompt/``, or of the whole ``path`` when it starts with a slash."""
    target = path if path.startswith("/") else f"/hooks/prompt/{path}"
    lines = [f"{method} {target} HTTP/1.1".encode(), b"Host: x"]
    if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}".encode())
    for name, value in headers:
        lines.append(name.encode() + b": " + (value.encode() if isinstance(value, str) else value))
    return b"\r\n".join((*lines, b"", body))


Start = Callable[..., Awaitable[Listening]]


@asynccontextmanager
async def listen(settings: ListenerSettings, intake: Accept | None = None) -> AsyncIterator[Listening]:
    stored: list[Delivery] = []

    async def take(delivery: Delivery) -> int:
        stored.append(delivery)
        return len(stored)

    app = build_listener(settings, intake or take)
    runner = listener_runner(app, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Listening(app, runner.addresses[0][1], stored)
    finally:
        await runner.cleanup()
