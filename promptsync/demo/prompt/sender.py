"""Posting the simulated organisation's deliveries to the listener, signed, as the vendor would.

Owns what was acknowledged and what was left without an answer. A vendor that gets no answer tries again, so the same
delivery may be stored twice; which ones were is read from the inbox afterwards.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

import aiohttp

from promptsync.demo.prompt.events import Event
from promptsync.errors import Unavailable

_CONNECTIONS = 24
_TRIES = 60


@dataclass(slots=True)
class Receipts:
    """``stored``: delivery id to event. ``unanswered``: sent, but the connection was lost before the answer came."""

    stored: dict[int, Event] = field(default_factory=dict)
    unanswered: list[Event] = field(default_factory=list)
    sent: int = 0


class Sender:
    """Posts events; ``address`` may change when the daemon is started again."""

    def __init__(self, address: str, secret: bytes, posted: Receipts) -> None:
        self.address = address
        self._secret = secret
        self._posted = posted

    async def post_all(self, events: Iterable[Event]) -> None:
        """Post in order, several at a time, until each is acknowledged. Raises Unavailable if one never is."""
        waiting = iter(events)
        timeout = aiohttp.ClientTimeout(total=30)
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, force_close=False)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for _ in range(_CONNECTIONS):
                tasks.create_task(self._work(session, waiting))

    async def _work(self, session: aiohttp.ClientSession, waiting: Iterable[Event]) -> None:
        for event in waiting:
            await self._post(session, event)

    async def _post(self, session: aiohttp.ClientSession, event: Event) -> None:
        body = event.text.encode()
        headers = {
            "Content-Type": "application/json",
            "Prompt-EventType": event.path,
            "X-Hub-Signature": "sha1=" + hmac.new(self._secret, body, hashlib.sha1).hexdigest(),
        }
        for _ in range(_TRIES):
            try:
                async with session.post(f"{self.address}/{event.path}", data=body, headers=headers) as response:
                    if response.status == 200:
                        self._posted.stored[(await response.json())["stored"]] = event
                        self._posted.sent += 1
                        return
                    if response.status != 503:
                        raise Unavailable(f"The listener answered {response.status} to {event.path}.")
            except (aiohttp.ClientConnectionError, TimeoutError):
                self._posted.unanswered.append(event)
            await asyncio.sleep(0.25)
        raise Unavailable(f"The listener at {self.address} did not take {event.path}; is the daemon running?")
