"""Which function reads which of Prompt's event types, and what the smaller types claim.

Source: Event Endpoint specification, Appendix: All event types, and Agent, Agent tools, Monitor, Channel, Instant app,
Notification, Integration, Console and Misc events; what each type carries is declared in event_types.py. Contacts,
messages and conversations are in contact_events.py. One function for each shape; pure, from a delivery's fields to its
claims. A type that is not in HANDLERS is kept in the inbox and can be replayed once it is known.

A deletion is undone by what only happens to those who are there: added, modified, logged in, a session begun. The end
of a session is no such sign: it may be what follows a deletion.
"""

from promptsync.clock import iso_millis
from promptsync.events.claims import Claims
from promptsync.events.fields import Fields
from promptsync.plugins.declared import EventHandler
from promptsync.vendors.prompt import contact_events as contacts
from promptsync.vendors.prompt.people import customer, team_member
from promptsync.vendors.prompt.records import channel, conversation, instant_app

_SIGNS_OF_LIFE = frozenset(
    {
        *("agent/added", "agent/modified", "agent/login", "agentTools/enter", "agentTools/booted"),
        *("monitor/enter", "monitor/inspect"),
    }
)


def agent_account(body: Fields, claims: Claims) -> None:
    """agent/added, agent/modified, agent/deleted."""
    _agent(body, claims)


def agent_activity(body: Fields, claims: Claims) -> None:
    """agent/login, agent/logout, agentTools/* and monitor/*, some of them with a conversation."""
    member_id = _agent(body, claims)
    talk = body.object("interaction") or body.object("conversation")
    place = conversation(talk, claims) if talk is not None else None
    claims.event("agent_activity", 0, member_id, claims.type, place and place[0], iso_millis(claims.at))


def _agent(body: Fields, claims: Claims) -> int | None:
    model = body.required("agent")
    member_id = team_member(model, claims) if model is not None else None
    if member_id is not None:
        _deletion(claims, "team_member", member_id, "agent/deleted")
    return member_id


def channel_told(body: Fields, claims: Claims) -> None:
    """channels/added, channels/modified, channels/deleted."""
    model = body.required("channel")
    channel_id = channel(model, claims) if model is not None else None
    if channel_id is not None:
        _deletion(claims, "channel", channel_id, "channels/deleted")


def _deletion(claims: Claims, table: str, id_: int, deleted: str) -> None:
    if claims.type == deleted:
        claims.row(table, id_).told("deletion", claims.at, iso_millis(claims.at))
    elif table == "channel" or claims.type in _SIGNS_OF_LIFE:
        claims.row(table, id_).told("deletion", claims.at, None)


def instant_app_event(body: Fields, claims: Claims) -> None:
    """instantApp/*. An update's new values are in the app's parameters already; they and the old ones are kept."""
    model, who = body.required("instantApp"), body.object("customer")
    row = instant_app(model, claims, claims.at) if model is not None else None
    contact_id = customer(who, claims) if who is not None else None
    if row is not None and contact_id is not None:
        row.told("contact", claims.at, contact_id)
    claims.event(
        "instant_app_event",
        0,
        None if row is None else row.key[0],
        claims.type.rpartition("/")[2],
        contact_id,
        None if model is None else model.text("status"),
        body.json("value"),
        body.json("newValues"),
        body.json("oldValues"),
        body.text("errorCode"),
        body.text("errorMessage"),
        iso_millis(claims.at),
    )


def notification_sent(body: Fields, claims: Claims) -> None:
    """notification/sent. ``notifications`` is one NotificationPrefModel; a list of them is taken too."""
    member_id = _agent(body, claims)
    models = list(body.objects("notifications")) if body.has_list("notifications") else [body.required("notifications")]
    for item, model in enumerate(models or [None]):
        told = [None] * 3 if model is None else [model.text("trigger"), model.text("type"), model.text("sentTo")]
        claims.event("notification", item, member_id, *told, iso_millis(claims.at))


def notification_modified(body: Fields, claims: Claims) -> None:
    """notification/modified, with a TeamMemberNotificationModel."""
    member_id, model = _agent(body, claims), body.required("notification")
    if model is None:
        return
    claims.event(
        "notification_setting",
        0,
        member_id,
        model.flag("vacation"),
        model.flag("hideSystemMessages"),
        model.text("slackUsername"),
        model.text("phoneNumber"),
        model.json("notificationGroups"),
        iso_millis(claims.at),
    )


def sheet_read(body: Fields, claims: Claims) -> None:
    """integrations/sheets/read: one row for each SheetRow."""
    sheet = body.integer("integrationId"), body.text("spreadsheetId"), body.text("tabName")
    read = [(row.integer("rowNumber"), row.json("values")) for row in body.objects("readValues")]
    for item, cells in enumerate(read or [(None, None)]):
        claims.event("sheet_read", item, *sheet, *cells, iso_millis(claims.at))


def sheet_write(body: Fields, claims: Claims) -> None:
    """integrations/sheets/write."""
    sheet = body.integer("integrationId"), body.text("spreadsheetId"), body.text("tabName")
    cells = body.integer("rowNumber"), body.json("writeValues"), body.flag("newRow")
    claims.event("sheet_write", 0, *sheet, *cells, iso_millis(claims.at))


def console(body: Fields, claims: Claims) -> None:
    """console/log, console/warn, console/error."""
    level = claims.type.rpartition("/")[2]
    claims.event("console_log", 0, level, body.text("component"), body.text("message"), iso_millis(claims.at))


def alterra_error(body: Fields, claims: Claims) -> None:
    """error/alterra: free form."""
    claims.event("alterra_error", 0, body.rest(frozenset({"orgId"})), iso_millis(claims.at))


HANDLERS: dict[str, EventHandler] = {
    "customer/added": contacts.customer_added,
    "customer/modified": contacts.customer_modified,
    "customer/optOut": contacts.customer_opt_out,
    "message/added": contacts.message_added,
    "message/status": contacts.message_status,
    "message/error": contacts.message_error,
    "message/scheduled": contacts.message_scheduled,
    "message/scheduled/deleted": contacts.message_scheduled,
    "message/scheduled/modified": contacts.message_scheduled,
    "conversation/added": contacts.conversation_told,
    "conversation/joined": contacts.conversation_members,
    "conversation/left": contacts.conversation_members,
    "conversation/status": contacts.conversation_told,
    "conversation-config/modified": contacts.conversation_config_modified,
    "agent/login": agent_activity,
    "agent/logout": agent_activity,
    "agent/added": agent_account,
    "agent/deleted": agent_account,
    "agent/modified": agent_account,
    "agentTools/enter": agent_activity,
    "agentTools/leave": agent_activity,
    "agentTools/idle": agent_activity,
    "agentTools/booted": agent_activity,
    "monitor/enter": agent_activity,
    "monitor/leave": agent_activity,
    "monitor/inspect": agent_activity,
    "channels/added": channel_told,
    "channels/deleted": channel_told,
    "channels/modified": channel_told,
    "instantApp/added": instant_app_event,
    "instantApp/customerConnected": instant_app_event,
    "instantApp/customerDisconnected": instant_app_event,
    "instantApp/status": instant_app_event,
    "instantApp/update": instant_app_event,
    "instantApp/custom": instant_app_event,
    "instantApp/error": instant_app_event,
    "contactAction": contacts.contact_action,
    "contactAction/carrierRejectionRate": contacts.carrier_rejection,
    "broadcast/state": contacts.broadcast_state,
    "notification/sent": notification_sent,
    "notification/modified": notification_modified,
    "integrations/sheets/read": sheet_read,
    "integrations/sheets/write": sheet_write,
    "console/log": console,
    "console/warn": console,
    "console/error": console,
    "smartlink/clicked": contacts.smartlink_clicked,
    "error/alterra": alterra_error,
}
