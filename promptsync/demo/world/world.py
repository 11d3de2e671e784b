"""The simulated organisation as a whole: founded from a seed, grown by stretches of time.

Owns who is there at the start and the calls that let time pass. The same seed and the same calls give the same world.
"""

from random import Random

from promptsync.clock import MICROS
from promptsync.demo.world import words
from promptsync.demo.world.growth import Growth
from promptsync.demo.world.log import MILLI, Log
from promptsync.demo.world.people import Channel, Contact, ContactList, Membership, Reach, Staff, Tag, TeamMember
from promptsync.demo.world.time import Timeline
from promptsync.demo.world.words import Place, full_name, phone_number, places

DAY = 86_400 * MICROS
HISTORY_DAYS = 60
DEFAULT_START = 1_762_300_000 * MICROS
"""2025-11-04T23:46:40Z, two days after a change to winter time."""
ORG_ID = 1287
_OLD = 0.7  # share of the first contacts who were there before the history begins


class World:
    """One organisation. ``start``: where its history begins, microseconds; ``end``: how far it is known.

    ``contacts`` and ``messages`` are exact for the 60 days of history. ``log`` holds everything there is and was.
    """

    def __init__(self, seed: int, contacts: int = 5_000, messages: int = 50_000, start: int = DEFAULT_START) -> None:
        self.seed = seed
        self._rng = Random(f"promptsync {seed}")
        self._areas = places()
        self._numbers: dict[Place, int] = {}
        self._daily = max(messages // HISTORY_DAYS, 1)
        start = start // MILLI * MILLI
        self.start = self.end = start
        self.log = Log(self._found(start - 900 * DAY), self._rng)
        self._welcome(int(contacts * _OLD), start - 800 * DAY, start)
        self._past_consents(start)
        self.advance(start + HISTORY_DAYS * DAY, messages, contacts - len(self.log.contacts))
        self.present = self.end

    @property
    def org_id(self) -> int:
        """The organisation's id."""
        return self.log.staff.org_id

    def advance(self, end: int, messages: int | None = None, contacts: int | None = None) -> None:
        """Lets time pass until ``end``: hours or days. Without numbers, as much happens per day as in the history."""
        days = (end - self.end) / DAY
        if days <= 0:
            return
        messages = round(self._daily * days) if messages is None else messages
        contacts = round(len(self.log.contacts) * 0.002 * days) if contacts is None else contacts
        self._welcome(contacts, self.end, end)
        office = round(len(self.log.contacts) * 0.01 * days)
        for at, call in Growth(self.log, self._rng, self.end, end).plan(messages, office):
            call(at)
        self.log.changes.sort(key=lambda change: change.at)
        self.end = end

    def _found(self, founded: int) -> Staff:
        rng = self._rng
        home = self._areas[6]
        self._numbers[home] = len(words.CHANNELS)
        members = tuple(
            TeamMember(
                n, name, f"{name.split()[0].lower()}@harborstreet.example", founded + n * DAY + n * MILLI,
                f"005{rng.randrange(10**12):012d}AAA",
            )
            for n, name in enumerate(words.STAFF_NAMES, 2)
        )  # fmt: skip
        channels = tuple(
            Channel(5 + n, name, api_id, phone_number(home, n)) for n, (name, api_id) in enumerate(words.CHANNELS)
        )
        tags = tuple(Tag(n, name, color) for n, (name, color) in enumerate(words.TAGS, 5))
        lists = tuple(ContactList(n, *row) for n, row in enumerate(words.LISTS, 10))
        return Staff(ORG_ID, founded, members, channels, tags, lists)

    def _welcome(self, count: int, begin: int, end: int) -> None:
        """New contacts, created anywhere in ``[begin, end)``."""
        span = (end - begin) // MILLI
        for created in sorted(begin + self._rng.randrange(span) * MILLI for _ in range(count)):
            self.log.add_contact(self._contact(created))

    def _past_consents(self, start: int) -> None:
        """Some of the first contacts opted out before the history begins; every other of them came back."""
        known = [contact for contact in self.log.contacts if contact.created < start - 40 * DAY]
        leaving = self._rng.sample(known, min(len(known), 1 + len(known) // 40))
        for turn, contact in enumerate(leaving):
            self.log.set_consent(start - 40 * DAY + (turn + 1) * 977 * MILLI, (contact,), True, None)
        for turn, contact in enumerate(leaving[::2]):
            self.log.set_consent(start - 20 * DAY + (turn + 1) * 977 * MILLI, (contact,), False, None)

    def _contact(self, created: int) -> Contact:
        rng, staff = self._rng, self.log.staff
        place, phone = self._number()
        name, opted_out = Timeline(created, full_name(rng)), Timeline(created, False)
        contact = Contact(1_001 + len(self.log.contacts), created, phone, place, name, opted_out)
        contact.reaches.append(Reach("SMS", phone, created))
        other = rng.random()
        if other < 0.02:
            contact.reaches.append(Reach("CUSTOMER_EXTERNAL", f"hsfb-{contact.id}", created))
        elif other < 0.03:
            contact.reaches.append(Reach("SMS", self._number()[1], created))
        if rng.random() < 0.3:
            contact.taggings.append(self.log.tagging(created, rng.choice(staff.tags), rng.choice(words.TAG_NOTES)))
        if rng.random() < 0.6:
            contact.memberships.append(Membership(rng.choice(staff.lists), created))
        for which, (_, _, values) in enumerate(words.FIELDS):
            if rng.random() < 0.25:
                self.log.set_field(created + (which + 1) * MILLI, contact, which, rng.choice(values))
        return contact

    def _number(self) -> tuple[Place, str]:
        """A place and a number nobody has, from the home region mostly."""
        home = self._areas[:20]
        for _ in range(1000):
            place = self._rng.choice(home if self._rng.random() < 0.6 else self._areas)
            turn = self._numbers.get(place, 0)
            if turn < 10_000:
                self._numbers[place] = turn + 1
                return place, phone_number(place, turn)
        raise ValueError("a simulated organisation has room for about 200,000 numbers")
