"""Who there is in the simulated organisation: contacts with all that is known of them, staff, channels, tags, lists.

Owns the shapes and what each was at an instant (microseconds since the epoch). Draws nothing at random.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from promptsync.demo.world.time import Timeline
from promptsync.demo.world.words import Place


class TeamMember(NamedTuple):
    """A person of the organisation who writes to contacts."""

    id: int
    name: str
    email: str
    created: int
    salesforce: str


class Channel(NamedTuple):
    """A number of the organisation."""

    id: int
    name: str
    api_id: str
    phone: str


class Tag(NamedTuple):
    """A tag as it is defined."""

    id: int
    name: str
    color: str


class ContactList(NamedTuple):
    """A list of contacts as it is defined."""

    id: int
    name: str
    api_id: str
    description: str


class Spell(Protocol):
    """Something that holds from ``added`` until ``removed`` (None: it still does)."""

    added: int
    removed: int | None


S = TypeVar("S", bound=Spell)


def holding(spells: Iterable[S], when: int) -> list[S]:
    """Those that held at an instant."""
    return [s for s in spells if s.added <= when and (s.removed is None or s.removed > when)]


@dataclass(slots=True)
class Tagging:
    """A tag on a contact for a while. ``id`` is the link's own."""

    id: int
    tag: Tag
    note: str
    added: int
    removed: int | None = None


@dataclass(slots=True)
class Membership:
    """A contact on a list for a while."""

    list: ContactList
    added: int
    removed: int | None = None


@dataclass(slots=True)
class Reach:
    """A number or account of a contact, for a while. ``kind`` as CustomerChannelModel.identityType."""

    kind: str
    key: str
    added: int
    removed: int | None = None


@dataclass(slots=True)
class DataField:
    """A custom data field; the value None means deleted."""

    id: int
    managed: bool
    key: str
    value: Timeline[str | None]


class CarrierStop(NamedTuple):
    """An opt-out (or back in) on one channel, as the phone provider reports it."""

    at: int
    channel: Channel
    opted_out: bool


class ConsentRecord(NamedTuple):
    """One row of opt_out or opt_in. ``org_phone``: None unless the contact sent a keyword to it."""

    id: int
    at: int
    contact_id: int
    org_phone: str | None


@dataclass(slots=True, eq=False)
class Contact:
    """A person who is texted."""

    id: int
    created: int
    phone: str
    place: Place
    name: Timeline[str]
    opted_out: Timeline[bool]
    reaches: list[Reach] = field(default_factory=list)
    taggings: list[Tagging] = field(default_factory=list)
    memberships: list[Membership] = field(default_factory=list)
    fields: list[DataField] = field(default_factory=list)

    def updated(self, when: int) -> int:
        """The last change of name or opt-out status up to an instant (contact.updated_timestamp)."""
        return max(self.name.since(when), self.opted_out.since(when))

    def opted_out_since(self, when: int) -> int | None:
        """When the contact opted out, if opted out at an instant."""
        return self.opted_out.since(when) if self.opted_out.at(when) else None


@dataclass(frozen=True, slots=True)
class Staff:
    """What an organisation has from its first day."""

    org_id: int
    founded: int
    members: tuple[TeamMember, ...]
    channels: tuple[Channel, ...]
    tags: tuple[Tag, ...]
    lists: tuple[ContactList, ...]
