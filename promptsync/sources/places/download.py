"""One item from a place to a file of this machine: bounded, checked, resumed where the place can.

Owns the retries, the bounds and the checks. For the event loop of a fetch alone: it writes files on it. A file has its
final name only once all of it is on disk and its size and digest, where the place states them, are right. A copy with
another digest is thrown away and fetched again, a few times.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import stamina

from promptsync.errors import InputRefused, MirrorFull, PromptsyncError, Unavailable
from promptsync.sources.places.part import Part
from promptsync.sources.places.place import Item, Place

T = TypeVar("T")
_LONGEST_WAIT: Final = 60.0
_COPIES: Final = 3


@dataclass(frozen=True, slots=True)
class Bounds:
    """``most``: bytes of one file. ``stall`` and ``total``: seconds without a byte, and for a file as a whole.

    ``attempts``: of one step; between them ``wait`` seconds at first, doubled each time, with jitter, at most 60.
    ``md5``: whether a copy must have the MD5 that its place states.
    """

    most: int = 64 << 30
    stall: float = 60.0
    total: float = 6 * 3600.0
    attempts: int = 5
    wait: float = 2.0
    md5: bool = True


async def with_retries(step: Callable[[], Awaitable[T]], bounds: Bounds) -> T:
    """The result of ``step``, tried again after an error that says, by its type, that this may help.

    A full disk of ours is not tried again. Raises the last error.
    """
    caller = stamina.AsyncRetryingCaller(
        attempts=bounds.attempts,
        timeout=bounds.total,
        wait_initial=bounds.wait,
        wait_max=_LONGEST_WAIT,
        wait_jitter=bounds.wait,
    )
    return await caller(_again, step)


async def download(
    place: Place, item: Item, target: Path, bounds: Bounds, progress: Callable[[int, int], None] = lambda *_: None
) -> int:
    """Fetch an item into ``target``; returns its size in bytes. Folders are made.

    What an earlier run left in ``<target>.part`` is continued: the caller names targets by version. ``progress`` is
    told bytes so far and in all (0: not known). Raises Gone, InputRefused (``too_large``, ``digest``), ConfigError,
    MirrorFull, and Unavailable after the last attempt.
    """
    if item.size is not None and item.size > bounds.most:
        raise InputRefused("too_large", f"{item.file_name} has {item.size:,} bytes, more than load.max_raw_bytes.")
    part = Part(target.with_name(f"{target.name}.part"))

    async def attempt() -> None:
        await _attempt(place, item, part, bounds, progress)

    try:
        async with asyncio.timeout(bounds.total):
            for _ in range(_COPIES):
                await with_retries(attempt, bounds)
                wrong = await _wrong_digest(place, item, part, bounds)
                if wrong is None:
                    return part.finish(target)
                part.restart()
    except TimeoutError:
        raise Unavailable(f"{item.file_name} took more than {bounds.total:,.0f} seconds; try again later.") from None
    raise InputRefused("digest", f"{_COPIES} copies of {item.file_name} differ from the {wrong} that its place states.")


async def _wrong_digest(place: Place, item: Item, part: Part, bounds: Bounds) -> str | None:
    """Which digest of the copy is not as stated; None if none is, or none is stated."""
    if item.sha256 is not None and await asyncio.to_thread(part.digest, "sha256") != item.sha256.lower():
        return "SHA-256"
    stated = await with_retries(lambda: place.md5(item), bounds) if bounds.md5 else None
    if stated is None or await asyncio.to_thread(part.digest, "md5") == stated:
        return None
    return "MD5" if await with_retries(lambda: place.md5(item, sure=True), bounds) else None


def _again(error: Exception) -> bool:
    return isinstance(error, PromptsyncError) and error.retryable and not isinstance(error, MirrorFull)


async def _attempt(place: Place, item: Item, part: Part, bounds: Bounds, progress: Callable[[int, int], None]) -> None:
    if not place.ranged or (item.size is not None and part.size > item.size):
        part.restart()
    part.make_room(item.size or 0)
    async with aclosing(_stalling(place.read(item, part.size), bounds.stall)) as pieces:
        async for piece in pieces:
            part.append(piece)
            if part.size > bounds.most:
                part.restart()
                raise InputRefused("too_large", f"{item.file_name} has more bytes than load.max_raw_bytes.")
            if item.size is not None and part.size > item.size:
                part.restart()
                raise Unavailable(f"{item.file_name} is longer than its place says; is it being written?")
            progress(part.size, item.size or 0)
    if item.size is not None and part.size != item.size:
        raise Unavailable(f"{item.file_name} ended after {part.size:,} of {item.size:,} bytes.")


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
