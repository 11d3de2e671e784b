"""What a mirror can know of the simulated world by now, by webhooks and by nights: which facts, as of when.

Owns the bookkeeping, not the values: for every fact it keeps the instant that the last word on it was about, and truth
looks the value up in the world. "The last word" follows the design's order of claims, put down here once, by hand.
All times in microseconds since the epoch.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from promptsync.clock import iso_millis
from promptsync.demo.prompt import snapshot
from promptsync.demo.world.log import SYSTEM_USER
from promptsync.demo.world.people import CarrierStop, Contact, TeamMember
from promptsync.demo.world.traffic import Broadcast, Conversation, Message

_STAGES = ("NA", "QUEUED", "SENT", "RECEIVED", "DELIVERED", "READ", "FAILED", "UNDELIVERED", "OPTED_OUT", "ABORTED")
_OUTCOMES = {"SENT": True, "DELIVERED": True, "READ": True} | dict.fromkeys(_STAGES[6:], False)

Word = tuple[int, int]
"""Something reported: its place in the order, and the instant whose state it reports. The greatest is the last word."""

Stage = tuple[bool, int, int]
"""A delivery status reported: whether it is final, when it was so, and its place among the stages."""


@dataclass(slots=True)
class KnownContact:
    """What webhooks said of a contact. ``born``: name and creation; ``reachable``: its channels were listed."""

    name: Word | None = None
    born: bool = False
    reachable: bool = False
    consent: tuple[int, bool] | None = None  # since when, opted out
    lists: list[Word] = field(default_factory=list)
    stops: dict[int, CarrierStop] = field(default_factory=dict)


@dataclass(slots=True)
class KnownMessage:
    """What webhooks said of a message. ``added``: message/added did; ``placed``: that or the conversation's first."""

    message: Message
    added: bool = False
    placed: bool = False
    live: Word | None = None
    state: Stage | None = None
    outcome: Stage | None = None
    error: int | None = None


class Knowledge:
    """The sum of what a mirror received. Feed it every event as it is received, and every night as it is loaded."""

    def __init__(self) -> None:
        self.nights: dict[str, int] = {}
        self.contacts: dict[int, KnownContact] = {}
        self.messages: dict[int, KnownMessage] = {}
        self.conversations: dict[int, tuple[Conversation, int]] = {}
        self.members: dict[tuple[int, int], int] = {}  # conversation, team member: as of the conversation's update
        self.firsts: set[int] = set()  # conversations whose first message is known
        self.staff: dict[int, TeamMember | None] = {}  # None: only mentioned
        self.named: dict[int, TeamMember] = {}  # of whom only the name is known
        self.channels: dict[int, bool] = {}  # False: only mentioned
        self.broadcasts: dict[int, Word | None] = {}
        self.facts: dict[str, dict[tuple[snapshot.Value, ...], dict[str, tuple[int, Mapping[str, snapshot.Value]]]]] = (
            defaultdict(dict)
        )
        self.happened: dict[str, Counter[tuple[snapshot.Value, ...]]] = defaultdict(Counter)

    # -- nights ----------------------------------------------------------------------------------------------------

    def night(self, as_of: int, tables: Iterable[str] = tuple(snapshot.TABLES)) -> None:
        """A night's files were loaded, in whatever order."""
        for table in tables:
            self.nights[table] = max(as_of, self.nights.get(table, 0))

    # -- what events say, one method for each; ``received``: strictly increasing over all events --------------------

    def customers(self, received: int, contacts: Iterable[Contact], made: int) -> None:
        """customer/added and customer/modified: whole CustomerModels."""
        for contact in contacts:
            known = self.customer(contact, received, made)
            known.reachable = True
            known.lists.append((received, made))

    def global_consent(self, _received: int, contacts: Iterable[Contact], at: int) -> None:
        """customer/optOut GLOBAL."""
        for contact in contacts:
            out = contact.opted_out.at(at)
            self._consent(self.customer(contact, at, at), at, out)
            self.happened["opt_out_change"][contact.id, "GLOBAL", out, iso_millis(at), None] += 1

    def carrier_consent(self, _received: int, contact: Contact, stop: CarrierStop) -> None:
        """customer/optOut PHONE_PROVIDER."""
        known = self.customer(contact, stop.at, stop.at)
        before = known.stops.get(stop.channel.id)
        if before is None or before.at < stop.at:
            known.stops[stop.channel.id] = stop
        self.channels[stop.channel.id] = True
        row = contact.id, "PHONE_PROVIDER", stop.opted_out, iso_millis(stop.at), stop.channel.id
        self.happened["opt_out_change"][row] += 1

    def message_added(self, received: int, message: Message, poster: TeamMember | None) -> None:
        """message/added. ``poster``: the team member who wrote it; a contact is known from the message."""
        known = self._message(message, message.at, message.at, message.at)
        known.added = known.placed = True
        self.conversation(message.conversation, message.noted)
        if message.broadcast is not None:
            self.broadcasts.setdefault(message.broadcast.id)
        if poster is not None:
            self.staff[poster.id] = poster
        elif not message.outgoing:
            self._person(message.conversation.contact, received, message.noted)

    def message_status(self, _received: int, messages: Iterable[Message], at: int) -> None:
        """message/status, single or batch: the status at the body's timestamp."""
        for message in messages:
            self._message(message, at, at, at)
            self.happened["message_status"][message.id, message.status(at), iso_millis(at)] += 1

    def message_error(self, received: int, message: Message, made: int) -> None:
        """message/error."""
        known = self._message(message, received, made, received)
        known.error = max(received, known.error or 0)
        text = message.ending.text if message.ending else None
        self.happened["message_error"][message.id, text, iso_millis(received)] += 1

    def broadcast_state(self, received: int, broadcast: Broadcast, at: int) -> None:
        """broadcast/state."""
        self.broadcasts[broadcast.id] = _later(self.broadcasts.get(broadcast.id), (received, at))
        status, status_message = broadcast.states.at(at)
        self.happened["broadcast_change"][broadcast.id, status, status_message, iso_millis(received)] += 1

    # -- what the inbox says: each group of columns as its own last word has it --------------------------------------

    def fact(
        self, table: str, key: tuple[snapshot.Value, ...], group: str, order: int, row: Mapping[str, snapshot.Value]
    ) -> None:
        """Columns that are reported together, and their place in the order."""
        groups = self.facts[table].setdefault(key, {})
        if group not in groups or order > groups[group][0]:
            groups[group] = order, row

    def happen(self, table: str, *cells: snapshot.Value) -> None:
        """One row of what happened: all columns after the delivery, the item and the organization."""
        self.happened[table][cells] += 1

    # -- the models they are made of -------------------------------------------------------------------------------

    def _person(self, contact: Contact, order: int, made: int) -> KnownContact:
        known = self.contacts.setdefault(contact.id, KnownContact())
        known.name = _later(known.name, (order, made))
        known.born = True
        return known

    def mention_contact(self, contact: Contact) -> None:
        """A contact's id."""
        self.contacts.setdefault(contact.id, KnownContact())

    def customer(self, contact: Contact, order: int, made: int) -> KnownContact:
        """A CustomerModel as it was when made."""
        known = self._person(contact, order, made)
        since = contact.opted_out_since(made)
        self._consent(known, contact.created if since is None else since, since is not None)
        return known

    def _consent(self, known: KnownContact, at: int, out: bool) -> None:
        if known.consent is None or (at, out) > known.consent:
            known.consent = at, out

    def _message(self, message: Message, order: int, made: int, status_at: int) -> KnownMessage:
        known = self.messages.setdefault(message.id, KnownMessage(message))
        known.live = _later(known.live, (order, made))
        status = message.status(made)
        rank = _STAGES.index(status)
        stage = rank >= _STAGES.index("RECEIVED"), status_at, rank
        known.state = stage if known.state is None else max(known.state, stage)
        if status in _OUTCOMES:
            known.outcome = stage if known.outcome is None else max(known.outcome, stage)
        self._mention(message)
        return known

    def _mention(self, message: Message) -> None:
        if message.user_type == "TEAM_MEMBER":
            self.staff.setdefault(message.user_id)
        elif message.user_id != SYSTEM_USER:
            self.contacts.setdefault(message.user_id, KnownContact())

    def conversation(self, talk: Conversation, noted: int) -> None:
        """A ConversationModel as of its update."""
        before = self.conversations.get(talk.id, (talk, 0))[1]
        self.conversations[talk.id] = talk, max(before, noted)
        self.contacts.setdefault(talk.contact.id, KnownContact())
        self.channels.setdefault(talk.channel.id, False)
        state = talk.states.at(noted)
        for member, _ in state.members:
            self.staff.setdefault(member)
            self.members[talk.id, member] = max(noted, self.members.get((talk.id, member), 0))
        if state.first is not None:
            self.firsts.add(talk.id)
            self._message(state.first, state.first.at, noted, state.first.at).placed = True


def status_of(stage: Stage) -> str:
    """The status that a stage names."""
    return _STAGES[stage[2]]


def successful(stage: Stage) -> bool:
    """Whether a status that says so means that the message went out."""
    return _OUTCOMES[status_of(stage)]


def _later(before: Word | None, word: Word) -> Word:
    return word if before is None or word > before else before
