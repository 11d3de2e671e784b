"""Prompt's tables that only webhooks fill, as data.

Source: Event Endpoint specification, Common models. One table for each thing a model describes, one for each list a
model carries. A vendor field in camelCase is a column in snake_case; provider-specific sub-models are JSON.
"""

from promptsync.model.table import Kind
from promptsync.vendors.prompt import tables_people
from promptsync.vendors.prompt.columns import ORG_ID, address, event_table, extra, fact, key

_INT, _TEXT, _BOOL, _TIME, _JSON = Kind.INTEGER, Kind.TEXT, Kind.BOOLEAN, Kind.TIME, Kind.JSON

CONVERSATION = event_table(
    "conversation",
    "Conversations between a contact and the organization on one channel (webhooks call it interaction).",
    ("id",),
    (
        key("id", "Unique ID of the conversation"),
        ORG_ID,
        fact("contact_id", _INT, "Contact it is with", references="contact"),
        fact("channel_id", _INT, "Channel it runs on", references="channel"),
        fact("status", _TEXT, "PENDING, UNASSIGNED, QUEUED, ACTIVE or COMPLETE"),
        fact("topic", _TEXT, "Topic"),
        fact("created_timestamp", _TIME, "When it was created"),
        fact("last_updated_timestamp", _TIME, "When it last changed"),
        extra("ConversationModel"),
        fact("first_message_id", _INT, "The contact's first message in it", "first", "message"),
    ),
    label="topic",
    sort="last_updated_timestamp",
    facets=("status",),
    indexes=(("contact_id",), ("channel_id",), ("last_updated_timestamp",), ("status",)),
)


CONVERSATION_MEMBER = event_table(
    "conversation_member",
    "Team members in conversations.",
    ("conversation_id", "team_member_id"),
    (
        key("conversation_id", "The conversation", "conversation"),
        key("team_member_id", "The team member", "team_member"),
        ORG_ID,
        fact("active", _BOOL, "Whether active in it"),
    ),
    indexes=(("team_member_id",),),
)


CONVERSATION_BOT = event_table(
    "conversation_bot",
    "Bots in conversations.",
    ("conversation_id", "bot_id"),
    (key("conversation_id", "The conversation", "conversation"), key("bot_id", "The bot"), ORG_ID),
)


CONVERSATION_CONFIG = event_table(
    "conversation_config",
    "Configuration of conversations (webhooks call it interactionConfig).",
    ("id",),
    (
        key("id", "Unique ID of the configuration"),
        ORG_ID,
        fact("channel_id", _INT, "Channel it is about", references="channel"),
        fact("contact_id", _INT, "Contact it is about", references="contact"),
        fact("phone_provider_opt_out", _BOOL, "Whether the phone provider has opted the contact out of the channel"),
        extra("InteractionConfigModel"),
    ),
    facets=("phone_provider_opt_out",),
    indexes=(("contact_id",), ("channel_id",), ("phone_provider_opt_out",)),
)


SCHEDULED_MESSAGE = event_table(
    "scheduled_message",
    "Messages to be sent later (webhooks call them scheduledAction).",
    ("id",),
    (
        key("id", "Unique ID of the scheduled message"),
        ORG_ID,
        fact("user_id", _INT, "Team member who scheduled it", references="team_member"),
        fact("channel_id", _INT, "Channel it goes out on", references="channel"),
        fact("identity_type", _TEXT, "Kind of the contact's number or account: SMS, FB, CUSTOMER_EXTERNAL, ..."),
        address(fact("contact_key", _TEXT, "The contact's number or account")),
        fact("created_timestamp", _TIME, "When it was created"),
        fact("status", _TEXT, "SCHEDULED, ABORTED or COMPLETED"),
        fact("deliver_on", _TIME, "When it is to be sent"),
        fact("message", _TEXT, "Text to send"),
        fact("whisper", _TEXT, "Internal note that goes with it, not delivered to the contact"),
        fact("instant_app_schema", _JSON, "Instant app to send with it"),
        fact("instant_app_message", _TEXT, "Text of the instant app"),
        fact("instant_app_parameters", _TEXT, "Parameters of the instant app"),
        fact("upload_id", _INT, "File to send with it", references="upload"),
        extra("ScheduledActionModel"),
    ),
    label="message",
    sort="deliver_on",
    facets=("status",),
    indexes=(("channel_id",), ("user_id",), ("contact_key",), ("deliver_on",), ("status",)),
)


INSTANT_APP = event_table(
    "instant_app",
    "Instant apps: small pages made for a contact, most of them sent in a message.",
    ("id",),
    (
        key("id", "Unique ID of the instant app"),
        ORG_ID,
        fact("message_id", _INT, "Message that carried it", "message", "message"),
        fact("contact_id", _INT, "Contact it was made for", "contact", "contact"),
        fact("schema_api_id", _TEXT, "Which app"),
        fact("status", _TEXT, "Status"),
        fact("created_timestamp", _TIME, "When it was created"),
        fact("customer_url", _TEXT, "Address the contact opens"),
        fact("parameters", _JSON, "Its parameters, a list of key and value"),
        extra("InstantAppModel"),
    ),
    label="schema_api_id",
    sort="created_timestamp",
    facets=("schema_api_id", "status"),
    indexes=(("message_id",), ("contact_id",), ("created_timestamp",), ("schema_api_id",), ("status",)),
)


UPLOAD = event_table(
    "upload",
    "Files sent with messages.",
    ("id",),
    (
        key("id", "Unique ID of the upload"),
        ORG_ID,
        fact("message_id", _INT, "Message it was sent with", references="message"),
        fact("name", _TEXT, "File name"),
        fact("size", _INT, "Size in bytes"),
        fact("url", _TEXT, "Address of the file"),
    ),
    label="name",
    indexes=(("message_id",),),
)

TABLES = (
    CONVERSATION,
    CONVERSATION_MEMBER,
    CONVERSATION_BOT,
    CONVERSATION_CONFIG,
    *tables_people.TABLES,
    SCHEDULED_MESSAGE,
    INSTANT_APP,
    UPLOAD,
)
