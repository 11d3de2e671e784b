"""Prompt's tables that only webhooks fill, as data.

Source: Event Endpoint specification, Common models. One table for each thing a model describes, one for each list a
model carries. A vendor field in camelCase is a column in snake_case; provider-specific sub-models are JSON.
"""

from promptsync.model.table import Column, Kind, Table

_INT, _TEXT, _BOOL, _TIME, _JSON = Kind.INTEGER, Kind.TEXT, Kind.BOOLEAN, Kind.TIME, Kind.JSON

ORG_ID = Column("org_id", _INT, "Organization the row belongs to", references="org")


def _key(name: str, about: str, references: str = "", kind: Kind = _INT) -> Column:
    return Column(name, kind, about, references=references)


def _fact(name: str, kind: Kind, about: str, group: str = "facts", references: str = "") -> Column:
    return Column(name, kind, about, group, references)


def _removed(list_name: str) -> Column:
    return Column("removed_at", _TIME, f"When a full list of {list_name} first lacked it; blank while it is on the list")


CONVERSATION = Table(
    "conversation",
    "Conversations between a contact and the organization on one channel (webhooks call it interaction).",
    ("id",),
    (
        _key("id", "Unique ID of the conversation"),
        ORG_ID,
        _fact("contact_id", _INT, "Contact it is with", references="contact"),
        _fact("channel_id", _INT, "Channel it runs on", references="channel"),
        _fact("status", _TEXT, "PENDING, UNASSIGNED, QUEUED, ACTIVE or COMPLETE"),
        _fact("topic", _TEXT, "Topic"),
        _fact("created_timestamp", _TIME, "When it was created"),
        _fact("last_updated_timestamp", _TIME, "When it last changed"),
        _fact("first_message_id", _INT, "The contact's first message in it", "first", "message"),
    ),
    label="topic",
    sort="last_updated_timestamp",
    facets=("status",),
    indexes=(("contact_id",), ("channel_id",), ("last_updated_timestamp",), ("status",)),
)

CONVERSATION_MEMBER = Table(
    "conversation_member",
    "Team members in conversations.",
    ("conversation_id", "team_member_id"),
    (
        _key("conversation_id", "The conversation", "conversation"),
        _key("team_member_id", "The team member", "team_member"),
        ORG_ID,
        _fact("active", _BOOL, "Whether active in it"),
    ),
    indexes=(("team_member_id",),),
)

CONVERSATION_BOT = Table(
    "conversation_bot",
    "Bots in conversations.",
    ("conversation_id", "bot_id"),
    (_key("conversation_id", "The conversation", "conversation"), _key("bot_id", "The bot"), ORG_ID),
)

TEAM_MEMBER = Table(
    "team_member",
    "The organization's people who use Prompt (webhooks call them agents).",
    ("id",),
    (
        _key("id", "Unique ID of the team member"),
        ORG_ID,
        _fact("display_name", _TEXT, "Name", "name"),
        _fact("created_timestamp", _TIME, "When the account was created", "born"),
        _fact("email", _TEXT, "E-mail address", "account"),
        _fact("otp_login_phone_number", _TEXT, "Number for one-time login codes", "account"),
        _fact("mfa_phone_number", _TEXT, "Number for the second factor", "account"),
        _fact("mfa_verified", _BOOL, "Whether the second factor is verified", "account"),
        _fact("deleted_at", _TIME, "When the team member was deleted", "deletion"),
    ),
    label="display_name",
    sort="created_timestamp",
    indexes=(("created_timestamp",),),
)

TEAM_MEMBER_IDENTITY = Table(
    "team_member_identity",
    "Identities of team members in other systems.",
    ("team_member_id", "type", "key"),
    (
        _key("team_member_id", "The team member", "team_member"),
        _key("type", "EMAIL, SALESFORCE, BLACKBAUD or NATION_BUILDER", kind=_TEXT),
        _key("key", "Address or ID in that system", kind=_TEXT),
        ORG_ID,
    ),
    label="key",
)

CHANNEL = Table(
    "channel",
    "The organization's channels: numbers and accounts it sends from.",
    ("id",),
    (
        _key("id", "Unique ID of the channel"),
        ORG_ID,
        _fact("name", _TEXT, "Name"),
        _fact("api_id", _TEXT, "Name in the API"),
        _fact("channel_type", _TEXT, "Kind of channel or provider"),
        _fact("registration_status", _TEXT, "State of its registration with the carriers"),
        _fact("active", _BOOL, "Whether it is active"),
        _fact("channel_key", _TEXT, "Its number or account"),
        _fact("first_message", _TEXT, "Text sent on first contact"),
        _fact("first_message_enabled", _BOOL, "Whether that text is sent"),
        _fact("api_opt_out_message", _TEXT, "Text about opting out in messages sent by API"),
        _fact("api_opt_out_message_enabled", _BOOL, "Whether that text is sent"),
        _fact("opt_out_final_message", _TEXT, "Last text after an opt-out"),
        _fact("opt_out_final_message_enabled", _BOOL, "Whether that text is sent"),
        _fact("incoming_call_response_type", _TEXT, "FORWARD, PLAY_AUDIO or REJECT"),
        _fact("incoming_call_audio_upload_id", _INT, "Audio played to callers", references="upload"),
        _fact("incoming_call_forward_number", _TEXT, "Number that calls are forwarded to"),
        _fact("unsupported_media_message", _TEXT, "Answer to media that cannot be processed"),
        _fact("pre_purchased", _BOOL, "Whether the number was bought beforehand"),
        _fact("channel_apps", _JSON, "Apps of the channel"),
        _fact("provider", _JSON, "Provider-specific sub-models, by name"),
        _fact("deleted_at", _TIME, "When the channel was deleted", "deletion"),
    ),
    label="name",
    facets=("channel_type", "registration_status"),
    indexes=(("channel_type",), ("registration_status",)),
)

CONTACT_CHANNEL = Table(
    "contact_channel",
    "Numbers and accounts at which a contact can be reached.",
    ("contact_id", "identity_type", "key"),
    (
        _key("contact_id", "The contact", "contact"),
        _key("identity_type", "SMS, FB, CUSTOMER_EXTERNAL, LIVE_CHAT or LINE", kind=_TEXT),
        _key("key", "Phone number or channel identifier", kind=_TEXT),
        ORG_ID,
        _removed("channels"),
    ),
    label="key",
    full_list="channels",
    facets=("identity_type",),
    indexes=(("key",), ("identity_type",)),
)

CONTACT_IDENTITY = Table(
    "contact_identity",
    "Identities of a contact.",
    ("contact_id", "type", "key"),
    (
        _key("contact_id", "The contact", "contact"),
        _key("type", "SMS, FB, CUSTOMER_EXTERNAL, LIVE_CHAT or LINE", kind=_TEXT),
        _key("key", "Number or identifier", kind=_TEXT),
        ORG_ID,
        _removed("identities"),
    ),
    label="key",
    full_list="identities",
    indexes=(("key",),),
)

TAG = Table(
    "tag",
    "Tags as they are defined (contact_tag and contact_current_tag say who has them).",
    ("id",),
    (
        _key("id", "Unique ID of the tag"),
        ORG_ID,
        _fact("name", _TEXT, "Name"),
        _fact("color_code", _TEXT, "Colour"),
    ),
    label="name",
    sort="name",
    indexes=(("name",),),
)

CONTACT_CURRENT_TAG = Table(
    "contact_current_tag",
    "Tags on contacts as webhooks last told them.",
    ("contact_id", "tag_id"),
    (
        _key("contact_id", "The contact", "contact"),
        _key("tag_id", "The tag", "tag"),
        ORG_ID,
        _fact("note", _TEXT, "Note on the tagging"),
        _fact("added_at", _TIME, "When it was added"),
        _removed("tags"),
    ),
    full_list="tags",
    sort="added_at",
    indexes=(("tag_id",), ("added_at",)),
)

CONTACT_LIST = Table(
    "contact_list",
    "Contact lists.",
    ("id",),
    (
        _key("id", "Unique ID of the list"),
        ORG_ID,
        _fact("name", _TEXT, "Name"),
        _fact("api_id", _TEXT, "Name in the API"),
        _fact("icon", _TEXT, "Icon"),
        _fact("description", _TEXT, "Description"),
        _fact("external_url", _TEXT, "Address in the system it comes from"),
        _fact("type", _TEXT, "Kind of list: PROMPT or the system it comes from"),
    ),
    label="name",
    sort="name",
    facets=("type",),
    indexes=(("name",), ("type",)),
)

CONTACT_LIST_MEMBER = Table(
    "contact_list_member",
    "Who is on which contact list.",
    ("contact_id", "contact_list_id"),
    (
        _key("contact_id", "The contact", "contact"),
        _key("contact_list_id", "The list", "contact_list"),
        ORG_ID,
        _fact("added_at", _TIME, "When the contact was added"),
        _removed("contact lists"),
    ),
    full_list="contactLists",
    sort="added_at",
    indexes=(("contact_list_id",), ("added_at",)),
)

CHANNEL_OPT_OUT = Table(
    "channel_opt_out",
    "Opt-outs from one channel by its phone provider (the contact's global consent is in contact).",
    ("contact_id", "channel_id"),
    (
        _key("contact_id", "The contact", "contact"),
        _key("channel_id", "The channel", "channel"),
        ORG_ID,
        _fact("opted_out", _BOOL, "Whether opted out of this channel"),
        _fact("at", _TIME, "Since when"),
        _fact("contact_key", _TEXT, "The contact's number on it"),
    ),
    sort="at",
    facets=("opted_out",),
    indexes=(("channel_id",), ("at",), ("opted_out",)),
)

INSTANT_APP = Table(
    "instant_app",
    "Instant apps sent in messages.",
    ("id",),
    (
        _key("id", "Unique ID of the instant app"),
        ORG_ID,
        _fact("message_id", _INT, "Message that carried it", "message", "message"),
        _fact("contact_id", _INT, "Contact it was made for", "contact", "contact"),
        _fact("schema_api_id", _TEXT, "Which app"),
        _fact("status", _TEXT, "Status"),
        _fact("created_timestamp", _TIME, "When it was created"),
        _fact("customer_url", _TEXT, "Address the contact opens"),
        _fact("parameters", _JSON, "Its parameters, a list of key and value"),
    ),
    label="schema_api_id",
    sort="created_timestamp",
    facets=("schema_api_id", "status"),
    indexes=(("message_id",), ("contact_id",), ("created_timestamp",), ("schema_api_id",), ("status",)),
)

UPLOAD = Table(
    "upload",
    "Files sent with messages.",
    ("id",),
    (
        _key("id", "Unique ID of the upload"),
        ORG_ID,
        _fact("message_id", _INT, "Message it was sent with", references="message"),
        _fact("name", _TEXT, "File name"),
        _fact("size", _INT, "Size in bytes"),
        _fact("url", _TEXT, "Address of the file"),
    ),
    label="name",
    indexes=(("message_id",),),
)

TABLES = (
    CONVERSATION,
    CONVERSATION_MEMBER,
    CONVERSATION_BOT,
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
    INSTANT_APP,
    UPLOAD,
)
