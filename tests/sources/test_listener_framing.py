"""How much a body's framing may weigh, and that none of it keeps others waiting."""

import asyncio
import time

import pytest
from loopback_listener import Start, request

from promptsync.sources.signature import Authenticator


def in_chunks(body: bytes, size: int) -> bytes:
    chunks = (b"%x\r\n%b\r\n" % (len(part), part) for part in (body[i : i + size] for i in range(0, len(body), size)))
    return request("x", b"".join(chunks) + b"0\r\n\r\n", ("Transfer-Encoding", "chunked"))


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
