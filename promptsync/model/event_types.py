"""The 48 event types of Prompt's webhooks, as data.

Source: Event Endpoint specification, Appendix: All event types. Owns the list and how a request path names a type;
what a type's body says is read elsewhere.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventType:
    """``path``: what follows the configured base path. ``internal``: the vendor's enum name."""

    path: str
    internal: str
    about: str


_ROWS = """
customer/added|CUSTOMER_ADDED|New customer created
customer/modified|CUSTOMER_MODIFIED|Customer name changed
customer/optOut|CUSTOMER_OPT_OUT|Customer opt-in/out
message/added|MESSAGE_ADDED|New message created (inbound or outbound)
message/status|MESSAGE_STATUS|Delivery status changed
message/error|SEND_MESSAGE_ERROR|Message send failure
message/scheduled|MESSAGE_SCHEDULED|Message scheduled
message/scheduled/deleted|SCHEDULED_MESSAGE_DELETED|Scheduled message cancelled
message/scheduled/modified|SCHEDULED_MESSAGE_MODIFIED|Scheduled message modified
conversation/added|INTERACTION_ADDED|New conversation created
conversation/joined|INTERACTION_JOINED|Members joined conversation
conversation/left|INTERACTION_LEFT|Members left conversation
conversation-config/modified|INTERACTION_CONFIG_MODIFIED|Conversation config changed
agent/login|LOGIN|Team member logged in
agent/logout|LOGOUT|Team member logged out
agent/added|AGENT_ADDED|Team member created
agent/deleted|AGENT_DELETED|Team member deleted
agent/modified|AGENT_MODIFIED|Team member modified
agentTools/enter|AGENT_TOOLS_ENTER|Agent tools session started
agentTools/leave|AGENT_TOOLS_LEAVE|Agent tools session ended
agentTools/idle|AGENT_TOOLS_IDLE|Agent tools went idle
agentTools/booted|AGENT_TOOLS_BOOTED|Agent tools booted
monitor/enter|MONITOR_ENTER|Monitor session started
monitor/leave|MONITOR_LEAVE|Monitor session ended
monitor/inspect|MONITOR_INSPECT|Monitor inspecting conversation
channels/added|CHANNEL_ADDED|Channel created
channels/deleted|CHANNEL_DELETED|Channel deleted
channels/modified|CHANNEL_MODIFIED|Channel modified
instantApp/added|INSTANT_APP_ADDED|Instant app created
instantApp/customerConnected|INSTANT_APP_CUSTOMER_CONNECTED|Customer connected to instant app
instantApp/customerDisconnected|INSTANT_APP_CUSTOMER_DISCONNECTED|Customer disconnected
instantApp/status|INSTANT_APP_STATUS|Instant app status changed
instantApp/update|INSTANT_APP_UPDATE|Instant app parameters updated
instantApp/custom|INSTANT_APP_CUSTOM|Custom instant app event
instantApp/error|INSTANT_APP_SCRIPT_ERROR|Instant app script error
contactAction|BULK_ACTION|Bulk action progress
contactAction/carrierRejectionRate|CARRIER_REJECTION_RATE_EXCEEDED|Carrier rejection threshold exceeded
broadcast/state|BROADCAST_STATE|Broadcast status changed
notification/sent|NOTIFICATION_SENT|Notification sent
notification/modified|NOTIFICATION_MODIFIED|Notification settings changed
integrations/sheets/read|GOOGLE_SHEETS_READ|Google Sheets read
integrations/sheets/write|GOOGLE_SHEETS_WRITE|Google Sheets write
console/log|CONSOLE_LOG_INFO|Console info log
console/warn|CONSOLE_LOG_WARN|Console warning log
console/error|CONSOLE_LOG_ERROR|Console error log
smartlink/clicked|SMARTLINK_CLICKED|Smartlink clicked
error/alterra|ALTERRA_ERROR|Alterra error
conversation/status|INTERACTION_STATUS|Deprecated
"""

EVENT_TYPES: dict[str, EventType] = {
    row.split("|")[0]: EventType(*row.split("|")) for row in _ROWS.strip().splitlines()
}


def type_of_path(path: str) -> str:
    """The event type that a path below the configured one names: itself, or ``contactAction`` without a custom suffix.

    >>> type_of_path("contactAction/spring-drive"), type_of_path("contactAction/carrierRejectionRate")
    ('contactAction', 'contactAction/carrierRejectionRate')
    """
    if path not in EVENT_TYPES and path.startswith("contactAction/"):
        return "contactAction"
    return path
