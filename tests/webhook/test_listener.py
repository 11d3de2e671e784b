"""The listener's answers, their order, and what it hands on; over real connections."""

import asyncio
import hmac
import json
import logging
import time
from collections.abc import Sequence

import pytest
from aiohttp import ClientSession
from blockbuster import blockbuster_ctx
from loopback_listener import SECRET, Listening, Start, request, signed

from promptsync.errors import MirrorBroken, MirrorFull
from promptsync.model.delivery import Delivery
from promptsync.vendors.prompt.event_types import EVENT_TYPES
from promptsync.webhook import signature
from promptsync.webhook.listener import stop_accepting
from promptsync.webhook.request import DEEPEST
from promptsync.webhook.signature import Authenticator

BODY = b'{"orgId": 1234, "text": "na\xc3\xafve"}'


async def test_a_delivery_is_handed_on_as_it_came(listening: Listening) -> None:
    answer = await listening.post(
        "message/added",
        BODY,
        ("Prompt-EventType", "message/added"),
        ("Content-Type", "application/json"),
        ("User-Agent", b"Prompt \xff"),
        ("Authorization", "Basic aHVudGVyMg=="),
        ("Cookie", "hunter2"),
    )
    assert (answer.status, answer.json()) == (200, {"stored": 1})
    assert answer.headers["Content-Type"] == "application/json"
    kept = {"Prompt-EventType": "message/added", "Content-Type": "application/json", "User-Agent": "Prompt \ufffd"}
    assert listening.stored == [Delivery("message/added", BODY.decode(), kept, type="message/added")]
    assert listening.state.stored == 1


async def test_every_event_type_and_unknown_ones(listening: Listening) -> None:
    paths = [*EVENT_TYPES, "contactAction/spring-drive/2", "never/heard/of"]
    for path in paths:
        assert (await listening.post(path, BODY, ("Prompt-EventType", path))).status == 200
    assert [delivery.path for delivery in listening.stored] == paths


@pytest.mark.parametrize(
    ("path", "stored"),
    [
        ("message/added/", "message/added"),
        ("/message/added", "message/added"),
        ("message/added?try=2", "message/added"),
        ("message%2Fadded", "message/added"),
        ("contactAction/fr%C3%BChling", "contactAction/frühling"),
        ("../x", "../x"),
        ("a" * 200, "a" * 200),
    ],
)
async def test_paths_taken(listening: Listening, path: str, stored: str) -> None:
    assert (await listening.post(f"/hooks/prompt/{path}", BODY)).status == 200
    assert listening.stored[0].path == stored


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/hooks/prompt",
        "/hooks/prompt/",
        "/hooks/prompt//",
        "/hooks/promptx/message/added",
        "/hooks/Prompt/message/added",
        "/-/live",
        "/hooks/prompt/a%00b",
        "/hooks/prompt/a%0Ab",
        "/hooks/prompt/%ff",
        "/hooks/prompt/a%C2%85b",
        "/hooks/prompt/" + "a" * 201,
    ],
)
async def test_paths_not_taken(listening: Listening, path: str) -> None:
    assert (await listening.post(path, BODY)).status == 404
    assert listening.state.refused == {"path": 1}


async def test_a_base_path_of_one_slash(start: Start) -> None:
    listening = await start(path="/")
    assert (await listening.post("/message/added", BODY)).status == 200
    assert (await listening.post("/-/live", BODY)).status == 404
    assert listening.stored[0].path == "message/added"


RIGHT = {
    "path": "/hooks/prompt/message/added",
    "method": "POST",
    "length": None,
    "encoding": "identity",
    "signature": signed(BODY),
    "type": "message/added",
}
WRONG = {
    "path": ("/elsewhere", 404, "path"),
    "method": ("PUT", 405, "method"),
    "length": (b"99999999", 413, "too_large"),
    "encoding": ("gzip", 415, "content_encoding"),
    "signature": ("sha1=" + "0" * 40, 401, "authentication"),
    "type": ("message/status", 400, "event_type"),
}


@pytest.mark.parametrize("first", range(len(WRONG)))
async def test_checks_are_made_in_this_order(listening: Listening, first: int) -> None:
    """Everything from the ``first`` check on is wrong: the answer is that check's."""
    names = list(WRONG)
    parts = RIGHT | {name: WRONG[name][0] for name in names[first:]}
    headers = [("X-Hub-Signature", parts["signature"]), ("Prompt-EventType", parts["type"])]
    headers.append(("Content-Encoding", parts["encoding"]))
    headers.append(("Content-Length", parts["length"] or str(len(BODY))))
    answer = await listening.send(request(parts["path"], BODY, *headers, method=parts["method"]))
    assert answer.status == WRONG[names[first]][1]
    assert listening.state.refused == {WRONG[names[first]][2]: 1}
    assert "error" in answer.json()
    assert listening.stored == []


async def test_what_the_refusals_carry(listening: Listening) -> None:
    assert (await listening.send(request("x", b"", method="GET"))).headers["Allow"] == "POST"
    encoded = await listening.send(request("x", b"", ("Content-Encoding", "br")))
    assert encoded.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("message/added", "message/added", 200),
        ("message/added", "message/status", 400),
        ("message/added", "Message/Added", 400),
        ("message/added", "", 400),
        ("message/added", b"\xff", 400),
        ("contactAction/spring", "contactAction", 200),
        ("contactAction/spring", "contactAction/spring", 200),
        ("contactAction/spring", "contactAction/autumn", 400),
        ("contactAction/carrierRejectionRate", "contactAction", 400),
        ("contactAction", "contactAction/spring", 400),
    ],
)
async def test_header_and_path(listening: Listening, path: str, header: str | bytes, status: int) -> None:
    assert (await listening.post(path, BODY, ("Prompt-EventType", header))).status == status


async def test_a_doubled_type_must_agree_twice(listening: Listening) -> None:
    right, wrong = ("Prompt-EventType", "message/added"), ("Prompt-EventType", "message/status")
    assert (await listening.post("message/added", BODY, right, right)).status == 200
    assert (await listening.post("message/added", BODY, right, wrong)).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b'"x"',
        b"12",
        b"null",
        b" \r\n\t{}\n",
        b'{"a": "\\ud800"}',
        b"1e999",
        b"1" * 5000,
        b"[-" + b"9" * 5000 + b"]",
        b"[" * DEEPEST + b"]" * DEEPEST,
        b"[" + b"{}," * (4 * DEEPEST) + b"{}]",
    ],
)
async def test_json_that_is_stored(listening: Listening, body: bytes) -> None:
    assert (await listening.post("message/added", body)).status == 200
    assert listening.stored[0].body == body.decode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{} x",
        b"{}{}",
        b"NaN",
        b'{"a": Infinity}',
        b'{"a": -Infinity}',
        b'{"a": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a": "\n"}',
        b"{'a': 1}",
        b"\xa0{}",
        "\u00a0{}".encode(),
        b"[" * 100_000,
        b"[" * 5000 + b"]" * 5000,
        b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
        b'{"a":[{}, ' * DEEPEST + b"1" + b"]}" * DEEPEST,
        b'{"a":' * 100_000,
    ],
)
async def test_json_that_is_refused(listening: Listening, body: bytes) -> None:
    assert (await listening.post("message/added", body)).status == 400
    assert listening.state.refused == {"not_json": 1}
    assert listening.stored == []


async def test_without_authentication_only_when_it_was_said(start: Start) -> None:
    closed = await start(authenticator=Authenticator())
    opened = await start(authenticator=Authenticator(open_to_all=True))
    assert (await closed.send(request("message/added", BODY))).status == 401
    assert (await opened.send(request("message/added", BODY))).status == 200


async def test_what_cannot_be_stored_is_tried_again(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    errors = [MirrorFull("the disk is full"), MirrorBroken("corrupt"), KeyError("hunter2"), TimeoutError(), None]

    async def intake(_delivery: Delivery) -> int:
        error = errors.pop(0)
        if error:
            raise error
        return 7

    listening = await start(intake)
    with caplog.at_level(logging.DEBUG):
        answers = [await listening.post("message/added", BODY) for _ in range(5)]
    assert [answer.status for answer in answers] == [503, 503, 503, 503, 200]
    assert all(answer.headers["Retry-After"] == "5" for answer in answers[:4])
    assert answers[4].json() == {"stored": 7}
    assert listening.state.refused == {"unavailable": 2, "unexpected": 2}
    assert "hunter2" not in caplog.text


async def test_a_cancelled_intake_is_a_503(start: Start) -> None:
    async def intake(_delivery: Delivery) -> int:
        gone: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        gone.cancel()
        return await gone

    assert (await (await start(intake)).post("message/added", BODY)).status == 503


async def test_while_stopping(listening: Listening) -> None:
    stop_accepting(listening.app)
    answer = await listening.post("message/added", BODY)
    assert (answer.status, answer.headers["Retry-After"], answer.headers["Connection"]) == (503, "5", "close")
    assert (await listening.send(request("message/added", BODY))).status == 401
    assert listening.stored == []


async def test_many_on_few_connections_without_blocking_the_loop(listening: Listening) -> None:
    headers = {"X-Hub-Signature": signed(BODY)}
    url = f"http://127.0.0.1:{listening.port}/hooks/prompt/message/added"
    with blockbuster_ctx("promptsync"):
        async with ClientSession() as session:

            async def one() -> int:
                async with session.post(url, data=BODY, headers=headers) as answer:
                    return int(json.loads(await answer.read())["stored"])

            numbers = await asyncio.gather(*(one() for _ in range(300)))
    assert sorted(numbers) == list(range(1, 301))


async def test_while_rotating_each_signature_is_computed_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    computed, compute = [], signature.signed_with

    def counted(value: bytes | None, body: bytes, macs: Sequence[hmac.HMAC]) -> int | None:
        computed.append(body)
        return compute(value, body, macs)

    authenticator = Authenticator(secrets=(b"new", SECRET))
    listening = await start(authenticator=authenticator)
    monkeypatch.setattr(signature, "signed_with", counted)
    assert (await listening.post("message/added", BODY)).status == 200
    assert computed == [BODY]
    (count, at) = listening.state.signed[1]
    assert count == 1 and at <= time.time()
    assert (await listening.post("message/added", b"[")).status == 400
    assert listening.state.signed == {1: (1, at)}
