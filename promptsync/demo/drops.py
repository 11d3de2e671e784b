"""What the demonstration puts into the drop folder: nightly exports and Customer.io's change sets, in waves.

Owns which files are written when, as a person or a sync tool would put them there, and which are not taken yet.
"""

from itertools import zip_longest
from pathlib import Path

from promptsync.demo.customerio.files import CioFile, write
from promptsync.demo.customerio.syncs import Syncs
from promptsync.demo.prompt.exports import write_night
from promptsync.demo.world.days import Night
from promptsync.demo.world.world import World
from promptsync.errors import Unavailable

_FOLDER = "customerio"
_VALIDATE = "cio-validate"


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
        """Every Customer.io file, whatever its order of arrival."""
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
        folder = self._folder / _FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _VALIDATE).touch()
        except OSError as error:
            raise Unavailable(f"Make it possible to write {folder}: {error.strerror or error}.") from error
        self._paths += [write(file, folder) for file in wave]
