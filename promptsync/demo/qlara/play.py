"""The demonstration's Qlara: a server on this machine, and an organisation that asks it for exports.

Owns the course of it. The daemon does the work: it requests, polls, downloads and merges, as for the real vendor, on a
day on which that vendor limits calls, fails once and lets a link expire.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from promptsync.clock import iso_millis
from promptsync.demo.home import Home
from promptsync.demo.prompt.snapshot import Value
from promptsync.demo.qlara.account import Asked, QlaraAccount, stretches
from promptsync.demo.qlara.server import Mood, QlaraServer
from promptsync.demo.truth.rows import Key
from promptsync.demo.world.world import DAY, World
from promptsync.errors import Unavailable

_STRETCHES = ((21, 2), (5, 0))


class QlaraPlay:
    """One account at one server. ``start`` it before the configuration is written, ``open`` it before asking."""

    def __init__(self) -> None:
        self._server = QlaraServer(self._rows, mood=Mood(rate_limited=2, retry_after=0.2, errors=1, link_dead=1))
        self.account: QlaraAccount | None = None

    @property
    def address(self) -> str:
        """The API's base address, once started."""
        return self._server.address

    @property
    def key(self) -> str:
        """The key it lets in."""
        return self._server.key

    async def start(self) -> None:
        """Serve on a free port of this machine."""
        await self._server.__aenter__()

    async def stop(self) -> None:
        """No longer serve."""
        await self._server.__aexit__()

    def open(self, world: World) -> None:
        """The account has these people."""
        self.account = QlaraAccount(world)

    async def ask_for_days(self, home: Home) -> int:
        """Have the daemon make all three exports, reports and messages of two stretches that overlap."""
        assert self.account is not None  # noqa: S101  opened before
        world = self.account.world
        return await self.ask(home, stretches(world.start, world.end, _STRETCHES))

    async def ask_for_newest(self, home: Home, end: int) -> int:
        """Have the daemon export the reports and messages of the day before an instant."""
        return await self.ask(home, list(stretches(end - DAY, end, ((1, 0),)))[1:])

    async def ask(self, home: Home, wanted: Iterable[Asked]) -> int:
        """Request exports and wait until they are merged; returns how many. Raises Unavailable if one is not."""
        assert self.account is not None  # noqa: S101  opened before
        ids = set()
        for one in wanted:
            self.account.asked.append(one)
            asked = {"from": iso_millis(one.begin), "to": iso_millis(one.end)} if one.end else {}
            request = {"kind": one.kind, "asked": asked, "wait": False}
            answer = await asyncio.to_thread(home.ask, "request-exports", request)
            ids |= {job["id"] for job in answer["jobs"]}
        answer = await asyncio.to_thread(home.ask, "resume-exports", {})
        for job in answer["jobs"]:
            if job["id"] in ids and job["state"] != "loaded":
                raise Unavailable(f"Export {job['id']} of {job['type']} is {job['state']}: {job['error']}")
        return len(ids)

    def truth(self) -> dict[str, dict[Key, dict[str, Value]]]:
        """What the mirror must hold of everything asked for."""
        return {} if self.account is None else self.account.truth()

    def _rows(self, kind: str, asked: Mapping[str, Any]) -> str:
        return "" if self.account is None else self.account.csv_text(kind, asked)
