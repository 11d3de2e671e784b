"""What is sent and received in the simulated organisation: messages, conversations, broadcasts, each at any instant.

Owns the shapes and the life cycle of a message: QUEUED, SENT, then DELIVERED, UNDELIVERED or FAILED; inbound RECEIVED;
OPTED_OUT for contacts who had opted out; NA for whispers. Draws nothing at random.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from promptsync.demo.world.people import Channel, Contact
from promptsync.demo.world.time import Timeline, midnight_before


@dataclass(slots=True, eq=False)
class Broadcast:
    """A broadcast (webhooks: bulk action). ``states``: status and its message over time."""

    id: int
    created: int
    description: str
    start: int
    finish: int
    p2p: bool
    advanced: bool
    lists: tuple[int, ...]
    targeted: int
    states: Timeline[tuple[str, str]]
    skipped: int = 0
    messages: list["Message"] = field(default_factory=list)
    replies: list["Message"] = field(default_factory=list)
    follow_ups: list["Message"] = field(default_factory=list)
    opt_outs: list[tuple[int, int]] = field(default_factory=list)  # when, contact id


class ConversationState(NamedTuple):
    """A conversation as it was since its ``lastUpdatedTimestamp``. ``members``: team member id, active."""

    status: str
    members: tuple[tuple[int, bool], ...]
    topic: str | None
    first: "Message | None"


@dataclass(slots=True, eq=False)
class Conversation:
    """All that is said with one contact on one channel (webhooks: interaction)."""

    id: int
    contact: Contact
    channel: Channel
    created: int
    states: Timeline[ConversationState]


class Ending(NamedTuple):
    """How a message ends: never later than this. ``code`` and ``text``: the error, if any."""

    status: str
    at: int
    code: str | None = None
    text: str | None = None


class Message(NamedTuple):
    """One message, with its whole life. Times in microseconds.

    ``noted``: the conversation's lastUpdatedTimestamp that it caused. ``sent``: None if it never went out.
    ``ending``: None while SENT is the last word. ``broadcast``: it is part of; ``answers``: a reply attributed to it.
    """

    id: int
    at: int
    noted: int
    conversation: Conversation
    user_type: str
    user_id: int
    content: str | None
    external_id: str | None
    broadcast: Broadcast | None
    answers: Broadcast | None
    sent: int | None
    ending: Ending | None
    mms: bool
    whisper: bool
    segments: int

    @property
    def outgoing(self) -> bool:
        """Whether the organisation wrote it."""
        return self.user_type != "CUSTOMER"

    @property
    def team_member_id(self) -> int | None:
        """The person who wrote it, if one of the team did."""
        return self.user_id if self.user_type == "TEAM_MEMBER" else None

    def status(self, when: int) -> str:
        """The delivery status at an instant (MessageModel.status)."""
        if self.ending is not None and self.ending.at <= when:
            return self.ending.status
        if self.sent is not None and self.sent <= when:
            return "SENT"
        return "QUEUED"

    def external(self, when: int) -> str | None:
        """The provider's id, known once the provider has it."""
        known = self.sent if self.outgoing else self.at
        return self.external_id if known is not None and known <= when else None

    def status_exported(self, when: int) -> str:
        """The status as exports show it: SENT at one midnight is never corrected to UNDELIVERED by a later one."""
        status = self.status(when)
        if status == "UNDELIVERED" and self.ending and self.sent and midnight_before(self.ending.at - 1) >= self.sent:
            return "SENT"
        return status
