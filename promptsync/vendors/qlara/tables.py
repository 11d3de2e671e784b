"""Qlara's export tables, as data.

Source: Asynchronous Exports and ``GET /messages/history`` of the Partner Gateway. The vendor does not document the
columns of its files, and a file may lack any of them: so every column is a group of its own, versioned by itself.
Columns that are not declared here are added as they come, under the vendor's names.
"""

from functools import partial

from promptsync.model.table import Column, FilledBy, Identity, Kept, Kind, Table

_export_table = partial(Table, vendor="Qlara", filled_by=FilledBy.EXPORT, org_scoped=False)
_TEXT, _TIME, _REAL, _INT = Kind.TEXT, Kind.TIME, Kind.REAL, Kind.INTEGER


_IDENTIFIES = {"phone": Identity.PHONE, "email": Identity.EMAIL}
_IDENTIFIES |= {"destination": Identity.ADDRESS, "sender": Identity.ADDRESS}


def _columns(*described: tuple[str, Kind, str], own_id: str, of: Identity | None = None) -> tuple[Column, ...]:
    about_key = f"{own_id}; begins with ~ if made from the row's identifying cells, as it has none"
    key = Column("id", _TEXT, about_key, identifies=of)
    rest = (Column(name, kind, about, name, identifies=_IDENTIFIES.get(name)) for name, kind, about in described)
    return (key, *rest)


QLARA_CONTACT = _export_table(
    "qlara_contact",
    "Contacts of the Qlara account, from its exports. Contacts that are in no export any more stay.",
    ("id",),
    _columns(
        ("phone", _TEXT, "Phone number, as the vendor writes it"),
        ("name", _TEXT, "Name, where the vendor has it in one column"),
        ("first_name", _TEXT, "First name"),
        ("last_name", _TEXT, "Last name"),
        ("email", _TEXT, "E-mail address"),
        ("lists", _TEXT, "Contact lists it is in, as the vendor writes them"),
        ("status", _TEXT, "State of the contact, in the vendor's word"),
        ("created_at", _TIME, "When the contact was created"),
        ("updated_at", _TIME, "When the vendor last changed the row"),
        own_id="The vendor's ID of the contact",
        of=Identity.QLARA,
    ),
    label="name",
    sort="updated_at",
    indexes=(("phone",), ("updated_at",)),
)

QLARA_DELIVERY_REPORT = _export_table(
    "qlara_delivery_report",
    "What became of messages sent by Qlara campaigns, from its exports.",
    ("id",),
    _columns(
        ("message_id", _TEXT, "The message"),
        ("campaign_id", _TEXT, "The campaign"),
        ("campaign_name", _TEXT, "Name of the campaign"),
        ("channel", _TEXT, "SMS, RCS or WHATSAPP"),
        ("destination", _TEXT, "Phone number it was sent to"),
        ("sender", _TEXT, "Who it came from, as the recipient saw it"),
        ("status", _TEXT, "DELIVERED, SENT, ERROR, EXPIRED, UNKNOWN or another of the vendor's words"),
        ("error", _TEXT, "Why it failed, code or words"),
        ("sent_at", _TIME, "When it was sent"),
        ("delivered_at", _TIME, "When it was delivered"),
        ("cost", _REAL, "What it cost"),
        ("parts", _INT, "Parts it was sent in"),
        ("updated_at", _TIME, "When the vendor last changed the row"),
        own_id="The vendor's ID of the report",
    ),
    label="destination",
    sort="sent_at",
    facets=("status", "channel"),
    indexes=(
        ("message_id",),
        ("campaign_id",),
        ("destination", "sent_at", "id"),
        ("sent_at",),
        ("status",),
        ("channel",),
    ),
)

QLARA_MESSAGE = _export_table(
    "qlara_message",
    "Messages sent through Qlara's API, from its message history. It holds no others.",
    ("id",),
    _columns(
        ("channel", _TEXT, "SMS, RCS or WHATSAPP"),
        ("direction", _TEXT, "Whether it was sent or received, in the vendor's word"),
        ("destination", _TEXT, "Phone number it was sent to"),
        ("sender", _TEXT, "Who it came from, as the recipient saw it"),
        ("body", _TEXT, "Text of the message"),
        ("status", _TEXT, "DELIVERED, SENT, ERROR, EXPIRED, UNKNOWN or another of the vendor's words"),
        ("error", _TEXT, "Why it failed, code or words"),
        ("sent_at", _TIME, "When it was sent"),
        ("delivered_at", _TIME, "When it was delivered"),
        ("cost", _REAL, "What it cost"),
        ("parts", _INT, "Parts it was sent in"),
        ("updated_at", _TIME, "When the vendor last changed the row"),
        own_id="The vendor's ID of the message",
    ),
    label="destination",
    sort="sent_at",
    facets=("status", "channel"),
    indexes=(("destination", "sent_at", "id"), ("sent_at",), ("status",), ("channel",)),
    kept=Kept("qlara_message_body", "sent_at", ("body",)),
)

TABLES = (QLARA_CONTACT, QLARA_DELIVERY_REPORT, QLARA_MESSAGE)
