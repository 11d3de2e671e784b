"""Totals that are kept: a thousand times as long as they took to make, to a bound; and no more than a few of them."""

import pytest

from promptsync.browse.queries.reader import Held


class Counted:
    """A total that takes so many seconds to make, by a clock of its own."""

    def __init__(self) -> None:
        self.now, self.made = 100.0, 0

    def make(self, took: float) -> int:
        self.now += took
        self.made += 1
        return self.made


@pytest.mark.parametrize(("took", "kept"), [(0.0, 0.0), (0.002, 2.0), (0.5, 60.0)])
def test_it_is_kept_as_its_cost_says_and_no_longer_than_it_may(took: float, kept: float) -> None:
    total = Counted()
    held = Held(lambda: total.now)
    assert held.get(("a",), 60, lambda: total.make(took)) == 1
    total.now += kept * 0.99
    assert held.get(("a",), 60, lambda: total.make(took)) == (1 if kept else 2)
    total.now += kept * 0.02
    assert held.get(("a",), 60, lambda: total.make(took)) == (2 if kept else 3)
    assert held.get(("b",), 60, lambda: total.make(took)) == total.made


def test_nothing_is_kept_of_what_failed_and_the_oldest_go_first() -> None:
    total = Counted()
    held = Held(lambda: total.now)
    assert held.get(("none",), 60, lambda: total.make(1) and None) is None
    assert held.get(("none",), 60, lambda: total.make(1)) == 2
    for number in range(50):
        held.get((number,), 60, lambda: total.make(0.01))
    made = total.made
    assert held.get((49,), 60, lambda: total.make(1)) == made
    assert held.get((0,), 60, lambda: total.make(1)) == made + 1
