"""The demonstration: a simulated organisation lives, the mirror follows, both are compared.

Owns the course of it. Everything travels the way it would in earnest: files appear in the watched folder, webhooks are
posted, signed, to the listener of a real daemon; the mirror is read like any reader would.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from typing import Protocol

from promptsync.clock import MICROS, system_clock
from promptsync.demo.drops import Drops
from promptsync.demo.home import Addresses, Home
from promptsync.demo.prompt.days import EVERYTHING, Night, happenings, simulate
from promptsync.demo.prompt.events import Event, Receipts, Sender
from promptsync.demo.qlara.account import Qlara, QlaraAccount
from promptsync.demo.truth.compare import TableResult, Truth, compare, deliveries, pending, reading, truth
from promptsync.demo.truth.customerio import change_sets
from promptsync.demo.truth.knowledge import Knowledge
from promptsync.demo.world.time import RUN_DELAY, midnight, midnight_before
from promptsync.demo.world.world import DAY, HISTORY_DAYS, World
from promptsync.errors import PromptsyncError, Unavailable

LIVE_DAYS = 4
"""How many days are lived through, before the comparison."""
_FILES, _DELIVERIES = "files", "deliveries"
_SETTLE_SECONDS = 120.0
_BEAT_SECONDS = 4.0
_SYNC_BEATS = 8  # between two of Customer.io's syncs
_EXPORT_BEATS = 30  # between two of Qlara's exports


Say = Callable[[str], None]
"""Takes what happens, in a sentence."""


class Progress(Protocol):
    """Takes how far a step is; ``total`` 0: nobody knows of how many."""

    def __call__(self, step: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """``home``: a folder that was cleared. ``today``: the day that is the simulated present; the same seed, sizes and
    day give the same organisation.

    ``crash``: kill the daemon in the middle of it and start it again. ``listener``: where the pages are served from the
    start, if they are; ``browse_port``: the port that the configuration says.
    """

    home: Home
    contacts: int
    messages: int
    seed: int = 1
    port: int = 0
    browse_port: int = 0
    today: date | None = None
    crash: bool = False
    listener: socket.socket | None = None


class Demo:
    """One demonstration. ``say`` gets what happens, in sentences; ``progress`` how far it is."""

    def __init__(self, settings: DemoSettings, say: Say, progress: Progress) -> None:
        self._settings = settings
        self._say = say
        self._progress = progress
        self.home = settings.home
        self._posted = Receipts()
        self._qlara = Qlara()
        self._account: QlaraAccount
        self._serving = contextlib.AsyncExitStack()

    @property
    def database(self) -> Path:
        """What is held against the truth."""
        return self.home.database

    async def play(self) -> list[TableResult]:
        """Let the days pass, wait until all of it is merged, compare. The daemon is left running."""
        settings = self._settings
        await self._serving.enter_async_context(self._qlara.server)
        addresses = Addresses(settings.port, settings.browse_port, self._qlara.server.address, self._qlara.server.key)
        self.home.prepare(addresses)
        self._announce()
        async with asyncio.TaskGroup() as starting:
            starting.create_task(self.home.start_daemon())
            if settings.listener is not None:
                starting.create_task(self.home.start_pages(settings.listener))
            self._world, end = await asyncio.to_thread(self._create)
        self._account = self._qlara.open(self._world)
        begin = end - LIVE_DAYS * DAY
        actions = await asyncio.to_thread(lambda: list(simulate(self._world, begin, end, EVERYTHING)))
        events = [action for action in actions if isinstance(action, Event)]
        nights = [action for action in actions if isinstance(action, Night)]
        self._say(f"Nightly exports of {len(nights)} nights and Customer.io's change sets are dropped ...")
        self._say(f"{len(events):,} webhooks are posted, Qlara is asked for exports ...")
        self._poster = Sender(self.home.webhook, self.home.secret, self._posted)
        self._drops = Drops(self._world, self.home.drop)
        async with asyncio.TaskGroup() as tasks:
            dropping = tasks.create_task(asyncio.to_thread(self._drops.days, nights, begin, end))
            if settings.crash:
                await self._post_through_a_crash(events)
                exports = await self._qlara.ask_for_days(self.home)
            else:
                asking = tasks.create_task(self._qlara.ask_for_days(self.home))
                await self._post(events)
                exports = await asking
            files = await dropping
        self._say(f"{files} files are dropped, {exports} Qlara exports are merged ...")
        return await self.settle(files)

    async def settle(self, files: int) -> list[TableResult]:
        """Wait until everything sent is merged, ``files`` of them, then hold the mirror against the truth."""
        try:
            async with asyncio.timeout(_SETTLE_SECONDS):
                while waiting := await asyncio.to_thread(self._waiting):
                    step, left = waiting
                    total = files if step == _FILES else self._posted.sent
                    self._progress(f"merging {step}", total - left, total)
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise Unavailable(
                f"The daemon did not finish in {_SETTLE_SECONDS:.0f} s: {left:,} {step} are left."
            ) from None
        self._progress("comparing with the truth", 0, 0)
        return await asyncio.to_thread(self._compare)

    async def live(self) -> None:
        """Go on living until cancelled: a few messages, replies and changes every few seconds."""
        last = self._world.end
        beats = count(1)
        speed = 60  # simulated seconds per second, so that there is something to see
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            until = min(last + int(_BEAT_SECONDS * speed * MICROS), system_clock())
            if until - last >= MICROS:
                events = await asyncio.to_thread(self._beat, last, until)
                await self._poster.post_all(events)
                last = until
                await self._more_files(next(beats), until)

    async def stop(self) -> None:
        """Stop what was started."""
        await self.home.stop()
        await self._serving.aclose()

    async def _more_files(self, beat: int, until: int) -> None:
        if beat % _SYNC_BEATS == 0:
            await asyncio.to_thread(self._drops.more, until)
        if beat % _EXPORT_BEATS == 0:
            await self._qlara.ask_for_newest(self.home, until)

    def _announce(self) -> None:
        settings = self._settings
        self._say(f"A make-believe organisation, {settings.contacts:,} contacts and {settings.messages:,} messages ...")
        self._progress("inventing people", 0, 0)

    def _create(self) -> tuple[World, int]:
        """The organisation, and when its days until now end."""
        settings = self._settings
        today = midnight(settings.today) if settings.today else midnight_before(system_clock() - RUN_DELAY)
        end = today + 2 * RUN_DELAY
        return World(settings.seed, settings.contacts, settings.messages, end - HISTORY_DAYS * DAY), end

    def _beat(self, begin: int, end: int) -> list[Event]:
        self._world.advance(end, messages=2, contacts=0)
        return happenings(self._world, begin, end)

    async def _post_through_a_crash(self, events: list[Event]) -> None:
        half = len(events) // 2
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._poster.post_all(events[:half]))
            while self._posted.sent < half // 2:  # noqa: ASYNC110  any moment in the middle will do
                await asyncio.sleep(0.01)
            await self.home.kill_daemon()
            self._say("The daemon was killed (SIGKILL); it is started again ...")
            await self.home.start_daemon()
            self._poster.address = self.home.webhook
        await self._post(events[half:])

    async def _post(self, events: list[Event]) -> None:
        watching = asyncio.create_task(self._watch(self._posted.sent + len(events)))
        try:
            await self._poster.post_all(events)
        finally:
            watching.cancel()

    async def _watch(self, total: int) -> None:
        while True:
            self._progress("posting webhooks", self._posted.sent, total)
            await asyncio.sleep(0.2)

    def _waiting(self) -> tuple[str, int] | None:
        """What is not merged yet, and how many of it; None when everything is."""
        if left := self._drops.left():
            return _FILES, left
        with reading(self.home.database) as connection:
            count = pending(connection)
        return (_DELIVERIES, count) if count else None

    def _compare(self) -> list[TableResult]:
        with reading(self.database) as connection:
            received = deliveries(connection)
            knowledge = Knowledge()
            for night in self._drops.nights:
                knowledge.night(night.as_of)
            for id_, event in sorted(self._known(received).items()):
                event.informs(knowledge, received[id_][0])
            lost = self._lost(received)
            others = Truth(self._account.truth(), {}).beside(*change_sets(self._drops.change_sets))
            return [*compare(truth(self._world, knowledge), connection), *compare(others, connection), lost]

    def _lost(self, received: Mapping[int, tuple[int, str, str]]) -> TableResult:
        """What was acknowledged, and is not there."""
        lost = TableResult("sync_event", self._posted.sent, len(self._posted.stored.keys() & received.keys()))
        lost.missing.extend([(id_,) for id_ in self._posted.stored if id_ not in received][:5])
        return lost

    def _known(self, received: dict[int, tuple[int, str, str]]) -> dict[int, Event]:
        """Every stored delivery with its event: the acknowledged ones, and those whose answer was lost."""
        known = {id_: event for id_, event in self._posted.stored.items() if id_ in received}
        unanswered = {(event.path, event.text): event for event in self._posted.unanswered}
        for id_, (_, path, body) in received.items():
            if id_ not in known and (path, body) in unanswered:
                known[id_] = unanswered[path, body]
        return known


async def run_demo(demo: Demo, *, say: Say, show: Callable[[list[TableResult]], None], pages: bool) -> bool:
    """Play, show the comparison, and where pages are served go on living until interrupted.

    Returns whether the mirror was equal to the truth.
    """
    try:
        results = await demo.play()
        show(results)
        equal = all(result.equal for result in results)
        if pages:
            say(f"Open {demo.home.pages} in a browser. New messages keep coming; Ctrl-C ends it.")
            with contextlib.suppress(asyncio.CancelledError):
                await demo.live()
        return equal
    except* PromptsyncError as group:
        raise group.exceptions[0] from None
    finally:
        await demo.stop()
