"""When a dropped file may be taken: the decision, apart from every file system.

Owns what a file's mark is, which names mean unfinished, and the tracker. Knows nothing of watchers, opens nothing;
the present is a parameter, in microseconds since the epoch.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from promptsync.clock import MICROS

_UNFINISHED: Final = (".part", ".tmp", ".crdownload", ".filepart", "~")
_LONGEST_RETRY: Final = 3600 * MICROS


def is_unfinished(name: str) -> bool:
    """Whether a file or folder of this name is left alone until it is renamed: hidden, or temporary by its ending."""
    return name.startswith(".") or name.lower().endswith(_UNFINISHED)


@dataclass(frozen=True, slots=True)
class Mark:
    """What tells one state of a file from another. ``size``: bytes. ``mtime``: nanoseconds since the epoch."""

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
    """Due ``delay`` microseconds after ``since``; None: not before it changes."""

    mark: Mark
    since: int
    delay: int | None
    failures: int = 0


class StabilityTracker:
    """Which of the files seen are ready. ``settle``: microseconds that a mark must stay the same.

    A file whose last write was ``settle`` ago when its inode is first seen came by a rename, or before anybody looked,
    and is ready at once. A clock set back delays a file by no more than its delay, counted anew.
    """

    def __init__(self, settle: int) -> None:
        self._settle = settle
        self._files: dict[str, _Tracked] = {}

    def see(self, name: str, mark: Mark, now: int) -> None:
        """A file was seen. Any change of its mark ends what was decided about it."""
        tracked = self._files.get(name)
        if tracked is not None and tracked.mark == mark:
            tracked.since = min(tracked.since, now)
            return
        fresh = tracked is None or not tracked.mark.same_file(mark)
        old = now - mark.mtime // 1000 >= self._settle
        self._files[name] = _Tracked(mark, now, 0 if fresh and old else self._settle)

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
        """The files that are to be offered at some time without having to change."""
        return {name for name, tracked in self._files.items() if tracked.delay is not None}

    def put_off(self, name: str, now: int, delay: int) -> None:
        """Offer it again ``delay`` microseconds from now, or ``settle`` after a change."""
        if (tracked := self._files.get(name)) is not None:
            tracked.since, tracked.delay = now, delay

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
