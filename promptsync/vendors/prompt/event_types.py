"""The 48 event types of Prompt's webhooks, as data.

Source: Event Endpoint specification, Appendix: All event types, and each type's own section. Owns the list, what a
type's body carries, which table of what happened it leaves a row in, and how a request path names a type. How a body
is read is said in events.py.
"""

from promptsync.vendors.vendor import EventType

# path|internal name|about, and below it: fields of the body -> table of what happened
_ROWS = """
customer/added|CUSTOMER_ADDED|New customer created
    customer ->
customer/modified|CUSTOMER_MODIFIED|Customer name changed
    customers ->
customer/optOut|CUSTOMER_OPT_OUT|Customer opt-in/out
    customers customer optOutType optOut timestamp orgChannel customerChannel phoneProviderOptOut -> opt_out_change
message/added|MESSAGE_ADDED|New message created (inbound or outbound)
    message interaction postingUser customerChannel orgChannel bulkActionId botResponse ->
message/status|MESSAGE_STATUS|Delivery status changed
    timestamp message messages -> message_status
message/error|SEND_MESSAGE_ERROR|Message send failure
    message errorMessage -> message_error
message/scheduled|MESSAGE_SCHEDULED|Message scheduled
    scheduledAction ->
message/scheduled/deleted|SCHEDULED_MESSAGE_DELETED|Scheduled message cancelled
    scheduledAction ->
message/scheduled/modified|SCHEDULED_MESSAGE_MODIFIED|Scheduled message modified
    scheduledAction ->
conversation/added|INTERACTION_ADDED|New conversation created
    interaction -> conversation_change
conversation/joined|INTERACTION_JOINED|Members joined conversation
    interaction users timestamp -> conversation_change
conversation/left|INTERACTION_LEFT|Members left conversation
    interaction users timestamp -> conversation_change
conversation-config/modified|INTERACTION_CONFIG_MODIFIED|Conversation config changed
    interactionConfig ->
agent/login|LOGIN|Team member logged in
    agent timestamp -> agent_activity
agent/logout|LOGOUT|Team member logged out
    agent timestamp -> agent_activity
agent/added|AGENT_ADDED|Team member created
    agent ->
agent/deleted|AGENT_DELETED|Team member deleted
    agent ->
agent/modified|AGENT_MODIFIED|Team member modified
    agent ->
agentTools/enter|AGENT_TOOLS_ENTER|Agent tools session started
    agent timestamp -> agent_activity
agentTools/leave|AGENT_TOOLS_LEAVE|Agent tools session ended
    agent timestamp -> agent_activity
agentTools/idle|AGENT_TOOLS_IDLE|Agent tools went idle
    agent timestamp -> agent_activity
agentTools/booted|AGENT_TOOLS_BOOTED|Agent tools booted
    agent conversation timestamp -> agent_activity
monitor/enter|MONITOR_ENTER|Monitor session started
    agent timestamp -> agent_activity
monitor/leave|MONITOR_LEAVE|Monitor session ended
    agent timestamp -> agent_activity
monitor/inspect|MONITOR_INSPECT|Monitor inspecting conversation
    agent interaction -> agent_activity
channels/added|CHANNEL_ADDED|Channel created
    channel ->
channels/deleted|CHANNEL_DELETED|Channel deleted
    channel ->
channels/modified|CHANNEL_MODIFIED|Channel modified
    channel ->
instantApp/added|INSTANT_APP_ADDED|Instant app created
    instantApp customer -> instant_app_event
instantApp/customerConnected|INSTANT_APP_CUSTOMER_CONNECTED|Customer connected to instant app
    instantApp customer timestamp -> instant_app_event
instantApp/customerDisconnected|INSTANT_APP_CUSTOMER_DISCONNECTED|Customer disconnected
    instantApp customer timestamp -> instant_app_event
instantApp/status|INSTANT_APP_STATUS|Instant app status changed
    instantApp customer timestamp -> instant_app_event
instantApp/update|INSTANT_APP_UPDATE|Instant app parameters updated
    instantApp customer newValues oldValues timestamp -> instant_app_event
instantApp/custom|INSTANT_APP_CUSTOM|Custom instant app event
    value instantApp customer timestamp -> instant_app_event
instantApp/error|INSTANT_APP_SCRIPT_ERROR|Instant app script error
    errorMessage errorCode instantApp -> instant_app_event
contactAction|BULK_ACTION|Bulk action progress
    progress total customer -> broadcast_contact
contactAction/carrierRejectionRate|CARRIER_REJECTION_RATE_EXCEEDED|Carrier rejection threshold exceeded
    bulkActionId rateLimit rejectionCount messageCount progress total -> carrier_rejection
broadcast/state|BROADCAST_STATE|Broadcast status changed
    bulkActionId status statusMessage -> broadcast_change
notification/sent|NOTIFICATION_SENT|Notification sent
    agent notifications -> notification
notification/modified|NOTIFICATION_MODIFIED|Notification settings changed
    agent notification -> notification_setting
integrations/sheets/read|GOOGLE_SHEETS_READ|Google Sheets read
    integrationId spreadsheetId tabName readValues -> sheet_read
integrations/sheets/write|GOOGLE_SHEETS_WRITE|Google Sheets write
    integrationId spreadsheetId tabName rowNumber writeValues newRow -> sheet_write
console/log|CONSOLE_LOG_INFO|Console info log
    timestamp component message -> console_log
console/warn|CONSOLE_LOG_WARN|Console warning log
    timestamp component message -> console_log
console/error|CONSOLE_LOG_ERROR|Console error log
    timestamp component message -> console_log
smartlink/clicked|SMARTLINK_CLICKED|Smartlink clicked
    customerId customerChannel timestamp smartlinkId bulkActionId -> smartlink_click
error/alterra|ALTERRA_ERROR|Alterra error
    -> alterra_error
conversation/status|INTERACTION_STATUS|Deprecated
    -> conversation_change
"""


def _declared(head: str, body: str) -> EventType:
    fields, _, leaves = body.partition("->")
    path, internal, about = head.split("|")
    return EventType(path, internal, about, tuple(fields.split()), leaves.strip())


_LINES = _ROWS.strip().splitlines()
EVENT_TYPES: dict[str, EventType] = {
    head.split("|")[0]: _declared(head, body) for head, body in zip(_LINES[::2], _LINES[1::2], strict=True)
}


def type_of_path(path: str) -> str:
    """The event type that a path below the configured one names: itself, or ``contactAction`` without a custom suffix.

    >>> type_of_path("contactAction/spring-drive"), type_of_path("contactAction/carrierRejectionRate")
    ('contactAction', 'contactAction/carrierRejectionRate')
    """
    if path not in EVENT_TYPES and path.startswith("contactAction/"):
        return "contactAction"
    return path
