"""Deliveries about work in the inbox, as a table: what each type carries, and what a receiver keeps of it.

Owns the shapes (Event Endpoint) and what a receiver learns from each field. When they happen, and what they are about,
is decided in inbox.
"""

from collections.abc import Callable, Mapping
from typing import Any

from promptsync.clock import iso_millis
from promptsync.demo.prompt import models
from promptsync.demo.prompt.events import Event
from promptsync.demo.prompt.models import Body
from promptsync.demo.prompt.snapshot import Value
from promptsync.demo.truth.knowledge import Knowledge

About = Mapping[str, Any]
"""What an event is about: member, conversation, contact, channel, broadcast, users; and the values of other fields."""

_APP = (
    "instant_app_event instantApp.id $event customer.id instantApp.status value* newValues* oldValues* errorCode"
    " errorMessage @"
)
_LINK = "smartlinkId bulkActionId"
_SENT = "notifications.trigger notifications.type notifications.sentTo"
_UPDATED = "interaction.lastUpdatedTimestamp@"
_SHEET = "integrationId spreadsheetId tabName"
_COUNTS = "bulkActionId rateLimit rejectionCount messageCount progress total"
_SETTING = "notification.vacation notification.hideSystemMessages notification.slackUsername notification.phoneNumber"
_ACTIVE = "agent timestamp > agent_activity agent.id $path - @"
_MOVED = "interaction users timestamp > conversation_change interaction.id $event users.userType users.id users.id"

_SHAPES = f"""
agent/added agent/modified agent/deleted: agent >
agent/login agent/logout monitor/enter monitor/leave: {_ACTIVE}
agentTools/enter agentTools/idle agentTools/leave: {_ACTIVE}
agentTools/booted: agent conversation timestamp > agent_activity agent.id $path conversation.id @
monitor/inspect: agent interaction > agent_activity agent.id $path interaction.id @
channels/added channels/modified channels/deleted: channel >
conversation/added: interaction > conversation_change interaction.id $event - - - interaction.status {_UPDATED}
conversation/joined conversation/left: {_MOVED} interaction.status @
conversation/status: > conversation_change - $event - - - - @
conversation-config/modified: interactionConfig >
message/scheduled message/scheduled/modified message/scheduled/deleted: scheduledAction >
instantApp/added: instantApp customer > {_APP}
instantApp/customerConnected instantApp/customerDisconnected: instantApp customer timestamp > {_APP}
instantApp/status: instantApp customer timestamp > {_APP}
instantApp/update: instantApp customer newValues oldValues timestamp > {_APP}
instantApp/custom: value instantApp customer timestamp > {_APP}
instantApp/error: errorMessage errorCode instantApp > {_APP}
contactAction: progress total customer > broadcast_contact customer.id progress total $event @
contactAction/carrierRejectionRate: {_COUNTS} > carrier_rejection {_COUNTS} @
smartlink/clicked: customerId customerChannel timestamp {_LINK} > smartlink_click customerId customerChannel {_LINK} @
notification/sent: agent notifications > notification agent.id {_SENT} @
notification/modified: agent notification > notification_setting agent.id {_SETTING} notification.notificationGroups* @
integrations/sheets/read: {_SHEET} readValues > sheet_read {_SHEET} readValues.rowNumber readValues.values* @
integrations/sheets/write: {_SHEET} rowNumber writeValues newRow > sheet_write {_SHEET} rowNumber writeValues* newRow @
console/log console/warn console/error: timestamp component message > console_log $event component message @
error/alterra: code context > alterra_error +* @
"""
"""Types, the fields of their bodies in order, and the row that is kept: its table, and what is in each cell.

A cell is the path of a field (of each item, if it leads through a list), with ``*`` the field as JSON, with ``@`` a
time in milliseconds; or ``@`` alone, when it happened; ``+*`` the whole body; ``$path`` and ``$event`` the type and
what follows its first slash; ``-`` nothing.
"""
SHAPES = {
    path: tuple(part.split() for part in shape.split(">"))
    for paths, _, shape in (line.partition(": ") for line in _SHAPES.strip().splitlines())
    for path in paths.split()
}

_LIVES = {"agent": "team_member", "channels": "channel"}  # added, modified, deleted
_SAYS: dict[str, Callable[[About, int], Any]] = {
    "agent": lambda about, _: models.agent(about["member"], about.get("email")),
    "bulkActionId": lambda about, _: about["broadcast"].id,
    "channel": lambda about, _: models.org_channel(about["channel"]),
    "conversation": lambda about, at: models.conversation(about["conversation"], at),
    "customer": lambda about, at: models.customer(about["contact"], at, full=False),
    "customerChannel": lambda about, _: about["contact"].phone,
    "customerId": lambda about, _: about["contact"].id,
    "interaction": lambda about, at: models.conversation(about["conversation"], at),
    "timestamp": lambda _, at: models.millis(at),
    "users": lambda about, _: [models.user(one.id, one.name, one.created, "TEAM_MEMBER") for one in about["users"]],
}
"""What fields say. Others are said as they are."""


def inbox_event(org: int, path: str, at: int, about: About) -> Event:
    """The delivery of that type about these people and things."""
    fields, kept = SHAPES.get(path) or SHAPES[path.partition("/")[0]]
    body: Body = {"orgId": org}
    for name in fields:
        body[name] = _SAYS[name](about, at) if name in _SAYS else about[name]

    def informs(knowledge: Knowledge, received: int) -> None:
        when = at if "timestamp" in body else received
        for name in body:
            _learn(knowledge, name, about, body, (at, when))
        thing, _, change = path.partition("/")
        if (table := _LIVES.get(thing)) and change in ("added", "modified", "deleted"):
            id_ = about["member" if thing == "agent" else "channel"].id
            deleted = {"deleted_at": iso_millis(received) if change == "deleted" else None}
            knowledge.fact(table, (id_,), "deletion", received, deleted)
        for item in _items(body, kept) if kept else ():
            knowledge.happen(kept[0], *(_cell(item, path, cell, when) for cell in kept[1:]))

    return Event(path, body, at, at, informs)


def _learn(knowledge: Knowledge, name: str, about: About, body: Body, times: tuple[int, int]) -> None:
    """What a field says to a receiver. ``times``: when it was made, and its place in the order."""
    at, when = times
    value = body[name]
    match name:
        case "agent":
            knowledge.staff[value["id"]] = about["member"]
            account = {"email": value["email"], "mfa_phone_number": value["mfaPhoneNumber"]}
            account["mfa_verified"] = value["mfaVerified"]
            knowledge.fact("team_member", (value["id"],), "account", when, account)
        case "interaction" | "conversation":
            talk = about["conversation"]
            knowledge.conversation(talk, talk.states.since(at))
        case "users":
            knowledge.named |= {user.id: user for user in about["users"]}
        case "customer":
            knowledge.customer(about["contact"], when, at)
        case "customerId":
            knowledge.mention_contact(about["contact"])
        case "bulkActionId":
            knowledge.broadcasts.setdefault(value)
        case "rejectionCount":
            progress = {column: body[column] for column in ("progress", "total")}
            knowledge.fact("broadcast", (body["bulkActionId"],), "progress", when, progress)
        case "channel":
            knowledge.fact("channel", (value["id"],), "facts", when, models.channel_row(value))
        case "interactionConfig":
            knowledge.mention_contact(about["contact"])
            knowledge.channels.setdefault(value["orgChannelId"], False)
            row = {"channel_id": value["orgChannelId"], "contact_id": value["customerId"]}
            row["phone_provider_opt_out"] = value["phoneProviderOptOut"]
            knowledge.fact("conversation_config", (value["id"],), "facts", when, row)
        case "scheduledAction":
            knowledge.channels[value["orgChannel"]["id"]] = True
            knowledge.staff.setdefault(value["userId"])
            knowledge.fact("scheduled_message", (value["id"],), "facts", when, models.scheduled_row(value))
        case "instantApp":
            knowledge.fact("instant_app", (value["id"],), "facts", when, models.instant_app_row(value))
            if "customer" in body:
                contact = {"contact_id": about["contact"].id}
                knowledge.fact("instant_app", (value["id"],), "contact", when, contact)


def _items(body: Body, cells: list[str]) -> list[Body]:
    """The body, once for each item of a list that a cell leads through."""
    for name, value in body.items():
        if isinstance(value, list) and any(cell.startswith(f"{name}.") for cell in cells):
            return [{**body, name: item} for item in value]
    return [body]


def _cell(body: Body, path: str, cell: str, when: int) -> Value:
    if cell in ("@", "-"):
        return iso_millis(when) if cell == "@" else None
    if cell.startswith("$"):
        return path if cell == "$path" else path.partition("/")[2] or None
    if cell == "+*":
        return models.packed({name: value for name, value in body.items() if name != "orgId"})
    found: Any = body
    for name in cell.rstrip("*@").split("."):
        if name not in found:
            return None
        found = found[name]
    if cell.endswith("@"):
        return iso_millis(found * 1000)
    return models.packed(found) if cell.endswith("*") else found
