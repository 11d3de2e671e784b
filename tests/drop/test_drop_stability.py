"""When a dropped file may be taken: rules, and a state machine of writers, renames and clocks set back."""

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from promptsync.clock import MICROS
from promptsync.drop.stability import Mark, StabilityTracker, is_unfinished, shows_its_end

SETTLE = 2 * MICROS
PLAIN = 3 * SETTLE
PATIENCE = 5 * SETTLE
NOW = 1_770_000_000 * MICROS


def mark(mtime: int, size: int = 10, inode: int = 1) -> Mark:
    return Mark(1, inode, size, mtime * 1000)


@pytest.mark.parametrize("name", [".x.csv", "x.csv.part", "x.TMP", "x.crdownload", "x.filepart", "x.csv~"])
def test_hidden_and_temporary_names_are_unfinished(name: str) -> None:
    assert is_unfinished(name)


@pytest.mark.parametrize("name", ["x.csv", "part", "x.parts", "x.part.csv", "~x.csv"])
def test_other_names_are_not(name: str) -> None:
    assert not is_unfinished(name)


def test_a_new_file_is_ready_when_it_has_stayed_the_same() -> None:
    tracker = StabilityTracker(SETTLE)
    tracker.see("a", mark(NOW), NOW)
    assert tracker.ready(NOW + SETTLE - 1) == {}
    assert tracker.due() == NOW + SETTLE
    assert tracker.ready(NOW + SETTLE) == {"a": mark(NOW)}


def test_an_old_file_is_ready_at_first_sight() -> None:
    tracker = StabilityTracker(SETTLE)
    tracker.see("a", mark(NOW - SETTLE), NOW)
    assert "a" in tracker.ready(NOW)


@pytest.mark.parametrize("change", [{"size": 11}, {"mtime": 5}, {"inode": 2, "mtime": NOW * 1000}])
def test_any_change_starts_anew(change: dict[str, int]) -> None:
    tracker = StabilityTracker(SETTLE)
    tracker.see("a", mark(NOW - SETTLE), NOW)
    tracker.see("a", replace(mark(NOW - SETTLE), **change), NOW + 5)
    assert tracker.ready(NOW + 5) == {}
    assert tracker.due() == NOW + 5 + SETTLE


def test_an_old_file_renamed_over_another_is_ready_at_once() -> None:
    tracker = StabilityTracker(SETTLE)
    tracker.see("a", mark(NOW), NOW)
    tracker.see("a", mark(NOW - SETTLE, inode=2), NOW + 1)
    assert "a" in tracker.ready(NOW + 1)


def test_a_missing_end_is_waited_for_until_the_file_has_rested_for_so_long() -> None:
    tracker = StabilityTracker(SETTLE)
    tracker.see("a.gz", mark(NOW), NOW)
    assert tracker.may_lack_end("a.gz", NOW + SETTLE, PATIENCE)
    tracker.await_end("a.gz", NOW + SETTLE, PATIENCE)
    assert (tracker.due(), tracker.pending()) == (NOW + PATIENCE, {"a.gz"})
    assert not tracker.may_lack_end("a.gz", NOW + PATIENCE, PATIENCE)
    tracker.see("a.gz", mark(NOW + 1, size=11), NOW + 1)
    assert tracker.due() == NOW + 1 + 2 * SETTLE, "and after a change, for twice as long as before"
    tracker.has_end("a.gz")
    assert not tracker.may_lack_end("a.gz", NOW + 2, PATIENCE)
    tracker.see("a.gz", mark(NOW + 3, size=12), NOW + 3)
    assert tracker.may_lack_end("a.gz", NOW + 3, PATIENCE)


def test_a_resting_file_is_offered_again_only_after_a_change() -> None:
    tracker = StabilityTracker(SETTLE)
    tracker.see("a", mark(0), NOW)
    tracker.rest("a")
    tracker.see("a", mark(0), NOW + 10**12)
    assert (tracker.ready(NOW + 10**12), tracker.due(), tracker.pending()) == ({}, None, set())
    tracker.see("a", mark(0, size=3), NOW + 10**12)
    assert tracker.pending() == {"a"}


def test_failures_delay_twice_as_long_each_time_up_to_an_hour() -> None:
    tracker = StabilityTracker(SETTLE)
    tracker.see("a", mark(0), NOW)
    delays = []
    for _ in range(12):
        tracker.fail("a", NOW, 10 * MICROS)
        delays.append(((tracker.due() or 0) - NOW) // MICROS)
    assert delays[:4] == [10, 20, 40, 80]
    assert delays[-1] == 3600


def test_a_file_that_is_gone_is_forgotten() -> None:
    tracker = StabilityTracker(SETTLE)
    tracker.see("a", mark(0), NOW)
    tracker.see("b", mark(0), NOW)
    tracker.rest("a")
    tracker.keep_only({"b"})
    tracker.see("a", mark(0), NOW)
    assert tracker.ready(NOW).keys() == {"a", "b"}


def test_a_clock_set_back_delays_a_file_by_no_more_than_its_delay() -> None:
    tracker = StabilityTracker(SETTLE)
    tracker.see("a", mark(NOW), NOW)
    earlier = NOW - 3600 * MICROS
    tracker.see("a", mark(NOW), earlier)
    assert tracker.due() == earlier + SETTLE


class Writers(RuleBasedStateMachine):
    """Files written in pieces, renamed into place and replaced, seen at any time; true time only goes forward."""

    def __init__(self) -> None:
        super().__init__()
        self.tracker = StabilityTracker(SETTLE, PLAIN)
        self.now = NOW
        self.set_back = 0
        self.inodes = 0
        self.files: dict[str, Mark] = {}
        self.written: dict[str, int] = {}

    def clock(self) -> int:
        return self.now - self.set_back

    names = st.sampled_from(["a.csv", "b.csv.gz", "c.parquet"])

    @rule(name=names, grows=st.integers(0, 2))
    def write(self, name: str, grows: int) -> None:
        if name not in self.files:
            self.inodes += 1
            self.files[name] = Mark(1, self.inodes, 0, 0)
        old = self.files[name]
        self.files[name] = Mark(1, old.inode, old.size + grows, self.clock() * 1000)
        self.written[name] = self.now

    @rule(name=names, age=st.integers(0, 2 * SETTLE))
    def rename_into_place(self, name: str, age: int) -> None:
        self.inodes += 1
        self.files[name] = Mark(1, self.inodes, 7, (self.clock() - age) * 1000)
        self.written[name] = self.now - age

    @rule(name=names)
    def take_away(self, name: str) -> None:
        self.files.pop(name, None)

    @rule(by=st.integers(1, 2 * SETTLE))
    def pass_time(self, by: int) -> None:
        self.now += by

    @rule(by=st.integers(1, 100 * SETTLE))
    def set_clock_back(self, by: int) -> None:
        self.look()
        self.set_back += by

    @rule(name=names)
    def put_off(self, name: str) -> None:
        self.tracker.put_off(name, self.clock(), 3 * SETTLE)

    @rule(name=names)
    def lack_its_end(self, name: str) -> None:
        if name in self.tracker.ready(self.clock()):
            self.tracker.await_end(name, self.clock(), PATIENCE)

    @rule()
    def look(self) -> None:
        for name, state in self.files.items():
            self.tracker.see(name, state, self.clock())
        self.tracker.keep_only(self.files.keys())
        for name, state in self.tracker.ready(self.clock()).items():
            assert self.files[name] == state
            rest = SETTLE if shows_its_end(name) else PLAIN
            assert self.now - self.written[name] >= rest, "taken while it was being written"

    @invariant()
    def what_waits_is_due(self) -> None:
        assert (self.tracker.due() is None) == (not self.tracker.pending())

    def teardown(self) -> None:
        self.look()
        self.now += 60 * MICROS
        for name, state in self.files.items():
            self.tracker.see(name, state, self.clock())
        assert self.tracker.ready(self.clock()).keys() == self.files.keys(), "left alone, every file becomes ready"


TestWriters = Writers.TestCase
TestWriters.settings = settings(max_examples=80, stateful_step_count=25, deadline=None)
