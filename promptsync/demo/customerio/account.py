"""Who of the simulated people is in the organisation's Customer.io workspace, and what was sent to them through it.

Owns the choice of people, their ids, who was suppressed or deleted and when, and the journeys behind each message. All
of it follows from the world: nothing is drawn at random here. Times are whole seconds, as that vendor keeps them.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter

from promptsync.clock import MICROS
from promptsync.demo.world.log import MILLI
from promptsync.demo.world.people import Contact
from promptsync.demo.world.traffic import Message
from promptsync.demo.world.words import BROADCASTS
from promptsync.demo.world.world import DAY, World

WORKSPACE = 111_528
EVENT_CAMPAIGN = len(BROADCASTS) + 1
"""The campaign of the answers to what people wrote; the others are of the broadcasts' titles, from 1."""
_EVERY = 10  # one in this many contacts
_EARLY = 3600 * MICROS


def whole(at: int) -> int:
    """An instant cut to its second."""
    return at - at % MICROS


@dataclass(slots=True, eq=False, repr=False)
class Person:
    """A contact in the workspace. ``gone``: when it was suppressed or deleted, if ever."""

    contact: Contact
    cio_id: str
    created: int
    gone: int | None = None
    suppressed: bool = False
    journeys: list["Journey"] = field(default_factory=list)

    def here(self, when: int) -> bool:
        """Whether it had been added and neither suppressed nor deleted before an instant."""
        return self.created < when and (self.gone is None or self.gone >= when)

    def known_as(self, when: int) -> str | None:
        """The id by which deliveries and journeys name the person as seen at an instant; None: anonymised."""
        return None if self.gone is not None and self.gone < when else self.cio_id


@dataclass(slots=True, eq=False, repr=False)
class Journey:
    """One message to a person and how it came about. ``cause``: the inbound message it answers, if any.

    ``campaign``: None for a newsletter's.
    """

    message: Message
    person: Person
    campaign: int | None
    cause: Message | None

    @property
    def delivery_id(self) -> str:
        """The delivery's id."""
        return f"RNTSBgEB{self.message.id:010x}AZ=="

    @property
    def subject(self) -> str | None:
        """The name of the path through the campaign; newsletters have none."""
        return None if self.campaign is None else f"01K{self.message.id:012d}S"

    @property
    def created(self) -> int:
        """When the delivery was created."""
        return whole(self.message.at)

    @property
    def started(self) -> int:
        """When the person came into the campaign."""
        if self.cause is not None:
            return whole(self.cause.at)
        return whole(self.message.broadcast.start) if self.message.broadcast else self.created

    @property
    def action(self) -> int | None:
        """The workflow item that sent it."""
        return None if self.campaign is None else self.campaign * 10 + 2


@dataclass(slots=True, repr=False)
class Account:
    """The workspace. Call ``grow`` after the world has advanced."""

    world: World
    people: list[Person] = field(default_factory=list)
    journeys: list[Journey] = field(default_factory=list)
    inbound: list[tuple[Person, Message, Journey | None]] = field(default_factory=list)
    _by_contact: dict[int, Person] = field(default_factory=dict)
    _wrote: dict[int, Message] = field(default_factory=dict)
    _contacts: int = 0
    _messages: int = 0
    _consents: int = 0

    def grow(self) -> None:
        """Takes in whoever and whatever is new in the world."""
        log = self.world.log
        for contact in log.contacts[self._contacts :]:
            if contact.id % _EVERY == 0:
                self._add(contact)
        for record in log.opt_outs[self._consents :]:
            person = self._by_contact.get(record.contact_id)
            if person is not None and person.gone is None and record.contact_id % 4 == 0:
                person.gone, person.suppressed = whole(record.at) + MICROS, True
        for message in log.messages[self._messages :]:
            person = self._by_contact.get(message.conversation.contact.id)
            if person is not None:
                self._take(person, message)
        self._contacts, self._messages, self._consents = len(log.contacts), len(log.messages), len(log.opt_outs)

    def sent(self, begin: int, end: int) -> Iterator[Journey]:
        """Messages created in ``[begin, end)``, in order."""
        at = attrgetter("message.at")
        return iter(self.journeys[bisect_left(self.journeys, begin, key=at) : bisect_left(self.journeys, end, key=at)])

    def _add(self, contact: Contact) -> None:
        person = Person(contact, f"0300{contact.id:08x}", whole(contact.created))
        place = contact.id * 7919
        leaves = whole(self.world.present - place % 8_000 * 60 * MICROS)
        if place % 300 < 20 and leaves > person.created + _EARLY:
            person.gone = leaves
        self._by_contact[contact.id] = person
        self.people.append(person)

    def _take(self, person: Person, message: Message) -> None:
        if not message.outgoing:
            self._wrote[person.contact.id] = message
            if person.here(message.at):
                self.inbound.append((person, message, self._answered(person, message)))
            return
        cause = self._wrote.get(person.contact.id)
        if message.whisper or not person.here(message.at) or (message.broadcast is None and cause is None):
            return
        journey = Journey(message, person, _campaign(message), None if message.broadcast else cause)
        person.journeys.append(journey)
        self.journeys.append(journey)

    def _answered(self, person: Person, message: Message) -> Journey | None:
        """The newest delivery of the 72 hours before, as the vendor matches replies."""
        newest = person.journeys[-1] if person.journeys else None
        return newest if newest and message.at - newest.message.at < 3 * DAY - MILLI else None


def _campaign(message: Message) -> int | None:
    if message.broadcast is None:
        return EVENT_CAMPAIGN
    if message.broadcast.p2p:
        return None
    return 1 + [title for title, _ in BROADCASTS].index(message.broadcast.description)
