"""Archived files that have changed since they were put there and are to be taken in again.

Owns the memory of which file was archived in which state. A held file that changes was still being written, or somebody
has corrected it; a done file that grows within an hour of being taken in was still being written. A file held before
this process began has changed if it was written to after the reason beside it. Reads no content. Blocking: for a worker
thread.
"""

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from promptsync.clock import MICROS
from promptsync.drop.archive import REASON, discard_reason, reason_name, take_back
from promptsync.drop.stability import Mark
from promptsync.drop.survey import ARCHIVE_FOLDERS, archived_files, marks_of
from promptsync.errors import Unavailable

_GROWS: Final = 3600 * MICROS
_MOST_DONE: Final = 10_000
_NUMBERED: Final = re.compile(r"(.+\.[^./]*[^./0-9][^./]*)\.[0-9]+")


@dataclass(frozen=True, slots=True)
class _Archived:
    """``name``: below the drop folder, where the file came from. ``mark``: None for one that is known to have changed.
    ``at``: microseconds; ``ours``: whether the reason beside it was written by this process."""

    name: str
    mark: Mark | None
    at: int
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Returned:
    """A file that was moved back, or why it could not be."""

    archived: str
    name: str
    problem: str | None = None


class Archive:
    """The archive folders of one drop folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._held: dict[str, _Archived] = {}
        self._done: dict[str, _Archived] = {}
        self._looked = False

    def put(self, archived: str, name: str, mark: Mark, now: int) -> None:
        """A file was archived. Both names are below the drop folder."""
        if archived.startswith("held/"):
            self._held[archived] = _Archived(name, mark, now, ours=True)
            return
        self._done[archived] = _Archived(name, mark, now)
        if len(self._done) > _MOST_DONE:
            del self._done[next(iter(self._done))]

    def take_back(self, now: int) -> list[Returned]:
        """Moves back the files that have changed. One whose name is taken waits until that name is free."""
        returned = []
        try:
            changed = [*self._changed(), *self._grown(now)]
        except OSError:
            return []  # the survey of the folder says so
        for archived, name in changed:
            try:
                if take_back(self._root, archived, name):
                    self._held.pop(archived, None)
                    self._done.pop(archived, None)
                    returned.append(Returned(archived, name))
            except Unavailable as error:
                returned.append(Returned(archived, name, str(error)))
        return returned

    def _changed(self) -> Iterator[tuple[str, str]]:
        """Held files that have changed, with their original names."""
        files = archived_files(self._root, "held")
        for gone in self._held.keys() - files.keys():
            if self._held.pop(gone).ours:
                discard_reason(self._root, gone)
        for archived, mark in files.items():
            if archived.endswith(REASON):
                continue
            known = self._held.get(archived)
            if known is None:
                known = self._held[archived] = self._met(archived, mark, files.get(reason_name(archived)))
            if known.mark != mark:
                yield archived, known.name
        self._looked = True

    def _met(self, archived: str, mark: Mark, reason: Mark | None) -> _Archived:
        """A file that this process did not put there: its present state counts, unless an earlier process held it."""
        name = archived.partition("/")[2]
        numbered = _NUMBERED.fullmatch(name)
        changed = not self._looked and reason is not None and mark.mtime > reason.mtime
        return _Archived(numbered[1] if numbered else name, None if changed else mark, 0)

    def _grown(self, now: int) -> Iterator[tuple[str, str]]:
        """Done files that have grown, with their original names."""
        for archived, known in [*self._done.items()]:
            if abs(now - known.at) > _GROWS:
                del self._done[archived]
        marks = marks_of(self._root, self._done)
        for archived, known in [*self._done.items()]:
            mark = marks.get(archived)
            if mark is None or known.mark is None or not mark.same_file(known.mark):
                del self._done[archived]
            elif mark.size > known.mark.size:
                yield archived, known.name


def archived_as(root: Path, name: str) -> Iterator[Path]:
    """Paths of archived files that may have been ``root/name``; none for a file that is in an archive folder itself."""
    *parents, last = name.split("/")
    if parents[:1] and parents[0] in ARCHIVE_FOLDERS:
        return
    for archive in ARCHIVE_FOLDERS:
        for path in sorted(root.joinpath(archive, *parents).glob(f"{glob.escape(last)}*")):
            if re.fullmatch(r"(\.[0-9]+)?", path.name.removeprefix(last)):
                yield path
