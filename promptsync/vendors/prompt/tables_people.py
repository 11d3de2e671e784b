"""The people whom webhooks describe, as data: contacts with all that is listed with them, the team and its channels.

Source: Event Endpoint specification, Common models. CustomerModel, TeamMemberModel and OrgChannelModel, and
customer/optOut. Tables that only webhooks fill.
"""

from promptsync.model.table import Kind
from promptsync.vendors.prompt.columns import ORG_ID, address, apart, event_table, extra, fact, key, removed

_INT, _TEXT, _BOOL, _TIME, _JSON = Kind.INTEGER, Kind.TEXT, Kind.BOOLEAN, Kind.TIME, Kind.JSON

CONTACT_CHANNEL = event_table(
    "contact_channel",
    "Numbers and accounts at which a contact can be reached.",
    ("contact_id", "identity_type", "key"),
    (
        key("contact_id", "The contact", "contact"),
        key("identity_type", "SMS, FB, CUSTOMER_EXTERNAL, LIVE_CHAT or LINE", kind=_TEXT),
        address(key("key", "Phone number or channel identifier", kind=_TEXT)),
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
        address(key("key", "Number or identifier", kind=_TEXT)),
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
        address(fact("contact_key", _TEXT, "The contact's number on it")),
    ),
    sort="at",
    facets=("opted_out",),
    indexes=(("channel_id",), ("at",), ("opted_out",)),
)


TEAM_MEMBER = event_table(
    "team_member",
    "The organization's people who use Prompt (webhooks call them agents).",
    ("id",),
    (
        key("id", "Unique ID of the team member"),
        ORG_ID,
        fact("display_name", _TEXT, "Name", "user"),
        fact("created_timestamp", _TIME, "When the account was created", "user"),
        fact("email", _TEXT, "E-mail address", "account"),
        fact("otp_login_phone_number", _TEXT, "Number for one-time login codes", "account"),
        fact("mfa_phone_number", _TEXT, "Number for the second factor", "account"),
        fact("mfa_verified", _BOOL, "Whether the second factor is verified", "account"),
        extra("TeamMemberModel", "account"),
        fact("deleted_at", _TIME, "When the team member was deleted; blank while not", "deletion"),
    ),
    label="display_name",
    sort="created_timestamp",
    indexes=(("created_timestamp",),),
)


TEAM_MEMBER_IDENTITY = event_table(
    "team_member_identity",
    "Identities of team members in other systems.",
    ("team_member_id", "type", "key"),
    (
        key("team_member_id", "The team member", "team_member"),
        key("type", "EMAIL, SALESFORCE, BLACKBAUD or NATION_BUILDER", kind=_TEXT),
        key("key", "Address or ID in that system", kind=_TEXT),
        ORG_ID,
    ),
    label="key",
)


CHANNEL = event_table(
    "channel",
    "The organization's channels: numbers and accounts it sends from.",
    ("id",),
    (
        key("id", "Unique ID of the channel"),
        ORG_ID,
        fact("name", _TEXT, "Name"),
        fact("api_id", _TEXT, "Name in the API"),
        fact("channel_type", _TEXT, "Kind of channel or provider"),
        fact("registration_status", _TEXT, "State of its registration with the carriers"),
        fact("active", _BOOL, "Whether it is active"),
        fact("channel_key", _TEXT, "Its number or account"),
        fact("first_message", _TEXT, "Text sent on first contact"),
        fact("first_message_enabled", _BOOL, "Whether that text is sent"),
        fact("api_opt_out_message", _TEXT, "Text about opting out in messages sent by API"),
        fact("api_opt_out_message_enabled", _BOOL, "Whether that text is sent"),
        fact("opt_out_final_message", _TEXT, "Last text after an opt-out"),
        fact("opt_out_final_message_enabled", _BOOL, "Whether that text is sent"),
        fact("incoming_call_response_type", _TEXT, "FORWARD, PLAY_AUDIO or REJECT"),
        apart(fact("incoming_call_audio_upload_id", _INT, "Audio played to callers", references="upload")),
        fact("incoming_call_forward_number", _TEXT, "Number that calls are forwarded to"),
        fact("unsupported_media_message", _TEXT, "Answer to media that cannot be processed"),
        fact("pre_purchased", _BOOL, "Whether the number was bought beforehand"),
        fact("channel_apps", _JSON, "Apps of the channel"),
        fact("provider", _JSON, "Provider-specific sub-models, and fields the specification does not describe"),
        fact("deleted_at", _TIME, "When the channel was deleted; blank while not", "deletion"),
    ),
    label="name",
    facets=("channel_type", "registration_status"),
    indexes=(("channel_type",), ("registration_status",)),
)

TABLES = (
    TEAM_MEMBER,
    TEAM_MEMBER_IDENTITY,
    CHANNEL,
    CONTACT_CHANNEL,
    CONTACT_IDENTITY,
    TAG,
    CONTACT_CURRENT_TAG,
    CONTACT_LIST,
    CONTACT_LIST_MEMBER,
    CHANNEL_OPT_OUT,
)
