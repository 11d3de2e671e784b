"""What is new is a set difference: whatever order nights appear in, each version is fetched once, oldest first."""

import re
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from promptsync.errors import InputRefused
from promptsync.sources.places.place import Item
from promptsync.sources.places.plan import ENOUGH, Wish, make_plan
from promptsync.store.place_ledger import Known


@dataclass(frozen=True)
class Night:
    as_of: int


def parse(name: str) -> Night:
    match = re.fullmatch(r"night_(\d+)", name)
    if match is None:
        raise InputRefused("unknown_name", name)
    return Night(int(match[1]))


def item(night: int, tag: str = "a") -> Item:
    return Item(f"x/night_{night}", tag, 1)


def keys(pairs: list[tuple[Item, Night]]) -> list[str]:
    return [one.key for one, _ in pairs]


@given(st.lists(st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ab")), unique_by=lambda pair: pair[0])))
def test_every_version_is_fetched_once_however_listings_change(listings: list[list[tuple[int, str]]]) -> None:
    known: dict[str, Known] = {}
    for listing in listings:
        plan = make_plan([item(*entry) for entry in listing], known, parse, Wish(), complete=True)
        assert keys(plan.fetch) == sorted(keys(plan.fetch))
        for night, tag in listing:
            seen = known.get(f"x/night_{night}")
            assert (item(night, tag), Night(night)) in plan.fetch or (seen is not None and seen.tag == tag)
        assert all(known[one.key].tag != one.tag for one, _ in plan.fetch if one.key in known)
        for one, _ in plan.fetch:
            known[one.key] = Known(one.tag, "loaded", 1, gone=False)
        for key in plan.back:
            known[key] = replace(known[key], gone=False)
        for key in plan.vanished:
            known[key] = replace(known[key], gone=True)
        assert {key for key, seen in known.items() if not seen.gone} == {item(*entry).key for entry in listing}


def test_an_old_night_that_appears_late_is_fetched_before_newer_ones() -> None:
    known = {item(5).key: Known("a", "loaded", 1, gone=False)}
    plan = make_plan([item(9), item(5), item(2), item(7)], known, parse, Wish(), complete=True)
    assert keys(plan.fetch) == ["x/night_2", "x/night_7", "x/night_9"]


def test_what_is_open_is_tried_again_and_what_failed_often_only_by_hand() -> None:
    states = {1: "waiting", 2: "gone", 3: "failed", 4: "held", 5: "loaded"}
    known = {item(n).key: Known("a", state, 1, gone=False) for n, state in states.items()}
    known[item(6).key] = Known("a", "failed", ENOUGH, gone=False)
    items = [item(n) for n in range(1, 7)]
    assert keys(make_plan(items, known, parse, Wish(), complete=True).fetch) == [item(n).key for n in (1, 2, 3)]
    by_hand = make_plan(items, known, parse, Wish(by_hand=True), complete=True)
    assert keys(by_hand.fetch) == [item(n).key for n in (1, 2, 3, 6)]


def test_strangers_and_earlier_nights_are_left_alone() -> None:
    items = [Item("x/readme.txt", "a"), item(1), item(2)]
    plan = make_plan(items, {}, parse, Wish(since=2), complete=True)
    assert (keys(plan.fetch), keys(plan.new), plan.strangers) == (["x/night_2"], ["x/night_2"], ["readme.txt"])


def test_a_listing_that_cannot_be_complete_makes_nothing_vanish() -> None:
    known = {item(1).key: Known("a", "loaded", 1, gone=False)}
    assert make_plan([], known, parse, Wish(), complete=False).vanished == []
    assert make_plan([], known, parse, Wish(), complete=True).vanished == ["x/night_1"]
