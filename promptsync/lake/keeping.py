"""Rows and texts of a lake that are kept for a limited time, as ``[retention]`` says of a mirror's.

Owns ``keeping.json``: up to when each kind has been swept, and when the clock was last believed. What is older than
such a mark is written no more, whoever folds it; once the days that are kept have moved on, the files that hold what is
older now are rewritten, and the mark moves with them. The files before that go a week later, as any that do not count.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from promptsync.clock import iso_millis
from promptsync.engine.keeping import ClockSeen, judge_clock, kept_tables
from promptsync.lake.kept import Keeping
from promptsync.lake.leaving import leave, rewrite
from promptsync.lake.storage import Storage
from promptsync.model import Schema
from promptsync.store.slices import Progress

STATE: Final = "keeping.json"
REJECTS: Final = "rejects"
_HOUR: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class State:
    """``marks``: what is older is written no more; ``done``: up to when the files have been swept, by kind."""

    marks: dict[str, str] = field(default_factory=dict)
    done: dict[str, str] = field(default_factory=dict)
    clock: ClockSeen | None = None


def read_state(storage: Storage) -> State:
    """How far it has come; from the beginning where that cannot be read."""
    try:
        said = json.loads(storage.read(STATE) or b"{}")
        clock = ClockSeen(**said["clock"]) if said.get("clock") else None
        return State(dict(said.get("marks", {})), dict(said.get("done", {})), clock)
    except (ValueError, TypeError, AttributeError):
        return State()


def keeping_now(storage: Storage, wanted: Mapping[str, str]) -> Keeping:
    """What is written no more: what was swept and, as is wanted now, is not kept longer again."""
    marks = read_state(storage).marks
    return Keeping({key: min(before, marks[key]) for key, before in wanted.items() if key in marks})


@dataclass(frozen=True, slots=True)
class Sweep:
    """What it takes to sweep a lake. ``scratch``: a folder for files in between."""

    storage: Storage
    schema: Schema
    scratch: Path
    progress: Progress

    def run(self, wanted: Mapping[str, str], now: int, newest: int | None) -> dict[str, int]:
        """Sweep what is older than ``wanted`` says by kind (ISO), unless that is done or the clock is not believed;
        returns how many rows or texts that were. ``newest``: when the lake last took something in, microseconds."""
        state = read_state(self.storage)
        seen = state.clock or ClockSeen(now if newest is None else newest)
        found, believed = judge_clock(seen, now)
        marks = {key: at for key, at in state.marks.items() if key in wanted}
        done = {key: at for key, at in state.done.items() if key in wanted}
        due = [key for key in sorted(wanted) if believed and done.get(key) != wanted[key]]
        begun = State(marks | {key: wanted[key] for key in due}, done, found)
        if due or not believed or marks != state.marks or found.at > seen.at + _HOUR:
            _write(self.storage, begun)
        swept = {key: self._kind(key, wanted[key], (n, len(due))) for n, key in enumerate(due)}
        if due:
            _write(self.storage, replace(begun, done=done | {key: wanted[key] for key in due}))
        return {key: count for key, count in swept.items() if count}

    def _kind(self, key: str, before: str, step: tuple[int, int]) -> int:
        self.progress("sweeping what is too old", *step)
        if key == REJECTS:
            return rewrite(self.storage, "sync_reject", partial(_kept, before))
        table = kept_tables(self.schema)[key]
        return leave(self.storage, table, Keeping({key: before}), self.scratch, at_once=False)


def _kept(before: str, reject: dict[str, Any]) -> dict[str, Any] | None:
    return None if str(reject["rejected_at"] or "~") < before else reject


def _write(storage: Storage, state: State) -> None:
    storage.put(STATE, json.dumps(asdict(state), indent=2).encode())


def wanted_of(periods: Mapping[str, Any], schema: Schema, now: int, zone: Any) -> dict[str, str]:
    """Of the kinds that a lake keeps for a limited time, before when all is too old (ISO)."""
    since = {key: periods[key].since(now, zone) for key in (*kept_tables(schema), REJECTS) if key in periods}
    return {key: iso_millis(at) for key, at in since.items() if at is not None}
