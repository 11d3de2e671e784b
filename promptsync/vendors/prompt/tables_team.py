"""The organization's people and channels, as data: tables that only webhooks fill.

Source: Event Endpoint specification, Common models. TeamMemberModel and OrgChannelModel.
"""

from promptsync.model.table import Kind
from promptsync.vendors.prompt.columns import ORG_ID, event_table, extra, fact, key

_INT, _TEXT, _BOOL, _TIME, _JSON = Kind.INTEGER, Kind.TEXT, Kind.BOOLEAN, Kind.TIME, Kind.JSON

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
        fact("incoming_call_audio_upload_id", _INT, "Audio played to callers", references="upload"),
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

TABLES = (TEAM_MEMBER, TEAM_MEMBER_IDENTITY, CHANNEL)
