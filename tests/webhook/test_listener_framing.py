"""How much a body's framing may weigh, and that none of it keeps others waiting."""

import asyncio
import time

import pytest
from loopback_listener import Start, read_answer, request

from promptsync.webhook.signature import Authenticator

CHUNKED = ("Transfer-Encoding", "chunked")


def in_chunks(body: bytes, size: int) -> bytes:
    chunks = (b"%x\r\n%b\r\n" % (len(part), part) for part in (body[i : i + size] for i in range(0, len(body), size)))
    return request("x", b"".join(chunks) + b"0\r\n\r\n", CHUNKED)


REFUSED = {
    "path": (request("/no", b"", CHUNKED), 404),
    "method": (request("x", b"", CHUNKED, method="PUT"), 405),
    "encoding": (request("x", b"", CHUNKED, ("Content-Encoding", "gzip")), 415),
    "nothing": (request("x", b"", CHUNKED), 200),
}


@pytest.mark.parametrize("why", REFUSED)
async def test_others_are_answered_while_a_body_in_tiny_chunks_is_passed_over(start: Start, why: str) -> None:
    """Whether somebody wants it or not. The request behind it shows when all of it has been parsed."""
    listening = await start(authenticator=Authenticator(open_to_all=True))
    head, status = REFUSED[why]
    body = b"1\r\n1\r\n" * 20_000 + b"0\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    writer.write(head + body + request("x", b"[]"))

    async def rest() -> list[int]:
        return [(await read_answer(reader)).status, (await read_answer(reader)).status]

    parsing, meanwhile = asyncio.create_task(rest()), 0
    others, other = await asyncio.open_connection("127.0.0.1", listening.port)
    while not parsing.done():
        other.write(request("x", b"[]"))
        assert (await read_answer(others)).status == 200
        meanwhile += 1
    assert await parsing == [status, 200]
    assert meanwhile > 10
    writer.close()
    other.close()


@pytest.mark.parametrize(("length", "size", "status"), [(60_000, 1, 200), (900_000, 1, 400), (900_000, 100, 200)])
async def test_framing_may_weigh_as_much_as_half_a_mebibyte(start: Start, length: int, size: int, status: int) -> None:
    listening = await start(authenticator=Authenticator(open_to_all=True))
    answer = await listening.send(in_chunks(b'"' + b"a" * length + b'"', size))
    assert answer.status == status
    assert (answer.headers.get("Connection") == "close") == (status == 400)


async def test_chunks_of_a_byte_leave_others_their_turn(start: Start) -> None:
    """What is done in one stretch is a small part of it, in CPU time."""
    listening = await start(authenticator=Authenticator(open_to_all=True))
    longest, stop = 0.0, False

    async def watch() -> float:
        nonlocal longest
        began = last = time.thread_time()
        while not stop:
            await asyncio.sleep(0)
            longest, last = max(longest, time.thread_time() - last), time.thread_time()
        return last - began

    body = in_chunks(b'"' + b"a" * 60_000 + b'"', 1)
    watching = asyncio.create_task(watch())
    assert (await listening.send(body)).status == 200
    stop = True
    assert longest < await watching / 8
