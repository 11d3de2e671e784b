"""Large deliveries: taken up to the vendor's own size, checked off the loop, and bounded together."""

import asyncio
import json
import threading
import time
from operator import sub
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from loopback_listener import Listening, Start, read_answer, request, signed

from promptsync.model.delivery import Delivery
from promptsync.webhook.answers import Refused
from promptsync.webhook.connection import FREE
from promptsync.webhook.request import LARGE, JsonText, large_json_text

MIB = 1 << 20
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


def body_of(size: int) -> bytes:
    """A delivery of so many bytes."""
    return b'{"orgId":1,"note":"' + b"x" * (size - 21) + b'"}'


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A JSON text, as it is or with one byte dropped, changed or put in."""
    text = json.dumps(draw(VALUES), ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1])))
    body = text.encode("utf-8", "surrogatepass")
    at = draw(st.integers(0, len(body)))
    put = draw(
        st.sampled_from([b"", b"", b"\0", b"\t", b"\xff", b'"', b"0", b"-", b".", b"e", b"/", b"\\", b"]", b","])
    )
    return body[:at] + put + body[at + draw(st.integers(0, 1)) :]


def judged(check: Any, body: bytes) -> str | None:
    try:
        return str(check(body))
    except Refused as refused:
        return refused.refusal.reason


@given(damaged())
@example(b"1" * 5000)
@example(b"{}\0x")
@example(b"\xef\xbb\xbf{}")
@example(b"[1.]")
@example(b"[.5, +1]")
@example(b'{"a": 1e999}')
@example(b'["\\ud800"]')
@example(b'["\x7f\xc2\x85"]')
@example(b"  ")
def test_large_and_small_bodies_are_judged_alike(body: bytes) -> None:
    assert judged(large_json_text, body) == judged(JsonText(), body)


def test_others_go_on_while_a_large_body_is_checked() -> None:
    """Not that it is quick, but that it stops nobody: the longest stop is a small part of it all."""
    body = b"[" + b"[]," * 5_000_000 + b"1]"
    checking = threading.Thread(target=large_json_text, args=(body,))
    checking.start()
    times = [time.perf_counter()]
    while checking.is_alive():
        time.sleep(0.001)
        times.append(time.perf_counter())
    assert max(map(sub, times[1:], times)) < (times[-1] - times[0]) / 2


async def test_what_the_vendor_may_send_is_taken(listening: Listening) -> None:
    body = body_of(16 * MIB)
    assert (await listening.post("customer/optOut", body)).status == 200
    assert listening.stored[0].body.encode() == body
    assert (await listening.post("customer/optOut", body + b" ")).status == 413
    assert listening.state.refused == {"too_large": 1}


async def test_a_large_body_is_checked_as_any(listening: Listening) -> None:
    body = body_of(LARGE + 1)
    assert (await listening.send(request("message/added", body, ("X-Hub-Signature", signed(b"other"))))).status == 401
    assert (await listening.post("message/added", body[:-1])).status == 400
    assert (await listening.post("message/added", body, ("Prompt-EventType", "message/status"))).status == 400
    assert (await listening.post("message/added", body)).status == 200
    assert listening.state.signatures == {"sha1=hex": 1}


async def begun(
    listening: Listening, body: bytes, sent: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
    """A delivery of which so many bytes have been sent, and the rest of it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port)
    head = request("message/added", b"", ("X-Hub-Signature", signed(body)), ("Content-Length", str(len(body))))
    writer.write(head + body[:sent])
    await writer.drain()
    return reader, writer, body[sent:]


async def test_large_bodies_share_a_bound_and_small_ones_are_free_of_it(start: Start) -> None:
    listening = await start(max_body=MIB, all_bodies=2 * MIB, body_deadline=60.0)
    body = body_of(MIB - 100)
    first, second = [await begun(listening, body, MIB - 1000) for _ in range(2)]
    announced = [await begun(listening, body, 0) for _ in range(8)]  # takes nothing
    await asyncio.sleep(0.1)
    refused = await listening.post("message/added", body)
    assert (refused.status, refused.headers["Retry-After"], refused.headers["Connection"]) == (503, "5", "close")
    assert (await listening.post("message/added", body_of(FREE))).status == 200
    for reader, writer, rest in (first, second):
        writer.write(rest)
        assert (await read_answer(reader)).status == 200
    assert (await listening.post("message/added", body)).status == 200
    assert listening.state.refused == {"no_room": 1}
    for _, writer, _ in (first, second, *announced):
        writer.close()


async def refused(listening: Listening, body: bytes) -> None:
    assert (await listening.post("message/added", body[:-1])).status == 400


async def cut_off(listening: Listening, body: bytes) -> None:
    _, writer, _ = await begun(listening, body, MIB - 1000)
    writer.close()
    await writer.wait_closed()


async def too_slow(listening: Listening, body: bytes) -> None:
    reader, writer, _ = await begun(listening, body, MIB - 1000)
    assert (await read_answer(reader)).status == 408
    writer.close()


async def not_stored(listening: Listening, body: bytes) -> None:
    assert (await listening.post("message/status", body)).status == 503


@pytest.mark.parametrize("end", [refused, cut_off, too_slow, not_stored])
async def test_room_is_given_back_whatever_becomes_of_a_body(start: Start, end: Any) -> None:
    async def intake(delivery: Delivery) -> int:
        if delivery.path == "message/status":
            raise TimeoutError
        return 1

    deadline = 3.0 if end is too_slow else 60.0
    listening = await start(intake, max_body=MIB, all_bodies=MIB + MIB // 2, body_deadline=deadline)
    await end(listening, body_of(MIB))
    while not listening.state.refused:
        await asyncio.sleep(0.01)
    assert (await listening.post("message/added", body_of(MIB))).status == 200
    assert listening.state.refused.total() == 1
