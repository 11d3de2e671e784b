"""Prompt's eight export tables, as data.

Source: Nightly Data Exports, section Data Schema (every column of it), and the columns that webhooks add (Event
Endpoint specification, MessageModel and broadcast/state). Columns marked ``exported`` are those of the files.

Groups: the largest set of columns such that every source that claims one of them claims them all. Snapshots claim
every exported column at once, so the groups are cut by what the webhooks' models can say.
"""

from dataclasses import replace

from promptsync.model.table import ADDRESS_FIELDS, Column, DayCount, Identity, Index, Kept, Kind, Role, Table
from promptsync.vendors.prompt.columns import address, exported_table, of_customer

_INT, _TEXT, _BOOL, _TIME = Kind.INTEGER, Kind.TEXT, Kind.BOOLEAN, Kind.TIME


def _file(name: str, kind: Kind, about: str, group: str = "facts", references: str = "", unit: str = "") -> Column:
    return Column(name, kind, about, group, references, exported=True, unit=unit)


def _hook(name: str, kind: Kind, about: str, group: str, references: str = "") -> Column:
    return Column(name, kind, about, group, references)


def _org_id() -> Column:
    return Column("org_id", _INT, "Organization the row belongs to", references="org")


ORG = exported_table(
    "org",
    "The organizations in the export subscription.",
    ("id",),
    (
        _file("id", _INT, "Unique ID of the organization", ""),
        _file("created_timestamp", _TIME, "When the organization was created"),
        _file("subdomain", _TEXT, "The organization's subdomain"),
        _file("name", _TEXT, "The organization's name"),
    ),
    label="name",
    sort="created_timestamp",
    org_scoped=False,
)

CONTACT = exported_table(
    "contact",
    "People who are texted: their names, numbers and whether they have opted out.",
    ("id",),
    (
        replace(
            _file("id", _INT, "Unique ID of the contact (webhooks call it customer)", ""), identifies=Identity.CONTACT
        ),
        _org_id(),
        _file("display_name", _TEXT, "Name of the contact", "name"),
        address(_file("phone", _TEXT, "Phone number of the contact", "number")),
        _file("is_opted_out", _BOOL, "Whether the contact has opted out of all messages", "consent"),
        _file("opt_out_timestamp", _TIME, "When the contact opted out, if opted out", "consent"),
        _file("created_timestamp", _TIME, "When the contact was created", "born"),
        _file("updated_timestamp", _TIME, "Last change of the name or the opt-out status"),
        _file("country_code", _TEXT, "Numeric country code of the phone number, such as 1 or 44"),
        _file("area_code", _TEXT, "Area code of the phone number"),
        _file("country_postal_code", _TEXT, "Two-letter country code of the phone number"),
        _file("region", _TEXT, "Two-letter state or province of the phone number"),
        _file("timezone", _TEXT, "Time zone of the phone number's region"),
    ),
    label="display_name",
    sort="updated_timestamp",
    facets=("is_opted_out", "region"),
    search=("display_name", "phone"),
    main=(
        *("display_name", "phone", "is_opted_out", "opt_out_timestamp", "created_timestamp", "updated_timestamp"),
        "region",
    ),
    indexes=(("phone",), ("updated_timestamp",), ("is_opted_out",), ("region",), ("display_name",)),
    partial_indexes=(
        Index("contact_opted_out", ("opt_out_timestamp", "is_opted_out", "org_id"), "opt_out_timestamp IS NOT NULL"),
        Index("contact_phone_end", ("substr(phone, -4)",)),  # people type a number in many ways
    ),
    observed_column="updated_timestamp",
)

CONTACT_DATA = exported_table(
    "contact_data",
    "Custom data fields of contacts, the organization's own and the system's.",
    ("id", "managed"),
    (
        _file("id", _INT, "ID of the field's record, unique together with managed", ""),
        _file("managed", _BOOL, "Whether the system manages the field and the organization cannot edit it", ""),
        _org_id(),
        _file("contact_id", _INT, "Contact the field belongs to", references="contact"),
        _file("key", _TEXT, "Name of the field"),
        replace(
            address(_file("value", _TEXT, "Value of the field; blank when it was deleted")),
            only_if=("key", ADDRESS_FIELDS),
        ),
        Column("deleted", _BOOL, "Whether the field was deleted", "facts", exported=True, blank_of="value"),
        _file("created_timestamp", _TIME, "When the field was created"),
        _file("updated_timestamp", _TIME, "When the field was last changed"),
    ),
    label="key",
    sort="updated_timestamp",
    facets=("key", "managed"),
    indexes=(("contact_id",), ("key",), ("updated_timestamp",)),
    observed_column="updated_timestamp",
)

CONTACT_TAG = exported_table(
    "contact_tag",
    "Tags put on contacts over time, removed ones included.",
    ("id",),
    (
        _file("id", _INT, "Unique ID of the tagging", ""),
        _org_id(),
        _file("contact_id", _INT, "Contact the tag is on", references="contact"),
        _file("name", _TEXT, "Name of the tag"),
        _file("created_timestamp", _TIME, "When the tag was added"),
        _file("updated_timestamp", _TIME, "When the tagging was last changed"),
        _file("deleted_timestamp", _TIME, "When the tag was removed; blank while it is on"),
    ),
    label="name",
    sort="created_timestamp",
    facets=("name",),
    indexes=(("contact_id",), ("name",), ("created_timestamp",)),
    observed_column="updated_timestamp",
)


def _consent_table(name: str, word: str, phone_about: str) -> Table:
    return exported_table(
        name,
        f"Every {word} on record, by the contact or made for them (by API, automation or the like).",
        ("id",),
        (
            _file("id", _INT, f"Unique ID of the {word}", ""),
            _org_id(),
            _file("contact_id", _INT, "The contact", references="contact"),
            _file("created_timestamp", _TIME, f"When the {word} occurred"),
            _file("org_phone", _TEXT, phone_about),
            _file("type", _TEXT, "CONTACT: by the contact; MANAGED: by API, library, smart link or the like"),
        ),
        sort="created_timestamp",
        facets=("type",),
        indexes=(("contact_id",), ("created_timestamp",), ("type",)),
    )


OPT_OUT = _consent_table("opt_out", "opt-out", "The organization's number that the STOP keyword was sent to")
OPT_IN = _consent_table("opt_in", "opt-in", "The organization's number associated with the opt-in, if any")

_COUNTED_BY = ("is_outgoing", "is_broadcast", "is_billable", "is_mms", "is_successful", "is_whisper")

MESSAGE = exported_table(
    "message",
    "Every message in and out, with its delivery.",
    ("id",),
    (
        _file("id", _INT, "Unique ID of the message", ""),
        _org_id(),
        _file("created_timestamp", _TIME, "Inbound: when it was received. Outbound: when it was queued", "born"),
        _file("contact_id", _INT, "Contact the message was sent to or received from", "contact", "contact"),
        _file("content", _TEXT, "Text of the message; blank for pictures without text", "body"),
        _file("is_outgoing", _BOOL, "Whether it was sent to the contact", "author"),
        _file("is_successful", _BOOL, "Whether it was sent or delivered", "outcome"),
        _hook("status", _TEXT, "Last delivery status told by webhook", "state"),
        _hook("status_timestamp", _TIME, "When that status was so", "state"),
        _file("error_message", _TEXT, "Why it failed", "reason"),
        _file("error_code", _TEXT, "Error code if it failed", "code"),
        _file("sent_timestamp", _TIME, "Outbound: when it went to the upstream provider"),
        address(_file("contact_phone", _TEXT, "Contact's number", "phones")),
        _file("org_phone", _TEXT, "The organization's number", "phones"),
        _file("broadcast_id", _INT, "Broadcast it belongs to or is a reply to", "broadcast", "broadcast"),
        _file("is_broadcast", _BOOL, "Whether it was sent as part of a broadcast", "broadcast"),
        _file("team_member_id", _INT, "Team member who sent it, if a person did", "author", "team_member"),
        _file("is_mms", _BOOL, "Whether it is an MMS"),
        _file("is_whisper", _BOOL, "Whether it is an internal whisper, not delivered to the contact"),
        _file("is_billable", _BOOL, "Whether it is charged"),
        _file("segments", _INT, "Number of SMS segments; 1 for an MMS", unit="segments"),
        _hook("conversation_id", _INT, "Conversation it belongs to", "place", "conversation"),
        _hook("channel_id", _INT, "Channel of that conversation", "place", "channel"),
        _hook("external_message_id", _TEXT, "The provider's ID of the message", "live"),
        _hook("user_type", _TEXT, "TEAM_MEMBER, CUSTOMER, BOT, SYSTEM or TROUBLESHOOTING", "live"),
        of_customer(_hook("user_id", _INT, "ID of the user who wrote it", "live")),
        _hook("has_instant_app", _BOOL, "Whether it carries an instant app", "live"),
        _hook("bot_response", Kind.JSON, "What came with it if a bot wrote it", "bot"),
    ),
    label="content",
    sort="created_timestamp",
    search=("content",),
    main=(
        *("created_timestamp", "contact_id", "is_outgoing", "content", "is_successful", "error_message"),
        *("broadcast_id", "team_member_id"),
    ),
    indexes=(("contact_id", "created_timestamp"), ("created_timestamp",)),
    partial_indexes=(
        Index("message_inbound", ("created_timestamp", "contact_id", "org_id", "is_outgoing"), "is_outgoing = 0"),
        Index(
            "message_failed",
            ("created_timestamp", "contact_id", "error_code", "org_id", "is_outgoing", "is_whisper", "is_successful"),
            "is_successful = 0",
        ),
        Index(
            "message_broadcast",
            ("broadcast_id", "is_outgoing", "is_successful", "contact_id", "error_code"),
            "broadcast_id IS NOT NULL",
        ),
        Index(
            "message_reply",
            ("broadcast_id", "is_outgoing", "contact_id", "created_timestamp"),
            "broadcast_id IS NOT NULL AND is_outgoing = 0",
        ),
        Index(
            "message_answered",
            (
                "team_member_id",
                "created_timestamp",
                "contact_id",
                "org_id",
                "is_outgoing",
                "broadcast_id",
                "is_whisper",
            ),
            "is_outgoing = 1 AND broadcast_id IS NULL AND is_whisper IS NOT 1",
        ),
    ),
    counted=DayCount(
        "day_count",
        "created_timestamp",
        _COUNTED_BY,
        "segments",
        ("messages", "segments", "without_segments"),
        "day_count_erased",
    ),
    kept=Kept("message_content", "created_timestamp", ("content", "bot_response")),
)


def _counted_by(name: str) -> Column:
    return Column(name, _INT, f"{MESSAGE.by_name[name].about}: 1 yes, 0 no, -1 not known")


DAY_COUNT = Table(
    "day_count",
    "Messages counted by day, kept with every change, so that years can be summed up at once.",
    ("day", "org_id", *_COUNTED_BY),
    (
        Column("day", _TEXT, "Day in the mirror's time zone (mirror.timezone); blank if its time cannot be read"),
        _org_id(),
        *map(_counted_by, _COUNTED_BY),
        Column("messages", _INT, "Messages in and out, internal whispers included", unit="messages"),
        Column("segments", _INT, "Segments of these", unit="segments"),
        Column("without_segments", _INT, "Those whose segments no export has stated yet", unit="messages"),
    ),
    role=Role.OWN,
    sort="day",
    org_scoped=False,
    vendor="Prompt",
)

DAY_COUNT_ERASED = replace(
    DAY_COUNT,
    name="day_count_erased",
    about="Messages of people who were forgotten, counted by day. They are part of day_count, which stays as it was.",
)

BROADCAST = exported_table(
    "broadcast",
    "Broadcasts, with who was targeted and what came of it.",
    ("id",),
    (
        _file("id", _INT, "Unique ID of the broadcast (webhooks call it bulk action)", ""),
        _org_id(),
        _file("description", _TEXT, "Description of the broadcast"),
        _file("created_timestamp", _TIME, "When it was created"),
        _file("start_timestamp", _TIME, "When it started sending"),
        _file("finish_timestamp", _TIME, "When it finished sending"),
        _hook("status", _TEXT, "Last status told by webhook", "state"),
        _hook("status_message", _TEXT, "That status in words", "state"),
        _file("num_contacts", _INT, "Contacts targeted", unit="contacts"),
        _file("num_sent", _INT, "Contacts that messages were sent to", unit="contacts"),
        _file("num_errors", _INT, "Messages that failed", unit="messages"),
        _file("num_opt_outs", _INT, "Contacts who opted out after it", unit="contacts"),
        _file("num_responded", _INT, "Contacts who replied, without those who got a follow-up reply", unit="contacts"),
        _file("num_replied_to_reply", _INT, "Contacts who replied and got a follow-up reply", unit="contacts"),
        _file("num_skipped", _INT, "Contacts skipped by a team member (P2P)", unit="contacts"),
        _file("num_canceled", _INT, "Contacts cancelled when it was aborted", unit="contacts"),
        _file("is_p2p", _BOOL, "Person to person (else application to person)"),
        _file("is_scrub", _BOOL, "Whether list scrubbing was on"),
        _file("is_advanced_targeting", _BOOL, "Whether it used more than contact lists to choose contacts"),
        _file("contact_list_ids", _TEXT, "Contact lists targeted, IDs separated by commas"),
        _hook("progress", _INT, "Contacts processed so far", "progress"),
        _hook("total", _INT, "Contacts in the action", "progress"),
    ),
    label="description",
    sort="start_timestamp",
    facets=("status", "is_p2p"),
    main=(
        *("description", "status", "start_timestamp", "num_contacts", "num_sent", "num_errors", "num_opt_outs"),
        "num_responded",
    ),
    indexes=(("created_timestamp",), ("start_timestamp",), ("status",)),
)

TABLES = (ORG, CONTACT, CONTACT_DATA, CONTACT_TAG, OPT_OUT, OPT_IN, MESSAGE, DAY_COUNT, DAY_COUNT_ERASED, BROADCAST)
