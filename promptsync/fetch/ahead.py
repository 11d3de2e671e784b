"""Downloading ahead of loading: a bounded window of files, handed out in the order in which they must be loaded.

Owns how far downloads run ahead (files, bytes on disk, at once) and which file is next. What a download is, is handed
in; what is done with a file, is the caller's. For one event loop.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

F = TypeVar("F")
_AHEAD: Final = 8
"""Files in the window, for each that may be downloaded at once."""


@dataclass(frozen=True, slots=True)
class Reach:
    """``downloads``: how many at once. ``most_bytes``: of files begun and not taken; one file may have more."""

    downloads: int = 1
    most_bytes: int = 4 << 30


@dataclass(slots=True)
class _Begun(Generic[F]):
    file: F
    line: str
    size: int
    task: "asyncio.Task[bool]"


async def in_order(
    files: Iterable[tuple[F, str, int]],
    fetch: Callable[[F], Awaitable[bool]],
    reach: Reach,
    go_on: Callable[[], bool] = lambda: True,
) -> AsyncGenerator[F, None]:
    """Files that ``fetch`` has fetched. ``files``: each with its line and its size in bytes, in order.

    Files of one line come in their order; one that is still on its way holds back those of its own line only, and one
    for which ``fetch`` returned False none at all. ``go_on``: asked before a file is begun; once it says no, only those
    begun still come. A file counts until the caller asks for the next. Raises what ``fetch`` raises.
    """
    waiting, window = deque(files), list[_Begun[F]]()
    turns = asyncio.Semaphore(reach.downloads)

    async def one(file: F) -> bool:
        async with turns:
            return go_on() and await fetch(file)

    try:
        while True:
            while waiting and go_on() and _fits(window, waiting[0][2], reach):
                file, line, size = waiting.popleft()
                window.append(_Begun(file, line, size, asyncio.create_task(one(file))))
            if not window:
                return
            begun = _next(window)
            if begun is None:
                await asyncio.wait({one.task for one in window}, return_when=asyncio.FIRST_COMPLETED)
                continue
            if begun.task.result():
                yield begun.file
            window.remove(begun)
    finally:
        for begun in window:
            begun.task.cancel()
        await asyncio.gather(*(begun.task for begun in window), return_exceptions=True)


def _fits(window: list[_Begun[F]], size: int, reach: Reach) -> bool:
    if not window:
        return True
    in_use = sum(begun.size for begun in window)
    return len(window) < _AHEAD * reach.downloads and in_use + size <= reach.most_bytes


def _next(window: list[_Begun[F]]) -> _Begun[F] | None:
    """The first that is done and behind none of its line; one that came to nothing at once."""
    held_back = set[str]()
    for begun in window:
        if not begun.task.done():
            held_back.add(begun.line)
        elif begun.line not in held_back or begun.task.exception() is not None or not begun.task.result():
            return begun
    return None
