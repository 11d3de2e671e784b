"""Days in the life of the simulated organisation, as a receiver lives through them: events to post, nights to load.

Owns the order of things and how they go wrong (lost, doubled, late, shuffled, missing and late nights), decided by
seed. Posts and writes nothing itself.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random

from promptsync.clock import MICROS
from promptsync.demo.prompt.events import BATCH, Event, Events
from promptsync.demo.prompt.inbox import Inbox
from promptsync.demo.world.log import Change
from promptsync.demo.world.time import RUN_DELAY, midnight_before, midnights
from promptsync.demo.world.traffic import Message
from promptsync.demo.world.world import DAY, World

_LONGEST_LIFE = 31 * 3600 * MICROS
"""No message changes its status later than this after it was created."""
_BATCH_SPAN = 5 * MICROS


@dataclass(frozen=True, slots=True)
class Night:
    """A night's export. ``as_of``: the midnight it is about; ``arrives``: when its files are there."""

    as_of: int
    arrives: int


@dataclass(frozen=True, slots=True)
class Mischief:
    """How deliveries go wrong. Shares of all events from 0 to 1; nights by number, 0 the first after the beginning."""

    doubled: float = 0.0  # delivered again within the hour
    late: float = 0.0  # delivered up to two days later
    shuffled: float = 0.0  # delivered up to a minute later, after others
    lost: float = 0.0
    missing_nights: frozenset[int] = field(default_factory=frozenset)
    late_nights: frozenset[int] = field(default_factory=frozenset)  # loaded after the next one


EVERYTHING = Mischief(0.02, 0.01, 0.05, 0.01, frozenset({1}), frozenset({2}))
"""Something of each kind."""


def simulate(
    world: World, begin: int, end: int, mischief: Mischief | None = None, opening: bool = True
) -> Iterator[Event | Night]:
    """What a receiver gets in ``[begin, end)``, in order of arrival; what is late or delayed beyond ``end`` follows.

    ``opening``: starts with the newest night before ``begin``. The world grows day by day if ``end`` is beyond it.
    """
    mischief = mischief or Mischief()
    rng = Random(f"mischief {world.seed} {begin}")
    if opening:
        yield Night(midnight_before(begin - RUN_DELAY), begin)
    waiting: list[tuple[int, int, Event | Night]] = []
    turn = count()
    nights = count()
    day = begin
    while day < end:
        until = min(day + DAY, end)
        world.advance(max(until, world.end))
        arriving: list[Event | Night] = [*_deliveries(happenings(world, day, until), mischief, rng)]
        for as_of in midnights(day - RUN_DELAY, until - RUN_DELAY):
            number = next(nights)
            if number not in mischief.missing_nights:
                delay = DAY + RUN_DELAY if number in mischief.late_nights else 0
                arriving.append(Night(as_of, as_of + RUN_DELAY + delay))
        for action in arriving:
            heappush(waiting, (action.arrives, next(turn), action))
        while waiting and waiting[0][0] < until:
            yield heappop(waiting)[2]
        day = until
    while waiting:
        yield heappop(waiting)[2]


def happenings(world: World, begin: int, end: int) -> list[Event]:
    """Every event that the vendor makes in ``[begin, end)``, in order. The world must have grown to ``end``."""
    events, inbox = Events(world.log.staff), Inbox(world)
    changes, messages = world.log.changes, world.log.messages
    changed = changes[bisect_left(changes, begin, key=_at) : bisect_left(changes, end, key=_at)]
    recent = messages[bisect_left(messages, begin - _LONGEST_LIFE, key=_at) : bisect_left(messages, end, key=_at)]
    found = [event for change in changed for event in _change(events, change)]
    lately = changes[bisect_left(changes, begin - MICROS, key=_at) : bisect_left(changes, end, key=_at)]
    around = [*inbox.events(begin, end)]
    around += [event for change in lately for event in inbox.after_carrier(change)]
    around += [event for message in recent for event in inbox.around_message(message)]
    found += [event for event in around if begin <= event.at < end]
    for message in recent:
        if begin <= message.noted < end:
            found.append(events.message_added(message))
        if message.ending and message.ending.status == "FAILED":
            error = events.message_error(message)
            if begin <= error.at < end:
                found.append(error)
    found += _statuses(events, recent, begin, end)
    return sorted(found, key=lambda event: event.at)


def _at(record: Change | Message) -> int:
    return record.at


def _change(events: Events, change: Change) -> Iterator[Event]:
    if change.kind == "added":
        yield events.customer_added(change.contacts[0])
    elif change.broadcast is not None:
        yield events.broadcast_state(change.broadcast, change.at)
    elif change.carrier is not None:
        yield events.opt_out_phone_provider(change.contacts[0], change.carrier)
    for begin in range(0, len(change.contacts), BATCH):
        part = change.contacts[begin : begin + BATCH]
        if change.kind == "modified":
            yield events.customer_modified(part, change.at)
        elif change.kind == "consent":
            yield events.opt_out_global(part, change.at)


def _statuses(events: Events, messages: Sequence[Message], begin: int, end: int) -> Iterator[Event]:
    """message/status: one by one in talks, in batches of a few seconds for broadcasts."""
    batches: dict[int, dict[int, Message]] = {}
    for message in messages:
        ending = message.ending
        for at in (message.sent, ending.at if ending and ending.status not in ("RECEIVED", "NA") else None):
            if at is None:
                continue
            if message.broadcast is not None:
                batches.setdefault(at // _BATCH_SPAN, {})[message.id] = message
            elif begin <= at < end:
                yield events.message_status((message,), at, batch=False)
    for slot, batch in batches.items():
        at = (slot + 1) * _BATCH_SPAN
        found = tuple(batch.values())
        if begin <= at < end:
            for first in range(0, len(found), BATCH):
                yield events.message_status(found[first : first + BATCH], at, batch=True)


def _deliveries(events: Iterable[Event], mischief: Mischief, rng: Random) -> Iterator[Event]:
    for event in events:
        chance = [rng.random() for _ in range(4)]
        if chance[0] < mischief.lost:
            continue
        if chance[1] < mischief.late:
            yield event.delayed(rng.randrange(3600, 2 * 86_400) * MICROS)
        elif chance[2] < mischief.shuffled:
            yield event.delayed(rng.randrange(60_000) * 1000)
        else:
            yield event
        if chance[3] < mischief.doubled:
            yield event.delayed(rng.randrange(1, 3600) * MICROS)
