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
class PrefetchWindow:
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
    window: PrefetchWindow,
    go_on: Callable[[], bool] = lambda: True,
) -> AsyncGenerator[F, None]:
    """Files that ``fetch`` has fetched. ``files``: each with its line and its size in bytes, in order.

    Files of one line come in their order; one that is still on its way holds back those of its own line only, and one
    for which ``fetch`` returned False none at all. ``go_on``: asked before a file is begun; once it says no, only those
    begun still come. A file counts until the caller asks for the next. Raises what ``fetch`` raises.
    """
    waiting, ahead = deque(files), list[_Begun[F]]()
    turns = asyncio.Semaphore(window.downloads)

    async def one(file: F) -> bool:
        async with turns:
            return go_on() and await fetch(file)

    try:
        while True:
            while waiting and go_on() and _fits(ahead, waiting[0][2], window):
                file, line, size = waiting.popleft()
                ahead.append(_Begun(file, line, size, asyncio.create_task(one(file))))
            if not ahead:
                return
            begun = _next(ahead)
            if begun is None:
                await asyncio.wait({one.task for one in ahead}, return_when=asyncio.FIRST_COMPLETED)
                continue
            if begun.task.result():
                yield begun.file
            ahead.remove(begun)
    finally:
        for begun in ahead:
            begun.task.cancel()
        await asyncio.gather(*(begun.task for begun in ahead), return_exceptions=True)


def _fits(ahead: list[_Begun[F]], size: int, window: PrefetchWindow) -> bool:
    if not ahead:
        return True
    in_use = sum(begun.size for begun in ahead)
    return len(ahead) < _AHEAD * window.downloads and in_use + size <= window.most_bytes


def _next(ahead: list[_Begun[F]]) -> _Begun[F] | None:
    """The first that is done and behind none of its line; one that came to nothing at once."""
    held_back = set[str]()
    for begun in ahead:
        if not begun.task.done():
            held_back.add(begun.line)
        elif begun.line not in held_back or begun.task.exception() is not None or not begun.task.result():
            return begun
    return None
