"""The simulated organisation: exact sizes, unique ids and numbers, same seed same world, lives that make sense."""

from collections import Counter

import pytest

from promptsync.demo.prompt.days import EVERYTHING, Mischief, simulate
from promptsync.demo.prompt.events import Event
from promptsync.demo.world.people import holding
from promptsync.demo.world.time import Timeline
from promptsync.demo.world.words import phone_number, places
from promptsync.demo.world.world import DAY, World


def test_sizes_are_exact_and_everything_is_unique(world: World) -> None:
    log = world.log
    assert len(log.contacts) == 300
    assert len(log.messages) == 4_000
    numbers = [reach.key for contact in log.contacts for reach in contact.reaches if reach.kind == "SMS"]
    for found in (
        [m.id for m in log.messages],
        [c.id for c in log.contacts],
        [b.id for b in log.broadcasts],
        [t.id for c in log.contacts for t in c.taggings],
        [(f.id, f.managed) for c in log.contacts for f in c.fields],
        [r.id for r in log.opt_outs],
        numbers + [channel.phone for channel in log.staff.channels],
    ):
        assert len(set(found)) == len(found) > 0
    assert all(number[5:8] == "555" for number in numbers)


def test_an_area_code_gives_ten_thousand_different_numbers() -> None:
    area = places()[0]
    assert len({phone_number(area, turn) for turn in range(10_000)}) == 10_000
    with pytest.raises(ValueError, match="no fictional number"):
        phone_number(area, 10_000)


def test_every_kind_of_life_occurs(world: World) -> None:
    endings = Counter(message.status(world.end + 2 * DAY) for message in world.log.messages)
    assert {"DELIVERED", "SENT", "UNDELIVERED", "FAILED", "RECEIVED", "OPTED_OUT", "NA"} <= set(endings)
    assert {change.kind for change in world.log.changes} == {"added", "modified", "consent", "carrier", "broadcast"}
    assert any(len(contact.name.times) > 1 for contact in world.log.contacts)
    assert any(None in f.value.values for contact in world.log.contacts for f in contact.fields)
    assert any(message.answers for message in world.log.messages)


def test_messages_keep_their_order(world: World) -> None:
    for message in world.log.messages:
        assert message.conversation.contact.created <= message.at < message.noted
        assert message.sent is None or message.at < message.sent < world.end + DAY
        assert message.ending is None or message.ending.at >= (message.sent or message.at)
        assert message.conversation.states.since(message.noted) == message.noted
    times = [message.at for message in world.log.messages]
    assert times == sorted(times)


def test_who_opted_out_is_not_reached(world: World) -> None:
    for message in world.log.messages:
        if message.outgoing and message.sent is not None:
            assert not message.conversation.contact.opted_out.at(message.at)


def test_same_seed_same_days() -> None:
    def days(seed: int, mischief: Mischief = EVERYTHING) -> list[str]:
        small = World(seed, contacts=60, messages=600)
        actions = simulate(small, small.present - 2 * DAY, small.present + DAY, mischief)
        return [f"{a.path} {a.arrives} {a.text}" if isinstance(a, Event) else str(a) for a in actions]

    assert days(1) == days(1)
    assert days(1, Mischief()) != days(2, Mischief())


def test_growing_by_days_only_adds() -> None:
    small = World(3, contacts=60, messages=6_000)
    before = [message.id for message in small.log.messages]
    small.advance(small.end + DAY)
    assert [message.id for message in small.log.messages[: len(before)]] == before
    assert len(small.log.messages) == 6_100


def test_a_timeline_goes_forward() -> None:
    line = Timeline(10, "a")
    line.set(20, "b")
    assert [line.at(when) for when in (5, 10, 19, 20, 99)] == ["a", "a", "a", "b", "b"]
    assert [line.since(when) for when in (10, 25)] == [10, 20]
    with pytest.raises(ValueError, match="forward"):
        line.set(20, "c")


def test_what_was_removed_no_longer_holds(world: World) -> None:
    gone = [t for contact in world.log.contacts for t in contact.taggings if t.removed is not None]
    assert gone
    for tagging in gone:
        assert tagging.removed is not None
        assert holding([tagging], tagging.removed - 1) == [tagging]
        assert holding([tagging], tagging.removed) == []
