"""Work in the inbox of the simulated organisation: what happens beside messages and contacts, day by day, as a table.

Owns when it happens and what it is about. A day's work is a function of the seed, the day and what there was that
morning, so that any stretch of time says the same about it. Writes nothing into the log.
"""

from bisect import bisect_left
from collections.abc import Iterator
from random import Random
from typing import Any

from promptsync.clock import MICROS
from promptsync.demo.prompt import models
from promptsync.demo.prompt.events import Event
from promptsync.demo.prompt.inbox_events import About, inbox_event
from promptsync.demo.world.log import MILLI, Change
from promptsync.demo.world.people import Channel, Contact, TeamMember
from promptsync.demo.world.time import day_of, midnight, midnights
from promptsync.demo.world.traffic import Broadcast, Message
from promptsync.demo.world.world import DAY, World

_MINUTE = 60 * MICROS
_EPOCH_DAY = 737_000  # an ordinal long before, so that ids of a day are small
_SHEET = {"integrationId": 10, "spreadsheetId": "1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789abcde", "tabName": "Pickups"}
_FEW, _MANY = {"boxes": "1"}, {"boxes": "2"}

_DAY = """
sheet: integrations/sheets/read 6, integrations/sheets/write 6.1
helper: agent/added 7, agent/deleted 19
helper moved: agent/modified 7.5
trial: channels/added 7.1
trial renamed: channels/modified 7.6, channels/deleted 19.1
member: agent/login 8, agentTools/enter 8.1, agentTools/idle 12 0.7, agentTools/leave 17, agent/logout 17.1
member in a talk: agentTools/booted 8.2 0.9
reminder: message/scheduled 9
reminder put off: message/scheduled/modified 9.2
reminder dropped: message/scheduled 9
reminder given up: message/scheduled/deleted 9.3
notified: notification/sent 9.5, notification/modified 9.7
lead: monitor/enter 10, monitor/leave 10.5
lead in a talk: monitor/inspect 10.1
log: console/log 11
warning: console/warn 11.1
failure: console/error 11.2, error/alterra 13, conversation/status 13.5
form: instantApp/added 14, instantApp/customerConnected 14.02
form filled: instantApp/update 14.04, instantApp/custom 14.06
form done: instantApp/custom 14.08, instantApp/status 14.1, instantApp/customerDisconnected 14.12
form broken: instantApp/error 14.2
contact: contactAction/imports 15, conversation-config/modified 15.1
past broadcast: contactAction/carrierRejectionRate 15.2, smartlink/clicked 15.3
"""
"""What each part does in a day: event, hour, and its probability unless it is certain. Who plays it: ``_cast``."""
_PLAN = [
    (part, *event.split())
    for part, _, events in (line.partition(": ") for line in _DAY.strip().splitlines())
    for event in events.split(", ")
]
_CONTACT_BY_CONTACT, _REJECTIONS, _CLICK = 0.25, 0.33, 0.09
"""Probabilities: of a broadcast that is reported contact by contact, or has rejections; of a click in its messages."""


class Inbox:
    """The work in the inbox of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._staff = world.log.staff

    def events(self, begin: int, end: int) -> Iterator[Event]:
        """What happens by day and around broadcasts in ``[begin, end)``, in no order."""
        for morning in midnights(midnight(day_of(begin)), end):
            yield from self._day(morning)
        for broadcast in self._world.log.broadcasts:
            if broadcast.start < end and broadcast.finish + _MINUTE >= begin:
                yield from self._broadcast(broadcast)

    def after_carrier(self, change: Change) -> Iterator[Event]:
        """What else is sent when the phone provider opts someone out of a channel or back in."""
        if change.carrier is not None:
            config = _config(change.contacts[0], change.carrier.channel, change.carrier.opted_out)
            yield self._event("conversation-config/modified", change.at + 2 * MILLI, config)

    def around_message(self, message: Message) -> Iterator[Event]:
        """What else is sent when a message turns its conversation: that it began, who joined, who left."""
        talk, at = message.conversation, message.noted
        place = bisect_left(talk.states.times, at)
        if place == 1:
            yield self._event("conversation/added", talk.states.times[0], {"conversation": talk})
        before, now = dict(talk.states.values[place - 1].members), dict(talk.states.values[place].members)
        turned = [
            member for member in self._staff.members if now.get(member.id, False) is not before.get(member.id, False)
        ]
        for change, joined in (("joined", True), ("left", False)):
            if users := [member for member in turned if now[member.id] is joined]:
                yield self._event(f"conversation/{change}", at, {"conversation": talk, "users": users})
        if message.broadcast is not None and self._chance("click", message.id) < _CLICK:
            yield self._event("smartlink/clicked", message.at + 40 * MICROS, _clicked(message))

    def _event(self, path: str, at: int, about: About) -> Event:
        return inbox_event(self._world.org_id, path, at, about)

    def _chance(self, what: str, id_: int) -> float:
        return Random(f"{what} {self._world.seed} {id_}").random()

    def _broadcast(self, broadcast: Broadcast) -> Iterator[Event]:
        chance = self._chance("broadcast", broadcast.id)
        if chance < _CONTACT_BY_CONTACT:
            path = f"contactAction/drive-{broadcast.id}" if chance < _CONTACT_BY_CONTACT / 2 else "contactAction"
            for n, message in enumerate(broadcast.messages, 1):
                about = {"contact": message.conversation.contact, "progress": n, "total": broadcast.targeted}
                yield self._event(path, message.at + MILLI, about)
        if self._chance("rejections", broadcast.id) < _REJECTIONS:
            about = _rejections(broadcast, broadcast.targeted // 2)
            yield self._event("contactAction/carrierRejectionRate", broadcast.start + 3 * MILLI, about)

    def _day(self, morning: int) -> Iterator[Event]:
        rng = Random(f"inbox {self._world.seed} {morning}")
        cast = self._cast(morning, rng)
        for part, event, hour, *probability in _PLAN:
            for turn, about in enumerate(cast.get(part, ())):
                if rng.random() < float(*probability or (1,)):
                    yield self._event(event, _at(morning, float(hour)) + turn * 7 * MICROS, about)

    def _cast(self, morning: int, rng: Random) -> dict[str, list[About]]:
        """By part: what the events are about, one each for everyone who takes that part. Some mornings lack some."""
        log, staff = self._world.log, self._staff
        number = day_of(morning).toordinal() - _EPOCH_DAY
        cast: dict[str, list[About]] = {
            "log": [{"component": "INSTANT_APP", "message": "Form submitted"}],
            "warning": [{"component": "AUTOMATION", "message": f"{rng.randint(12, 90)} contacts have no language"}],
            "failure": [
                {"component": "BOT", "message": "No answer matches", "code": "A-7", "context": {"retries": number % 4}}
            ],
            "sheet": [_sheet(rng.randint(12, 90))],
            "member": [{"member": member} for member in staff.members],
            "lead": [{"member": staff.members[0]}],
            "notified": [_notified(rng.choice(staff.members), rng.random() < 0.5)],
            **_on_trial(morning, number),
        }
        if said := bisect_left(log.messages, morning, key=lambda message: message.at):
            talk = {"conversation": log.messages[rng.randrange(said)].conversation}
            cast |= {f"{part} in a talk": [{**about, **talk} for about in cast[part]] for part in ("member", "lead")}
        if known := bisect_left(log.contacts, morning, key=lambda contact: contact.created):
            contact = log.contacts[rng.randrange(known)]
            cast["contact"] = [{**_config(contact, staff.channels[1], False), "progress": 1, "total": 1}]
            cast |= _forms(_at(morning, 14), number, contact)
            cast |= _reminders(_at(morning, 9), number, contact, (staff.members[number % 3], staff.channels[0]))
        if over := [broadcast for broadcast in log.broadcasts if broadcast.finish < morning]:
            cast["past broadcast"] = [_clicked(over[-1].messages[0]) | _rejections(over[-1], over[-1].targeted)]
        return cast


def _at(morning: int, hour: float) -> int:
    return morning + int(hour * 60) * _MINUTE


def _on_trial(morning: int, number: int) -> dict[str, list[About]]:
    """A helper for the day and a number on trial."""
    email = f"helper{number}@harborstreet.example"
    helper = TeamMember(10_000 + number, f"Helper {number}", email, _at(morning, 7), f"H{number}")
    trial = Channel(10_000 + number, f"Trial {number}", f"trial-{number}", f"+1555019{number % 10_000:04d}")
    return {
        "helper": [{"member": helper}],
        "helper moved": [{"member": helper, "email": f"h{number}@harborstreet.example"}],
        "trial": [{"channel": trial}],
        "trial renamed": [{"channel": trial._replace(name=f"Trial line {number}")}],
    }


def _reminders(made: int, number: int, contact: Contact, who: tuple[TeamMember, Channel]) -> dict[str, list[About]]:
    """A reminder that is put off by a day, and one that is given up."""

    def model(turn: int, status: str, days: int, text: str) -> list[About]:
        times, said = (made, made + days * DAY), (status, text)
        member, channel = who
        key = contact.phone
        return [{"scheduledAction": models.scheduled_action(10 * number + turn, member.id, channel, key, times, said)}]

    return {
        "reminder": model(0, "SCHEDULED", 1, "Pickup is tomorrow"),
        "reminder put off": model(0, "SCHEDULED", 2, "Pickup is on Wednesday"),
        "reminder dropped": model(1, "SCHEDULED", 1, "We miss you"),
        "reminder given up": model(1, "ABORTED", 1, "We miss you"),
    }


def _forms(made: int, number: int, contact: Contact) -> dict[str, list[About]]:
    """A contact fills in a form; another form fails."""
    fresh, filled, done = (
        models.instant_app(2 * number, made, *state)
        for state in (("ACTIVE", _FEW), ("ACTIVE", _MANY), ("COMPLETE", _MANY))
    )
    changed = {"newValues": _MANY, "oldValues": _FEW, "value": {"action": "button_clicked"}}
    broken = models.instant_app(2 * number + 1, made, "ERROR", {})
    errors = {"errorMessage": "TypeError: undefined", "errorCode": "SCRIPT_ERROR"}
    return {
        "form": [{"contact": contact, "instantApp": fresh}],
        "form filled": [{"contact": contact, "instantApp": filled, **changed}],
        "form done": [{"contact": contact, "instantApp": done, "value": "thank you"}],
        "form broken": [{"instantApp": broken, **errors}],
    }


def _sheet(amount: int) -> About:
    rows = [["Site", "Boxes"], ["Harbor Street", str(amount)]]
    read = [{"rowNumber": number, "values": cells} for number, cells in enumerate(rows, 1)]
    write = {"rowNumber": 2 + amount, "writeValues": ["Eastside Library", "café", str(amount // 2)], "newRow": True}
    return {**_SHEET, "readValues": read, **write}


def _notified(member: TeamMember, vacation: bool) -> About:
    notice = {"trigger": "NEW_MESSAGE", "type": "EMAIL", "sentTo": member.email}
    return {"member": member, "notifications": notice, "notification": models.notification_setting(vacation)}


def _config(contact: Contact, channel: Channel, opted_out: bool) -> About:
    ids = {"id": 70_000 + contact.id, "orgChannelId": channel.id, "customerId": contact.id}
    return {"contact": contact, "interactionConfig": {**ids, "phoneProviderOptOut": opted_out}}


def _rejections(broadcast: Broadcast, sent: int) -> dict[str, Any]:
    counts = {"rejectionCount": 1 + sent // 9, "messageCount": sent, "progress": sent, "total": broadcast.targeted}
    return {"broadcast": broadcast, "rateLimit": 0.05, **counts}


def _clicked(message: Message) -> dict[str, Any]:
    return {"contact": message.conversation.contact, "broadcast": message.broadcast, "smartlinkId": 42}
