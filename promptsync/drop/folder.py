"""The drop folder: files that people and programs put there are handed, complete and once, to an injected intake.

Owns the order of the steps: look, wait until a file is stable and complete, hand it over, move it to ``done`` or
``held``, and take it in again if it changes there. The rescan is the truth, the watcher only wakes it. Knows neither
formats nor the mirror; never reads content. All file system work is done on worker threads.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog

from promptsync.clock import MICROS, Clock
from promptsync.drop.archive import archive_file
from promptsync.drop.archived import Archive
from promptsync.drop.offers import Ending, Offers, Outcome, TakeIn, no_end_shown
from promptsync.drop.stability import Mark, StabilityTracker
from promptsync.drop.survey import confirm, make_folder, survey
from promptsync.drop.watch import FolderWatch
from promptsync.errors import InputRefused, Unavailable
from promptsync.loading.small_runs import runs_of_small
from promptsync.places.entries import printable

_SHORTEST_REST: Final = 0.02  # seconds between two looks


Moved = Callable[[Path, Path], Awaitable[None]]
"""Called with the old and the new path of a file that was taken in. Raises as TakeIn does."""


async def _ignore_move(_before: Path, _now: Path) -> None:
    return


@dataclass(frozen=True, slots=True)
class DropSettings:
    """``settle``: seconds a file must stay unchanged. ``rescan``: seconds between two looks at the whole folder.

    ``force_polling``: for file systems that report no changes. ``patience``: seconds without a change after which a
    incomplete file is handed over all the same. ``plain``: the least seconds a file must stay unchanged if its format
    does not show its end. ``small``: bytes up to which files may be taken in together.
    """

    folder: Path
    settle: float = 2.0
    rescan: float = 10.0
    force_polling: bool = False
    patience: float = 600.0
    plain: float = 30.0
    small: int = 0


def _by_name(path: Path) -> tuple[Any, ...]:
    return (path.name, str(path))


class DropFolder:
    """One drop folder. ``order`` sorts the files that are ready at the same time; it must not raise.

    ``ending`` checks each file at rest for its end; ``moved`` is called when a file has been moved. ``intake`` takes
    one file; one that can also take several small files has a method ``together``.
    """

    def __init__(
        self,
        settings: DropSettings,
        intake: TakeIn,
        clock: Clock,
        order: Callable[[Path], tuple[Any, ...]] = _by_name,
        ending: Ending = no_end_shown,
        moved: Moved = _ignore_move,
    ) -> None:
        self._settings = settings
        self._offers = Offers(settings.folder, intake, ending, self._say)
        self._clock = clock
        self._order = order
        self._moved = moved
        self._rescan = round(settings.rescan * MICROS)
        self._patience = round(settings.patience * MICROS)
        self._tracker = StabilityTracker(round(settings.settle * MICROS), round(settings.plain * MICROS))
        self._archive = Archive(settings.folder)
        self._archive_checked: int | None = None
        self._changed = asyncio.Event()
        self._one_scan = asyncio.Lock()
        self._watch = FolderWatch(settings.folder, self._changed.set, polling=settings.force_polling)
        self._identity: tuple[int, int] | None = None
        self._refused: dict[str, str] = {}
        self._troubles: dict[str, str] = {}
        self._unmoved: dict[str, tuple[Mark, Outcome]] = {}
        self._said: dict[str, str] = {}
        self._log = structlog.get_logger("promptsync.drop")

    async def run(self) -> None:
        """Takes files until cancelled. Raises MirrorBroken when the intake does.

        A first cancellation lets the file that is being taken in be finished and moved; a second one reaches the
        intake. Either way a file that was not moved is offered again at the next start.
        """
        with suppress(Unavailable):  # the scan says so
            self._identity = await asyncio.to_thread(make_folder, self._settings.folder)
        watching = asyncio.create_task(self._watch.run())
        try:
            while True:
                self._changed.clear()
                try:
                    await self.scan_once()
                except Unavailable as error:
                    self._say("", "drop_folder_unavailable", str(error))
                await self._pause()
        finally:
            watching.cancel()
            await asyncio.wait([watching])

    async def scan_once(self) -> None:
        """Looks at the whole folder and takes the files that are ready, in order.

        Raises Unavailable if the folder cannot be read, MirrorBroken when the intake does.
        """
        async with self._one_scan:
            stuck = await self._check_archive()
            found = await asyncio.to_thread(survey, self._settings.folder)
            if self._identity not in (None, found.folder):
                self._watch.renew()
            self._identity = found.folder
            self._note(found.files, found.refused | stuck)
            ready = self._tracker.ready(self._clock())
            in_order = sorted(ready, key=lambda name: self._order(self._settings.folder / name))
            together = self._offers.several
            for run in runs_of_small(in_order, lambda name: together and ready[name].size <= self._settings.small):
                await _to_the_end(self._take({name: ready[name] for name in run}))

    def waiting(self) -> int:
        """How many files of the last scan are still to be taken: settling, put off, or failing."""
        return len(self._tracker.pending() - self._troubles.keys())

    def refused(self) -> dict[str, str]:
        """Files that were not taken and need a person: their names below the folder, and why."""
        return self._refused | self._troubles

    async def _check_archive(self) -> dict[str, str]:
        """Takes back, at each rescan, archived files that have changed; returns those that cannot be, and why."""
        now = self._clock()
        if self._archive_checked is not None and 0 <= now - self._archive_checked < self._rescan:
            return {}
        self._archive_checked = now
        returned = await asyncio.to_thread(self._archive.take_back, now)
        for one in returned:
            if one.problem is None:
                self._log.info("drop_taken_up_again", file=printable(one.name), was=printable(one.archived))
        return {printable(one.archived): one.problem for one in returned if one.problem is not None}

    def _note(self, files: dict[str, Mark], refused: dict[str, str]) -> None:
        now = self._clock()
        for name, mark in files.items():
            self._tracker.see(name, mark, now)
        self._tracker.keep_only(files.keys())
        self._refused = refused
        for memory in (self._troubles, self._unmoved):
            for name in memory.keys() - files.keys():
                memory.pop(name)
        for name in self._said.keys() - files.keys() - refused.keys():
            del self._said[name]
        for name, reason in refused.items():
            self._say(name, "drop_refused", reason)

    async def _take(self, marks: Mapping[str, Mark]) -> None:
        """Hands over ready files, unless only their move had failed, and acts on the outcomes."""
        outcomes: dict[str, Outcome | None] = {}
        offered: list[str] = []
        for name, mark in marks.items():
            known, outcome = self._unmoved.get(name, (None, None))
            if outcome is not None and known == mark:
                outcomes[name] = outcome
            elif await self._still(name, mark):
                offered.append(name)
        outcomes |= await self._offers.make(
            offered,
            lambda name: self._tracker.may_lack_end(name, self._clock(), self._patience),
            self._tracker.has_end,
        )
        for name in outcomes:
            await self._settle(name, marks[name], outcomes[name])

    async def _settle(self, name: str, mark: Mark, outcome: Outcome | None) -> None:
        """Acts on the outcome for one file."""
        self._troubles.pop(name, None)
        if outcome is None:
            self._tracker.fail(name, self._clock(), self._rescan)
        elif outcome.state == "unfinished":
            self._say(name, "drop_unfinished", outcome.reason)
            self._tracker.await_end(name, self._clock(), self._patience)
        elif outcome.state == "later":
            self._say(name, "drop_put_off", outcome.reason)
            self._tracker.put_off(name, self._clock(), self._rescan)
        elif outcome.state == "ignored":
            self._tracker.rest(name)
        else:
            await self._archive_file(name, mark, outcome)

    async def _still(self, name: str, mark: Mark) -> bool:
        """Whether the file can be read and is in the state that was found ready."""
        try:
            found = await asyncio.to_thread(confirm, self._settings.folder, name)
        except InputRefused as error:
            self._troubles[name] = str(error)
            self._say(name, "drop_refused", str(error))
            self._tracker.put_off(name, self._clock(), self._rescan)
            return False
        if found is not None and found != mark:
            self._tracker.see(name, found, self._clock())
        elif found is None:
            self._tracker.forget(name)
        return found == mark

    async def _archive_file(self, name: str, mark: Mark, outcome: Outcome) -> None:
        """Moves a finished file into the archive; one that has changed meanwhile is offered again."""
        reason = outcome.reason if outcome.state == "held" else None
        folder, now = self._settings.folder, self._clock
        try:
            archived = await asyncio.to_thread(archive_file, folder, name, mark, outcome.state, reason)
        except Unavailable as error:
            self._unmoved[name] = (mark, outcome)
            self._troubles[name] = str(error)
            self._say(name, "drop_not_moved", str(error))
            self._tracker.fail(name, now(), self._rescan)
            return
        if archived is not None:
            self._archive.put(archived, name, mark, now())
            self._tracker.forget(name)
            with suppress(Unavailable):  # its old path stays in the ledger
                await self._moved(folder / name, folder / archived)
        else:
            self._log.info("drop_changed_while_loading", file=name)
            self._tracker.put_off(name, now(), round(self._settings.settle * MICROS))

    async def _pause(self) -> None:
        """Waits until something has changed, the next file is due, or it is time to rescan."""
        seconds, due = self._settings.rescan, self._tracker.due()
        if due is not None:
            seconds = min(seconds, max((due - self._clock()) / MICROS, _SHORTEST_REST))
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()

    def _say(self, name: str, event: str, reason: str) -> None:
        """Logs a reason once, until the file is gone or the reason changes."""
        if self._said.get(name) != reason:
            self._said[name] = reason
            self._log.warning(event, file=printable(name), reason=reason)


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finishes ``work`` even if the caller is cancelled meanwhile; a second cancellation reaches it."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
