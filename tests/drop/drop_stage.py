"""A drop folder on a real file system, with a clock moved by hand and an intake that answers as told."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from promptsync.clock import MICROS, system_clock
from promptsync.drop.folder import DropFolder, DropSettings
from promptsync.drop.offers import Outcome

DONE = Outcome("done")


class LaterClock:
    """The system's clock, moved forward by hand."""

    def __init__(self) -> None:
        self.ahead = 0
        self.asked = 0

    def __call__(self) -> int:
        self.asked += 1
        return system_clock() + self.ahead

    def forward(self, seconds: float) -> None:
        self.ahead += round(seconds * MICROS)


class Drop:
    """A drop folder whose intake answers what the test says and remembers what it was given."""

    def __init__(self, folder: Path, clock: LaterClock | None = None, **given: Any) -> None:
        self.folder = folder
        self.clock = clock or LaterClock()
        self.taken: list[tuple[str, bytes]] = []
        self.answer: Outcome | BaseException = DONE
        self.meanwhile: Callable[[Path], object] = lambda path: None
        self.missing: Callable[[Path], str | None] = lambda path: None
        self.looked: list[str] = []
        settings = DropSettings(folder, **({"plain": 0.0} | given))
        self.source = DropFolder(settings, self.take, self.clock, ending=self.ending)

    async def take(self, path: Path) -> Outcome:
        self.taken.append((str(path.relative_to(self.folder)), await asyncio.to_thread(path.read_bytes)))
        await asyncio.to_thread(self.meanwhile, path)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    async def ending(self, path: Path) -> str | None:
        self.looked.append(path.name)
        return await asyncio.to_thread(self.missing, path)

    async def scan(self, forward: float = 0) -> None:
        self.clock.forward(forward)
        await self.source.scan_once()

    def put(self, name: str, content: str = "x", age: float = 60) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        when = self.clock() / MICROS - age
        os.utime(path, (when, when))
        return path

    def names(self) -> list[str]:
        return [name for name, _ in self.taken]

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file()}
