"""The demonstration through a lake: the same organisation lives, without a mirror, and both are compared.

Owns the course of it. Webhooks are posted to ``promptsync listen``, files are put where a lake takes them from, ``lake
run`` makes tables of both, twice, on DuckDB or a cluster of Spark; ``lake pull`` makes a mirror of the tables, which is
held against the truth. All are the real commands.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from promptsync.clock import MICROS, iso_millis
from promptsync.demo.cluster import Cluster
from promptsync.demo.drops import Drops
from promptsync.demo.home import PULLED
from promptsync.demo.prompt.days import EVERYTHING, Night, simulate
from promptsync.demo.prompt.events import Event, Sender
from promptsync.demo.qlara.account import QlaraAccount, stretches
from promptsync.demo.run import LIVE_DAYS, Demo, DemoSettings, Progress, Say
from promptsync.demo.truth.compare import EXAMPLES, TableResult
from promptsync.demo.truth.rows import Key
from promptsync.demo.world.world import DAY
from promptsync.errors import Unavailable


@dataclass(frozen=True, slots=True)
class LakeSettings:
    """``engine``: as in ``[lake]``, and ``master``; a cluster on this machine is made for Spark without one."""

    engine: str
    master: str = ""


class LakeDemo(Demo):
    """One demonstration."""

    def __init__(self, settings: DemoSettings, lake: LakeSettings, say: Say, progress: Progress) -> None:
        super().__init__(settings, say, progress)
        self._lake = lake
        self._environment: dict[str, str] = {}

    @property
    def database(self) -> Path:
        """The mirror that is pulled out of the lake."""
        return self.home.folder / PULLED / "data" / "mirror.db"

    async def play(self) -> list[TableResult]:
        """Let the days pass, in two runs of the lake, and compare."""
        async with AsyncExitStack() as running:
            master = await self._master(running)
            self.home.prepare_lake(self._settings.port, self._lake.engine, master)
            await self.home.run_lake("init")
            await self.home.start_listener()
            self._announce()
            self._world, end = await asyncio.to_thread(self._create)
            self._account = QlaraAccount(self._world)
            begin = end - LIVE_DAYS * DAY
            actions = await asyncio.to_thread(lambda: list(simulate(self._world, begin, end, EVERYTHING)))
            events = [action for action in actions if isinstance(action, Event)]
            nights = [action for action in actions if isinstance(action, Night)]
            incoming, middle = self.home.folder / "lake" / "incoming", begin + (end - begin) // 2
            self._drops = Drops(self._world, incoming)
            self._poster = Sender(self.home.webhook, self.home.secret, self._posted)
            half = len(events) // 2, len(nights) // 2
            await self._day(events[: half[0]], nights[: half[1]], begin, middle)
            await asyncio.to_thread(self._export, incoming)
            await self._day(events[half[0] :], nights[half[1] :], middle, end)
            self._progress("pulling a mirror", 0, 0)
            await self.home.run_lake("pull", str(self._world.org_id), str(self.home.folder / PULLED))
            self._progress("comparing with the truth", 0, 0)
            return await asyncio.to_thread(self._compare)

    async def _master(self, running: AsyncExitStack) -> str:
        """The cluster's address, "" without Spark."""
        if self._lake.engine != "spark" or self._lake.master:
            return self._lake.master
        self._say("A cluster of Spark is started, a master and two workers ...")
        cluster = Cluster(self.home.folder / "cluster")
        await asyncio.to_thread(cluster.__enter__)
        running.push_async_callback(asyncio.to_thread, cluster.__exit__, None, None, None)
        self._environment = cluster.environment
        return cluster.master

    async def _day(self, events: list[Event], nights: list[Night], begin: int, end: int) -> None:
        """Post and drop what some days bring, and have the lake take it."""
        _, files = await asyncio.gather(self._post(events), asyncio.to_thread(self._drops.days, nights, begin, end))
        self._say(f"{len(events):,} webhooks and {files} files wait in the lake; promptsync lake run ...")
        self._progress("running the lake", 0, 0)
        await self.home.run_lake("run", environment=self._environment)

    def _export(self, folder: Path) -> None:
        """Exports of the Qlara account, under the names that a lake knows them by. Raises Unavailable."""
        world = self._world
        for one in stretches(world.start, world.end, ((21, 2), (5, 0))):
            self._account.asked.append(one)
            request = {"startDateTime": iso_millis(one.begin), "endDateTime": iso_millis(one.end)} if one.end else {}
            at = datetime.fromtimestamp((one.end or world.end) // MICROS, UTC)
            path = folder / f"{one.kind}_{at:%Y-%m-%dT%H-%M-%SZ}.csv"
            try:
                path.write_text(self._account.csv_text(one.kind, request), newline="")
            except OSError as error:
                raise Unavailable(f"Make it possible to write {path}: {error.strerror or error}.") from error

    def _lost(self, received: Mapping[int, tuple[int, str, str]]) -> TableResult:
        """Deliveries have other numbers in a mirror that was pulled than the listener answered."""
        sent = Counter((event.path, event.text) for event in self._posted.stored.values())
        there = Counter((path, body) for _, path, body in received.values())
        missing = list[Key]((path,) for path, _ in islice((sent - there).elements(), EXAMPLES))
        return TableResult("sync_event", sent.total(), (sent & there).total(), missing)

    def _known(self, received: dict[int, tuple[int, str, str]]) -> dict[int, Event]:
        sent = {(event.path, event.text): event for event in (*self._posted.stored.values(), *self._posted.unanswered)}
        return {id_: sent[path, body] for id_, (_, path, body) in received.items()}
