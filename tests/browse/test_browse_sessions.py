"""Sessions end: by logging out, after half a day, with the process; whoever has a copy of the cookie."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from browse_login import Browser
from browse_sample import PASSWORD

from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.sessions import LIFETIME, Sessions
from promptsync.browse.settings import BrowseSettings


class Clock:
    """Seconds, as the test says."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(settings: BrowseSettings, clock: Clock) -> Iterator[MirrorDatasette]:
    datasette = build_datasette(replace(settings, secret="kept"), clock)
    yield datasette
    close(datasette)


async def logged_in(site: MirrorDatasette, user: str = "sam") -> Browser:
    browser = Browser(site)
    assert (await browser.log_in(user, PASSWORD)).status_code == 302
    return browser


@pytest.mark.parametrize("smuggled", ["", "a=b "])
async def test_logging_out_ends_the_session_for_every_copy_of_its_cookie(site: MirrorDatasette, smuggled: str) -> None:
    browser, other = await logged_in(site), await logged_in(site)
    copied = Browser(site, headers={"cookie": f"{smuggled}ds_actor={browser.cookies['ds_actor']}"})
    assert await copied.reads() and await browser.reads()
    assert (await browser.log_out()).status_code == 302
    assert not await copied.reads() and not await browser.reads()
    assert await other.reads()


async def test_only_a_form_with_its_token_logs_out(site: MirrorDatasette) -> None:
    browser = await logged_in(site)
    assert (await browser.ask("POST", "/-/logout", {"csrftoken": "made up"})).status_code == 403
    assert await browser.reads()


async def test_half_a_day_ends_a_session_however_much_it_is_used(site: MirrorDatasette, clock: Clock) -> None:
    browser = await logged_in(site)
    clock.now += LIFETIME - 1
    assert await browser.reads()
    clock.now += 1
    assert not await browser.reads()
    assert (await browser.log_in("sam", PASSWORD)).status_code == 302
    assert await browser.reads()


async def test_a_restart_ends_all_sessions(site: MirrorDatasette, settings: BrowseSettings) -> None:
    browser = await logged_in(site)
    again = build_datasette(replace(settings, secret="kept"))
    assert not await Browser(again, cookies=browser.cookies).reads()
    close(again)


async def test_a_cookie_without_a_session_or_of_anothers_is_worth_nothing(site: MirrorDatasette) -> None:
    name = site.sessions.begin("sam")
    for told in ({"a": {"id": "sam"}}, {"a": {"id": "ana"}, "s": name}, {"a": {"id": "sam"}, "s": [name]}, ["sam"]):
        assert not await Browser(site, cookies={"ds_actor": site.sign(told, "actor")}).reads()
    assert await Browser(site, cookies={"ds_actor": site.sign({"a": {"id": "sam"}, "s": name}, "actor")}).reads()


@pytest.mark.parametrize(("headers", "secure"), [({}, False), ({"X-Forwarded-Proto": "https"}, True)])
async def test_cookies_are_for_no_script_no_foreign_form_and_over_https_for_nothing_else(
    site: MirrorDatasette, headers: dict[str, str], secure: bool
) -> None:
    answer = await Browser(site, headers).log_in("sam", PASSWORD)
    session, mark = (
        next(line for line in answer.headers.get_list("set-cookie") if line.startswith(name))
        for name in ("ds_actor", "promptsync_browser")
    )
    assert f"Max-Age={LIFETIME}" in session
    for line in (session, mark):
        assert ("HttpOnly" in line, "SameSite=lax" in line, "Secure" in line) == (True, True, secure)


def test_sessions_are_few_for_each_user() -> None:
    clock = Clock()
    sessions = Sessions(clock)
    names = [sessions.begin("sam") for _ in range(80)]
    other = sessions.begin("ana")
    assert [sessions.user(name) for name in names] == [None] * 30 + ["sam"] * 50
    assert sessions.user(other) == "ana"
    clock.now += LIFETIME
    sessions.begin("ana")
    assert len(sessions._open) == 1
