"""What doctor says of ids: whether exports and webhooks mean the same person by one."""

from hypothesis import given
from hypothesis import strategies as st

from promptsync.plugins.declared import Level
from promptsync.vendors.prompt.checks import check_ids, count_numbers

numbers = st.from_regex(r"[2-9][0-9]{9}", fullmatch=True)


@given(numbers)
def test_a_number_is_the_same_however_it_is_written(number: str) -> None:
    area, rest = number[:3], number[3:]
    spellings = (number, f"+1{number}", f"1{number}", f"({area}) {rest[:3]}-{rest[3:]}", f"+1 {area} {rest}")
    assert count_numbers((n, a, b) for n, (a, b) in enumerate((a, b) for a in spellings for b in spellings)) == (25, 0)


@given(numbers, numbers)
def test_other_numbers_differ(a: str, b: str) -> None:
    assert count_numbers([(1, f"+1{a}", f"+1{b}")]) == (1, int(a != b))


def test_any_of_several_numbers_will_do() -> None:
    rows = [(1, "+13125550188", "+15005550006"), (1, "+13125550188", "+13125550188"), (2, "+1", "+13125550188")]
    assert count_numbers(rows) == count_numbers(rows[::-1]) == (2, 1)
    assert [check_ids(*counts).level for counts in ((0, 0), (2, 0), (2, 1))] == [Level.NOTE, Level.OK, Level.PROBLEM]
