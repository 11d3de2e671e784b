"""When a dropped file may be taken: the decision, without any file system.

Owns what a file's mark is, which names mean unfinished, and the tracker. Knows nothing of watchers and opens
nothing; the present is a parameter, in microseconds since the epoch.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from promptsync.clock import MICROS

_UNFINISHED: Final = (".part", ".tmp", ".crdownload", ".filepart", "~")
_SHOW_THEIR_END: Final = (".gz", ".parquet")
_LONGEST_RETRY: Final = 3600 * MICROS
_LONGEST_REST: Final = 60 * MICROS


def is_unfinished(name: str) -> bool:
    """Whether a file or folder of this name is left alone until it is renamed: hidden, or temporary by its ending."""
    return name.startswith(".") or name.lower().endswith(_UNFINISHED)


def shows_its_end(name: str) -> bool:
    """Whether the content of a file of this name proves where it ends; other files have to stay at rest."""
    return name.lower().endswith(_SHOW_THEIR_END)


@dataclass(frozen=True, slots=True)
class Mark:
    """What distinguishes one state of a file from another. ``size``: bytes. ``mtime``: nanoseconds since the epoch."""

    device: int
    inode: int
    size: int
    mtime: int

    @classmethod
    def of(cls, stat: os.stat_result) -> "Mark":
        """The mark in the answer of a stat call."""
        return cls(stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)

    def same_file(self, other: "Mark") -> bool:
        """Whether both are states of one inode."""
        return (self.device, self.inode) == (other.device, other.inode)


@dataclass(slots=True)
class _Tracked:
    """Due ``delay`` microseconds after ``since``; None: not before it changes. ``resting``: since when it is
    known to be unchanged. ``complete``: its end was seen; ``cut``: how often it was at rest without its end."""

    mark: Mark
    resting: int
    since: int
    delay: int | None
    failures: int = 0
    complete: bool = False
    cut: int = 0


class StabilityTracker:
    """Which of the files seen are ready. ``settle``: microseconds that a mark must stay the same; ``plain``: the
    same for a file whose name does not show its end, if that is more.

    A file whose last write was that long ago when its inode is first seen was renamed into the folder, or was there
    before, and is ready at once. If the clock is set back, a file waits its delay once more and no longer.
    """

    def __init__(self, settle: int, plain: int = 0) -> None:
        self._settle = settle
        self._plain = max(settle, plain)
        self._files: dict[str, _Tracked] = {}

    def see(self, name: str, mark: Mark, now: int) -> None:
        """A file was seen. Any change of its mark voids what was decided about it."""
        tracked = self._files.get(name)
        if tracked is not None and tracked.mark == mark:
            tracked.since, tracked.resting = min(tracked.since, now), min(tracked.resting, now)
            return
        written, settle = mark.mtime // 1000, self._settle if shows_its_end(name) else self._plain
        if tracked is not None and tracked.mark.same_file(mark):
            rest = min(settle << min(tracked.cut, 20), max(settle, _LONGEST_REST))
            self._files[name] = _Tracked(mark, now, now, rest, cut=tracked.cut)
        elif now - written >= settle:
            self._files[name] = _Tracked(mark, written, now, 0)
        else:
            self._files[name] = _Tracked(mark, now, now, settle)

    def keep_only(self, names: Collection[str]) -> None:
        """Forget the files that are not among ``names``."""
        for name in self._files.keys() - names:
            del self._files[name]

    def ready(self, now: int) -> dict[str, Mark]:
        """The files that may be taken now, each in the state that was seen last."""
        return {
            name: tracked.mark
            for name, tracked in self._files.items()
            if tracked.delay is not None and now >= tracked.since + tracked.delay
        }

    def due(self) -> int | None:
        """The earliest moment at which a file is ready if it does not change; None: no file waits."""
        moments = [tracked.since + tracked.delay for tracked in self._files.values() if tracked.delay is not None]
        return min(moments, default=None)

    def pending(self) -> set[str]:
        """The files that will be offered again even if they do not change."""
        return {name for name, tracked in self._files.items() if tracked.delay is not None}

    def put_off(self, name: str, now: int, delay: int) -> None:
        """Offer it again ``delay`` microseconds from now, or ``settle`` after a change."""
        if (tracked := self._files.get(name)) is not None:
            tracked.since, tracked.delay = now, delay

    def may_lack_end(self, name: str, now: int, patience: int) -> bool:
        """Whether its end has not been seen, and it has been at rest for less than ``patience``."""
        tracked = self._files.get(name)
        return tracked is not None and not tracked.complete and now - tracked.resting < patience

    def has_end(self, name: str) -> None:
        """Its end was seen, or it has none to see: this state of the file need not be checked again."""
        if (tracked := self._files.get(name)) is not None:
            tracked.complete = True

    def await_end(self, name: str, now: int, patience: int) -> None:
        """Its end is missing: offer it again once it has been at rest for ``patience``, or at rest after a change.

        Each time it must then rest for twice as long, up to a minute, so that a slow writer does not have all
        of a large file read at every pause.
        """
        if (tracked := self._files.get(name)) is not None:
            tracked.since = tracked.resting if now - tracked.resting < patience else now
            tracked.delay = patience
            tracked.cut += 1

    def fail(self, name: str, now: int, delay: int) -> None:
        """As ``put_off``, for twice as long with each failure of an unchanged file, an hour at most."""
        if (tracked := self._files.get(name)) is not None:
            self.put_off(name, now, min(delay << min(tracked.failures, 20), max(delay, _LONGEST_RETRY)))
            tracked.failures += 1

    def rest(self, name: str) -> None:
        """Do not offer it again until it changes."""
        if (tracked := self._files.get(name)) is not None:
            tracked.delay = None

    def forget(self, name: str) -> None:
        """It is gone; a file that takes its name is a new one."""
        self._files.pop(name, None)
