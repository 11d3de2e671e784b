"""Backups of one open mirror: made, shipped and drilled, and each put on record in the mirror.

Owns the record, one backup or drill at a time, and when a drill is due. Blocking: for a worker
thread or a command. What runs when is decided in daemon/tasks.py.
"""

import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import date
from typing import Any, Final

from promptsync.backup.destination import Destination
from promptsync.backup.make import Made, make_backup
from promptsync.backup.names import gone_by
from promptsync.backup.segments import Shipped, Shipping
from promptsync.backup.verify import FAILED, LATEST, Verified, verify
from promptsync.clock import MICROS, iso_millis, parse_iso
from promptsync.engine.engine import Engine
from promptsync.errors import ConfigError, Unavailable
from promptsync.places.patience import Patience
from promptsync.store.backups import DRILLED, MADE
from promptsync.store.marks import put_facts, read_facts
from promptsync.store.writer import Lane

Emit = Callable[[dict[str, Any]], None]
_WEEK: Final = 7 * 86_400 * MICROS
_REST: Final = 2.0
_LONGEST_REST: Final = 0.1
"""A step is followed by a rest of twice as long, at most a tenth of a second, in which deliveries are answered. With
400,000 messages (141 MiB) and 200 deliveries a second on 2 cores: p99 37 ms where it was 193, in 5 seconds, not 2."""
_SLACK: Final = 3600 * MICROS
"""A nightly run that is quicker than the last one still finds its drill due."""


class Backups:
    """Of an open mirror, at the place that ``[backup]`` names. ``patience``: with a place that does not answer."""

    def __init__(self, engine: Engine, patience: Patience | None = None) -> None:
        self._engine = engine
        self._destination = Destination(engine.config.backup, patience=patience, stopping=engine.stopping)
        self._shipping = Shipping(engine.config, engine.mirror, self._destination, engine.clock)

    def make(self, emit: Emit = lambda _: None) -> Made:
        """Make a backup, and remove what is too old."""
        with self._engine.backing_up:
            made = make_backup(self._engine.config, self._destination, self._engine.clock, self._unless_stopped(emit))
            self._record(MADE, asdict(made))
        return made

    def ship(self) -> Shipped | None:
        """Ship what was received since the last time; None if nothing was. Not held up by a backup that is made."""
        return self._shipping.ship()

    def drill(self, emit: Emit = lambda _: None) -> Verified:
        """Look whether the newest backup can be restored."""
        with self._engine.backing_up:
            mark = {"name": LATEST, "at": iso_millis(self._engine.clock())}
            try:
                found = verify(self._engine.config, self._destination, LATEST, emit=self._unless_stopped(emit))
            except ConfigError as error:  # a key that does not open it is what a drill is there to find
                self._record(DRILLED, mark | {"outcome": FAILED, "message": str(error)})
                raise
            self._record(DRILLED, mark | {"name": found.name, "outcome": found.outcome, "message": found.says})
        return found

    def older(self) -> list[tuple[str, date]]:
        """The names of the backups that there are, and the days by which each is gone. Raises what is wrong with the
        place."""
        stored, _ = self._destination.look()
        keep, zone = self._engine.config.backup.keep, self._engine.config.mirror.timezone
        return [(one.name, gone_by(one.at, keep.daily, keep.weekly, zone)) for one in stored.backups]

    def drill_is_due(self) -> bool:
        """Whether a week has passed since the last one, or it found something wrong."""
        with self._engine.mirror.reading() as connection:
            mark = read_facts(connection, DRILLED)
        now = self._engine.clock()
        if mark is None or mark["outcome"] == FAILED:
            return True
        return not 0 <= now - parse_iso(mark["at"]) < _WEEK - _SLACK

    def _record(self, name: str, mark: dict[str, Any]) -> None:
        self._engine.mirror.writer.run(lambda connection: put_facts(connection, name, mark), Lane.IDLE)

    def _unless_stopped(self, emit: Emit) -> Emit:
        """Called between two steps of the work: ends it when promptsync stops, and lets others have their turn."""
        rested = time.monotonic()

        def shown(line: dict[str, Any]) -> None:
            nonlocal rested
            if self._engine.stopping.is_set():
                raise Unavailable("promptsync is stopping; the backup is made after its next start.")
            emit(line)
            time.sleep(min(_REST * (time.monotonic() - rested), _LONGEST_REST))
            rested = time.monotonic()

        return shown
