"""Trying passwords: a few at once, then slowly; whoever knows it is let in, and nobody keeps others out."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from browse_login import Browser
from browse_sample import PASSWORD
from hypothesis import example, given
from hypothesis import strategies as st

from promptsync.browse.attempts import Attempts, Delays, LoginLimit
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


@given(st.lists(st.floats(0, 5000)), st.integers(1, 6))
def test_each_try_beyond_the_first_few_is_longer_in_coming(times: list[float], at_once: int) -> None:
    delays = Delays(at_once, 4.0, 60.0, 1e9)
    let = [now for now in sorted(times) if delays.wait("ana", now) == 0]
    for n, (one, next_one) in enumerate(pairwise(let)):
        assert next_one - one >= (min(60.0, 4.0 * 2.0 ** (n + 1 - at_once)) if n + 1 >= at_once else 0) - 1e-6


def test_after_a_quiet_time_all_is_forgotten_and_memory_is_bounded() -> None:
    delays = Delays(2, 4.0, 60.0, 900.0, most=10)
    assert [delays.wait("ana", now) for now in (0.0, 0.0, 0.0, 4.0, 905.0, 1822.0, 1822.0, 1822.0)] == [
        *(0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0, 4.0)
    ]
    assert not any(delays.wait(str(n), 2000.0) for n in range(1000))
    assert delays.wait("ana", 2000.0) == 0


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


class Clock:
    """Seconds, as the test says."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    def present(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def built(settings: BrowseSettings, clock: Clock) -> Iterator[MirrorDatasette]:
    datasette = build_datasette(settings, clock, clock.present)
    yield datasette
    close(datasette)


@pytest.fixture
def site(settings: BrowseSettings, clock: Clock) -> Iterator[MirrorDatasette]:
    yield from built(settings, clock)


@pytest.fixture
def behind_a_proxy(settings: BrowseSettings, clock: Clock) -> Iterator[MirrorDatasette]:
    yield from built(replace(settings, trusted_proxies=("127.0.0.1",)), clock)


WRONG = "wrong"


async def tried(browser: Browser, user: str = "sam", password: str = WRONG) -> int:
    return (await browser.log_in(user, password)).status_code


async def test_a_password_cannot_be_guessed_quickly(site: MirrorDatasette) -> None:
    for _ in range(8):
        assert await tried(Browser(site), password=PASSWORD) == 302
    assert [await tried(Browser(site)) for _ in range(5)] == [200] * 5
    answer = await Browser(site).log_in("sam", PASSWORD)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "4")
    assert await tried(Browser(site), "ana", PASSWORD) == 302


async def test_wrong_tries_of_others_cost_the_right_password_seconds(site: MirrorDatasette, clock: Clock) -> None:
    for _ in range(5):
        await tried(Browser(site))
    clock.now += 4
    assert await tried(Browser(site), password=PASSWORD) == 302


async def test_nobody_keeps_a_user_out_of_a_browser_that_is_known(site: MirrorDatasette, clock: Clock) -> None:
    """Behind a proxy that is not named all visitors have one address."""
    known = Browser(site)
    assert await tried(known, password=PASSWORD) == 302
    for n in range(60):
        await tried(Browser(site))
        await tried(Browser(site), f"name {n}")
        clock.now += 1
    assert await tried(Browser(site), password=PASSWORD) == 429
    await known.log_out()
    assert await tried(known, password=PASSWORD) == 302


async def test_nor_does_a_known_browser_give_more_tries_at_another_name(site: MirrorDatasette) -> None:
    known = Browser(site)
    assert await tried(known, password=PASSWORD) == 302
    assert [await tried(known, "ana") for _ in range(7)] == [200] * 5 + [429] * 2
    assert [await tried(known, "sam") for _ in range(7)] == [200] * 5 + [429] * 2


@pytest.mark.parametrize("trusted", [False, True])
async def test_a_made_up_address_gives_no_more_tries(
    site: MirrorDatasette, behind_a_proxy: MirrorDatasette, trusted: bool
) -> None:
    where = behind_a_proxy if trusted else site

    def claiming(n: int) -> Browser:
        """Through a proxy that adds whom it was asked by, or past it."""
        claim = f"198.51.100.{n}" + (", 203.0.113.5" if trusted else "")
        return Browser(where, {"X-Forwarded-For": claim})

    assert [await tried(claiming(n)) for n in range(8)] == [200] * 5 + [429] * 3


async def test_behind_a_named_proxy_each_visitor_has_tries_of_their_own(behind_a_proxy: MirrorDatasette) -> None:
    for address in ("198.51.100.1", "198.51.100.2"):
        browsers = [Browser(behind_a_proxy, {"X-Forwarded-For": address}) for _ in range(6)]
        assert [await tried(browser) for browser in browsers] == [200] * 5 + [429]


async def test_a_form_that_is_no_utf8_is_refused(site: MirrorDatasette) -> None:
    answer = await site.client.post("/-/login", content=b"username=\xff\xfe&password=x")
    assert answer.status_code == 400
