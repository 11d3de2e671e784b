"""What the name of a file states, or what a person has stated in its place; it travels with the file from then on.

Owns the shapes, and what each says of a file's turn: ``order`` sorts the files of a kind as they are loaded; those that
share a ``line`` are loaded strictly in that order, and no file waits for one of another line; ``at`` is an instant,
microseconds, if one is stated. How each vendor spells names is that vendor's knowledge.
"""

from dataclasses import dataclass
from typing import Any

from promptsync.clock import iso_millis

OWN_MARK = "own_mark"
"""The reason of a report on a file that its vendor writes for itself: nothing is wrong with it."""
VERSION_BYTES = 28
"""Length of the version of a row of a change set: see formats/parquet/reader.py."""


@dataclass(frozen=True, slots=True)
class FileName:
    """``org_id``: None for the table of organizations. ``as_of``: microseconds since the epoch, UTC.

    ``correction``: 0, or which file it is in a row that replaces another of the same instant; never in a name.
    """

    table: str
    org_id: int | None
    as_of: int
    correction: int = 0

    @property
    def at(self) -> int:
        """The instant of the snapshot's claims: each correction counts as made a microsecond later."""
        return self.as_of + self.correction

    @property
    def order(self) -> tuple[int, ...]:
        """Oldest first."""
        return (self.as_of,)

    @property
    def line(self) -> str:
        """Snapshots may be loaded in any order."""
        return ""

    def as_row(self) -> dict[str, Any]:
        """What the ledger of places keeps of it, by column."""
        return {"table": self.table, "org_id": self.org_id or 0, "as_of": iso_millis(self.as_of)}


@dataclass(frozen=True, slots=True)
class ExportName:
    """What is stated of an export that an API made, whose name says nothing. ``requested_at``: microseconds; None if
    that is on record."""

    table: str
    requested_at: int | None


@dataclass(frozen=True, slots=True)
class ChangeSetName:
    """``version``: of the vendor's files, from 4. ``sequence``, ``part``: 64-bit numbers; ``part`` 0 if there is none.

    ``changes``: the name says ``chngs``; such a file has the same columns and is merged in the same way.
    """

    table: str
    workspace: int
    version: int
    sequence: int
    part: int = 0
    changes: bool = False

    @property
    def order(self) -> tuple[int, ...]:
        """As the vendor wrote them."""
        return (self.sequence, self.part)

    @property
    def line(self) -> str:
        """Those of a table."""
        return self.table

    @property
    def at(self) -> int | None:
        """A sequence is no instant."""
        return None

    def as_row(self) -> dict[str, Any]:
        """What the ledger of places keeps of it, by column."""
        row = {"table": self.table, "org_id": 0, "as_of": None, "workspace_id": self.workspace}
        return row | {"version": self.version, "sequence": self.sequence, "part": self.part}


TableFileName = FileName | ChangeSetName
"""What the name of a file of one table states."""
