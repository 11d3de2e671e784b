"""Trying passwords: a few at once, then slowly; whoever knows it is let in, and nobody keeps others out."""

import re
from collections.abc import Iterator

import pytest
from browse_sample import PASSWORD
from hypothesis import example, given
from hypothesis import strategies as st

from promptsync.browse.attempts import Attempts, LoginLimit
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings


@given(st.lists(st.floats(0, 500)), st.integers(1, 6), st.floats(1, 60))
@example([1e-6, 1.0], 1, 1.0)
def test_no_stretch_of_time_holds_more_tries_than_allowed(times: list[float], at_once: int, interval: float) -> None:
    attempts = Attempts(at_once, interval)
    let = [now for now in sorted(times) if attempts.wait("ana", now) == 0]
    for first, start in enumerate(let):
        for last, end in enumerate(let[first:], 1):
            assert last <= at_once + (end - start) / interval + 2e-6  # half of it is granted, half is rounding


@given(st.floats(0, 1e6), st.integers(1, 6), st.floats(1, 60))
def test_whoever_waits_as_told_may_go_on(start: float, at_once: int, interval: float) -> None:
    attempts = Attempts(at_once, interval)
    assert [attempts.wait("ana", start) for _ in range(at_once)] == [0] * at_once
    wait = attempts.wait("ana", start)
    assert 0 < wait <= interval * (1 + 1e-6)
    assert attempts.wait("ana", start + wait + 1e-3) == 0


def test_memory_is_bounded() -> None:
    attempts = Attempts(1, 60.0, most=10)
    assert not any(attempts.wait(str(n), 0.0) for n in range(1000))
    assert attempts.wait("999", 0.0) and not attempts.wait("0", 0.0)


def test_those_tried_last_are_remembered() -> None:
    attempts = Attempts(1, 60.0, most=2)
    assert [attempts.wait(key, now) for key, now in (("a", 0.0), ("b", 0.0), ("a", 100.0), ("c", 100.0))] == [0.0] * 4
    assert attempts.wait("a", 100.0) > 0


def test_neither_a_longer_name_nor_a_neighbouring_address_gives_more_tries() -> None:
    limit = LoginLimit()
    let = [limit.wait(f"2001:db8::{n:x}", "u" * 64 + str(n), 0.0) == 0 for n in range(1, 8)]
    assert let == [True] * 5 + [False] * 2


def test_an_address_is_counted_over_all_users_and_a_network_as_one_address() -> None:
    limit = LoginLimit()
    let = [limit.wait(f"2001:db8::{n:x}", f"user {n}", 0.0) == 0 for n in range(1, 31)]
    assert let == [True] * 20 + [False] * 10
    assert limit.wait("2001:db8:0:1::1", "user 1", 0.0) == 0


@pytest.fixture
def site(settings: BrowseSettings) -> Iterator[MirrorDatasette]:
    datasette = build_datasette(settings)
    yield datasette
    close(datasette)


async def log_in(site: MirrorDatasette, user: str, password: str, **more: str) -> tuple[int, str]:
    page = await site.client.get("/-/login")
    token = re.search('name="csrftoken" value="([^"]+)"', page.text)
    assert token
    form = {**more, "username": user, "password": password, "csrftoken": token[1]}
    answer = await site.client.post("/-/login", data=form, cookies=dict(page.cookies))
    return answer.status_code, answer.headers.get("retry-after", "")


async def test_a_password_cannot_be_guessed_quickly(site: MirrorDatasette) -> None:
    for _ in range(8):
        assert (await log_in(site, "sam", PASSWORD))[0] == 302
    for _ in range(5):
        assert (await log_in(site, "sam", "wrong"))[0] == 200
    code, wait = await log_in(site, "sam", PASSWORD)
    assert code == 429 and 0 < int(wait) <= 60
    assert (await log_in(site, "ana", PASSWORD))[0] == 302
