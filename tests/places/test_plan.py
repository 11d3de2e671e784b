"""What is new is a set difference: whatever order files appear in, each version is fetched once, in order."""

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from promptsync.errors import InputRefused
from promptsync.places.place import Item
from promptsync.places.plan import ENOUGH, FetchOptions, Plan, make_plan
from promptsync.store.ddl import statements
from promptsync.store.place_ledger import (
    Attempt,
    Known,
    note_back,
    note_gone,
    note_seen,
    note_skips,
    note_tried,
    skips_differ,
)
from promptsync.store.place_state import Listing
from promptsync.vendors import declared_schema

NOW = "2026-02-04T00:00:00.000Z"


@dataclass(frozen=True)
class Night:
    at: int
    table: str = "contact"

    @property
    def order(self) -> tuple[int]:
        return (self.at,)


def parse(name: str) -> Night | None:
    if name == "ignored":
        return None
    match = re.fullmatch(r"night_(\d+)", name)
    if match is None:
        raise InputRefused("unknown_name", name)
    return Night(int(match[1]), "contact" if int(match[1]) % 2 else "opt_out")


def item(night: int, tag: str = "a") -> Item:
    return Item(f"x/night_{night}", tag, 1)


def keys(pairs: list[tuple[Item, Night]]) -> list[str]:
    return [one.key for one, _ in pairs]


class Ledger:
    """A ledger of its own, and another place beside it that must not matter."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        for statement in statements(declared_schema(), {}):
            if "sync_object" in statement or "sync_file" in statement:
                self.connection.execute(statement)
        self.seen("elsewhere", [(item(n), Night(n)) for n in range(10)])

    def close(self) -> None:
        self.connection.close()

    def seen(self, place: str, pairs: list[tuple[Item, Night]]) -> None:
        rows = [{"key": one.key, "tag": one.tag, "table": night.table, "state": "waiting"} for one, night in pairs]
        note_seen(self.connection, place, rows, NOW)

    def look(self, listing: list[Item], skip: frozenset[str], *, loaded: bool) -> Plan[Night]:
        """Look at a place, and write down what was seen."""
        if skips_differ(self.connection, "x", skip):
            note_skips(self.connection, "x", skip)
        found = Listing(self.connection, "x")
        found.add(listing)
        differences = [(Item(*entry), known) for entry, known in found.differences(loaded=loaded)]
        plan = make_plan(differences, parse, FetchOptions(), skip)
        self.seen("x", plan.new)
        note_back(self.connection, "x", plan.back)
        note_gone(self.connection, "x", found.vanished(), NOW)
        return plan

    def loaded(self, key: str) -> None:
        note_tried(self.connection, Attempt("x", key, "loaded", NOW))


LISTING = st.lists(st.tuples(st.integers(0, 9), st.sampled_from("ab")), unique_by=lambda pair: pair[0])


@given(st.lists(st.tuples(LISTING, st.sampled_from([frozenset(), frozenset({"contact"})]), st.integers(0, 3))))
def test_every_version_is_fetched_once_however_listings_change(looks: list[tuple[list, frozenset[str], int]]) -> None:
    """Against a model of it: the version of each key last loaded. Some of what is planned is left undone each time."""
    loaded = dict[str, str]()
    last = dict[str, str]()
    with closing(Ledger()) as ledger:
        for entries, skip, most in looks:
            listing = [item(*entry) for entry in entries]
            plan = ledger.look(listing, skip, loaded=most % 2 == 0)
            for one in listing:
                if last.get(one.key) != one.tag:
                    loaded.pop(one.key, None)
                    last[one.key] = one.tag
            wanted = [one.key for one in listing if parse(one.file_name).table not in skip and one.key not in loaded]  # type: ignore[union-attr]
            assert keys(plan.fetch) == sorted(wanted)
            if most % 2 == 0:
                assert sorted(one.key for one in plan.done) == sorted(one.key for one in listing if one.key in loaded)
            for one, _ in plan.fetch[:most]:
                ledger.loaded(one.key)
                loaded[one.key] = one.tag
            there = ledger.connection.execute("SELECT key FROM sync_object WHERE place = 'x' AND gone_at IS NULL")
            assert {row[0] for row in there} == {one.key for one in listing}


def planned(items: list[Item], known: dict[str, Known], options: FetchOptions = FetchOptions()) -> Plan[Night]:  # noqa: B008
    return make_plan(((one, known.get(one.key)) for one in items), parse, options)


def test_an_old_night_that_appears_late_is_fetched_before_newer_ones() -> None:
    known = {item(5).key: Known("a", "loaded", 1, gone=False)}
    plan = planned([item(9), item(5), item(2), item(7)], known)
    assert keys(plan.fetch) == ["x/night_2", "x/night_7", "x/night_9"]


def test_what_is_open_is_tried_again_and_what_failed_often_only_by_hand() -> None:
    states = {1: "waiting", 2: "gone", 3: "failed", 4: "held", 5: "loaded"}
    known = {item(n).key: Known("a", state, 1, gone=False) for n, state in states.items()}
    known[item(6).key] = Known("a", "failed", ENOUGH, gone=False)
    items = [item(n) for n in range(1, 7)]
    assert keys(planned(items, known).fetch) == [item(n).key for n in (1, 2, 3)]
    by_hand = planned(items, known, FetchOptions(by_hand=True))
    assert keys(by_hand.fetch) == [item(n).key for n in (1, 2, 3, 6)]


def test_strangers_and_earlier_nights_are_left_alone() -> None:
    items = [Item("x/readme.txt", "a"), Item("x/ignored", "a"), item(1), item(2)]
    plan = planned(items, {}, FetchOptions(since=2))
    assert (keys(plan.fetch), keys(plan.new), plan.unrecognised) == (["x/night_2"], ["x/night_2"], ["readme.txt"])
