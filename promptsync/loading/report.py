"""What is asked of the loading of a file, and what came of it.

Owns these shapes only.
"""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pyarrow as pa

from promptsync.clock import iso_micros
from promptsync.formats.limits import Limits
from promptsync.formats.proof import Proof
from promptsync.merge.guards import Guards
from promptsync.model.file_name import ChangeSetName, ExportName, FileName
from promptsync.vendors.customerio.files import STEMS

DROP = "drop"
"""The source of what lies in the drop folder."""
BY_HAND = "load"
"""The source of what a person loads."""


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """How files are judged. ``zone``: of times and stamps without one.

    ``rows``: what every batch of rows of a table goes through first, if anything. ``stems``: what names of change sets
    begin with, to their tables; ``leave_out``: table to the columns of its change sets that are not wanted.
    """

    zone: ZoneInfo
    guards: Guards = field(default_factory=Guards)
    limits: Limits = field(default_factory=Limits)
    rows: Callable[[str, pa.RecordBatch], pa.RecordBatch] | None = None
    stems: Mapping[str, str] = field(default_factory=lambda: STEMS)
    leave_out: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """One file to load. ``name``: what it states, if its name does not say; ``accept``: a person has looked at it;
    ``again``: even if it was merged before; ``corrects``: it replaces the snapshot of the same instant. The kind
    of a name decides what it is loaded as."""

    path: Path
    source: str
    name: FileName | ChangeSetName | ExportName | None = None
    accept: bool = False
    dry_run: bool = False
    again: bool = False
    corrects: bool = False

    def accepting(self) -> str:
        """The command that merges the file as it is, now that a person has looked at it."""
        stated = ""
        if isinstance(self.name, FileName) and self.source == BY_HAND:
            org = "" if self.name.org_id is None else f"--org {self.name.org_id} "
            stated = f"--table {self.name.table} {org}--as-of {iso_micros(self.name.as_of)} "
        return f"promptsync load --accept {stated}{shlex.quote(str(self.path))}"


OWN_MARK: Final = "own_mark"
"""The reason of a report on a file that its vendor writes for itself: nothing is wrong with it."""


def after_move(sentence: str, before: Path, now: Path) -> str:
    """A sentence with a command on a file that has been moved since."""
    return sentence.replace(shlex.quote(str(before)), shlex.quote(str(now)))


@dataclass(slots=True)
class FileReport:
    """What came of a file: the ledger's row of it, and ``reason``: the class of why it was held or ignored."""

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
    differing: int = 0
    ahead: int = 0
    seconds: float = 0.0
    error: str | None = None
    reason: str | None = None

    def as_row(self) -> dict[str, Any]:
        """Column to value."""
        return {name: getattr(self, name) for name in FileReport.__slots__ if name != "reason"}


def ledger_row(report: FileReport, request: LoadRequest, proof: Proof | None, now: str) -> dict[str, Any]:
    """All that sync_file says of a file. ``now``: ISO."""
    row = report.as_row() | {"source": request.source, "path": str(request.path), "seen_at": now}
    if proof is not None:
        return row | {"sha256": proof.sha256, "size": proof.size}
    try:
        return row | {"sha256": None, "size": request.path.stat().st_size}
    except OSError:
        return row | {"sha256": None, "size": None}
