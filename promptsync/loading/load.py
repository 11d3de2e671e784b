"""The one life of a file: what it states, whether it is whole and new, what it changes, how it ended.

Owns the order of these steps, the words for how a file ended, and its row in the ledger. Whatever a file holds ends as
merged, unchanged, held, failed or ignored, with a sentence; loading never raises for a file's content. How each step is
done for one kind of file is said by its strategy (change_set.py, snapshot.py).
"""

import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from promptsync.clock import Clock, iso_millis
from promptsync.errors import Held, InputRefused
from promptsync.loading.report import BY_HAND, FileReport, LoadRequest, LoadSettings
from promptsync.store import ledger
from promptsync.store.mirror import Mirror
from promptsync.store.slices import Progress

if TYPE_CHECKING:
    from promptsync.formats.proof import Proof

_log = structlog.get_logger()


class Load(ABC):
    """The loading of one file, step by step. Blocking: not for the event loop's thread."""

    def __init__(self, mirror: Mirror, settings: LoadSettings, request: LoadRequest, progress: Progress) -> None:
        self._mirror, self._settings, self._request = mirror, settings, request
        self._progress = progress
        self._report = FileReport(request.path.name)
        self._proof: Proof | None = None
        self._clock, self._now = 0, ""
        self._started = time.perf_counter()

    @property
    def report(self) -> FileReport:
        """What came of it, so far."""
        return self._report

    def run(self, clock: Clock) -> FileReport:
        """Do it. Raises Unavailable if the machine, not the file, stands in the way."""
        report = self._report
        self._begin(clock)
        try:
            self._live()
        except InputRefused as refused:
            report.state = "held" if isinstance(refused, Held) else "ignored"
            report.error, report.reason = self._sentence(refused), refused.reason
        report.seconds = self._spent()
        mistaken = report.state == "ignored" and self._request.source == BY_HAND  # whoever typed it reads why
        if report.state not in ("merged", "would merge") and not mistaken:
            self._record()
        log(report)
        return report

    def _begin(self, clock: Clock) -> None:
        self._clock = clock()
        self._now = iso_millis(self._clock)

    @abstractmethod
    def _live(self) -> None:
        """All from what the file states to its rows. Raises InputRefused."""

    @abstractmethod
    def _merged_before(self, connection: sqlite3.Connection) -> bool:
        """Whether what has been proven and states the same has been merged."""

    def _sentence(self, refused: InputRefused) -> str:
        """Why the file was refused, and what to do about it."""
        return str(refused)

    def _is_known(self) -> bool:
        """Whether there is nothing to do, since the file has been merged before and was not asked for again."""
        if self._request.again:
            return False
        with self._mirror.reading() as connection:
            known = self._merged_before(connection)
        if known:
            self._report.state = "unchanged"
        return known

    def _judge(self, reason: str, why: str | None) -> None:
        """Raises Held if there is a reason to, unless a person has looked at the file."""
        if why and not self._request.accept:
            raise Held(reason, f"{why} If it is right all the same: {self._request.accepting()}")

    def _open(self, merge: Callable[[int], None]) -> None:
        """What was staged and may be believed becomes rows: ``merge`` gets the number of the ledger's row, and closes
        it. In a dry run nothing does."""
        if self._request.dry_run:
            self._report.state = "would merge"
            return
        self._report.state = "staged"
        merge(self._record())
        self._report.state = "merged"

    def _record(self) -> int:
        """Write down how it stands; returns the number of the ledger's row."""
        if self._request.dry_run:
            return 0
        row = self._row()
        durable = self._report.state != "staged"  # what follows is
        file_id = self._mirror.writer.run(lambda connection: ledger.open_file(connection, row), durable=durable)
        self._report.file_id = file_id
        return file_id

    def _row(self) -> dict[str, Any]:
        """All that the ledger says of the file."""
        path, proof = self._request.path, self._proof
        row = self._report.as_row() | {"source": self._request.source, "path": str(path), "seen_at": self._now}
        if proof is not None:
            return row | {"sha256": proof.sha256, "size": proof.size}
        try:
            return row | {"sha256": None, "size": path.stat().st_size}
        except OSError:
            return row | {"sha256": None, "size": None}

    def _merged_row(self) -> dict[str, Any]:
        """What the ledger says once the merge has committed."""
        return self._report.as_row() | {"state": "merged", "seen_at": self._now, "seconds": self._spent()}

    def _spent(self) -> float:
        return round(time.perf_counter() - self._started, 3)


def log(report: FileReport) -> None:
    """Say in the log what came of a file."""
    _log.info("file", **{name: value for name, value in report.as_row().items() if value is not None})
