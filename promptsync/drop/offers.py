"""What a drop folder asks of its intake: whether a file has its end, and what became of it.

Owns the shapes of that contract and what an answer means: an error that may pass puts the file off, any other leaves it
where it is, and one file must not stop the others. When a file is offered, and what is done about the outcome, is in
folder.py. Reads no file.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from promptsync.errors import MirrorBroken, PromptsyncError


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome for a file. ``reason``: a sentence for people; for a held file it is written beside it.

    ``done`` and ``held`` are moved; ``ignored`` stays, without a reason in silence, and is not offered again until it
    changes; ``later`` stays and is offered again at the next rescan, ``unfinished`` once it has changed, or has not for
    ``DropSettings.patience``.
    """

    state: Literal["done", "held", "ignored", "later", "unfinished"]
    reason: str = ""


TakeIn = Callable[[Path], Awaitable[Outcome]]
"""Takes in one file that nobody writes to any more.

It was a regular file inside the folder just before; open it without following links (O_NOFOLLOW) all the same.
Raising a retryable PromptsyncError means ``later``; after any other error the file stays and is offered again, after a
growing delay. MirrorBroken is passed on.
"""

Together = Callable[[Sequence[Path]], Awaitable[Sequence[Outcome | Exception]]]
"""Takes in several small files; gives for each what TakeIn would have returned or raised. Raises what concerns all."""

Ending = Callable[[Path], Awaitable[str | None]]
"""Why a file at rest is still incomplete, a sentence; None: it is complete, or waiting would not complete it.

Called once for each state of a file. Raises as TakeIn does.
"""


_COMPLETE = Outcome("later")
"""A complete file that has not been taken in yet."""


async def no_end_shown(_: Path) -> str | None:
    """Of no file is known how it ends."""
    return None


class Offers:
    """Offers files of one folder to an intake. ``say``: logs a reason, given a name and an event."""

    def __init__(self, folder: Path, intake: TakeIn, ending: Ending, say: Callable[[str, str, str], None]) -> None:
        self._folder = folder
        self._intake = intake
        self._together: Together | None = getattr(intake, "together", None)
        self._ending = ending
        self._say = say

    @property
    def several(self) -> bool:
        """Whether several small files can be taken in together."""
        return self._together is not None

    async def make(
        self, names: Sequence[str], may_lack_end: Callable[[str], bool], has_end: Callable[[str], None]
    ) -> dict[str, Outcome | None]:
        """The outcome for each file at rest; None: the intake failed.

        ``may_lack_end``: whether a file is to be checked for its end, which is still waited for; ``has_end``: called
        with one that has it. Raises MirrorBroken.
        """

        async def missing(name: str) -> Outcome:
            if may_lack_end(name):
                if reason := await self._ending(self._folder / name):
                    return Outcome("unfinished", reason)
                has_end(name)
            return _COMPLETE

        unfinished = {name: await self._answer(name, partial(missing, name)) for name in names}
        complete = [name for name in names if unfinished[name] is _COMPLETE]
        paths = {name: self._folder / name for name in complete}
        if self._together is None or len(complete) < 2:
            taken = {name: await self._answer(name, partial(self._intake, paths[name])) for name in complete}
        else:
            took = asyncio.ensure_future(self._together(list(paths.values())))
            taken = {name: await self._answer(name, partial(_one_of, took, n)) for n, name in enumerate(complete)}
        return unfinished | taken

    async def _answer(self, name: str, ask: Callable[[], Awaitable[Outcome]]) -> Outcome | None:
        """The outcome of a call to the intake; None: it failed."""
        try:
            return await ask()
        except MirrorBroken:
            raise
        except PromptsyncError as error:
            if error.retryable:
                return Outcome("later", str(error))
            self._say(name, "drop_intake_failed", f"{type(error).__name__}: {error}")
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return Outcome("later", "The intake gave up.")
        except Exception as error:  # noqa: BLE001 - one file must not stop the others; a foreign message could quote its content
            self._say(name, "drop_intake_failed", type(error).__name__)
        return None


async def _one_of(took: "asyncio.Future[Sequence[Outcome | Exception]]", place: int) -> Outcome:
    """The answer about one of the files that were taken in together."""
    outcome = (await took)[place]
    if isinstance(outcome, Exception):
        raise outcome
    return outcome
