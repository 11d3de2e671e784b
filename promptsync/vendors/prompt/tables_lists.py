"""What webhooks list with a contact, as data: numbers, identities, tags, lists, opt-outs from single channels.

Source: Event Endpoint specification, Common models. CustomerModel, and customer/optOut.
"""

from promptsync.model.table import Kind
from promptsync.vendors.prompt.columns import ORG_ID, event_table, fact, key, removed

_TEXT, _BOOL, _TIME = Kind.TEXT, Kind.BOOLEAN, Kind.TIME

CONTACT_CHANNEL = event_table(
    "contact_channel",
    "Numbers and accounts at which a contact can be reached.",
    ("contact_id", "identity_type", "key"),
    (
        key("contact_id", "The contact", "contact"),
        key("identity_type", "SMS, FB, CUSTOMER_EXTERNAL, LIVE_CHAT or LINE", kind=_TEXT),
        key("key", "Phone number or channel identifier", kind=_TEXT),
        ORG_ID,
        removed("channels"),
    ),
    label="key",
    full_list="channels",
    facets=("identity_type",),
    indexes=(("key",), ("identity_type",)),
)


CONTACT_IDENTITY = event_table(
    "contact_identity",
    "What identifies a contact: numbers, accounts and IDs in other systems.",
    ("contact_id", "type", "key"),
    (
        key("contact_id", "The contact", "contact"),
        key("type", "SMS, FB, CUSTOMER_EXTERNAL, LIVE_CHAT or LINE", kind=_TEXT),
        key("key", "Number or identifier", kind=_TEXT),
        ORG_ID,
        removed("identities"),
    ),
    label="key",
    full_list="identities",
    indexes=(("key",),),
)


TAG = event_table(
    "tag",
    "Tags as they are defined (contact_tag and contact_current_tag say who has them).",
    ("id",),
    (
        key("id", "Unique ID of the tag"),
        ORG_ID,
        fact("name", _TEXT, "Name"),
        fact("color_code", _TEXT, "Colour"),
    ),
    label="name",
    sort="name",
    indexes=(("name",),),
)


CONTACT_CURRENT_TAG = event_table(
    "contact_current_tag",
    "Tags on contacts as webhooks last told them.",
    ("contact_id", "tag_id"),
    (
        key("contact_id", "The contact", "contact"),
        key("tag_id", "The tag", "tag"),
        ORG_ID,
        fact("note", _TEXT, "Note on the tagging"),
        fact("added_at", _TIME, "When it was added"),
        removed("tags"),
    ),
    full_list="tags",
    sort="added_at",
    indexes=(("tag_id",), ("added_at",)),
)


CONTACT_LIST = event_table(
    "contact_list",
    "Contact lists by name; contact_list_member says who is on them.",
    ("id",),
    (
        key("id", "Unique ID of the list"),
        ORG_ID,
        fact("name", _TEXT, "Name"),
        fact("api_id", _TEXT, "Name in the API"),
        fact("icon", _TEXT, "Icon"),
        fact("description", _TEXT, "Description"),
        fact("external_url", _TEXT, "Address in the system it comes from"),
        fact("type", _TEXT, "Kind of list: PROMPT or the system it comes from"),
    ),
    label="name",
    sort="name",
    facets=("type",),
    indexes=(("name",), ("type",)),
)


CONTACT_LIST_MEMBER = event_table(
    "contact_list_member",
    "Who is on which contact list.",
    ("contact_id", "contact_list_id"),
    (
        key("contact_id", "The contact", "contact"),
        key("contact_list_id", "The list", "contact_list"),
        ORG_ID,
        fact("added_at", _TIME, "When the contact was added"),
        removed("contact lists"),
    ),
    full_list="contactLists",
    sort="added_at",
    indexes=(("contact_list_id",), ("added_at",)),
)


CHANNEL_OPT_OUT = event_table(
    "channel_opt_out",
    "Opt-outs from one channel by its phone provider (the contact's global consent is in contact).",
    ("contact_id", "channel_id"),
    (
        key("contact_id", "The contact", "contact"),
        key("channel_id", "The channel", "channel"),
        ORG_ID,
        fact("opted_out", _BOOL, "Whether opted out of this channel"),
        fact("at", _TIME, "Since when"),
        fact("contact_key", _TEXT, "The contact's number on it"),
    ),
    sort="at",
    facets=("opted_out",),
    indexes=(("channel_id",), ("at",), ("opted_out",)),
)

TABLES = (
    CONTACT_CHANNEL,
    CONTACT_IDENTITY,
    TAG,
    CONTACT_CURRENT_TAG,
    CONTACT_LIST,
    CONTACT_LIST_MEMBER,
    CHANNEL_OPT_OUT,
)
