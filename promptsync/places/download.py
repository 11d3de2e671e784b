"""One item from a place to a file of this machine: bounded, checked, resumed where the place can.

Owns the retries, the bounds, the checks, and the file that the download grows in. For the event loop of a fetch alone:
it writes files on it, and waits for the disk elsewhere. A file has its final name only once all of it is on disk and
its size and digest, where the place states them, are right. A copy with another digest is thrown away and fetched
again, a few times.
"""

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import structlog

from promptsync.errors import FileUnavailable, InputRefused, MirrorFull, PromptsyncError, Unavailable
from promptsync.places.patience import Patience, backoff
from promptsync.places.place import Item, NotContinued, Place

_SPARE: Final = 256 << 20
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class PartFile:
    """The file that a download grows in, taken up where an earlier run left it. MirrorFull if there is no room."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.size = path.stat().st_size if path.exists() else 0

    def make_room(self, whole: int) -> None:
        """Raises MirrorFull if ``whole`` bytes would fill the disk."""
        with _translated(self._path):
            free = shutil.disk_usage(self._path.parent).free
        if free < whole - self.size + _SPARE:
            raise MirrorFull(f"The disk of {self._path.parent} has no room for {whole:,} bytes; make room.")

    def append(self, piece: bytes) -> None:
        """Add bytes at the end."""
        with _translated(self._path), os.fdopen(os.open(self._path, _FLAGS, 0o640), "ab") as file:
            file.write(piece)
        self.size += len(piece)

    def restart(self) -> None:
        """Begin again with nothing."""
        with _translated(self._path):
            self._path.unlink(missing_ok=True)
        self.size = 0

    def digest(self, algorithm: str) -> str:
        """Hex digest of what is there: ``sha256`` or ``md5``."""
        if not self.size:
            return hashlib.new(algorithm, usedforsecurity=False).hexdigest()
        with _translated(self._path), self._path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()

    def finish(self, target: Path) -> int:
        """Make it durable under its final name; returns its size."""
        self.append(b"")
        with _translated(target):
            with self._path.open("rb") as file:
                os.fsync(file.fileno())
            self._path.replace(target)
        return self.size


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = MirrorFull if error.errno in _FULL else Unavailable
        raise kind(f"{path.parent} cannot be written ({error.strerror}); make room or make it writable.") from error


T = TypeVar("T")
_log = structlog.get_logger()
_LONGEST_WAIT: Final = 60.0
_COPIES: Final = 3


@dataclass(frozen=True, slots=True)
class Bounds:
    """``most``: bytes of one file. ``stall`` and ``total``: seconds without a byte, and for a file as a whole.

    ``attempts``: of one step; between them ``wait`` seconds at first, then as ``backoff`` says, about 60 at most.
    ``md5``: whether a copy must have the MD5 that its place states. ``patience``: the caller's, for all of it.
    """

    most: int = 64 << 30
    stall: float = 60.0
    total: float = 6 * 3600.0
    attempts: int = 5
    wait: float = 2.0
    md5: bool = True
    patience: Patience = field(default_factory=Patience)


async def with_retries(step: Callable[[], Awaitable[T]], bounds: Bounds) -> T:
    """The result of ``step``, tried again after an error that says, by its type, that this may help.

    A full disk of ours is not tried again, nor anything once the patience would end before. Raises the last error.
    """
    attempt = 0
    bounds.patience.begin()
    while True:
        attempt += 1
        try:
            result = await step()
        except PromptsyncError as error:
            wait = backoff(attempt - 1, bounds.wait, _LONGEST_WAIT)
            may_help = error.retryable and not isinstance(error, MirrorFull)
            if not may_help or attempt >= bounds.attempts or wait > bounds.patience.left:
                raise
            _log.info("trying_again", after=str(error), seconds=round(wait, 1))
            await asyncio.sleep(wait)
        else:
            bounds.patience.renew()
            return result


async def download(
    place: Place, item: Item, target: Path, bounds: Bounds, progress: Callable[[int, int], None] = lambda *_: None
) -> int:
    """Fetch an item into ``target``; returns its size in bytes. Folders are made.

    What an earlier run left in ``<target>.part`` is continued: the caller names targets by version. ``progress`` gets
    the bytes so far and in all (0: not known). Raises Gone, InputRefused (``too_large``, ``digest``), ConfigError,
    MirrorFull, and Unavailable after the last attempt.
    """
    if item.size is not None and item.size > bounds.most:
        raise InputRefused("too_large", f"{item.file_name} has {item.size:,} bytes, more than load.max_raw_bytes.")
    part = PartFile(target.with_name(f"{target.name}.part"))

    async def attempt() -> None:
        await _attempt(place, item, part, bounds, progress)

    try:
        async with asyncio.timeout(bounds.total):
            for _ in range(_COPIES):
                await with_retries(attempt, bounds)
                wrong = await _wrong_digest(place, item, part, bounds)
                if wrong is None:
                    return await asyncio.to_thread(part.finish, target)
                part.restart()
    except TimeoutError:
        raise Unavailable(f"{item.file_name} took more than {bounds.total:,.0f} seconds; try again later.") from None
    raise InputRefused("digest", f"{_COPIES} copies of {item.file_name} differ from the {wrong} that its place states.")


async def _wrong_digest(place: Place, item: Item, part: PartFile, bounds: Bounds) -> str | None:
    """Which digest of the copy is not as stated; None if none is, or none is stated."""
    if item.sha256 is not None and await asyncio.to_thread(part.digest, "sha256") != item.sha256.lower():
        return "SHA-256"
    stated = await with_retries(lambda: place.md5(item), bounds) if bounds.md5 else None
    if stated is None or await asyncio.to_thread(part.digest, "md5") == stated:
        return None
    return "MD5" if await with_retries(lambda: place.md5(item, sure=True), bounds) else None


async def _attempt(
    place: Place, item: Item, part: PartFile, bounds: Bounds, progress: Callable[[int, int], None]
) -> None:
    if not place.ranged or (item.size is not None and part.size > item.size):
        part.restart()
    part.make_room(item.size or 0)
    try:
        await _append(place, item, part, bounds, progress)
    except NotContinued:
        part.restart()
        await _append(place, item, part, bounds, progress)
    if item.size is not None and part.size != item.size:
        raise FileUnavailable(f"{item.file_name} ends after {part.size:,} of the {item.size:,} bytes its place states.")


async def _append(
    place: Place, item: Item, part: PartFile, bounds: Bounds, progress: Callable[[int, int], None]
) -> None:
    async with aclosing(_stalling(place.read(item, part.size), bounds.stall)) as pieces:
        async for piece in pieces:
            part.append(piece)
            bounds.patience.renew()
            if part.size > bounds.most:
                part.restart()
                raise InputRefused("too_large", f"{item.file_name} has more bytes than load.max_raw_bytes.")
            if item.size is not None and part.size > item.size:
                part.restart()
                raise FileUnavailable(f"{item.file_name} is longer than its place says; is it being written?")
            progress(part.size, item.size or 0)


async def _stalling(pieces: AsyncIterator[bytes], seconds: float) -> AsyncGenerator[bytes, None]:
    """The pieces; Unavailable if one does not come within ``seconds``."""
    while True:
        try:
            async with asyncio.timeout(seconds):
                piece = await anext(pieces)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Unavailable(f"Nothing came for {seconds:g} seconds; try again later.") from None
        yield piece
