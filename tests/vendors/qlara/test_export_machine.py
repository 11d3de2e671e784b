"""The decisions alone: what a listing makes of a job, which job a lost request made, how answers are read."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptsync.clock import MICROS
from promptsync.vendors.qlara import answers
from promptsync.vendors.qlara.answers import Entry
from promptsync.vendors.qlara.call import RetryPolicy
from promptsync.vendors.qlara.jobs import (
    CLOSED,
    Condition,
    Job,
    JobLimits,
    State,
    Step,
    condition,
    find,
    looked,
    next_step,
    slices,
    tried,
)
from promptsync.vendors.qlara.profile import QLARA

NOW = 1_770_000_000 * MICROS
ENTRY = Entry("e1", "contacts", "pending", NOW, None)
JOB = Job("contacts", {}, NOW, NOW, State.PENDING, "e1", 1)
LIMITS = JobLimits()


@pytest.mark.parametrize(
    ("status", "ready", "expected"),
    [
        ("completed", None, Condition.READY),
        ("completed", False, Condition.WAIT),
        ("brewing", True, Condition.READY),
        ("brewing", None, Condition.WAIT),
        ("expired", True, Condition.EXPIRED),
        ("failed", None, Condition.FAILED),
        ("", None, Condition.WAIT),
    ],
)
def test_what_a_status_means(status: str, ready: bool | None, expected: Condition) -> None:
    assert condition(replace(ENTRY, status=status, ready=ready), QLARA) is expected


def test_open_states_have_a_next_step_and_closed_ones_none() -> None:
    for state in State:
        job = replace(JOB, state=state)
        if state in CLOSED:
            with pytest.raises(ValueError, match="no next step"):
                next_step(job)
        else:
            assert isinstance(next_step(job), Step)
    assert next_step(replace(JOB, state=State.REQUESTED, attempts=0)) is Step.REQUEST
    assert next_step(replace(JOB, state=State.REQUESTED, attempts=1)) is Step.FIND


def test_deadline_ends_waiting_only_after_a_look() -> None:
    late = NOW + LIMITS.deadline + 1
    assert looked(JOB, ENTRY, QLARA, NOW + LIMITS.deadline, LIMITS) == JOB
    assert looked(JOB, ENTRY, QLARA, late, LIMITS).state is State.FAILED
    assert looked(JOB, None, QLARA, late, LIMITS).state is State.FAILED
    assert looked(JOB, replace(ENTRY, status="completed"), QLARA, late, LIMITS).state is State.AVAILABLE


def test_a_change_dated_ahead_of_the_clock_does_not_put_off_the_deadline_for_good() -> None:
    ahead = replace(JOB, changed_at=NOW + 400 * 86_400 * MICROS)
    seen = looked(ahead, ENTRY, QLARA, NOW, LIMITS)
    assert (seen.state, seen.changed_at) == (State.PENDING, NOW)
    assert looked(seen, ENTRY, QLARA, NOW + LIMITS.deadline + 1, LIMITS).state is State.FAILED


def test_listing_that_lags_behind_a_regeneration_is_given_time() -> None:
    expired = replace(ENTRY, status="expired")
    again = replace(JOB, attempts=2)
    assert looked(JOB, expired, QLARA, NOW, LIMITS).state is State.EXPIRED
    assert looked(again, expired, QLARA, NOW + LIMITS.settle - 1, LIMITS).state is State.PENDING
    assert looked(again, expired, QLARA, NOW + LIMITS.settle, LIMITS).state is State.EXPIRED


def test_attempts_are_bounded() -> None:
    job = JOB
    for _ in range(LIMITS.attempts):
        job = tried(job, NOW, LIMITS, "why")
    assert (job.state, job.attempts) == (State.FAILED, LIMITS.attempts)


def test_lost_request_is_the_first_of_its_type_created_since() -> None:
    types, second = ("contacts",), MICROS
    listed = [
        replace(ENTRY, id="later", created=NOW + 9 * second),
        replace(ENTRY, id="before", created=NOW - 2 * second),
        replace(ENTRY, id="ours", created=NOW + second),
        replace(ENTRY, id="other", type="messages"),
        replace(ENTRY, id="undated", created=None),
        replace(ENTRY, id="taken"),
    ]
    found = find(JOB, listed, types, {"taken"}, 0)
    assert found is not None
    assert found.id == "ours"
    assert find(JOB, listed, types, {"taken"}, 60 * second) is None
    assert find(replace(JOB, requested_at=NOW + 700_000), [ENTRY], types, set(), 0) == ENTRY  # cut to whole seconds


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(2, 10**8), st.integers(0, 10**8))
def test_slices_cover_the_range_and_overlap(start: int, length: int, longest: int, overlap: int) -> None:
    longest, overlap = max(longest, length // 50 + 2), min(overlap, longest // 2)
    found = slices(start, start + length, longest, overlap)
    assert (found[0][0], found[-1][1]) == (start, start + length)
    assert all(0 < end - begin <= longest for begin, end in found)
    assert all(after[0] == before[1] - overlap for before, after in pairwise(found))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"exportId": "a"}', "a"),
        (b'{"id": 17}', "17"),
        (b'{"export": {"id": "a"}}', "a"),
        (b'{"export": "a"}', "a"),
        (b'{"data": {"export_id": "a"}}', "a"),
        (b'{"id": null, "export": {"id": "a"}}', "a"),
        (b'{"id": true}', None),
        (b'{"id": "a\\u0000b"}', None),
        (b'"a"', None),
        (b"", None),
        (b"[" * 100_000, None),
    ],
)
def test_id_of_an_answer(body: bytes, expected: str | None) -> None:
    assert answers.job_id(answers.read_json(body), QLARA) == expected


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({}, b'{"retryAfter": 12}', 12.0),
        ({"Retry-After": "5"}, b'{"retryAfter": 3}', 5.0),
        ({"Retry-After": "Mon, 02 Feb 2026 02:40:30 GMT"}, b"", 30.0),
        ({"Retry-After": "soon"}, b'{"retryAfter": "nan"}', None),
        ({}, b'{"retryAfter": -4}', 0.0),
        ({}, b"", None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], body: bytes, expected: float | None) -> None:
    assert answers.retry_after(headers, body, 1_770_000_000 * MICROS) == expected


@given(st.binary(max_size=200))
def test_no_answer_can_break_the_reading(body: bytes) -> None:
    value = answers.read_json(body)
    answers.job_id(value, QLARA)
    for one in answers.entries(value, QLARA.list_names):
        answers.read_entry(one, QLARA)
    answers.read_link(body, QLARA)
    assert len(answers.message_of(body)) <= 200


def test_back_off_doubles_up_to_a_bound() -> None:
    policy = RetryPolicy(first_backoff=1.0, longest_backoff=30.0)
    for attempt, least in ((0, 1.0), (1, 2.0), (2, 4.0), (10, 30.0), (10_000, 30.0)):
        waits = [policy.backoff(attempt) for _ in range(50)]
        assert least <= min(waits) < max(waits) <= least + 1.0
