"""What becomes of a file in the drop folder: waited for until it has its end, loaded, passed over or held.

Owns the step from the loader's report to the folder's outcome, and the signs of an end, format by format. These are no
proof: the content of a file with an end is judged when it is loaded, and so is a file whose end does not come.
"""

import asyncio
import hashlib
import os
import sqlite3
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import structlog

from promptsync.drop.archived import archived_as
from promptsync.drop.offers import Outcome
from promptsync.engine.engine import Engine
from promptsync.errors import Held, PromptsyncError
from promptsync.formats.limits import Limits, open_file, size_of, unreadable
from promptsync.formats.stream import MAGIC as GZIP
from promptsync.formats.stream import RawStream
from promptsync.loading.files import FileReport, LoadRequest
from promptsync.loading.report import DROP, after_move
from promptsync.store import ledger
from promptsync.store.writer import Lane

_log = structlog.get_logger()
_PARQUET: Final = b"PAR"
_HEAD: Final = 1 << 12
_WIDE_LINE_ENDS: Final = (b"\n\x00", b"\r\x00")
_NOT_YET: Final = "its end is not there yet. It waits until nothing has been written to it for a while."


class DropIntake:
    """Takes files in for one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._followed: dict[Path, int] = {}
        load = engine.config.load
        self._limits = Limits(max_raw_bytes=load.max_raw_bytes, max_ratio=int(load.max_ratio), links=False)

    async def __call__(self, path: Path) -> Outcome:
        """Load one file. Raises Unavailable."""
        if await asyncio.to_thread(self._says_nothing, path):
            return self._silent(path)
        return self._outcome(path, await asyncio.to_thread(self._engine.load_single, LoadRequest(path, DROP)))

    async def together(self, paths: Sequence[Path]) -> Sequence[Outcome | Exception]:
        """Load small files together. Raises Unavailable."""
        silent = await asyncio.to_thread(lambda: {path for path in paths if self._says_nothing(path)})
        loaded = [path for path in paths if path not in silent]
        requests = [LoadRequest(path, DROP) for path in loaded]
        reports = dict(zip(loaded, await asyncio.to_thread(self._engine.load_several, requests), strict=True))
        return [self._silent(path) if path in silent else self._outcome_or(path, reports[path]) for path in paths]

    def _outcome_or(self, path: Path, report: FileReport | Exception) -> Outcome | Exception:
        return report if isinstance(report, Exception) else self._outcome(path, report)

    def _outcome(self, path: Path, report: FileReport) -> Outcome:
        if report.file_id is not None and (report.rejected or report.state != "merged"):
            self._followed[path] = report.file_id
        if report.state in ("merged", "unchanged"):
            return Outcome("done")
        return Outcome("held" if report.state in ("held", "failed") else "ignored", report.error or "")

    async def missing_end(self, path: Path) -> str | None:
        """Why a file at rest is still incomplete; None if it may be complete. Raises Unavailable."""
        return await asyncio.to_thread(lambda: None if self._says_nothing(path) else missing_end(path, self._limits))

    async def moved(self, before: Path, now: Path) -> None:
        """Record the new path of a file that somebody will look for. Raises Unavailable."""
        file_id = self._followed.pop(before, None)
        if file_id is not None:
            await self._follow(file_id, before, now)

    async def find_moved(self) -> None:
        """Record the new paths of files that were moved just before the last process died. Raises Unavailable."""
        for file_id, before, now in await asyncio.to_thread(self._moved_before):
            await self._follow(file_id, before, now)

    def _moved_before(self) -> list[tuple[int, Path, Path]]:
        root, found = self._engine.config.drop.folder, list[tuple[int, Path, Path]]()
        with self._engine.mirror.reading() as connection:
            needed = ledger.needed_of_drop(connection)
        for file_id, path, size, sha256 in needed:
            before = Path(path)
            if before.is_relative_to(root) and not before.exists():
                copies = archived_as(root, str(before.relative_to(root)))
                same = (copy for copy in copies if self._is_same(copy, size, sha256))
                found += [(file_id, before, now) for now in islice(same, 1)]
        return found

    def _is_same(self, path: Path, size: int | None, sha256: str | None) -> bool:
        try:
            with open_file(path, self._limits) as file:
                return os.fstat(file.fileno()).st_size == size and sha256 in (
                    None,
                    hashlib.file_digest(file, "sha256").hexdigest(),
                )
        except (OSError, PromptsyncError):
            return False

    async def _follow(self, file_id: int, before: Path, now: Path) -> None:
        def follow(connection: sqlite3.Connection) -> None:
            ledger.follow(connection, file_id, str(before), str(now), lambda error: after_move(error, before, now))

        work = self._engine.mirror.writer.submit(follow, Lane.IDLE, durable=False)
        await asyncio.wrap_future(work)

    def _silent(self, path: Path) -> Outcome:
        mark = self._engine.kinds.mark(path.name) or ""
        _log.info("file", name=path.name, state="ignored", error=mark or "It is empty.")
        return Outcome("ignored", mark)

    def _says_nothing(self, path: Path) -> bool:
        kinds = self._engine.kinds
        return kinds.mark(path.name) is not None or kinds.is_empty(path.name, lambda: size_of(path))


def missing_end(path: Path, limits: Limits) -> str | None:
    """Why a file is still incomplete, a sentence; None if it may be complete, or if waiting would not complete it.

    A gzip file is complete when its last member ends with its checksum and length (RFC 1952, 2.3.1), which takes
    decompressing all of it; a parquet file when it ends as one; a CSV file when it ends with a line. About other
    names nothing is known. Raises FileUnavailable if it cannot be read.
    """
    from promptsync.formats.csv.records import TextEnd
    from promptsync.formats.parquet.proof import has_footer

    name = path.name.lower()
    try:
        with open_file(path, limits) as file:
            head = file.read(_HEAD)
            size = file.seek(0, 2)
            file.seek(max(size - 2, 0))
            tail = file.read(2)
        if name.endswith(".parquet"):
            whole = _is_other(head, _PARQUET) or has_footer(path, limits)
        elif head.startswith(GZIP) or name.endswith(".gz"):
            whole = _is_other(head, GZIP) or _inflates(path, limits)
        else:
            end = TextEnd()
            end.see(head)
            end.see(tail)
            whole = not name.endswith(".csv") or tail in _WIDE_LINE_ENDS or end.there
    except OSError as error:
        raise unreadable(path, error) from error
    return None if whole else f"{path.name}: {_NOT_YET}"


def _is_other(head: bytes, magic: bytes) -> bool:
    """Whether a file begins as no file of its format does. Blanks may be room that is yet to be written to."""
    begun = head.rstrip(b"\0")
    return begun[: len(magic)] != magic[: len(begun)]


def _inflates(path: Path, limits: Limits) -> bool:
    from promptsync.formats.csv.records import TextEnd

    stream, end = RawStream(path, limits), TextEnd()
    try:
        for piece in stream:
            end.see(piece)
    except Held as held:
        return held.reason == "bomb" or (held.reason == "empty" and stream.members > 0)
    return stream.members == 1 or end.there
