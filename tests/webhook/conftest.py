"""Fixtures: listeners on loopback ports."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from loopback_listener import SECRET, Listening, Start, listen

from promptsync.model.delivery import Accept
from promptsync.webhook.listener import ListenerSettings
from promptsync.webhook.signature import Authenticator


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts listeners: ``await start(intake=..., max_body=..., ...)``; signed deliveries unless told otherwise."""
    open_ones = []

    async def starting(intake: Accept | None = None, **settings: Any) -> Listening:
        settings = {"path": "/hooks/prompt", "authenticator": Authenticator(secrets=(SECRET,))} | settings
        one = listen(ListenerSettings(**settings), intake)
        open_ones.append(one)
        return await one.__aenter__()

    yield starting
    for one in reversed(open_ones):
        await one.__aexit__(None, None, None)


@pytest.fixture
async def listening(start: Start) -> Listening:
    return await start()
