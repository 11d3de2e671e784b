"""What the network can do to the listener: slow, endless, broken, oversized. Never a 500, nothing stored by half."""

import asyncio
import gzip
import logging
import time

import pytest
import structlog.testing
from loopback_listener import Listening, Start, read_answer, request, signed

from promptsync.webhook.signature import Authenticator

BODY = b'{"orgId":1234}'
SIGNED = ("X-Hub-Signature", signed(BODY))
CHUNKED = ("Transfer-Encoding", "chunked")


async def test_a_body_in_pieces(listening: Listening) -> None:
    whole = request("message/added", BODY, SIGNED)
    assert (await listening.send(*(whole[i : i + 9] for i in range(0, len(whole), 9)), pause=0.001)).status == 200
    chunks = b"4\r\n" + BODY[:4] + b"\r\na\r\n" + BODY[4:] + b"\r\n0\r\n\r\n"
    assert (await listening.send(request("message/added", chunks, SIGNED, CHUNKED))).status == 200
    assert [delivery.body for delivery in listening.stored] == [BODY.decode()] * 2


async def test_a_slow_body(start: Start) -> None:
    listening = await start(body_deadline=0.2)
    whole = request("message/added", BODY, SIGNED)
    began = time.monotonic()
    answer = await listening.send(whole[:-8], whole[-8:-4], pause=0.15)
    assert (answer.status, answer.headers["Connection"]) == (408, "close")
    assert time.monotonic() - began < 1
    assert listening.state.refused == {"too_slow": 1}


async def test_the_limit_is_exact(start: Start) -> None:
    listening = await start(max_body=1000)
    right, over = b'"' + b"a" * 998 + b'"', b'"' + b"a" * 999 + b'"'
    assert (await listening.post("message/added", right)).status == 200
    assert (await listening.post("message/added", over)).status == 413
    chunks = b"3e9\r\n" + over + b"\r\n0\r\n\r\n"
    headers = ("X-Hub-Signature", signed(over)), CHUNKED
    assert (await listening.send(request("message/added", chunks, *headers))).status == 413
    assert listening.state.refused == {"too_large": 2}


async def test_an_endless_chunked_body_is_stopped(start: Start) -> None:
    listening = await start(max_body=10_000)
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(request("message/added", b"", SIGNED, CHUNKED))
    sent = 0
    while sent < 50_000:
        writer.write(b"3e8\r\n" + b"a" * 1000 + b"\r\n")
        sent += 1000
        await writer.drain()
    assert (await read_answer(reader)).status == 413
    writer.close()


async def test_a_large_length_is_refused_unread(listening: Listening) -> None:
    answer = await listening.send(request("message/added", b"", SIGNED, ("Content-Length", "9999999999")))
    assert (answer.status, answer.headers["Connection"]) == (413, "close")


async def test_expect_is_answered_only_when_the_body_is_wanted(listening: Listening) -> None:
    expect = ("Expect", "100-continue")
    refused = request("message/added", b"", expect, ("Content-Length", "99999999"))
    assert (await listening.send(refused)).status == 413
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(request("message/added", b"", expect, SIGNED, ("Content-Length", str(len(BODY)))))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(BODY)
    assert (await read_answer(reader)).status == 200
    writer.write(request("message/added", BODY, SIGNED))
    assert (await read_answer(reader)).status == 200
    writer.close()


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br", "zstd", "identity, gzip", "x", b"\xff"])
@pytest.mark.parametrize("body", [b"not gzip at all", gzip.compress(BODY, mtime=0)], ids=["broken", "whole"])
async def test_encoded_bodies(listening: Listening, encoding: str | bytes, body: bytes) -> None:
    assert (await listening.post("message/added", body, ("Content-Encoding", encoding))).status == 415


async def test_plain_encodings_and_their_repetition(listening: Listening) -> None:
    plain = ("Content-Encoding", "Identity")
    assert (await listening.post("message/added", BODY, plain, plain, ("Content-Encoding", ""))).status == 200
    assert (await listening.post("message/added", BODY, plain, ("Content-Encoding", "gzip"))).status == 415


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Hub-Signature", "")],
        [("X-Hub-Signature", signed(b"other"))],
        [("X-Hub-Signature", "sha256=" + "0" * 64)],
        [SIGNED, SIGNED],
        [("X-Hub-Signature", b"\xff\xfe" * 20)],
        [("X-Hub-Signature", "é" * 40)],
        [("X-Hub-Signature", "a" * 16_000)],
        [("Authorization", b"Basic \xff\xff")],
    ],
)
async def test_wrong_authentication(listening: Listening, headers: list[tuple[str, str | bytes]]) -> None:
    assert (await listening.send(request("message/added", BODY, *headers))).status == 401
    assert listening.state.refused == {"authentication": 1}
    assert listening.stored == []


async def test_accepted_spellings_and_secrets(start: Start) -> None:
    listening = await start(authenticator=Authenticator(secrets=(b"new", b"old")))
    for value in (signed(BODY, b"new"), signed(BODY, b"old").upper(), signed(BODY, b"old").removeprefix("sha1=")):
        assert (await listening.send(request("message/added", BODY, ("x-hub-signature", value)))).status == 200


MALFORMED = {
    "huge header": request("x", b"", ("X-Hub-Signature", "a" * 100_000)),
    "huge path": request("a" * 100_000, b""),
    "many headers": request("x", b"", *((f"X-{i}", "y") for i in range(1000))),
    "no http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "no version": b"POST /hooks/prompt/x\r\n\r\n",
    "two lengths": request("x", b"", ("Content-Length", "1"), ("Content-Length", "2")),
    "length and chunked": request("x", b"0\r\n\r\n", ("Content-Length", "5"), CHUNKED),
    "negative length": request("x", b"", ("Content-Length", "-1")),
    "endless length": request("x", b"", ("Content-Length", "9" * 50)),
    "control in a header": request("x", b"", ("X-A", b"a\x00b")),
    "bad chunk size": request("x", b"zz\r\nabc\r\n0\r\n\r\n", SIGNED, CHUNKED),
    "negative chunk": request("x", b"-1\r\nabc\r\n0\r\n\r\n", SIGNED, CHUNKED),
    "raw bytes in the path": b"POST /hooks/prompt/\xff\xfe HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "odd authority": b"POST http://[/hooks HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    "star": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "connect": b"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n",
    "websocket": request("x", b"", ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Content-Length", "0")),
    "unknown expectation": request("x", b"", ("Expect", "a miracle")),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_nothing_gives_a_500(listening: Listening, name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as lines:
        answer = await listening.send(MALFORMED[name])
    assert 400 <= answer.status < 500
    assert listening.state.refused.total() == (name != "connect")
    assert listening.stored == []
    assert lines == []
    assert "aiohttp" not in caplog.text
    assert (await listening.send(request("message/added", BODY, SIGNED))).status == 200


@pytest.mark.parametrize("kind", ["length", "chunked"])
async def test_a_lost_connection_stores_nothing(start: Start, kind: str) -> None:
    """``12`` of ``1234`` would be JSON of its own."""
    listening = await start(authenticator=Authenticator(open_to_all=True))
    parts = {"length": request("x", b"12", ("Content-Length", "4")), "chunked": request("x", b"2\r\n12\r\n", CHUNKED)}
    for abrupt in (True, False):
        _, writer = await asyncio.open_connection("127.0.0.1", listening.port)
        writer.write(parts[kind])
        await writer.drain()
        await asyncio.sleep(0.02)
        if abrupt:
            writer.transport.abort()
        else:
            writer.close()
    async with asyncio.timeout(2):
        while listening.state.refused["incomplete"] < 2:
            await asyncio.sleep(0.01)
    assert listening.stored == []


async def test_requests_behind_one_another(listening: Listening) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(request("message/added", BODY) + request("message/added", BODY, SIGNED) * 2)
    assert [(await read_answer(reader)).status for _ in range(3)] == [401, 200, 200]
    writer.close()
