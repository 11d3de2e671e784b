"""The files of a configured place: what counts there, and what a name states.

Owns the step from a section of the configuration to the kind of file that is at its places. What differs between
kinds is said by them; how a place is looked at, and files are fetched and loaded, is the same for all.
"""

from dataclasses import dataclass

from promptsync.engine.engine import Engine
from promptsync.errors import InputRefused
from promptsync.fetch.sources import Source
from promptsync.loading.kinds import FileKinds
from promptsync.model.file_name import TableFileName
from promptsync.plugins.declared import AtPlace


@dataclass(frozen=True, slots=True)
class PlaceKind:
    """How files of one place are dealt with. ``empty``: whether empty files count."""

    kinds: FileKinds
    at: AtPlace
    empty: bool

    def parse(self, file_name: str) -> TableFileName | None:
        """What a name states; None for a folder's own entry. Raises InputRefused for one that says nothing here."""
        if not file_name:
            return None
        stated = self.at.recognise(file_name)
        if stated is None:
            raise InputRefused("unknown_name", f"The file name {file_name!r} is of no file that is expected there.")
        return stated

    def counts(self, key: str, size: int | None) -> bool:
        """Whether a listed file is looked at: not what was moved away after it was loaded, nor what the vendor writes
        for itself, nor, of some kinds, what is empty."""
        moved = bool(self.at.putting_away) and key.startswith(f"{self.at.putting_away}/")
        return not moved and self.kinds.mark(key) is None and (self.empty or size != 0)


def kind_of(engine: Engine, source: Source) -> PlaceKind:
    """The kind of a configured place. Raises ConfigError for a table that there is not."""
    kind = engine.kinds.in_section(source.section)
    if kind.at_place is None:
        raise ValueError(f"{kind.name} has no places")
    return PlaceKind(engine.kinds, kind.at_place(source.config), kind.empty)
