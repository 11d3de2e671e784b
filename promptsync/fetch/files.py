"""The files of one run at one place: each downloaded, loaded, recorded, and put away at its place.

Owns the life of a file from the plan to its last line in the ledger of places. Small files come in runs: they are
loaded together, and their lines written in one transaction. Which files and in which order they come is decided before
(places/plan.py, fetch/ahead.py).
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from promptsync.clock import iso_millis
from promptsync.engine.engine import Engine
from promptsync.errors import (
    ConfigError,
    FileUnavailable,
    InputRefused,
    MirrorFull,
    PromptsyncError,
    Unavailable,
    size_in_words,
)
from promptsync.fetch.kinds import PlaceKind
from promptsync.fetch.report import FetchReport
from promptsync.formats.limits import DAMAGE
from promptsync.loading.files import FileReport, LoadRequest
from promptsync.loading.report import after_move
from promptsync.loading.small_runs import SMALL_BYTES
from promptsync.model.file_name import TableFileName
from promptsync.places.download import Bounds, download, with_retries
from promptsync.places.incoming import Incoming
from promptsync.places.place import Item, Place
from promptsync.places.safe_http import Gone
from promptsync.store import ledger, place_ledger
from promptsync.store.place_ledger import Attempt

_STRIKES: Final = 2
"""The number of failures in a row, for lack of a connection, that mean the place and not the file."""
_AT_ONCE: Final = 200
Emit = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class FetchJob:
    """What is to be done: ``source`` is the place's name."""

    engine: Engine
    source: str
    kind: PlaceKind
    bounds: Bounds
    incoming: Incoming
    report: FetchReport
    emit: Emit


class Files:
    """The files of one run. ``down``: why no more of them should be begun, once that is known."""

    def __init__(self, job: FetchJob, place: Place) -> None:
        self._job = job
        self._place = place
        self._strikes = 0
        self._full: dict[str, tuple[Any, ...]] = {}
        self.down: PromptsyncError | None = None
        self.loaded: list[Item] = []

    async def fetch(self, item: Item, stated: TableFileName) -> bool:
        """Whether a file is here now. What concerns the whole place is left in ``down``."""
        job = self._job
        if self._exceeds(item, stated, None):
            return False
        try:
            target = self._target(item)
            if not job.incoming.has(target, item):
                await download(self._place, item, target, job.bounds, self._progress(item))
        except MirrorFull as error:
            self.down = error
        except FileUnavailable as error:
            self._tried(item, "failed", error)
        except Unavailable as error:
            self._tried(item, "waiting", error)
            self._strikes += 1
            if self._strikes >= _STRIKES:
                self.down = self.down or error  # which no file makes undone that was begun before
        except (Gone, InputRefused, ConfigError) as error:
            self._tried(item, "gone" if isinstance(error, Gone) else "failed", error)
        else:
            self._strikes = 0
            return True
        return False

    def is_small(self, file: tuple[Item, TableFileName]) -> bool:
        """Whether a file that is here may be loaded with others: none whose budget is looked at before it is loaded."""
        item, stated = file
        if stated.table in self._job.kind.at.budgets:
            return False
        try:
            return self._target(item).stat().st_size <= SMALL_BYTES
        except OSError:
            return False

    async def load(self, run: Sequence[tuple[Item, TableFileName]], done_with: Callable[[], None]) -> None:
        """Load files that are here, several only if each is small; ``done_with`` is called for each when it is done.
        Each comes to what it would alone: one that is damaged is fetched anew before any after it is loaded.

        Raises Unavailable if the machine, not a file, stands in the way.
        """
        left = list(run)
        while len(left) > 1:
            outcomes = await asyncio.to_thread(self._load_several, left)
            await self._settle(left[: len(outcomes)], outcomes, done_with)
            left = left[len(outcomes) :]
        for item, stated in left:
            await self._load_alone(item, stated)
            done_with()

    async def _settle(
        self,
        files: Sequence[tuple[Item, TableFileName]],
        outcomes: Sequence[FileReport | Exception],
        done_with: Callable[[], None],
    ) -> None:
        """Write down what came of files that were loaded together, in their order; what is odd, by itself."""
        done: list[tuple[Item, FileReport]] = []
        for (item, stated), outcome in zip(files, outcomes, strict=True):
            if isinstance(outcome, FileReport) and not _is_odd(outcome):
                done.append((item, outcome))
                continue
            self._finish(done, done_with)
            done = []
            await self._load_alone(item, stated, outcome if isinstance(outcome, FileReport) else None)
            done_with()
        self._finish(done, done_with)

    async def _load_alone(self, item: Item, stated: TableFileName, loaded: FileReport | None = None) -> None:
        """Load a file that is here, unless it has been ``loaded``."""
        job, target = self._job, self._target(item)
        if stated.table in job.kind.at.budgets:
            size = await asyncio.to_thread(_size, target, job.kind.at.leave_out.get(stated.table, frozenset()))
            self._write(place_ledger.note_content, job.source, item.key, size)
            if self._exceeds(item, stated, size):
                job.incoming.drop([target])
                return
        try:
            if loaded is None:
                loaded = await asyncio.to_thread(self._load, target, stated)
            if loaded.reason in DAMAGE and await self._fetch_anew(item, target):
                loaded = await asyncio.to_thread(self._load, target, stated)
        except FileUnavailable as error:
            self._tried(item, "waiting", error)
        else:
            self._finish([(item, loaded)])

    async def _fetch_anew(self, item: Item, target: Path) -> bool:
        """Whether there is another copy of a file now, fetched from its beginning."""
        job = self._job
        try:
            await download(self._place, item, target, job.bounds, self._progress(item))
        except (Gone, InputRefused, ConfigError, Unavailable) as error:
            job.report.add_note(f"{item.file_name} came damaged and could not be fetched once more: {error}")
            return False
        self._write(place_ledger.note_replaced, target)
        return True

    async def put_away(self, items: Sequence[Item]) -> None:
        """Delete or move what is loaded, if that is wanted. What fails is a note; the next run tries it again."""
        if self._job.kind.at.putting_away is None:
            return
        turns, refused = asyncio.Semaphore(self._job.kind.at.downloads), list[PromptsyncError]()

        async def one(item: Item) -> None:
            async with turns:
                if len(refused) < _STRIKES:
                    refused.extend(await self._put_away(item))

        for start in range(0, len(items), _AT_ONCE):
            await asyncio.gather(*(one(item) for item in items[start : start + _AT_ONCE]))
        if refused:
            self._job.report.add_note(f"Loaded files were left where they are: {refused[0]}")

    async def _put_away(self, item: Item) -> list[PromptsyncError]:
        job, folder = self._job, self._job.kind.at.putting_away

        async def step() -> None:
            await (self._place.move(item, folder) if folder else self._place.remove(item))

        try:
            await with_retries(step, job.bounds)
        except Gone:
            return []  # the next listing says what is there now
        except PromptsyncError as error:
            self._write(place_ledger.note_left, job.source, item.key, str(error))
            return [error]
        self._write(place_ledger.note_put_away, job.source, item.key, iso_millis(job.engine.clock()))
        job.report.put_away += 1
        return []

    def _exceeds(self, item: Item, stated: TableFileName, size: int | None) -> bool:
        """Whether a file must wait because its table has taken, with it, more than its budget. ``size``: what it would
        bring; None if that is known from an earlier run at the best. Nothing passes one that waits."""
        job, budget = self._job, self._job.kind.at.budgets.get(stated.table)
        if budget is None:
            return False
        with job.engine.mirror.reading() as connection:
            size = place_ledger.content_of(connection, job.source, item.key) if size is None else size
            taken = place_ledger.content_loaded(connection, job.source, stated.table)
        full = self._full.get(stated.table, stated.order)
        if full >= stated.order and taken + (size or 0) <= budget:
            return False
        self._full[stated.table] = min(full, stated.order)
        brings = "It waits behind one that" if size is None else f"It would bring {size_in_words(size)}, which"
        room = f"{size_in_words(taken)} of {size_in_words(budget)} are taken"
        says = f"{brings} does not fit into content_budget: {room}."
        self._write(place_ledger.note_waits, job.source, item.key, "over_budget", says)
        job.report.over_budget += 1
        return True

    def _load(self, target: Path, stated: TableFileName) -> FileReport:
        def progress(step: str, done: int, total: int) -> None:
            self._job.emit({"progress": [step, done, total]})

        (report,) = self._job.engine.load([LoadRequest(target, self._job.source, stated)], progress)
        return report

    def _load_several(self, files: Sequence[tuple[Item, TableFileName]]) -> list[FileReport | Exception]:
        requests = [LoadRequest(self._target(item), self._job.source, stated) for item, stated in files]
        return self._job.engine.load_several(requests, _is_odd)

    def _finish(self, files: Sequence[tuple[Item, FileReport]], done_with: Callable[[], None] = lambda: None) -> None:
        """Put copies away and write down, in one transaction, what came of them; ``done_with`` is called for each."""
        if not files:
            return
        job, now = self._job, iso_millis(self._job.engine.clock())
        attempts: list[place_ledger.Loaded] = []
        for item, loaded in files:
            target, good, serves = self._target(item), _is_good(loaded), self._serves(loaded)
            kept_at = None if _is_clean(loaded) and not serves else job.incoming.hold(target)
            moved = after_move(loaded.error or "", target, kept_at or target)
            error = None if good else f"{moved} Its copy is {kept_at}."
            attempt = Attempt(job.source, item.key, "loaded" if good else "held", now, error)
            attempts.append(place_ledger.Loaded(attempt, loaded.file_id, kept_at, serves))
        self._write(place_ledger.note_loaded, attempts)
        job.incoming.drop(self._target(item) for (item, _), one in zip(files, attempts, strict=True) if not one.kept_at)
        for (item, loaded), one in zip(files, attempts, strict=True):
            if one.attempt.error is None:
                self.loaded.append(item)
            job.emit({"file": job.report.add_file(loaded, one.attempt.error)})
            done_with()

    def _serves(self, loaded: FileReport) -> tuple[int, ...]:
        """Of a known file: lines whose rejects no copy is kept for, since the process died between merging and that."""
        if loaded.state != "unchanged" or loaded.file_id is None:
            return ()
        with self._job.engine.mirror.reading() as connection:
            found = ledger.known_rejects(connection, loaded.file_id)
        return tuple(line for line, path in found if not self._job.incoming.is_kept(Path(path)))

    def _tried(self, item: Item, state: str, error: PromptsyncError) -> None:
        job = self._job
        now = iso_millis(job.engine.clock())
        self._write(place_ledger.note_tried, Attempt(job.source, item.key, state, now, str(error)))
        job.report.gone += state == "gone"
        job.report.failed += state != "gone"
        job.report.add_problem(f"{item.file_name}: {error}")

    def _target(self, item: Item) -> Path:
        return self._job.incoming.target((self._job.source, item.key), item)

    def _progress(self, item: Item) -> Callable[[int, int], None]:
        step = f"fetching {item.file_name} (bytes)"
        return lambda done, total: self._job.emit({"progress": [step, done, total]})

    def _write(self, statement: Callable[..., Any], *args: Any) -> Any:
        return self._job.engine.mirror.writer.run(lambda connection: statement(connection, *args))


def _is_good(loaded: FileReport) -> bool:
    return loaded.state in ("merged", "unchanged")


def _is_clean(loaded: FileReport) -> bool:
    """Whether nobody needs its copy any more."""
    return _is_good(loaded) and not loaded.rejected


def _is_odd(outcome: FileReport | Exception) -> bool:
    """Whether a file is dealt with before any after it is loaded: fetched anew, tried once more, or its copy kept."""
    return isinstance(outcome, Exception) or not _is_clean(outcome)


def is_damaged(engine: Engine, kind: PlaceKind, copy: Path) -> bool:
    """Whether what is wrong with a copy that is held is the copy, or there is none any more; nothing is merged."""
    if not copy.is_file():
        return True
    try:
        stated = kind.parse(copy.name)
    except InputRefused:
        return False
    if stated is None:
        return False
    (report,) = engine.load([LoadRequest(copy, "fetch", stated, dry_run=True)])
    return report.reason in DAMAGE


def _size(path: Path, leave_out: Collection[str]) -> int:
    """What is to be read of a parquet file, in bytes. For a worker thread: the import alone takes a while."""
    from promptsync.formats.parquet.proof import selected_bytes

    return selected_bytes(path, leave_out)
