"""Downloading ahead of loading: a bounded window of files, handed out in the order in which they must be loaded.

Owns how far downloads run ahead (files, bytes on disk, at once), which file is next, and which ones may be loaded
together with it. What a download is, is handed in; what is done with files, is the caller's. For one event loop.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

F = TypeVar("F")
_AHEAD: Final = 8
"""Large files in the window, for each that may be downloaded at once."""
_AT_ONCE: Final = 64
"""Small files that are handed out together; twice as many files fit into the window."""


@dataclass(frozen=True, slots=True)
class PrefetchWindow:
    """``downloads``: how many at once. ``most_bytes``: of files begun and not taken; one file may have more.
    ``small``: bytes of a file up to which it is small; one whose size is not known, 0, is large."""

    downloads: int = 1
    most_bytes: int = 4 << 30
    small: int = 0

    def is_small(self, size: int) -> bool:
        """Whether a file of ``size`` bytes is."""
        return 0 < size <= self.small


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
    joins: Callable[[F], bool] = lambda _: False,
) -> AsyncGenerator[list[F], None]:
    """Files that ``fetch`` has fetched, in runs. ``files``: each with its line and its size in bytes, in order.

    Files of one line come in their order; one that is still on its way holds back those of its own line only, and one
    for which ``fetch`` returned False none at all. ``go_on``: asked before a file is begun; once it says no, only those
    begun still come. ``joins``: asked of a file that is here, whether it may be in a run with others; no file is waited
    for to make one longer. A run counts until the caller asks for the next. Raises what ``fetch`` raises.
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
            run = _next(ahead, joins)
            if not run:
                await asyncio.wait({one.task for one in ahead}, return_when=asyncio.FIRST_COMPLETED)
                continue
            if run[0].task.result():
                yield [begun.file for begun in run]
            taken = set(map(id, run))
            ahead[:] = [begun for begun in ahead if id(begun) not in taken]
    finally:
        for begun in ahead:
            begun.task.cancel()
        await asyncio.gather(*(begun.task for begun in ahead), return_exceptions=True)


def _fits(ahead: list[_Begun[F]], size: int, window: PrefetchWindow) -> bool:
    if not ahead:
        return True
    in_use = sum(begun.size for begun in ahead)
    if len(ahead) >= 2 * _AT_ONCE or in_use + size > window.most_bytes:
        return False
    return window.is_small(size) or sum(not window.is_small(b.size) for b in ahead) < _AHEAD * window.downloads


def _next(ahead: list[_Begun[F]], joins: Callable[[F], bool]) -> list[_Begun[F]]:
    """The first that is done and behind none of its line, with those after it that are too and go together with it; or
    one alone that came to nothing."""
    held_back, run = set[str](), list[_Begun[F]]()
    for begun in ahead:
        if not begun.task.done():
            held_back.add(begun.line)
        elif begun.task.exception() is not None or not begun.task.result():
            if not run:
                return [begun]
        elif begun.line not in held_back:
            if run and not joins(begun.file):
                held_back.add(begun.line)
                continue
            run.append(begun)
            if len(run) == _AT_ONCE or (len(run) == 1 and not joins(begun.file)):
                break
    return run
