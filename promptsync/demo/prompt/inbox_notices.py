"""Deliveries that leave little more than a row of what happened: progress, clicks, notices, sheets, logs.

One builder for each shape, in exactly the specification's form; each also says what a receiver learns from it. Follows
Event Endpoint. When they happen is decided in desk.
"""

from promptsync.clock import iso_millis
from promptsync.demo.prompt import models
from promptsync.demo.prompt.events import Event
from promptsync.demo.prompt.inbox_events import learn_agent
from promptsync.demo.prompt.models import Body
from promptsync.demo.truth.knowledge import Told
from promptsync.demo.world.people import Contact, TeamMember
from promptsync.demo.world.traffic import Broadcast, Message

SHEET = (10, "1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcde", "Pickups")
_SMARTLINK = 42
_RATE_LIMIT = 0.05


def contact_action(org: int, at: int, contact: Contact, progress: tuple[int, int], suffix: str | None) -> Event:
    """contactAction, to the endpoint's own path or one below it. ``progress``: contacts processed, in all."""
    path = f"contactAction/{suffix}" if suffix else "contactAction"
    who = models.customer(contact, at, full=False)
    body = {"orgId": org, "progress": progress[0], "total": progress[1], "customer": who}

    def says(told: Told, now: int) -> None:
        told.customer(contact, now, at)
        told.happen("broadcast_contact", contact.id, *progress, suffix, iso_millis(now))

    return Event(path, body, at, at, says)


def carrier_rejections(org: int, at: int, broadcast: Broadcast, counts: tuple[int, int, int, int]) -> Event:
    """contactAction/carrierRejectionRate. ``counts``: messages rejected, attempted, contacts processed, in all."""
    names = ("rejectionCount", "messageCount", "progress", "total")
    body = {
        "orgId": org,
        "bulkActionId": broadcast.id,
        "rateLimit": _RATE_LIMIT,
        **dict(zip(names, counts, strict=True)),
    }

    def says(told: Told, now: int) -> None:
        told.broadcasts.setdefault(broadcast.id)
        told.fact("broadcast", (broadcast.id,), "progress", now, {"progress": counts[2], "total": counts[3]})
        told.happen("carrier_rejection", broadcast.id, _RATE_LIMIT, *counts, iso_millis(now))

    return Event("contactAction/carrierRejectionRate", body, at, at, says)


def smartlink_clicked(org: int, at: int, message: Message) -> Event:
    """smartlink/clicked, in a message of a broadcast."""
    contact, broadcast = message.conversation.contact, message.broadcast
    id_ = broadcast.id if broadcast else None
    body = {
        "orgId": org,
        "customerId": contact.id,
        "customerChannel": contact.phone,
        "timestamp": models.millis(at),
        "smartlinkId": _SMARTLINK,
        "bulkActionId": id_,
    }

    def says(told: Told, _now: int) -> None:
        told.mention_contact(contact)
        if id_ is not None:
            told.broadcasts.setdefault(id_)
        told.happen("smartlink_click", contact.id, contact.phone, _SMARTLINK, id_, iso_millis(at))

    return Event("smartlink/clicked", body, at, at, says)


def notification_sent(org: int, at: int, member: TeamMember) -> Event:
    """notification/sent."""
    notice = {"trigger": "NEW_MESSAGE", "type": "EMAIL", "sentTo": member.email}
    body = {"orgId": org, "agent": models.agent(member, member.email), "notifications": notice}

    def says(told: Told, now: int) -> None:
        learn_agent(told, now, member, member.email)
        told.happen("notification", member.id, *notice.values(), iso_millis(now))

    return Event("notification/sent", body, at, at, says)


def notification_modified(org: int, at: int, member: TeamMember, vacation: bool) -> Event:
    """notification/modified."""
    group: Body = {
        "trigger": "NEW_MESSAGE", "sendSound": True, "soundUrl": None, "soundVolume": 50, "soundRepeatInterval": 0,
        "sendSms": False, "sendEmail": True, "slackChannel": None, "sendToSlackUsername": False,
        "mentionSlackUserNameInChannel": False,
    }  # fmt: skip
    setting: Body = {
        "notificationGroups": [group], "vacation": vacation, "hideSystemMessages": False, "slackUsername": None,
        "phoneNumber": None,
    }  # fmt: skip
    body = {"orgId": org, "agent": models.agent(member, member.email), "notification": setting}

    def says(told: Told, now: int) -> None:
        learn_agent(told, now, member, member.email)
        groups = models.packed([group])
        told.happen("notification_setting", member.id, vacation, False, None, None, groups, iso_millis(now))

    return Event("notification/modified", body, at, at, says)


def sheet_read(org: int, at: int, rows: list[list[str]]) -> Event:
    """integrations/sheets/read."""
    read = [{"rowNumber": number, "values": cells} for number, cells in enumerate(rows, 1)]

    def says(told: Told, now: int) -> None:
        for number, cells in enumerate(rows, 1):
            told.happen("sheet_read", *SHEET, number, models.packed(cells), iso_millis(now))

    return Event("integrations/sheets/read", {**_sheet(org), "readValues": read}, at, at, says)


def sheet_write(org: int, at: int, number: int, cells: list[str]) -> Event:
    """integrations/sheets/write."""
    body = {**_sheet(org), "rowNumber": number, "writeValues": cells, "newRow": True}

    def says(told: Told, now: int) -> None:
        told.happen("sheet_write", *SHEET, number, models.packed(cells), True, iso_millis(now))

    return Event("integrations/sheets/write", body, at, at, says)


def _sheet(org: int) -> Body:
    return {"orgId": org, **dict(zip(("integrationId", "spreadsheetId", "tabName"), SHEET, strict=True))}


def console(org: int, level: str, at: int, component: str, message: str) -> Event:
    """console/log, console/warn, console/error."""
    body = {"orgId": org, "timestamp": models.millis(at), "component": component, "message": message}

    def says(told: Told, _now: int) -> None:
        told.happen("console_log", level, component, message, iso_millis(at))

    return Event(f"console/{level}", body, at, at, says)


def alterra_error(org: int, at: int, details: Body) -> Event:
    """error/alterra, in whatever shape."""

    def says(told: Told, now: int) -> None:
        told.happen("alterra_error", models.packed(details), iso_millis(now))

    return Event("error/alterra", {"orgId": org, **details}, at, at, says)
