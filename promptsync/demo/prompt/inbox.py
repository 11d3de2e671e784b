"""Desk work of the simulated organisation: what happens beside messages and contacts, day by day.

Owns when it happens. A day's work is a function of the seed, the day and what there was that morning, so that any
stretch of time says the same about it. Writes nothing into the book.
"""

from bisect import bisect_left
from collections.abc import Iterator
from random import Random

from promptsync.clock import MICROS
from promptsync.demo.prompt import inbox_events as told_of
from promptsync.demo.prompt import inbox_notices as notices
from promptsync.demo.prompt import models
from promptsync.demo.prompt.events import Event
from promptsync.demo.prompt.nights import day_of, midnight, midnights
from promptsync.demo.world.chronicle import MILLI, Change
from promptsync.demo.world.people import Channel, Contact, TeamMember
from promptsync.demo.world.traffic import Conversation, Message
from promptsync.demo.world.world import DAY, World

_MINUTE = 60 * MICROS
_EPOCH_DAY = 737_000  # an ordinal long before, so that ids of a day are small
_CLICKED = 11  # every 11th message of a broadcast has its link clicked
_TOLD_CONTACT_BY_CONTACT, _REJECTED = 4, 3  # every 4th broadcast, every 3rd


class Desk:
    """The desk work of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._org = world.org_id
        self._staff = world.book.staff

    def events(self, begin: int, end: int) -> Iterator[Event]:
        """Everything in ``[begin, end)``, in no order."""
        for morning in midnights(midnight(day_of(begin)), end):
            for event in self._day(morning):
                if begin <= event.at < end:
                    yield event
        for event in self._broadcasts(begin, end):
            if begin <= event.at < end:
                yield event

    def after_carrier(self, change: Change) -> Iterator[Event]:
        """What else is told when the phone provider opts someone out of a channel or back in."""
        if change.carrier is not None:
            stop, at = change.carrier, change.at + 2 * MILLI
            yield told_of.conversation_config(self._org, at, change.contacts[0], stop.channel, stop.opted_out)

    def around_message(self, message: Message) -> Iterator[Event]:
        """What else is told when a message turns its conversation: that it began, who joined, who left."""
        talk, at = message.conversation, message.noted
        place = bisect_left(talk.states.times, at)
        if place == 1:
            yield told_of.conversation_added(self._org, talk)
        before, now = dict(talk.states.values[place - 1].members), dict(talk.states.values[place].members)
        members = {member.id: member for member in self._staff.members}
        joined = [members[id_] for id_, active in now.items() if active and not before.get(id_)]
        left = [members[id_] for id_, active in now.items() if not active and before.get(id_)]
        for users, kind in ((joined, True), (left, False)):
            if users:
                yield told_of.conversation_members(self._org, talk, at, users, kind)
        if message.broadcast is not None and message.id % _CLICKED == 0:
            yield notices.smartlink_clicked(self._org, message.at + 40 * MICROS, message)

    def _broadcasts(self, begin: int, end: int) -> Iterator[Event]:
        for broadcast in self._world.book.broadcasts:
            if broadcast.start >= end or broadcast.finish + _MINUTE < begin:
                continue
            suffix = f"drive-{broadcast.id}" if broadcast.id % 8 == 0 else None
            if broadcast.id % _TOLD_CONTACT_BY_CONTACT == 0:
                for n, message in enumerate(broadcast.messages, 1):
                    progress = n, broadcast.targeted
                    contact = message.conversation.contact
                    yield notices.contact_action(self._org, message.at + MILLI, contact, progress, suffix)
            if broadcast.id % _REJECTED == 0:
                half = broadcast.targeted // 2
                counts = 1 + half // 9, half, half, broadcast.targeted
                yield notices.carrier_rejections(self._org, broadcast.start + 3 * MILLI, broadcast, counts)

    # -- one day -------------------------------------------------------------------------------------------------------

    def _day(self, morning: int) -> Iterator[Event]:
        rng = Random(f"desk {self._world.seed} {morning}")
        number = day_of(morning).toordinal() - _EPOCH_DAY
        book = self._world.book
        known = bisect_left(book.contacts, morning, key=lambda contact: contact.created)
        said = bisect_left(book.messages, morning, key=lambda message: message.at)
        talk = book.messages[rng.randrange(said)].conversation if said else None
        yield from self._sessions(morning, talk)
        yield from self._changes(morning, number)
        yield from self._notices(morning, rng)
        if known:
            contact = book.contacts[rng.randrange(known)]
            yield from self._scheduled(morning, number, contact)
            yield from self._apps(morning, number, contact)
            yield from self._bulk(morning, contact)

    def _sessions(self, morning: int, talk: Conversation | None) -> Iterator[Event]:
        hours: list[tuple[str, float]] = [
            ("agent/login", 8), ("agentTools/enter", 8.1), ("agentTools/idle", 12), ("agentTools/leave", 17),
            ("agent/logout", 17.1),
        ]  # fmt: skip
        for n, member in enumerate(self._staff.members):
            for path, hour in hours:
                yield told_of.activity(self._org, path, _at(morning, hour) + n * 7 * MICROS, member)
            if talk is not None:
                yield told_of.activity(self._org, "agentTools/booted", _at(morning, 8.2) + n * 7 * MICROS, member, talk)
        lead = self._staff.members[0]
        yield told_of.activity(self._org, "monitor/enter", _at(morning, 10), lead)
        if talk is not None:
            yield told_of.activity(self._org, "monitor/inspect", _at(morning, 10.1), lead, talk)
        yield told_of.activity(self._org, "monitor/leave", _at(morning, 10.5), lead)

    def _changes(self, morning: int, number: int) -> Iterator[Event]:
        """A helper for the day and a number on trial: added, modified, deleted."""
        helper = TeamMember(
            10_000 + number, f"Helper {number}", f"helper{number}@harborstreet.example", _at(morning, 7), f"H{number}"
        )
        trial = Channel(10_000 + number, f"Trial {number}", f"trial-{number}", f"+1555019{number % 10_000:04d}")
        renamed = trial._replace(name=f"Trial line {number}")
        yield told_of.agent(self._org, "agent/added", _at(morning, 7), helper)
        yield told_of.agent(self._org, "agent/modified", _at(morning, 7.5), helper, f"h{number}@harborstreet.example")
        yield told_of.agent(self._org, "agent/deleted", _at(morning, 19), helper)
        yield told_of.channel(self._org, "channels/added", _at(morning, 7.1), trial)
        yield told_of.channel(self._org, "channels/modified", _at(morning, 7.6), renamed)
        yield told_of.channel(self._org, "channels/deleted", _at(morning, 19.1), renamed)

    def _notices(self, morning: int, rng: Random) -> Iterator[Event]:
        org, member = self._org, rng.choice(self._staff.members)
        amount = rng.randint(12, 90)
        yield notices.sheet_read(org, _at(morning, 6), [["Site", "Boxes"], ["Harbor Street", str(amount)]])
        yield notices.sheet_write(org, _at(morning, 6.1), 2 + amount, ["Eastside Library", "café", str(amount // 2)])
        yield notices.notification_sent(org, _at(morning, 9.5), member)
        yield notices.notification_modified(org, _at(morning, 9.7), member, rng.random() < 0.5)
        yield notices.console(org, "log", _at(morning, 11), "INSTANT_APP", "Form submitted")
        yield notices.console(org, "warn", _at(morning, 11.1), "AUTOMATION", f"{amount} contacts have no language")
        yield notices.console(org, "error", _at(morning, 11.2), "BOT", "No answer matches")
        yield notices.alterra_error(org, _at(morning, 13), {"code": f"A-{amount}", "context": {"retries": amount % 4}})
        yield told_of.conversation_status(org, _at(morning, 13.5))

    def _bulk(self, morning: int, contact: Contact) -> Iterator[Event]:
        """A bulk action on one contact; looks back at the broadcast before."""
        org, channel = self._org, self._staff.channels[1]
        yield notices.contact_action(org, _at(morning, 15), contact, (1, 1), "imports")
        yield told_of.conversation_config(org, _at(morning, 15.1), contact, channel, opted_out=False)
        over = [b for b in self._world.book.broadcasts if b.finish < morning]
        if over:
            counts = 1, over[-1].targeted, over[-1].targeted, over[-1].targeted
            yield notices.carrier_rejections(org, _at(morning, 15.2), over[-1], counts)
            yield notices.smartlink_clicked(org, _at(morning, 15.3), over[-1].messages[0])

    def _scheduled(self, morning: int, number: int, contact: Contact) -> Iterator[Event]:
        """A reminder that is put off by a day, and one that is cancelled."""
        made, by, channel = _at(morning, 9), self._staff.members[number % 3].id, self._staff.channels[0]
        asked, dropped = 10 * number, 10 * number + 1

        def model(id_: int, status: str, deliver: int, text: str) -> models.Body:
            return models.scheduled_action(id_, by, channel, contact.phone, (made, deliver), (status, text))

        first, later = made + DAY, made + 2 * DAY
        path = "message/scheduled"
        yield told_of.scheduled(self._org, path, made, model(asked, "SCHEDULED", first, "Pickup is tomorrow"))
        yield told_of.scheduled(self._org, path, made + MICROS, model(dropped, "SCHEDULED", first, "We miss you"))
        moved = model(asked, "SCHEDULED", later, "Pickup is on Wednesday")
        yield told_of.scheduled(self._org, f"{path}/modified", made + 10 * _MINUTE, moved)
        gone = model(dropped, "ABORTED", first, "We miss you")
        yield told_of.scheduled(self._org, f"{path}/deleted", made + 12 * _MINUTE, gone)

    def _apps(self, morning: int, number: int, contact: Contact) -> Iterator[Event]:
        """A contact fills in a form; another form fails."""
        made, org = _at(morning, 14), self._org
        before, after = {"boxes": "1"}, {"boxes": "2"}
        fresh = models.instant_app(2 * number, made, "ACTIVE", before)
        filled = models.instant_app(2 * number, made, "ACTIVE", after)
        done = models.instant_app(2 * number, made, "COMPLETE", after)
        broken = models.instant_app(2 * number + 1, made, "ERROR", {})
        steps = [made + n * 45 * MICROS for n in range(8)]
        yield told_of.instant_app(org, "added", steps[0], fresh, contact)
        yield told_of.instant_app(org, "customerConnected", steps[1], fresh, contact)
        yield told_of.instant_app(org, "update", steps[2], filled, contact, newValues=after, oldValues=before)
        yield told_of.instant_app(org, "custom", steps[3], filled, contact, value={"action": "button_clicked"})
        yield told_of.instant_app(org, "custom", steps[4], filled, contact, value="thank you")
        yield told_of.instant_app(org, "status", steps[5], done, contact)
        yield told_of.instant_app(org, "customerDisconnected", steps[6], done, contact)
        errors = {"errorMessage": "TypeError: undefined", "errorCode": "SCRIPT_ERROR"}
        yield told_of.instant_app(org, "error", steps[7], broken, None, **errors)


def _at(morning: int, hour: float) -> int:
    return morning + int(hour * 60) * _MINUTE
