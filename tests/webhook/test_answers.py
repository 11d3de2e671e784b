"""The answer to a stored delivery says the same over every kind of connection, and routes come before the listener."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from aiohttp import ClientSession, web
from loopback_listener import Answer, Listening, read_answer, request, signed

from promptsync.model.delivery import Delivery
from promptsync.webhook.answers import json_response
from promptsync.webhook.listener import ListenerSettings, build_listener, listener_runner
from promptsync.webhook.signature import Authenticator

BODY = b"[1]"


async def _sent(port: int, raw: bytes) -> tuple[Answer, bool]:
    """The answer, and whether the connection stays open for another."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(raw)
    answer = await read_answer(reader)
    writer.write(raw)
    try:
        again = (await read_answer(reader)).status == 200
    except (asyncio.IncompleteReadError, ConnectionError):
        again = False
    writer.close()
    return answer, again


@pytest.mark.parametrize(
    ("version", "connection", "stays"),
    [("1.1", "", True), ("1.1", "close", False), ("1.0", "", False), ("1.0", "keep-alive", True)],
)
async def test_the_answer_is_as_aiohttp_would_have_it(
    listening: Listening, version: str, connection: str, stays: bool
) -> None:
    asked = [("Connection", connection)] if connection else []
    raw = request("x", BODY, ("X-Hub-Signature", signed(BODY)), *asked).replace(
        b"HTTP/1.1", b"HTTP/" + version.encode()
    )
    answer, again = await _sent(listening.port, raw)
    assert (answer.status, answer.json(), again) == (200, {"stored": 1}, stays)
    when = parsedate_to_datetime(answer.headers.pop("Date"))
    assert abs(datetime.now(UTC) - when) < timedelta(seconds=10)

    async def plain(_request: web.Request) -> web.Response:
        return json_response(b'{"stored": 1}', 200)

    app = web.Application()
    app.router.add_post("/hooks/prompt/x", plain)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ordinary, _ = await _sent(runner.addresses[0][1], raw)
    finally:
        await runner.cleanup()
    ordinary.headers.pop("Date")
    assert answer.headers == ordinary.headers


@pytest.mark.parametrize(("base", "route"), [("/", "/-/ready"), ("/hooks", "/hooks/ready"), ("/hooks", "/ready")])
async def test_a_route_comes_before_deliveries(base: str, route: str) -> None:
    stored: list[Delivery] = []

    async def take(delivery: Delivery) -> int:
        stored.append(delivery)
        return len(stored)

    async def ready(_request: web.Request) -> web.Response:
        return web.Response(text="ready")

    app = build_listener(ListenerSettings(base, Authenticator(open_to_all=True)), take)
    app.router.add_get(route, ready)
    runner = listener_runner(app, shutdown_timeout=0.2)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with ClientSession() as session:
            async with session.get(url + route) as answer:
                assert await answer.text() == "ready"
            async with session.post(f"{url}{base.rstrip('/')}/message/added", data=BODY) as answer:
                assert await answer.json() == {"stored": 1}
            async with session.post(f"{url}/elsewhere/x", data=BODY) as answer:
                assert answer.status == (404 if base != "/" else 200)
    finally:
        await runner.cleanup()
    assert stored[0].path == "message/added"
