"""Who Customer.io knows and what they did, as data: people, objects, their attributes, events, replies.

Source: Customer.io's data warehouse sync, Parquet file schemas (v4 and v5, which lack columns in v4). The keys are
those by which rows really differ (facts beside the specifications), which the vendor's marks are not always.
"""

from promptsync.model.table import Index, View
from promptsync.vendors.customerio.columns import BOOL, INT, JSON, TEXT, TIME, change_set_table, current, workspace

PHONE_END = "substr(replace(replace(replace(attribute_value, ' ', ''), '-', ''), '.', ''), -4)"
"""Of the attribute ``phone``, whose numbers are written in many ways: the last four digits, as SQL."""

_GONE = "deleted = 1 OR suppressed = 1"

PEOPLE = change_set_table(
    "cio_people",
    "People of the workspace. Those deleted or suppressed there are kept and marked.",
    ("internal_customer_id",),
    (
        workspace("person"),
        ("customer_id", TEXT, "ID of the person as Customer.io's pages show it"),
        ("internal_customer_id", TEXT, "Unique ID of the person (cio_id), which never changes"),
        ("deleted", BOOL, "Whether the person has been deleted"),
        ("suppressed", BOOL, "Whether the person has been suppressed"),
        ("created_at", TIME, "When the person was added to Customer.io; blank once deleted or suppressed"),
        ("updated_at", TIME, "When the person was last changed"),
        ("email_addr", TEXT, "Email address"),
    ),
    "updated_at",
    label="customer_id",
    sort="updated_at",
    facets=("deleted", "suppressed"),
    indexes=(("customer_id",), ("email_addr",), ("updated_at",)),
    partial_indexes=(("updated_at", _GONE),),
    views=(
        View(
            "cio_people_gone",
            "People deleted or suppressed in Customer.io: those to be considered for erasure here.",
            "cio_people",
            where=_GONE,
        ),
    ),
)

ATTRIBUTES = change_set_table(
    "cio_attributes",
    "Attributes of people, a row for each change.",
    ("internal_customer_id", "attribute_name", "timestamp"),
    (
        workspace("person"),
        ("internal_customer_id", TEXT, "The person (cio_id)", "cio_people"),
        ("attribute_name", TEXT, "Name of the attribute; of a nested one, the outermost"),
        ("attribute_value", TEXT, "New value; of a nested attribute, JSON"),
        ("timestamp", TIME, "When it was changed"),
    ),
    "timestamp",
    label="attribute_name",
    sort="timestamp",
    indexes=(("timestamp",),),
    partial_indexes=(Index("cio_attributes_phone_end", (PHONE_END,), "attribute_name = 'phone'"),),
    views=(
        current(
            "cio_attributes",
            "Attributes of people as they are now.",
            ("internal_customer_id", "attribute_name"),
            "timestamp",
        ),
    ),
)

OBJECT_TYPES = change_set_table(
    "cio_object_types",
    "Kinds of objects, such as accounts or companies.",
    ("object_type_id",),
    (
        workspace("type"),
        ("object_type_id", INT, "Unique ID of the type, from 1"),
        ("name", TEXT, "Name, such as Accounts"),
        ("slug", TEXT, "Name in liquid: objects.<slug>"),
        ("deleted", BOOL, "Whether it has been deleted"),
        ("enabled", BOOL, "Whether it can be used in segments and messages"),
        ("updated_at", TIME, "When it was last changed"),
    ),
    "updated_at",
    label="name",
    sort="object_type_id",
)

OBJECTS = change_set_table(
    "cio_objects",
    "Objects that people are related to, such as an account or a company.",
    ("internal_object_id",),
    (
        workspace("object"),
        ("object_type_id", INT, "Kind of object", "cio_object_types"),
        ("object_id", TEXT, "ID of the object as Customer.io's pages show it"),
        ("internal_object_id", TEXT, "Unique ID of the object, which never changes"),
        ("deleted", BOOL, "Whether it has been deleted"),
        ("created_at", TIME, "When it was added"),
        ("updated_at", TIME, "When it was last changed"),
    ),
    "updated_at",
    label="object_id",
    sort="updated_at",
    facets=("object_type_id", "deleted"),
    indexes=(("object_id",), ("updated_at",)),
)

OBJECT_ATTRIBUTES = change_set_table(
    "cio_object_attributes",
    "Attributes of objects, a row for each change.",
    ("internal_object_id", "attribute_name", "timestamp"),
    (
        workspace("object"),
        ("object_type_id", INT, "Kind of object", "cio_object_types"),
        ("internal_object_id", TEXT, "The object", "cio_objects"),
        ("attribute_name", TEXT, "Name of the attribute; of a nested one, the outermost"),
        ("attribute_value", TEXT, "New value; of a nested attribute, JSON"),
        ("timestamp", TIME, "When it was changed"),
    ),
    "timestamp",
    label="attribute_name",
    sort="timestamp",
    indexes=(("timestamp",),),
    views=(
        current(
            "cio_object_attributes",
            "Attributes of objects as they are now.",
            ("internal_object_id", "attribute_name"),
            "timestamp",
        ),
    ),
)

EVENTS = change_set_table(
    "cio_events",
    "What people did in the app or on the website, an event a row; from 30 days before the first sync.",
    ("event_id",),
    (
        workspace("event"),
        ("event_id", TEXT, "Unique ID of the event"),
        ("internal_customer_id", TEXT, "Person who did it (cio_id)", "cio_people"),
        ("name", TEXT, "Name of the event"),
        ("type", TEXT, "page or screen for a view of one, event for any other"),
        ("data", JSON, "Properties of the event"),
        ("timestamp", TIME, "When it happened, or else was received"),
        ("processed_at", TIME, "When Customer.io processed it"),
        ("sources", JSON, "Where it came from, such as a library"),
        ("source_uas", JSON, "User agents it came from"),
    ),
    "timestamp",
    unchanging=True,
    label="name",
    sort="timestamp",
    facets=("type",),
    indexes=(("internal_customer_id",), ("timestamp",)),
)

INBOUND = change_set_table(
    "cio_inbound",
    "Replies by SMS that were received; from 30 days before the first sync.",
    ("event_id",),
    (
        workspace("message"),
        ("event_id", TEXT, "Unique ID of the reply"),
        ("internal_customer_id", TEXT, "Person who sent it (cio_id)", "cio_people"),
        ("timestamp", TIME, "When it was sent"),
        ("processed_at", TIME, "When Customer.io processed it"),
        ("channel", TEXT, "Channel, such as sms"),
        ("from", TEXT, "Phone number it was sent from"),
        ("to", TEXT, "Phone number it was sent to"),
        ("body", TEXT, "Text"),
        ("keyword", TEXT, "Keyword found in it"),
        ("optout", BOOL, "Whether it asks to opt out"),
        ("messaging_service_sid", TEXT, "The SMS provider's ID of the messaging service"),
        ("message_sid", TEXT, "The SMS provider's ID of the message"),
        (
            "in_reply_to_delivery_id",
            TEXT,
            "Delivery it replies to, where one was sent in the 72 hours before",
            "cio_deliveries",
        ),
    ),
    "timestamp",
    unchanging=True,
    label="body",
    sort="timestamp",
    facets=("keyword", "optout"),
    indexes=(("internal_customer_id", "timestamp", "event_id"), ("from",), ("timestamp",)),
)

TABLES = (PEOPLE, ATTRIBUTES, OBJECTS, OBJECT_TYPES, OBJECT_ATTRIBUTES, EVENTS, INBOUND)
