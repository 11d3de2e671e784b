"""Files for the watched folder: the nightly exports and Customer.io's syncs of the days that are lived through.

Owns which file is put there when, and which of them are still there.
"""

from itertools import zip_longest
from pathlib import Path

from promptsync.demo.customerio.files import CioFile, Syncs, write
from promptsync.demo.prompt.days import Night
from promptsync.demo.prompt.snapshot import write_night
from promptsync.demo.world.world import World
from promptsync.errors import Unavailable


class Drops:
    """Files for one watched folder. ``nights``, ``change_sets``: what was dropped so far."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self._syncs = Syncs(world)
        self._paths: list[Path] = []
        self.nights: list[Night] = []

    @property
    def change_sets(self) -> list[CioFile]:
        """Every Customer.io file, in any order of arrival."""
        return self._syncs.made

    def days(self, nights: list[Night], begin: int, end: int) -> int:
        """Drops what comes while days are lived through; returns the number of files. Raises Unavailable."""
        waves = self._syncs.days(begin, end)
        before = len(self._paths)
        for wave, night in zip_longest(waves, nights):
            self._sync(wave or [])
            if night is not None:
                self._paths += write_night(self._world, self._folder, night.as_of)
                self.nights.append(night)
        return len(self._paths) - before

    def more(self, end: int) -> int:
        """Drops what changed in Customer.io since the sync before; returns the number of files. Raises Unavailable."""
        made = self._syncs.sync(end)
        self._sync(made)
        return len(made)

    def left(self) -> int:
        """How many files lie there still."""
        self._paths = [path for path in self._paths if path.exists()]
        return len(self._paths)

    def _sync(self, wave: list[CioFile]) -> None:
        """One sync; before each, the vendor proves with an empty file that it may write."""
        folder = self._folder / "customerio"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "cio-validate").touch()
        except OSError as error:
            raise Unavailable(f"Make it possible to write {folder}: {error.strerror or error}.") from error
        self._paths += [write(file, folder) for file in wave]
