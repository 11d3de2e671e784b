"""What lies on the shelves and has changed since it was put there, which is to be taken up again.

Owns the memory of what was shelved in which state. A held file that changes was still being written, or somebody has
put it right; so was a done file that has grown, for an hour after it was taken. What was held before this process began
has changed if it was written to after the reason beside it. Reads no content. Blocking: for a worker thread.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptsync.clock import MICROS
from promptsync.drop.archive import REASON, discard_reason, reason_name, take_back
from promptsync.drop.stability import Mark
from promptsync.drop.survey import marks_of, shelf_files
from promptsync.errors import Unavailable

_GROWS: Final = 3600 * MICROS
_MOST_DONE: Final = 10_000
_NUMBERED: Final = re.compile(r"(.+\.[^./]*[^./0-9][^./]*)\.[0-9]+")


@dataclass(frozen=True, slots=True)
class _Shelved:
    """``name``: below the drop folder, where the file came from. ``mark``: None for one that is known to have changed.
    ``at``: microseconds; ``ours``: whether the reason beside it was written by this process."""

    name: str
    mark: Mark | None
    at: int
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Returned:
    """A file that was moved back, or why that could not be done."""

    shelved: str
    name: str
    problem: str | None = None


class Shelves:
    """The shelves of one drop folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: dict[str, _Shelved] = {}
        self._done: dict[str, _Shelved] = {}
        self._looked = False

    def put(self, shelved: str, name: str, mark: Mark, now: int) -> None:
        """A file was shelved. Both names are below the drop folder."""
        if shelved.startswith("held/"):
            self._held[shelved] = _Shelved(name, mark, now, ours=True)
            return
        self._done[shelved] = _Shelved(name, mark, now)
        if len(self._done) > _MOST_DONE:
            del self._done[next(iter(self._done))]

    def take_back(self, now: int) -> list[Returned]:
        """Moves back what has changed. One whose name is taken waits until that is free."""
        returned = []
        try:
            changed = [*self._changed(), *self._grown(now)]
        except OSError:
            return []  # the survey of the folder says so
        for shelved, name in changed:
            try:
                if take_back(self._root, shelved, name):
                    self._held.pop(shelved, None)
                    self._done.pop(shelved, None)
                    returned.append(Returned(shelved, name))
            except Unavailable as error:
                returned.append(Returned(shelved, name, str(error)))
        return returned

    def _changed(self) -> Iterator[tuple[str, str]]:
        """Held files that are not what they were, with the names they had."""
        files = shelf_files(self._root, "held")
        for gone in self._held.keys() - files.keys():
            if self._held.pop(gone).ours:
                discard_reason(self._root, gone)
        for shelved, mark in files.items():
            if shelved.endswith(REASON):
                continue
            known = self._held.get(shelved)
            if known is None:
                known = self._held[shelved] = self._met(shelved, mark, files.get(reason_name(shelved)))
            if known.mark != mark:
                yield shelved, known.name
        self._looked = True

    def _met(self, shelved: str, mark: Mark, reason: Mark | None) -> _Shelved:
        """A file that this process did not put there: what it is now counts, unless it was held by an earlier one."""
        name = shelved.partition("/")[2]
        numbered = _NUMBERED.fullmatch(name)
        changed = not self._looked and reason is not None and mark.mtime > reason.mtime
        return _Shelved(numbered[1] if numbered else name, None if changed else mark, 0)

    def _grown(self, now: int) -> Iterator[tuple[str, str]]:
        """Done files that are longer than they were, with the names they had."""
        for shelved, known in [*self._done.items()]:
            if abs(now - known.at) > _GROWS:
                del self._done[shelved]
        marks = marks_of(self._root, self._done)
        for shelved, known in [*self._done.items()]:
            mark = marks.get(shelved)
            if mark is None or known.mark is None or not mark.same_file(known.mark):
                del self._done[shelved]
            elif mark.size > known.mark.size:
                yield shelved, known.name
