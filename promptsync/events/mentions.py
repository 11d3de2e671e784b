"""Whom a delivery is about: the people that its body names, item by item of a batch.

Owns the places in Prompt's models where a person is named (Event Endpoint specification, Common models), and how an
item is taken out of a body. An item is an object in a list at the top of the body, such as one of ``customers``; all
else is the frame that its items share. Pure; knows nothing of rows.
"""

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from promptsync.model.person import Identifier, identifier, mentioned
from promptsync.model.table import ADDRESS_FIELDS, Identity

Place = tuple[str, int]
"""An item: the list's name and the item's number in it, from 0."""
Record = tuple[str, int | str]
"""A row that belongs to a person: table and id."""

_CUSTOMERS: Final = frozenset({"customer", "customers", "contact", "contacts"})
_USERS: Final = frozenset({"user", "users", "postingUser"})
_IDS: Final = frozenset({"customerId", "contactId"})
_OURS: Final = frozenset({"agent", "orgChannel", "channel", "teamMember", "notification", "notifications"})
_KEYED: Final = frozenset({"customerChannel", "channels", "identities"})
_RECORDS: Final = {
    **dict.fromkeys(("message", "messages", "firstCustomerMessage"), "message"),
    **dict.fromkeys(("interaction", "conversation"), "conversation"),
    "interactionConfig": "conversation_config",
    "scheduledAction": "scheduled_message",
    "instantApp": "instant_app",
}


@dataclass(slots=True)
class Mentioned:
    """Whom a part of a body names. ``owners``: ids of people; ``addresses``: numbers, addresses and accounts at which
    they are reached; ``records``: their messages, conversations and so on; ``texts``: what else it says."""

    owners: set[Identifier] = field(default_factory=set)
    addresses: set[Identifier] = field(default_factory=set)
    records: set[Record] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)

    def concerns(self, person: Container[Identifier], records: Container[Record] = frozenset()) -> bool:
        """Whether it is about a person: by an id if it names any, else by a record or an address; by what its texts
        say only where it names nobody, since people write about others."""
        if self.owners:
            return any(one in person for one in self.owners)
        if any(one in records for one in self.records) or any(one in person for one in self.addresses):
            return True
        if self.records or self.addresses:
            return False
        return any(one in person for text in self.texts for one in mentioned(text))


@dataclass(slots=True)
class Mentions:
    """``frame``: what is outside the items."""

    frame: Mentioned = field(default_factory=Mentioned)
    items: dict[Place, Mentioned] = field(default_factory=dict)

    def concerning(
        self, person: Container[Identifier], records: Container[Record] = frozenset()
    ) -> "set[Place] | None":
        """The items that are about a person, to be taken out; None if all of the delivery is."""
        if self.frame.concerns(person, records):
            return None
        found = {place for place, item in self.items.items() if item.concerns(person, records)}
        return None if found and len(found) == len(self.items) else found


def mentions(body: Mapping[str, Any]) -> Mentions:
    """Whom the body of a delivery, as parsed, is about."""
    found = Mentions()
    for name, value in body.items():
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            for number, item in enumerate(value):
                _walk(name, item, found.items.setdefault((name, number), Mentioned()))
        else:
            _walk(name, value, found.frame)
    return found


def without(body: Mapping[str, Any], places: Container[Place]) -> dict[str, Any]:
    """The body without these items; those after them move up, as if they had never been in it."""
    return {
        name: [item for number, item in enumerate(value) if (name, number) not in places]
        if isinstance(value, list)
        else value
        for name, value in body.items()
    }


def text_of(body: Mapping[str, Any]) -> str:
    """A body as the text that is stored."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can spell and no text can hold
        return json.dumps(body, separators=(",", ":"))
    return text


def _walk(root: str, value: object, found: Mentioned) -> None:
    waiting: list[tuple[str, object]] = [(root, value)]
    while waiting:
        name, value = waiting.pop()
        if name in _OURS:
            continue
        if isinstance(value, dict):
            if name in _USERS and value.get("userType") != "CUSTOMER" and "id" in value:
                continue
            _take_object(name, value, found)
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(name, item) for item in value]
        elif value is not None and not isinstance(value, bool):
            _take_cell(name, value, found)


def _take_object(name: str, value: Mapping[str, Any], found: Mentioned) -> None:
    customer = value.get("userType") == "CUSTOMER"
    if name in _CUSTOMERS or (name in _USERS and customer):
        _add(found.owners, Identity.CONTACT, value.get("id"))
    if customer and "userId" in value:
        _add(found.owners, Identity.CONTACT, value["userId"])
    record = value.get("id")
    if name in _RECORDS and isinstance(record, int):
        found.records.add((_RECORDS[name], record))
    if name in _KEYED:
        _add(found.addresses, Identity.ADDRESS, value.get("key"))


def _take_cell(name: str, value: object, found: Mentioned) -> None:
    if name in _IDS:
        _add(found.owners, Identity.CONTACT, value)
    elif name == "customerChannel" or name.lower() in ADDRESS_FIELDS:
        _add(found.addresses, Identity.ADDRESS, value)
    elif isinstance(value, str):
        found.texts.append(value)


def _add(to: set[Identifier], kind: Identity, value: object) -> None:
    if isinstance(value, str | int) and (one := identifier(kind, value)) is not None:
        to.add(one)
