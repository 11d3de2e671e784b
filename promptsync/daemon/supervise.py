"""Keeping the parts of the daemon up: one that fails is started again, later each time, and the others go on.

Owns what becomes of an error that a part did not foresee, and which of several ended the daemon. Only a mirror that
is broken ends it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import structlog

from promptsync.daemon.logs import report
from promptsync.errors import MirrorBroken, PromptsyncError

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Supervisor:
    """``broken`` is called if the mirror is broken. ``first`` and ``longest``: seconds before a part is started again.

    ``tracebacks``: of unforeseen errors.
    """

    broken: Callable[[Exception], None]
    tracebacks: bool = False
    first: float = 1.0
    longest: float = 60.0

    async def keep_up(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a part until it returns; ``name`` is what the log calls it."""
        loop, wait = asyncio.get_running_loop(), self.first
        while True:
            begun = loop.time()
            try:
                return await run()
            except MirrorBroken as error:
                return self.broken(error)
            except PromptsyncError as error:
                _log.warning("part_failed", part=name, error=str(error))
            except Exception as error:  # noqa: BLE001  one part must not stop the others
                report(error, f"{name}: it is started again", self.tracebacks)
            if loop.time() - begun > self.longest:
                wait = self.first
            await asyncio.sleep(wait)
            wait = min(2 * wait, self.longest)

    async def finish(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do one of the last things; if it cannot be done, the next start does it."""
        try:
            await work()
        except PromptsyncError as error:
            _log.warning("left_for_the_next_start", part=name, error=str(error))
        except Exception as error:  # noqa: BLE001  what comes after it has to be done all the same
            report(error, name, self.tracebacks)


def cause(group: ExceptionGroup[Exception]) -> Exception:
    """The first error of ours among those that ended the daemon's tasks, else the group itself."""
    ours = group.subgroup(PromptsyncError)
    if ours is None:
        return group
    first = ours.exceptions[0]
    return cause(first) if isinstance(first, ExceptionGroup) else first


def leaves(group: ExceptionGroup[Exception]) -> Iterator[Exception]:
    """The errors that a group is made of."""
    for error in group.exceptions:
        if isinstance(error, ExceptionGroup):
            yield from leaves(error)
        else:
            yield error
