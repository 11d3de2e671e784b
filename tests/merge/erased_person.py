"""One person of the small worlds, and the same worlds as if nobody had ever heard of them.

Owns a second, plain reading of whose a row or a delivery is, written from the vendors' descriptions and not from the
code: a message, a conversation, a tag, a field belong to the contact of the same number, who has one phone.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from promptsync.model import Identity
from promptsync.model.person import Identifier

from .model import File
from .model_events import Event
from .model_files import GROUPS, ChangeSet, Decoded, DecodedRow, Export
from .world import World

CONTACT, CIO, QLARA = 10, "k1", "1"
PEOPLE = (
    frozenset({Identifier(Identity.CONTACT, str(CONTACT))}),
    frozenset({Identifier(Identity.CIO, CIO)}),
    frozenset({Identifier(Identity.QLARA, QLARA)}),
)
RECORDS = frozenset({("message", CONTACT), ("conversation", CONTACT)})
_TALK = {"id": CONTACT, "customerId": CONTACT}
_SAID = {"id": CONTACT, "createdTimestamp": 1_769_900_000_000, "userType": "BOT", "userId": 0, "status": "NA"}
KNOWN = Event(
    "message/added",
    json.dumps({"orgId": 1, "message": _SAID, "interaction": _TALK, "bulkActionId": 0}),
    1_769_900_000_000_000,
)
"""Tells whose the message and the conversation of this number are; of one that nobody has told yet no erasure knows."""
SHARED = ("tag", "contact_list", "channel", "team_member", "broadcast")
"""Tables of what everybody has in common. A delivery about the person may have been the only one to name such a thing,
or the newest: what it said of it stays if it came before the erasure, and does not come if after."""

_OWNED = ("contact_data", "contact_tag")


def phone(owner: int) -> str:
    """The one number of a contact."""
    return f"+1415555{owner:04d}"


def owned(world: World) -> World:
    """The same world with everything in the hands of one contact each."""
    return World(
        tuple(_file(file) for file in world.files),
        tuple(replace(event, body=json.dumps(_body(event.type, json.loads(event.body)))) for event in world.events),
        tuple(_other(other) for other in world.others),
    )


def _file(file: File) -> File:
    columns = file.columns
    if file.table in _OWNED and "contact_id" not in columns:
        columns = (*columns, "contact_id")
    rows = []
    for cells in file.rows:
        row = dict(zip(file.columns, cells, strict=True))
        if file.table in (*_OWNED, "message") and "contact_id" in columns:
            row["contact_id"] = row["id"]
        for name in {"phone", "contact_phone"} & row.keys():
            row[name] = row[name] and phone(row["id"])
        rows.append(tuple(row[name] for name in columns))
    return replace(file, columns=columns, rows=tuple(rows))


def _other(other: ChangeSet | Export | Decoded) -> ChangeSet | Export | Decoded:
    if isinstance(other, ChangeSet) and "customer_id" in other.columns:
        return replace(
            other, rows=tuple({**row, "customer_id": f"c-{row['internal_customer_id']}"} for row in other.rows)
        )
    return replace(other, lines=tuple(map(_line, other.lines))) if isinstance(other, Decoded) else other


def _line(line: DecodedRow) -> DecodedRow:
    groups = dict(line.groups)
    if line.table == "contact_tag":
        facts = groups.get("facts", (None,) * len(GROUPS["contact_tag"]["facts"]))
        groups["facts"] = (line.key[0], *facts[1:])
    if "number" in groups:
        groups["number"] = (groups["number"][0] and phone(line.key[0]),)
    return replace(line, groups=groups)


def _body(type_: str, body: dict[str, Any]) -> dict[str, Any]:
    for customer in (*body.get("customers", []), *([body["customer"]] if "customer" in body else [])):
        for item in customer["channels"]:
            item["key"] = phone(customer["id"]) if item["identityType"] == "SMS" else f"fb{customer['id']}"
    if "customerChannel" in body and "customer" in body:
        body["customerChannel"]["key"] = phone(body["customer"]["id"])
    for message in (*body.get("messages", []), *([body["message"]] if "message" in body else [])):
        _of(message, message["id"])
    if type_ == "message/added":
        owner, talk = body["message"]["id"], body["interaction"]
        talk["id"] = talk["customerId"] = owner
        if talk["firstCustomerMessage"] is not None:
            _of(talk["firstCustomerMessage"], owner)
        if body["postingUser"] is not None and body["postingUser"]["userType"] == "CUSTOMER":
            body["postingUser"]["id"] = owner
        body["customerChannel"] = body["customerChannel"] and phone(owner)
    return body


def _of(message: dict[str, Any], owner: int) -> None:
    message["id"] = owner
    if message["userType"] == "CUSTOMER":
        message["userId"] = owner


def without_person(world: World) -> World:
    """The same world, in which the person never was."""
    files = [replace(file, rows=tuple(row for row in file.rows if not _is_theirs(file, row))) for file in world.files]
    events = [replace(event, body=json.dumps(body)) for event in world.events if (body := _rest(event)) is not None]
    return World(tuple(files), tuple(events), tuple(_without(other) for other in world.others))


def _is_theirs(file: File, cells: tuple[Any, ...]) -> bool:
    row = dict(zip(file.columns, cells, strict=True))
    return file.table in ("contact", "message", *_OWNED) and row["id"] == CONTACT


def _without(other: ChangeSet | Export | Decoded) -> ChangeSet | Export | Decoded:
    if isinstance(other, ChangeSet):
        return replace(other, rows=tuple({**row, **NOBODY} if _is_cio(other, row) else row for row in other.rows))
    if isinstance(other, Export):
        return replace(other, rows=tuple(row for row in other.rows if row[0] != QLARA))
    return replace(other, lines=tuple(line for line in other.lines if line.key[0] != CONTACT))


NOBODY: Mapping[str, Any] = {"internal_customer_id": "nobody"}
"""Whose the person's rows of change sets are instead: the places of the rows after them count."""


def _is_cio(other: ChangeSet, row: Mapping[str, Any]) -> bool:
    return other.kind.table == "cio_people" and row["internal_customer_id"] == CIO


def _rest(event: Event) -> dict[str, Any] | None:
    """What of a delivery is not about the person; None if nothing is left."""
    body: dict[str, Any] = json.loads(event.body)
    for name in ("customers", "messages"):
        if name in body:
            body[name] = [item for item in body[name] if item["id"] != CONTACT]
            return body if body[name] else None
    for name in ("customer", "message"):
        if name in body and body[name]["id"] == CONTACT:
            return None
    return body
