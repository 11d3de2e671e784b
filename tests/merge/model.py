"""What the mirror must hold, computed from the whole SET of accepted claims at once.

Owns a second, plain reading of the merge rule, written from its description and not from the code: collect every
claim, sort, take the greatest. Knows nothing of SQL, slices, batches, hidden columns or the order of arrival.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

WEBHOOK, SNAPSHOT = 2, 0
STAGES = ("NA", "QUEUED", "SENT", "RECEIVED", "DELIVERED", "READ", "FAILED", "UNDELIVERED", "OPTED_OUT", "ABORTED")
BAD = object()
"""A cell that cannot be read."""

_LATEST = 6 * 3_600_000_000
Key = tuple[Any, ...]
Version = tuple[int, int, int, int]
"""(terminal, microseconds, rank, stage)"""


@dataclass(frozen=True)
class Kind:
    """A table. ``observed``: the column that says when a row of a snapshot last changed."""

    key: tuple[str, ...]
    columns: tuple[str, ...] = ()
    observed: str = ""
    snapshots: bool = False
    full_list: str = ""


KINDS = {
    "org": Kind(("id",), ("created_timestamp", "subdomain", "name"), snapshots=True),
    "contact": Kind(
        ("id",),
        (
            "display_name",
            "phone",
            "is_opted_out",
            "opt_out_timestamp",
            "created_timestamp",
            "updated_timestamp",
            "country_code",
            "area_code",
            "country_postal_code",
            "region",
            "timezone",
        ),
        "updated_timestamp",
        snapshots=True,
    ),
    "contact_data": Kind(
        ("id", "managed"),
        ("contact_id", "key", "value", "deleted", "created_timestamp", "updated_timestamp"),
        "updated_timestamp",
        snapshots=True,
    ),
    "contact_tag": Kind(
        ("id",),
        ("contact_id", "name", "created_timestamp", "updated_timestamp", "deleted_timestamp"),
        "updated_timestamp",
        snapshots=True,
    ),
    "message": Kind(
        ("id",),
        (
            "created_timestamp",
            "contact_id",
            "content",
            "is_outgoing",
            "team_member_id",
            "is_successful",
            "status",
            "status_timestamp",
            "error_message",
            "error_code",
            "sent_timestamp",
            "is_mms",
            "is_whisper",
            "is_billable",
            "segments",
            "contact_phone",
            "org_phone",
            "broadcast_id",
            "is_broadcast",
            "conversation_id",
            "channel_id",
            "external_message_id",
            "user_type",
            "user_id",
            "has_instant_app",
        ),
        snapshots=True,
    ),
    "broadcast": Kind(
        ("id",),
        (
            "description",
            "created_timestamp",
            "start_timestamp",
            "finish_timestamp",
            "num_contacts",
            "num_sent",
            "num_errors",
            "num_opt_outs",
            "num_responded",
            "num_replied_to_reply",
            "num_skipped",
            "num_canceled",
            "is_p2p",
            "is_scrub",
            "is_advanced_targeting",
            "contact_list_ids",
            "status",
            "status_message",
        ),
        snapshots=True,
    ),
    "conversation": Kind(
        ("id",),
        (
            "contact_id",
            "channel_id",
            "status",
            "topic",
            "created_timestamp",
            "last_updated_timestamp",
            "first_message_id",
        ),
    ),
    "conversation_member": Kind(("conversation_id", "team_member_id"), ("active",)),
    "team_member": Kind(("id",), ("display_name", "created_timestamp")),
    "channel": Kind(("id",), ("name", "active")),
    "contact_channel": Kind(("contact_id", "identity_type", "key"), full_list="channels"),
    "contact_identity": Kind(("contact_id", "type", "key"), full_list="identities"),
    "tag": Kind(("id",), ("name", "color_code")),
    "contact_current_tag": Kind(("contact_id", "tag_id"), ("note", "added_at"), full_list="tags"),
    "contact_list": Kind(("id",), ("name", "type")),
    "contact_list_member": Kind(("contact_id", "contact_list_id"), ("added_at",), full_list="contactLists"),
    "channel_opt_out": Kind(("contact_id", "channel_id"), ("opted_out", "at", "contact_key")),
}


@dataclass(frozen=True)
class File:
    """A snapshot: ``org`` 0 for the table of organizations, ``as_of`` in microseconds, cells as they are stored.

    ``correction``: 1 if it is said to replace the others of the same instant.
    """

    table: str
    org: int
    as_of: int
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    correction: int = 0


@dataclass
class Claimed:
    """Everything that was ever said."""

    claims: dict[tuple[str, Key], list[tuple[Version, dict[str, Any]]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    seen: dict[tuple[str, Key], list[int]] = field(default_factory=lambda: defaultdict(list))
    owner: dict[tuple[str, Key], int] = field(default_factory=dict)
    snapshots: dict[tuple[str, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    unknown: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    full_lists: set[tuple[int, str, int]] = field(default_factory=set)
    happened: dict[str, set[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(set))

    def mention(self, table: str, key: Key, org: int) -> None:
        """There is such a row; nothing more."""
        self.owner[table, key] = org

    def see(self, table: str, key: Key, org: int, at: int) -> None:
        """The row was there."""
        self.mention(table, key, org)
        self.seen[table, key].append(at)

    def say(self, table: str, key: Key, version: Version, values: Mapping[str, Any]) -> None:
        """These columns had these values."""
        self.claims[table, key].append((version, dict(values)))


def add_file(claimed: Claimed, file: File) -> None:
    """A snapshot's rows, each observed at its instant or, for contacts and what hangs on them, at its last change; that
    can be hours after the instant, but not days. A correction counts as made a microsecond later."""
    kind = KINDS[file.table]
    claimed.snapshots[file.table, file.org].add(file.as_of + file.correction)
    columns = {*file.columns, *(["deleted"] if "value" in file.columns else [])}
    claimed.unknown[file.table] |= columns - {*kind.columns, *kind.key}
    for cells in file.rows:
        row = dict(zip(file.columns, cells, strict=True))
        key = tuple(row.pop(column) for column in kind.key)
        if BAD in row.values():
            claimed.see(file.table, key, file.org, file.as_of + file.correction)
            continue
        if "value" in row and file.table == "contact_data":
            row["deleted"] = int(row["value"] is None)
        changed = micros(row.get(kind.observed)) if row.get(kind.observed) else 0
        at = min(max(file.as_of, changed), file.as_of + _LATEST) + file.correction
        claimed.see(file.table, key, file.org, at)
        claimed.say(file.table, key, (0, at, SNAPSHOT, 0), row)


def expected(claimed: Claimed) -> dict[str, dict[Key, dict[str, Any]]]:
    """The rows of every table: key to columns, ``_absent_since`` and ``removed_at`` included."""
    tables: dict[str, dict[Key, dict[str, Any]]] = {name: {} for name in KINDS}
    for (table, key), org in claimed.owner.items():
        kind = KINDS[table]
        row: dict[str, Any] = {} if table == "org" else {"org_id": org}
        for column in (*kind.columns, *claimed.unknown[table]):
            row[column] = _greatest(claimed.claims[table, key], column)
        seen = claimed.seen[table, key]
        if kind.snapshots:
            row["_absent_since"] = _absent_since(seen, claimed.snapshots[table, org if table != "org" else 0])
        if kind.full_list:
            row["removed_at"] = _removed_at(max(seen), claimed.full_lists, (key[0], kind.full_list))
        tables[table][key] = row
    return tables


def _greatest(claims: Iterable[tuple[Version, Mapping[str, Any]]], column: str) -> Any:
    about = [(version, values[column]) for version, values in claims if column in values]
    return max(about, key=lambda claim: (claim[0], _sqlite_order(claim[1])))[1] if about else None


def _sqlite_order(value: Any) -> tuple[int, Any]:
    return (0, 0) if value is None else (1, value) if isinstance(value, int) else (2, value.encode())


def _absent_since(seen: Sequence[int], snapshots: Iterable[int]) -> str | None:
    later = [at for at in snapshots if seen and at > max(seen)]
    return iso(min(later)) if later else None


def _removed_at(seen: int, full_lists: Iterable[tuple[int, str, int]], wanted: tuple[int, str]) -> str | None:
    later = [at for contact, name, at in full_lists if (contact, name) == wanted and at > seen]
    return iso(min(later)) if later else None


def iso(when: int) -> str:
    """Microseconds as the mirror writes them."""
    text = datetime.fromtimestamp(when // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{when // 1000 % 1000:03d}Z"


def micros(text: str) -> int:
    """The way back."""
    return round(datetime.fromisoformat(text).timestamp() * 1000) * 1000
