"""What is asked of the loading of a file, and what came of it.

Owns these shapes only.
"""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from promptsync.clock import iso_micros
from promptsync.errors import InputRefused, PromptsyncError
from promptsync.formats.limits import Limits
from promptsync.merge.guards import Guards
from promptsync.model.file_name import ChangeSetName, ExportName, FileName, TableFileName
from promptsync.plugins.declared import FileKind, TableFiles
from promptsync.plugins.loading import Plugin

if TYPE_CHECKING:
    import pyarrow as pa

S = TypeVar("S", FileName, ChangeSetName, ExportName)

DROP = "drop"
"""The source of what is in the drop folder."""
BY_HAND = "load"
"""The source of what a person loads."""


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How files are judged. ``zone``: of times and stamps without one.

    ``rows``: what every batch of rows of a table goes through first, if anything. ``leave_out``: table to the columns
    of its change sets that are not wanted.
    """

    zone: ZoneInfo
    guards: Guards = field(default_factory=Guards)
    limits: Limits = field(default_factory=Limits)
    rows: "Callable[[str, pa.RecordBatch], pa.RecordBatch] | None" = None
    leave_out: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a file is by its name. ``kind``: the kind whose it is; ``stated``: what the name states; ``decoder``: the
    plugin, and the kind of its own, that decodes it; ``mark``: what it is, if its vendor writes it for itself, a
    sentence; ``refused``: why nothing is stated. ``rank``: of its kind, in the order in which kinds are loaded."""

    rank: int
    kind: TableFiles | None = None
    stated: TableFileName | None = None
    decoder: tuple[Plugin, FileKind] | None = None
    mark: str | None = None
    refused: PromptsyncError | None = None

    @property
    def order(self) -> tuple[Any, ...]:
        """Sorts files as they are loaded: by kind, and within it as its names have it."""
        return (self.rank, *(self.stated.order if self.stated else ()))


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """One file to load. ``name``: what it states, if its name does not say; ``accept``: a person has looked at it;
    ``again``: even if it was merged before; ``corrects``: it replaces the snapshot of the same instant. The kind
    of a name decides what it is loaded as. ``found``: what its name says, once it has come through the door."""

    path: Path
    source: str
    name: FileName | ChangeSetName | ExportName | None = None
    found: Recognised | None = None
    accept: bool = False
    dry_run: bool = False
    again: bool = False
    corrects: bool = False

    @property
    def stated(self) -> FileName | ChangeSetName | ExportName | None:
        """What the file states, by its name or by what was said of it."""
        return self.name or (self.found.stated if self.found else None)

    @property
    def decoder(self) -> tuple[Plugin, FileKind] | None:
        """The plugin that decodes the file, and its kind; None if none does."""
        return self.found.decoder if self.found else None

    def stated_as(self, shape: type[S]) -> S:
        """What the file states. Raises the error that says why it states nothing, or nothing of this shape."""
        if isinstance(stated := self.stated, shape):
            return stated
        if self.found is not None and self.found.refused is not None:
            raise self.found.refused
        raise InputRefused("unknown_name", f"{self.path.name} states nothing as which it could be loaded here.")

    def accepting(self) -> str:
        """The command that merges the file as it is, now that a person has looked at it."""
        stated = ""
        if isinstance(self.name, FileName) and self.source == BY_HAND:
            org = "" if self.name.org_id is None else f"--org {self.name.org_id} "
            stated = f"--table {self.name.table} {org}--as-of {iso_micros(self.name.as_of)} "
        return f"promptsync load --accept {stated}{shlex.quote(str(self.path))}"


def after_move(sentence: str, before: Path, now: Path) -> str:
    """A sentence with a command on a file that has been moved since."""
    return sentence.replace(shlex.quote(str(before)), shlex.quote(str(now)))


@dataclass(slots=True)
class FileReport:
    """What came of a file: the ledger's row of it, whose ``file_id`` is None if there is none, and ``reason``: the
    class of why it was held or ignored."""

    name: str
    state: str = "failed"
    table: str | None = None
    org_id: int | None = None
    as_of: str | None = None
    correction: int = 0
    workspace_id: int | None = None
    sequence: str | None = None
    rows: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    absent: int = 0
    rejected: int = 0
    suppressed: int = 0
    differing: int = 0
    ahead: int = 0
    seconds: float = 0.0
    error: str | None = None
    reason: str | None = None
    file_id: int | None = None

    def as_row(self) -> dict[str, Any]:
        """Column to value."""
        return {name: getattr(self, name) for name in FileReport.__slots__ if name not in ("reason", "file_id")}
