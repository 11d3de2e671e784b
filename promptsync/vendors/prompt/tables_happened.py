"""What happened, one row per item of an event, as data.

Source: Event Endpoint specification, each event's own section. The key is the delivery (``sync_event.id``) and the
item's place in it, from 0; a row is written once and never changed.
"""

from promptsync.model.table import Column, Kind, Role, Table
from promptsync.vendors.prompt.columns import address, event_table, of_customer, text

_INT, _TEXT, _BOOL, _TIME, _JSON = Kind.INTEGER, Kind.TEXT, Kind.BOOLEAN, Kind.TIME, Kind.JSON


def _happened(name: str, about: str, *columns: Column, facets: tuple[str, ...] = ()) -> Table:
    fixed = (
        Column("event_id", _INT, "Delivery that told it", references="sync_event"),
        Column("item", _INT, "Place in that delivery, from 0"),
        Column("org_id", _INT, "Organization it belongs to", references="org"),
    )
    indexes = tuple((column.name,) for column in columns if column.references or column.name in ("at", *facets))
    return event_table(
        name, about, ("event_id", "item"), fixed + columns, Role.HAPPENED, sort="at", facets=facets, indexes=indexes
    )


MESSAGE_STATUS = _happened(
    "message_status",
    "Every delivery status told by webhook.",
    Column("message_id", _INT, "The message", references="message"),
    Column("status", _TEXT, "The status"),
    Column("at", _TIME, "When it was so"),
    facets=("status",),
)

MESSAGE_ERROR = _happened(
    "message_error",
    "Messages that failed to send.",
    Column("message_id", _INT, "The message", references="message"),
    Column("error_message", _TEXT, "Why"),
    Column("at", _TIME, "When it was told"),
)

OPT_OUT_CHANGE = _happened(
    "opt_out_change",
    "Opt-outs and opt-ins told by webhook.",
    Column("contact_id", _INT, "The contact", references="contact"),
    Column("scope", _TEXT, "GLOBAL, or PHONE_PROVIDER for one channel"),
    Column("opted_out", _BOOL, "1 opted out, 0 opted back in"),
    Column("at", _TIME, "When"),
    Column("channel_id", _INT, "The channel, if it is about one", references="channel"),
    facets=("scope", "opted_out"),
)

BROADCAST_CHANGE = _happened(
    "broadcast_change",
    "Changes of a broadcast's status.",
    Column("broadcast_id", _INT, "The broadcast", references="broadcast"),
    Column("status", _TEXT, "The status"),
    Column("status_message", _TEXT, "The status in words"),
    Column("at", _TIME, "When it was told"),
    facets=("status",),
)

CONVERSATION_CHANGE = _happened(
    "conversation_change",
    "Conversations that began, that team members joined or left, or whose status was told.",
    Column("conversation_id", _INT, "The conversation", references="conversation"),
    Column("change", _TEXT, "added, joined, left or status"),
    Column("user_type", _TEXT, "Kind of user who joined or left"),
    of_customer(Column("user_id", _INT, "The user who joined or left; one row each")),
    Column("team_member_id", _INT, "The same, if a team member", references="team_member"),
    Column("status", _TEXT, "The conversation's status then"),
    Column("at", _TIME, "When"),
    facets=("change",),
)

AGENT_ACTIVITY = _happened(
    "agent_activity",
    "What team members did: logging in and out, sessions of the agent tools and of the monitor.",
    Column("team_member_id", _INT, "The team member", references="team_member"),
    Column("activity", _TEXT, "The event type: agent/login, agentTools/idle, monitor/inspect, ..."),
    Column("conversation_id", _INT, "The conversation, where one is opened or inspected", references="conversation"),
    Column("at", _TIME, "When"),
    facets=("activity",),
)

INSTANT_APP_EVENT = _happened(
    "instant_app_event",
    "What happened in instant apps.",
    Column("instant_app_id", _INT, "The instant app", references="instant_app"),
    Column("event", _TEXT, "added, customerConnected, customerDisconnected, status, update, custom or error"),
    Column("contact_id", _INT, "The contact", references="contact"),
    Column("status", _TEXT, "The app's status then"),
    Column("value", _JSON, "What a custom event says: an object or a text"),
    Column("new_values", _JSON, "Parameters after an update, by name"),
    Column("old_values", _JSON, "The same parameters before it"),
    Column("error_code", _TEXT, "Kind of error"),
    Column("error_message", _TEXT, "The error in words"),
    Column("at", _TIME, "When"),
    facets=("event",),
)

BROADCAST_CONTACT = _happened(
    "broadcast_contact",
    "Contacts processed by a broadcast or another bulk action.",
    Column("contact_id", _INT, "The contact just processed", references="contact"),
    Column("progress", _INT, "Contacts processed so far"),
    Column("total", _INT, "Contacts in the action"),
    Column("path_suffix", _TEXT, "What followed contactAction/ in the path"),
    Column("at", _TIME, "When it was told"),
    facets=("path_suffix",),
)

CARRIER_REJECTION = _happened(
    "carrier_rejection",
    "Broadcasts of which carriers rejected more messages than the threshold allows.",
    Column("broadcast_id", _INT, "The broadcast", references="broadcast"),
    Column("rate_limit", Kind.REAL, "The threshold", unit="share of messages"),
    Column("rejection_count", _INT, "Messages rejected", unit="messages"),
    Column("message_count", _INT, "Messages attempted", unit="messages"),
    Column("progress", _INT, "Contacts processed so far", unit="contacts"),
    Column("total", _INT, "Contacts in all", unit="contacts"),
    Column("at", _TIME, "When it was told"),
)

NOTIFICATION = _happened(
    "notification",
    "Notifications sent to team members.",
    Column("team_member_id", _INT, "The team member", references="team_member"),
    Column("trigger", _TEXT, "What it is about"),
    Column("type", _TEXT, "How it was sent"),
    Column("sent_to", _TEXT, "Address it was sent to"),
    Column("at", _TIME, "When it was told"),
    facets=("trigger", "type"),
)

NOTIFICATION_SETTING = _happened(
    "notification_setting",
    "Notification settings of team members, as they were set each time.",
    Column("team_member_id", _INT, "The team member", references="team_member"),
    Column("vacation", _BOOL, "Whether on vacation"),
    Column("hide_system_messages", _BOOL, "Whether system messages are hidden"),
    Column("slack_username", _TEXT, "Name in Slack"),
    Column("phone_number", _TEXT, "Number for notifications"),
    Column("notification_groups", _JSON, "What is notified of how, a list with one object for each trigger"),
    Column("at", _TIME, "When it was told"),
)

SHEET_READ = _happened(
    "sheet_read",
    "Rows read from Google Sheets; a read that found none has one row without a row number.",
    Column("integration_id", _INT, "The integration"),
    Column("spreadsheet_id", _TEXT, "The spreadsheet"),
    Column("tab_name", _TEXT, "The tab"),
    Column("row_number", _INT, "Number of the row in the tab"),
    text(Column("read_values", _JSON, "Its cells, a list")),
    Column("at", _TIME, "When it was told"),
    facets=("integration_id",),
)

SHEET_WRITE = _happened(
    "sheet_write",
    "Rows written to Google Sheets.",
    Column("integration_id", _INT, "The integration"),
    Column("spreadsheet_id", _TEXT, "The spreadsheet"),
    Column("tab_name", _TEXT, "The tab"),
    Column("row_number", _INT, "Number of the row in the tab"),
    text(Column("write_values", _JSON, "Its cells, a list")),
    Column("new_row", _BOOL, "Whether the row was appended"),
    Column("at", _TIME, "When it was told"),
    facets=("integration_id",),
)

CONSOLE_LOG = _happened(
    "console_log",
    "What the account's own scripts logged.",
    Column("level", _TEXT, "log, warn or error"),
    Column("component", _TEXT, "INSTANT_APP, AUTOMATION, BOT, ..."),
    text(Column("message", _TEXT, "The text")),
    Column("at", _TIME, "When"),
    facets=("level", "component"),
)

SMARTLINK_CLICK = _happened(
    "smartlink_click",
    "Clicks on smart links.",
    Column("contact_id", _INT, "The contact who clicked", references="contact"),
    address(Column("contact_key", _TEXT, "The contact's number or account")),
    Column("smartlink_id", _INT, "The smart link"),
    Column("broadcast_id", _INT, "The broadcast it was sent in, if any", references="broadcast"),
    Column("at", _TIME, "When"),
    facets=("smartlink_id",),
)

ALTERRA_ERROR = _happened(
    "alterra_error",
    "Alterra errors, in whatever shape the webhooks have them.",
    text(Column("details", _JSON, "Everything the event says beside the organization")),
    Column("at", _TIME, "When"),
)

TABLES = (
    MESSAGE_STATUS,
    MESSAGE_ERROR,
    OPT_OUT_CHANGE,
    CONVERSATION_CHANGE,
    AGENT_ACTIVITY,
    INSTANT_APP_EVENT,
    BROADCAST_CONTACT,
    CARRIER_REJECTION,
    BROADCAST_CHANGE,
    NOTIFICATION,
    NOTIFICATION_SETTING,
    SHEET_READ,
    SHEET_WRITE,
    CONSOLE_LOG,
    SMARTLINK_CLICK,
    ALTERRA_ERROR,
)
