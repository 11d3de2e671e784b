"""When rows that cannot be read hold a file: a share with a floor, and never what a person's setting allows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.merge.guards import Content, Guards, reason_in_bad_rows, reason_in_rows_lost, reason_to_hold

GUARDS = Guards()


@pytest.mark.parametrize(
    ("rows", "bad", "held"),
    [
        (38, 1, False),
        (2, 1, False),
        (1, 1, True),
        (0, 1, True),
        (91, 9, False),
        (990, 10, False),
        (989, 10, True),
        (9, 9, True),
        (10, 9, False),
        (0, 0, False),
    ],
)
def test_a_share_needs_a_floor(rows: int, bad: int, held: bool) -> None:
    content = Content(rows, bad, 0, "line 7: Column sent_at is no time.")
    why = reason_in_bad_rows(content, GUARDS)
    assert bool(why) is held
    assert why is None or why.endswith("The first, line 7: Column sent_at is no time.")
    assert reason_to_hold(content, rows + bad, Guards(min_rows_share=0)) == why


@given(
    rows=st.integers(0, 3000),
    bad=st.integers(0, 3000),
    share=st.floats(0, 1),
    more=st.integers(0, 50),
)
def test_more_bad_rows_never_free_a_file(rows: int, bad: int, share: float, more: int) -> None:
    """So that reading may stop as soon as it is certain; and no setting is stricter than the floor."""
    guards = Guards(max_bad_rows_share=share)
    why = reason_in_bad_rows(Content(rows + more, bad, 0), guards)
    if why:
        assert reason_in_bad_rows(Content(rows, bad + more, 0), guards)
        assert bad >= 10 or bad >= rows + more
    else:
        assert bad <= (rows + more + bad) * share or (bad < 10 and bad < rows + more)


@pytest.mark.parametrize(("before", "lost", "held"), [(5, 1, False), (5, 2, True), (100, 20, False), (100, 21, True)])
def test_a_snapshot_that_keeps_its_share_is_not_held(before: int, lost: int, held: bool) -> None:
    assert bool(reason_in_rows_lost(lost, before, GUARDS)) is held


@pytest.mark.parametrize("rows", [0, 1, 10_000])
def test_a_row_without_a_key_holds_any_file(rows: int) -> None:
    assert "1 of its" in str(reason_in_bad_rows(Content(rows, 1, 1), Guards(max_bad_rows_share=1.0)))


def test_a_file_of_nothing_but_bad_rows_is_not_called_empty() -> None:
    assert reason_to_hold(Content(0, 3, 0), 3, GUARDS) == "3 of its 3 rows cannot be read."
    assert reason_to_hold(Content(0, 0, 0), 3, GUARDS) == "It has no rows."
    assert reason_to_hold(Content(0, 0, 0), 0, GUARDS) is None
