"""What the mirror must hold: the claims of snapshots, change sets, exports and plugins' files, and what the rule
(promptsync/merge/spec.py) makes of them.

Owns a second, plain reading of what each kind of file claims, written from its description and not from the code.
What deliveries claim is in model_events.py.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from promptsync.merge.spec import SNAPSHOT, ClaimSet, Key, observed_at, version

BAD = object()
"""A cell that cannot be read."""


@dataclass(frozen=True)
class Kind:
    """A table. ``observed``: the column that says when a snapshot's row last changed. ``owned``: by organizations."""

    key: tuple[str, ...]
    columns: tuple[str, ...] = ()
    observed: str = ""
    snapshots: bool = False
    full_list: str = ""
    owned: bool = True


KINDS = {
    "org": Kind(("id",), ("created_timestamp", "subdomain", "name"), snapshots=True, owned=False),
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
class Claimed(ClaimSet):
    """Everything that was ever said, and the rows of what happened, by table."""

    happened: dict[str, set[tuple[Any, ...]]] = field(default_factory=lambda: defaultdict(set))


def add_file(claimed: ClaimSet, file: File) -> None:
    """A snapshot's rows. One that cannot be read was there all the same."""
    kind = KINDS[file.table]
    claimed.apply_snapshot(file.table, file.org, file.as_of + file.correction)
    for cells in file.rows:
        row = dict(zip(file.columns, cells, strict=True))
        key = tuple(row.pop(column) for column in kind.key)
        if BAD in row.values():
            claimed.see(file.table, key, file.org, file.as_of + file.correction)
            continue
        if "value" in row and file.table == "contact_data":
            row["deleted"] = int(row["value"] is None)
        changed = row.get(kind.observed)
        at = observed_at(file.as_of, micros(changed) if changed else 0, file.correction)
        claimed.see(file.table, key, file.org, at)
        claimed.say(file.table, key, version(at, SNAPSHOT), row)


def expected(claimed: ClaimSet, kinds: Mapping[str, Kind]) -> dict[str, dict[Key, dict[str, Any]]]:
    """The rows of every table of some kinds: key to columns, ``_absent_since`` and ``removed_at`` included. Names are
    in lower case: SQLite does not tell the cases apart."""
    columns = {name: dict.fromkeys(kind.columns) for name, kind in kinds.items()}
    for (table, _), row in claimed.rows.items():
        for _, values in row.claims if table in kinds else ():
            columns[table] |= dict.fromkeys(values)
    tables: dict[str, dict[Key, dict[str, Any]]] = {name: {} for name in kinds}
    for (table, key), row in claimed.rows.items():
        if table not in kinds:
            continue
        kind, cells = kinds[table], {column.lower(): row.value(column) for column in columns[table]}
        if kind.owned:
            cells["org_id"] = row.org
        if kind.snapshots:
            cells["_absent_since"] = iso(claimed.absent_since(table, key, row.org))
        if kind.full_list:
            cells["removed_at"] = iso(claimed.removed_at(table, key, kind.full_list))
        tables[table][key] = cells
    return tables


def of_lower_case(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same, of columns whose names vary in case from file to file."""
    return {name.lower(): value for name, value in values.items()}


def iso(when: int | None) -> str | None:
    """Microseconds as the mirror writes them."""
    if when is None:
        return None
    text = datetime.fromtimestamp(when // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{when // 1000 % 1000:03d}Z"


def micros(text: str) -> int:
    """The way back."""
    return round(datetime.fromisoformat(text).timestamp() * 1000) * 1000
