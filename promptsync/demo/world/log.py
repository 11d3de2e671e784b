"""The simulated organisation's book: everything that is and was, and the only code that writes into it.

Entries are made in order of time; each decides from what holds at that moment how it goes on (a STOP opts out, a
message to someone opted out is not sent). What happens is decided in growth; this module decides what comes of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import NamedTuple

from promptsync.clock import MICROS
from promptsync.demo.world import words
from promptsync.demo.world.people import (
    CarrierStop,
    Channel,
    ConsentRecord,
    Contact,
    DataField,
    Membership,
    Staff,
    Tag,
    Tagging,
    TeamMember,
)
from promptsync.demo.world.time import Timeline
from promptsync.demo.world.traffic import Broadcast, Conversation, ConversationState, Ending, Message

MILLI = 1000
SYSTEM_USER = 1
_ATTRIBUTED_FOR = 3 * 86_400 * MICROS


class Change(NamedTuple):
    """Something that webhooks tell beside messages. ``kind``: added, modified, consent, carrier or broadcast."""

    at: int
    kind: str
    contacts: tuple[Contact, ...] = ()
    carrier: CarrierStop | None = None
    broadcast: Broadcast | None = None


class Line(NamedTuple):
    """Something said. ``by``: a team member, None for the system, or the contact itself."""

    contact: Contact
    channel: Channel
    by: TeamMember | Contact | None
    text: str | None
    mms: bool = False
    whisper: bool = False
    broadcast: Broadcast | None = None


@dataclass
class Log:
    """All records, each list in order of time, and the ways to add to them. ``rng`` decides how messages fare."""

    staff: Staff
    rng: Random
    contacts: list[Contact] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    broadcasts: list[Broadcast] = field(default_factory=list)
    opt_outs: list[ConsentRecord] = field(default_factory=list)
    opt_ins: list[ConsentRecord] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._conversations: dict[tuple[int, int], Conversation] = {}
        self._reached: dict[int, tuple[int, Broadcast]] = {}  # contact id: when and by which broadcast
        self._message_ids = count(19_154)
        self._link_ids = count(7_001)
        self._field_ids = {False: count(1), True: count(1)}  # managed or not: the two share their ids
        self._consent_ids = {True: count(301), False: count(101)}

    def add_contact(self, contact: Contact) -> None:
        """A new contact, with what it has from the start."""
        self.contacts.append(contact)
        self.changes.append(Change(contact.created, "added", (contact,)))

    def rename(self, at: int, contact: Contact, name: str) -> None:
        """A contact's name is corrected."""
        if contact.name.times[-1] >= at:
            return
        contact.name.set(at, name)
        self.changes.append(Change(at, "modified", (contact,)))

    def set_tag(self, at: int, contacts: Sequence[Contact], tag: Tag, note: str) -> None:
        """Contacts get a tag; those who have it lose it."""
        for contact in contacts:
            held = next((t for t in contact.taggings if t.tag is tag and t.removed is None), None)
            if held is None:
                contact.taggings.append(self.tagging(at, tag, note))
            else:
                held.removed = at
        self.changes.append(Change(at, "modified", tuple(contacts)))

    def tagging(self, at: int, tag: Tag, note: str) -> Tagging:
        """A new link of a tag."""
        return Tagging(next(self._link_ids), tag, note, at)

    def set_list(self, at: int, contacts: Sequence[Contact], which: int) -> None:
        """Contacts join a list; those who are on it leave it."""
        chosen = self.staff.lists[which]
        for contact in contacts:
            held = next((m for m in contact.memberships if m.list is chosen and m.removed is None), None)
            if held is None:
                contact.memberships.append(Membership(chosen, at))
            else:
                held.removed = at
        self.changes.append(Change(at, "modified", tuple(contacts)))

    def set_field(self, at: int, contact: Contact, which: int, value: str | None) -> None:
        """A custom data field gets a value, or (None) is deleted. No webhook tells it."""
        key, managed, _ = words.FIELDS[which]
        held = next((f for f in contact.fields if f.key == key), None)
        if held is not None:
            if held.value.times[-1] < at:
                held.value.set(at, value)
        elif value is not None:
            contact.fields.append(DataField(next(self._field_ids[managed]), managed, key, Timeline(at, value)))

    def set_consent(self, at: int, contacts: Sequence[Contact], opted_out: bool, phone: str | None) -> None:
        """Contacts opt out or back in, by a keyword sent to ``phone`` or (None) managed."""
        moved = []
        for contact in contacts:
            if contact.opted_out.values[-1] is opted_out or contact.opted_out.times[-1] >= at:
                continue
            contact.opted_out.set(at, opted_out)
            records = self.opt_outs if opted_out else self.opt_ins
            records.append(ConsentRecord(next(self._consent_ids[opted_out]), at, contact.id, phone))
            moved.append(contact)
            if opted_out and (recent := self._recent(contact, at)):
                recent.opt_outs.append((at, contact.id))
        if moved:
            self.changes.append(Change(at, "consent", tuple(moved)))

    def start_broadcast(self, _at: int, broadcast: Broadcast) -> None:
        """A broadcast is created; webhooks say each of its states."""
        self.broadcasts.append(broadcast)
        self.changes += [Change(at, "broadcast", broadcast=broadcast) for at in broadcast.states.times]

    def say(self, at: int, line: Line) -> None:
        """A message is written, with everything that follows from it."""
        contact, inbound = line.contact, isinstance(line.by, Contact)
        conversation, noted = self._open(at, line)
        recent = self._recent(contact, at)
        sent, ending = (None, Ending("RECEIVED", at)) if inbound else self._fate(at, line)
        message = Message(
            next(self._message_ids), at, noted, conversation,
            "CUSTOMER" if inbound else "TEAM_MEMBER" if line.by else "SYSTEM", line.by.id if line.by else SYSTEM_USER,
            line.text, words.token(self.rng) if inbound or sent else None, line.broadcast, recent if inbound else None,
            sent, ending, line.mms, line.whisper, words.segments(line.text, line.mms),
        )  # fmt: skip
        self.messages.append(message)
        self._turn(conversation, noted, message)
        if line.broadcast:
            line.broadcast.messages.append(message)
            self._reached[contact.id] = at, line.broadcast
        elif recent:
            (recent.replies if inbound else recent.follow_ups).append(message)
        if inbound and line.text in (*words.STOPS, *words.STARTS):
            self._keyword(at, line, line.text in words.STOPS)

    def _keyword(self, at: int, line: Line, stop: bool) -> None:
        self.set_consent(at + 300 * MILLI, (line.contact,), stop, line.channel.phone)
        if self.rng.random() < 0.5:
            carrier = CarrierStop(at + 450 * MILLI, line.channel, stop)
            self.changes.append(Change(carrier.at, "carrier", (line.contact,), carrier))

    def _recent(self, contact: Contact, at: int) -> Broadcast | None:
        reached = self._reached.get(contact.id)
        return reached[1] if reached and at - reached[0] < _ATTRIBUTED_FOR else None

    def _open(self, at: int, line: Line) -> tuple[Conversation, int]:
        place = line.contact.id, line.channel.id
        noted = at + 4 * MILLI
        conversation = self._conversations.get(place)
        if conversation is None:
            begun = Timeline(noted, ConversationState("PENDING", (), None, None))
            conversation = Conversation(37_807 + len(self._conversations), line.contact, line.channel, at, begun)
            self._conversations[place] = conversation
        return conversation, max(noted, conversation.states.times[-1] + MILLI)

    def _turn(self, conversation: Conversation, noted: int, message: Message) -> None:
        state = conversation.states.values[-1]
        members, status = dict(state.members), state.status
        if message.team_member_id is not None:
            members = dict.fromkeys(members, False) | {message.team_member_id: True}
            status = "ACTIVE"
        elif not message.outgoing:
            status = "UNASSIGNED" if status != "ACTIVE" else status
        elif status == "ACTIVE":  # a broadcast finds the talk over
            members, status = dict.fromkeys(members, False), "COMPLETE"
        first = state.first or (None if message.outgoing else message)
        topic = state.topic or (None if message.outgoing or self.rng.random() > 0.1 else "Question")
        conversation.states.set(noted, ConversationState(status, tuple(sorted(members.items())), topic, first))

    def _fate(self, at: int, line: Line) -> tuple[int | None, Ending | None]:
        """When an outgoing message goes out and how it ends."""
        draw = self.rng.random
        if line.whisper:
            return None, Ending("NA", at)
        if line.contact.opted_out.at(at):
            return None, Ending("OPTED_OUT", at + 200 * MILLI, *words.OPTED_OUT)
        wait = int(draw() * 2000 + 300) * MILLI
        chance = draw()
        if chance < 0.012:
            return None, Ending("FAILED", at + wait, *self.rng.choice(words.FAILURES))
        if chance < 0.030:
            late = int(draw() * 30 * 3600 if draw() < 0.3 else draw() * 60 + 5) * MICROS + 7 * MILLI
            return at + wait, Ending("UNDELIVERED", at + wait + late, *self.rng.choice(words.UNDELIVERED))
        if chance < 0.96:
            return at + wait, Ending("DELIVERED", at + wait + int(draw() * 20_000 + 800) * MILLI)
        return at + wait, None
