"""What the name of a file states, or what a person has stated in its place; it travels with the file from then on.

Owns the shapes. How each vendor spells names is that vendor's knowledge.
"""

from dataclasses import dataclass

VERSION_BYTES = 28
"""Length of the version of a row of a change set: see formats/parquet/versions.py."""


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
    def order(self) -> tuple[int, int]:
        """Sorts the files of a table as the vendor wrote them."""
        return (self.sequence, self.part)
