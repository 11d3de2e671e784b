"""What change sets, exports and files that a plugin decodes claim.

A change set's row without its ordering value is none, but in a file without that column: there every row has the
weakest claim. Its times are whole milliseconds since 1970, the others' microseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptsync.merge.spec import EXPORT, ClaimSet, Row, observed_at, version

from .model import Kind, iso, micros, of_lower_case


@dataclass(frozen=True)
class ChangeKind:
    """A table as far as the tests fill it. ``times``: columns that hold a time."""

    table: str
    stem: str
    key: tuple[str, ...]
    order: str
    values: tuple[str, ...]
    integers: frozenset[str] = frozenset()
    times: frozenset[str] = frozenset()


CHANGE_KINDS = (
    ChangeKind(
        "cio_subjects",
        "subjects",
        ("workspace_id", "subject_name"),
        "seq_num",
        ("campaign_id", "trigger_id", "event_id", "seq_num"),
        frozenset({"workspace_id", "campaign_id", "trigger_id", "seq_num"}),
    ),
    ChangeKind(
        "cio_delivery_content",
        "delivery_content",
        ("workspace_id", "delivery_id"),
        "",
        ("subject", "body", "campaign_id"),
        frozenset({"workspace_id", "campaign_id"}),
    ),
    ChangeKind(
        "cio_people",
        "people",
        ("workspace_id", "internal_customer_id"),
        "updated_at",
        ("customer_id", "email_addr", "updated_at"),
        frozenset({"workspace_id"}),
        frozenset({"updated_at"}),
    ),
    ChangeKind(
        "cio_campaigns",
        "campaigns",
        ("workspace_id", "campaign_id", "version"),
        "version",
        ("name",),
        frozenset({"workspace_id", "campaign_id", "version"}),
    ),
)


@dataclass(frozen=True)
class ChangeSet:
    """One file. ``columns``: value columns that it has, unknown ones too. ``group``: rows of a row group."""

    kind: Kind
    workspace: int
    sequence: int
    part: int
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    group: int = 1000
    changes: bool = False
    version: int = 5

    @property
    def name(self) -> str:
        tail = f"_{self.part:018d}" if self.part else ""
        mark = "_chngs" if self.changes else ""
        return f"{self.kind.stem}_v{self.version}{mark}_{self.workspace}_{self.sequence:018d}{tail}.parquet"


@dataclass(frozen=True)
class Export:
    """A file of Qlara's contacts. ``columns``: those that it has beside ``id``, unknown ones too; ``rows``: ``id``
    first. ``requested_at``: microseconds."""

    number: int
    requested_at: int
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True)
class DecodedRow:
    """What a plugin reads out of one line: groups of a row's columns, as of an instant, by a rank. ``seen``: when the
    row was there, if not then."""

    table: str
    key: tuple[Any, ...]
    org: int
    at: int
    rank: int
    groups: Mapping[str, tuple[Any, ...]] = field(hash=False)
    seen: int = 0


@dataclass(frozen=True)
class Decoded:
    """A file of a kind that a plugin decodes."""

    number: int
    lines: tuple[DecodedRow, ...]


FILE_KINDS = {
    **{kind.table: Kind(kind.key, kind.values, owned=False) for kind in CHANGE_KINDS},
    "qlara_contact": Kind(("id",), ("phone", "first_name", "email", "status", "updated_at"), owned=False),
}
GROUPS = {
    "contact": {
        "name": ("display_name",),
        "number": ("phone",),
        "consent": ("is_opted_out", "opt_out_timestamp"),
        "facts": ("updated_timestamp", "country_code", "area_code", "country_postal_code", "region", "timezone"),
    },
    "message": {
        "body": ("content",),
        "author": ("is_outgoing", "team_member_id"),
        "outcome": ("is_successful",),
        "facts": ("sent_timestamp", "is_mms", "is_whisper", "is_billable", "segments"),
    },
    "contact_tag": {"facts": ("contact_id", "name", "created_timestamp", "updated_timestamp", "deleted_timestamp")},
}
"""Columns that a source which claims one of them claims all of."""


def add_change_set(claimed: ClaimSet, file: ChangeSet) -> None:
    """Each row is as new as its ordering value says; of those with the same one, as its file and its place in it."""
    kind = file.kind
    ordered = kind.order in (*file.columns, *kind.key)
    unit = 1000 if kind.order in kind.times else 1
    for position, cells in enumerate(file.rows, 1):
        stated = (cells[kind.order] or 0) if ordered else 0
        if ordered and stated <= 0:
            continue
        key = tuple(cells[column] for column in kind.key)
        values = {column: cells[column] for column in file.columns}
        values |= {column: iso(cells[column] * 1000) for column in kind.times if cells.get(column)}
        claimed.mention(kind.table, key, 0)
        claimed.say(kind.table, key, (stated * unit, file.sequence, file.part, position), of_lower_case(values))


def add_export(claimed: ClaimSet, file: Export) -> None:
    """Each row was so at its last change, if it says one, else when it was asked for."""
    for key, *cells in file.rows:
        values = dict(zip(file.columns, cells, strict=True))
        changed = values.get("updated_at")
        at = min(micros(changed), observed_at(file.requested_at, micros(changed))) if changed else file.requested_at
        claimed.mention("qlara_contact", (key,), 0)
        claimed.say("qlara_contact", (key,), version(at, EXPORT), of_lower_case(values))


def add_decoded(claimed: ClaimSet, file: Decoded) -> None:
    """Each line says what it says."""
    for line in file.lines:
        claimed.see(line.table, line.key, line.org, line.seen or line.at)
        for name, cells in line.groups.items():
            values = dict(zip(GROUPS[line.table][name], cells, strict=True))
            claimed.say(line.table, line.key, version(line.at, line.rank), values)


def stored_versions(row: Row, columns: Sequence[str]) -> dict[str, bytes]:
    """The version of a change set's row and of each column, as the mirror keeps them; none at all is empty."""
    stated = {"": row.newest} | {column: row.version(column) for column in columns}
    sizes = (8, 8, 8, 4)
    return {
        name: b"".join(n.to_bytes(size, "big") for n, size in zip(numbers, sizes, strict=False))
        for name, numbers in stated.items()
    }
