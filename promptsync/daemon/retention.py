"""Keeping things only as long as ``[retention]`` says: what is too old, and sweeping it.

Owns the order in which that is done, the marks that keep it from coming in again, and the sentence for the record.
Rejects go first, as they keep their deliveries and files. How something is swept is in store/retention.py and
drop/done.py. Blocking: not for the event loop's thread.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

from promptsync.clock import iso_micros, iso_millis
from promptsync.config.schedules import Schedule
from promptsync.drop.done import delete_copies, old_copies
from promptsync.engine.engine import Engine
from promptsync.engine.keeping import ClockSeen, chosen, judge_clock
from promptsync.errors import Unavailable
from promptsync.model import Table
from promptsync.store import marks
from promptsync.store import retention as store
from promptsync.store.deliveries import undecided
from promptsync.store.overview import newest_mark
from promptsync.store.search import purge
from promptsync.store.slices import Progress
from promptsync.store.swept import EVENTS, Mark
from promptsync.store.writer import Lane

NIGHTLY: Final = Schedule("30 3 * * *")
"""In the mirror's zone."""
TASK: Final = "retention"
_CLOCK: Final = "retention_clock"


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of thing. ``key``: in the configuration; ``what``: in words; ``before``: what is older goes (ISO; None:
    it is kept for ever); ``count``: how many would go, or did; ``kept``: how many as old stay; ``why``: which."""

    key: str
    what: str
    period: str
    before: str | None
    count: int = 0
    kept: int = 0
    why: str = ""


class Retention:
    """One look at what is too old, as of now, or one sweep of it. ``failed``: deliveries that could never be applied go
    too."""

    def __init__(self, engine: Engine, progress: Progress = lambda *_: None, *, failed: bool = False) -> None:
        self._engine, self._mirror, self._failed = engine, engine.mirror, failed
        self._progress = progress
        self._unfinished: set[str] = set()  # what the last sweep did not come to the end of
        zone, now = engine.config.mirror.timezone, engine.clock()
        self._chosen = chosen(engine.config.retention.periods, self._mirror.swept.tables)
        since = {key: period.since(now, zone) for key, (_, period) in self._chosen.items()}
        self._before = {key: at for key, at in since.items() if at is not None}

    def doubt(self) -> str | None:
        """Why nothing should be swept by itself now: the clock may be wrong; None if it is believed."""
        now = self._engine.clock()
        with self._mirror.reading() as connection:
            facts, newest = marks.read_facts(connection, _CLOCK), newest_mark(connection)
        seen = ClockSeen(**facts) if facts else ClockSeen(now if newest is None else newest)
        found, believed = judge_clock(seen, now)
        self._mirror.writer.run(lambda connection: marks.put_facts(connection, _CLOCK, asdict(found)), Lane.IDLE)
        if believed:
            return None
        return (
            f"Nothing was swept: it is {iso_millis(now)} by this machine, and was {iso_millis(seen.at)} when that was "
            "last looked at. If that is right, it is done in twelve hours, or now by 'promptsync retention run'."
        )

    def look(self) -> list[Part]:
        """What would go."""
        return [part for part, _ in self._parts()]

    def run(self) -> list[Part]:
        """Sweep it; ``count`` is then how many went. Raises Unavailable when promptsync is stopping."""
        self._put_marks()
        done = []
        for part, sweep in self._parts():
            self._refuse_stopped()
            done.append(Part(**asdict(part) | {"count": sweep()}))
        if "rejects" in self._before:
            self._engine.exports.tidy()
        store.give_back_pages(self._mirror, self._progress_of("giving back space"))
        self._mirror.writer.run(self._mirror.writer.log.truncate, bare=True)
        return done

    def _parts(self) -> Iterator[tuple[Part, Callable[[], int]]]:
        """Each kind, looked at when its turn comes, and what sweeps it."""
        for key, (what, period) in self._chosen.items():
            at = self._before.get(key)
            part = Part(key, what, period.text, None if at is None else iso_millis(at))
            if at is None:
                yield part, lambda: 0
            elif key == "done_files":
                yield self._copies(part)
            else:
                yield self._rows(part, at)

    def _rows(self, part: Part, at: int) -> tuple[Part, Callable[[], int]]:
        tables, kept, why = self._mirror.swept.tables, 0, ""
        with self._mirror.reading() as connection:
            if part.key == "rejects":
                old = store.old_rejects(iso_millis(at))
            elif part.key == EVENTS:
                old = store.old_events(iso_micros(at), self._rejects, failed=self._failed)
                kept = 0 if self._failed else undecided(connection, iso_micros(at))
                why = "deliveries that were never applied" if kept else ""
            else:
                mark = self._mirror.swept.mark(part.key) or Mark("")
                old = store.old_rows(tables[part.key], Mark(iso_millis(at), mark.done))
            found = Part(**asdict(part) | {"count": old.count(connection), "kept": kept, "why": why})
        return found, partial(self._sweep, part, old)

    def _sweep(self, part: Part, old: store.Old) -> int:
        progress = self._progress_of(f"sweeping {part.what}")
        # a file that was compared with texts that are blanked meanwhile would be merged by half
        with self._engine.loader.at_rest() if old.texts else nullcontext():
            swept = old.sweep(self._mirror, progress)
        if old.texts and (swept or part.key in self._unfinished):
            self._forget_words(self._mirror.schema[old.table])
        if part.key in self._mirror.swept.tables:
            before = part.before or ""
            self._put({part.key: Mark(before, before, part.period)})
        return swept

    def _forget_words(self, table: Table) -> None:
        """Enter the rows into search again, without the texts, and leave no word of these in the index."""
        if table.search:
            self._engine.search.enter_missing(table.name)
            purge(self._mirror, table, self._progress_of("rewriting the search index"))

    def _copies(self, part: Part) -> tuple[Part, Callable[[], int]]:
        root = self._engine.config.drop.folder
        with self._mirror.reading() as connection:
            loaded, keep = store.loaded_at(connection), store.files_to_keep(connection, self._rejects)
        found = old_copies(root, part.before or "", loaded, keep)
        why = "copies whose rows can be tried again ('promptsync rejects list')" if found.needed else ""
        done = Part(**asdict(part) | {"count": len(found.go), "kept": found.needed, "why": why})
        return done, lambda: delete_copies(root, found.go)

    @property
    def _rejects(self) -> str:
        """From when on rejects are kept (ISO)."""
        return iso_millis(self._before["rejects"]) if "rejects" in self._before else ""

    def _put_marks(self) -> None:
        """From now on nothing that old comes in any more, or all does of what is kept for ever."""
        wanted: dict[str, Mark | None] = {}
        for key in (EVENTS, *self._mirror.swept.tables):
            before, there = self._before.get(key), self._mirror.swept.mark(key)
            if there is not None and there.done < there.before:
                self._unfinished.add(key)
            if before is not None:
                at = iso_millis(before)
                wanted[key] = Mark(at, min(there.done, at) if there else "", self._chosen[key][1].text)
            elif there is not None:
                wanted[key] = None
        self._put({key: mark for key, mark in wanted.items() if mark != self._mirror.swept.mark(key)})

    def _put(self, wanted: Mapping[str, Mark | None]) -> None:
        swept = self._mirror.swept

        def put(connection: sqlite3.Connection) -> None:
            for key, mark in wanted.items():
                swept.put(connection, key, mark)

        if wanted:
            self._mirror.writer.run(put, committed=lambda _: swept.adopt(wanted))

    def _progress_of(self, step: str) -> Callable[[int, int], None]:
        def progress(done: int, total: int) -> None:
            self._refuse_stopped()
            self._progress(step, done, total)

        return progress

    def _refuse_stopped(self) -> None:
        if self._engine.stopping.is_set():
            raise Unavailable("promptsync is stopping; what is too old is swept after the next start.")


def sentence(parts: list[Part]) -> str:
    """What came of a sweep, for the record."""
    gone = [f"{part.what}: {part.count:,}" for part in parts if part.count]
    return f"Swept {', '.join(gone)}." if gone else "Nothing was too old."
