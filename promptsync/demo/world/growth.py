"""What people in the simulated organisation do in a stretch of time, drawn at random: one plan of dated entries.

Owns the rhythm (days, campaigns, talks, office work). Writes nothing into the log: it hands back calls to make.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from promptsync.clock import MICROS
from promptsync.demo.world import words
from promptsync.demo.world.log import MILLI, Line, Log
from promptsync.demo.world.people import Channel, Contact
from promptsync.demo.world.time import Timeline, day_of, midnight
from promptsync.demo.world.traffic import Broadcast
from promptsync.demo.world.words import renamed

Entry = tuple[int, Callable[[int], None]]
"""When, and the call that is made with it."""

_SHARE_OF_BROADCASTS = 0.5
_REPLY, _STOP = 0.09, 0.006


@dataclass
class Growth:
    """Plans the entries of ``[begin, end)`` into a chronicle."""

    log: Log
    rng: Random
    begin: int
    end: int
    entries: list[Entry] = field(default_factory=list)
    lines: int = 0

    def __post_init__(self) -> None:
        last = day_of(self.end - 1)
        self._days = [day for n in range((last - day_of(self.begin)).days + 1) if (day := last - timedelta(n))]
        self._joined = [contact.created for contact in self.log.contacts]
        self._next_broadcast = 149 + len(self.log.broadcasts)

    def plan(self, messages: int, office: int) -> list[Entry]:
        """Exactly this many messages and about so many changes of other kinds, in order of time."""
        for _ in range(office):
            self._office()
        if self._joined:
            self._campaigns(int(messages * _SHARE_OF_BROADCASTS))
            while self.lines < messages:
                self._talk(messages - self.lines)
        self.entries.sort(key=lambda entry: entry[0])
        return self.entries

    def moment(self, early: float = 0.03) -> int:
        """An instant in office hours mostly, in the hour after midnight with the chance ``early``; in milliseconds."""
        for _ in range(100):
            hour = self.rng.random() if self.rng.random() < early else self.rng.triangular(7, 22, 13)
            at = midnight(self.rng.choice(self._days)) + int(hour * 3_600_000) * MILLI + MILLI
            if self.begin <= at < self.end:
                return at
        return self.begin + int(self.rng.random() * ((self.end - self.begin) // MILLI)) * MILLI

    def _someone(self, at: int) -> Contact | None:
        """A contact there is by then; some write and are written to more than others."""
        known = bisect_right(self._joined, at)
        return self.log.contacts[int(known * self.rng.random() ** 1.5)] if known else None

    def _channel(self) -> Channel:
        channels = self.log.staff.channels
        return channels[0] if self.rng.random() < 0.92 else self.rng.choice(channels)

    def _put(self, at: int, call: Callable[[int], None]) -> None:
        self.entries.append((at, call))

    def _say(self, at: int, line: Line) -> bool:
        """Plans a line if it falls into the stretch."""
        if at >= self.end:
            return False
        self.lines += 1
        self._put(at, lambda when: self.log.say(when, line))
        return True

    # -- campaigns -------------------------------------------------------------------------------------------------

    def _campaigns(self, messages: int) -> None:
        count = max(1, round(len(self._days) / 2.5)) if messages else 0
        moments = sorted(self.moment(0) for _ in range(count))
        for n, created in enumerate(moments):
            self._campaign(created, (messages - self.lines) // (count - n))

    def _campaign(self, created: int, messages: int) -> None:
        """One broadcast with its replies: at most this many messages."""
        rng = self.rng
        known = bisect_right(self._joined, created)
        size = min(known, int(messages / (1 + _REPLY * 1.6)))
        pace = rng.choice((80, 150, 400)) * MILLI
        start = created + rng.choice((20, 300, 1800)) * MICROS + 50 * MILLI
        if not size or start + size * pace >= self.end:
            return
        title, text = rng.choice(words.BROADCASTS)
        broadcast = self._broadcast(created, start, start + size * pace, title)
        broadcast.targeted = size + broadcast.skipped
        self._put(created, lambda at: self.log.start_broadcast(at, broadcast))
        channel, sender = self.log.staff.channels[0], rng.choice(self.log.staff.members)
        mms = rng.random() < 0.15
        for n, contact in enumerate(rng.sample(self.log.contacts[:known], size)):
            at = start + n * pace
            said = None if mms and title == "Flu shots" else words.fill(text, contact.name.at(created))
            self._say(at, Line(contact, channel, sender if broadcast.p2p else None, said, mms, broadcast=broadcast))
            self._reaction(at, contact, channel)

    def _reaction(self, at: int, contact: Contact, channel: Channel) -> None:
        rng, chance = self.rng, self.rng.random()
        at += int(rng.expovariate(1 / 1500) * 1000 + 9_000) * MILLI
        if chance < _STOP:
            self._say(at, Line(contact, channel, contact, rng.choice(words.STOPS)))
        elif chance < _STOP + _REPLY:
            said = self._say(at, Line(contact, channel, contact, rng.choice(words.REPLIES)))
            if said and rng.random() < 0.4:
                answer = words.fill(rng.choice(words.ANSWERS), contact.name.values[0])
                at += int(rng.random() * 3_600_000 + 20_000) * MILLI
                self._say(at, Line(contact, channel, rng.choice(self.log.staff.members), answer))

    def _broadcast(self, created: int, start: int, finish: int, title: str) -> Broadcast:
        rng = self.rng
        self._next_broadcast += 1
        lists = tuple(sorted(chosen.id for chosen in rng.sample(self.log.staff.lists, rng.choice((1, 1, 2)))))
        states = Timeline(created, ("SCHEDULED", ""))
        states.set(start, ("PROCESSING", "Processing. "))
        if finish - start > 60 * MICROS and rng.random() < 0.3:
            middle = start + (finish - start) // MILLI // 2 * MILLI
            states.set(middle, ("PAUSED", "Delivery Paused - Excessive Carrier Rejections. "))
            states.set(middle + 20 * MICROS, ("PROCESSING", "Processing. "))
        states.set(finish + 2 * MICROS, ("COMPLETE", ""))
        p2p = rng.random() < 0.25
        return Broadcast(
            self._next_broadcast, created, title, start, finish, p2p, rng.random() < 0.2, lists, 0,
            states, rng.choice((0, 1, 3)) if p2p else 0,
        )  # fmt: skip

    # -- talks and office work -------------------------------------------------------------------------------------

    def _talk(self, at_most: int) -> None:
        """A contact writes and somebody answers, up to this many messages."""
        at = self.moment()
        contact = self._someone(at)
        if contact is None:
            return
        channel = self._channel()
        for line in list(self._turns(contact, channel))[:at_most]:
            if not self._say(at, line):
                return
            at += int(self.rng.expovariate(1 / 400) * 1000 + 4_000) * MILLI

    def _turns(self, contact: Contact, channel: Channel) -> Iterator[Line]:
        rng, member = self.rng, self.rng.choice(self.log.staff.members)
        chance = rng.random()
        if chance < 0.01:
            yield Line(contact, channel, contact, rng.choice(words.STARTS if rng.random() < 0.4 else words.STOPS))
            return
        picture = chance < 0.04
        text = None if picture and rng.random() < 0.5 else rng.choice(words.OPENERS)
        yield Line(contact, channel, contact, text, mms=picture)
        if rng.random() < 0.04:
            yield Line(contact, channel, member, rng.choice(words.WHISPERS), whisper=True)
        for _ in range(rng.choice((0, 1, 1, 1, 2))):
            yield Line(contact, channel, member, words.fill(rng.choice(words.ANSWERS), contact.name.values[0]))
            if rng.random() < 0.6:
                yield Line(contact, channel, contact, rng.choice(words.CLOSERS))

    def _office(self) -> None:
        """One thing done at a desk: a name, a tag, a list, a data field, a managed opt-out or opt-in."""
        rng, log = self.rng, self.log
        at = self.moment(0.12)
        contact = self._someone(at)
        if contact is None or at <= contact.created + 10 * MICROS:
            return
        kind = rng.random()
        several = [contact] if rng.random() < 0.8 else self._several(at)
        if kind < 0.15:
            self._put(at, lambda when: log.rename(when, contact, renamed(contact.name.values[-1], rng)))
        elif kind < 0.45:
            tag, note = rng.choice(log.staff.tags), rng.choice(words.TAG_NOTES)
            self._put(at, lambda when: log.set_tag(when, several, tag, note))
        elif kind < 0.60:
            which = rng.randrange(len(log.staff.lists))
            self._put(at, lambda when: log.set_list(when, several, which))
        elif kind < 0.95:
            which = rng.randrange(len(words.FIELDS))
            value = None if rng.random() < 0.2 else rng.choice(words.FIELDS[which][2])
            self._put(at, lambda when: log.set_field(when, contact, which, value))
        else:
            out = rng.random() < 0.7
            self._put(at, lambda when: log.set_consent(when, several, out, None))

    def _several(self, at: int) -> list[Contact]:
        known = self.log.contacts[: bisect_right(self._joined, at - 10 * MICROS)]
        return self.rng.sample(known, min(len(known), self.rng.randint(2, 12)))
