"""Sessions end by logging out, after half a day, by a new password, whoever has the cookie; not by a restart."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browse_login import Browser
from browse_sample import PASSWORD
from datasette_auth_passwords.utils import hash_password

from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.sessions import LIFETIME, Sessions
from promptsync.browse.settings import Accounts, BrowseSettings


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


@pytest.fixture
def site(settings: BrowseSettings, clock: Clock, tmp_path: Path) -> Iterator[MirrorDatasette]:
    datasette = build_datasette(replace(settings, sessions=tmp_path / "sessions.json"), clock, clock.present)
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


async def test_a_restart_ends_no_session_and_brings_none_back(site: MirrorDatasette, clock: Clock) -> None:
    going, ended = await logged_in(site), await logged_in(site)
    cookies = dict(ended.cookies)
    assert (await ended.log_out()).status_code == 302
    again = build_datasette(site.browse, clock, clock.present)
    assert await Browser(again, cookies=going.cookies).reads()
    assert not await Browser(again, cookies=cookies).reads()
    clock.now += LIFETIME
    assert not await Browser(again, cookies=going.cookies).reads()
    close(again)


async def test_the_file_of_sessions_lets_nobody_in(site: MirrorDatasette) -> None:
    name = site.sessions.begin("sam")
    assert site.browse.sessions is not None
    assert site.browse.sessions.stat().st_mode & 0o777 == 0o600
    text = site.browse.sessions.read_text()
    assert "sam" in text and name not in text


@pytest.mark.parametrize("text", ["", "[]", '{"secret": 7, "sessions": {}}', '{"secret": "x", "sessions": {"a": [1]}}'])
async def test_a_damaged_file_of_sessions_begins_anew(
    settings: BrowseSettings, clock: Clock, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "sessions.json"
    file.write_text(text)
    site = build_datasette(replace(settings, sessions=file), clock, clock.present)
    assert await (await logged_in(site)).reads()
    close(site)


async def test_sessions_go_on_where_no_file_can_be_written(
    settings: BrowseSettings, clock: Clock, tmp_path: Path
) -> None:
    site = build_datasette(replace(settings, sessions=tmp_path / "not there" / "sessions.json"), clock, clock.present)
    assert await (await logged_in(site)).reads()
    close(site)


async def test_a_new_password_ends_what_the_old_one_began(site: MirrorDatasette, clock: Clock) -> None:
    sam, ana = await logged_in(site), await logged_in(site, "ana")
    users = {**site.browse.users, "sam": hash_password("another one", iterations=10)}
    accounts = Accounts(users, site.browse.admins, {}, False)
    site.browse = replace(site.browse, changed=lambda: accounts)
    clock.now += 2
    assert not await sam.reads() and await ana.reads()
    assert (await sam.log_in("sam", PASSWORD)).status_code == 200
    assert (await sam.log_in("sam", "another one")).status_code == 302
    assert await sam.reads()


async def test_who_is_made_an_administrator_is_one_at_once(site: MirrorDatasette, clock: Clock) -> None:
    sam = await logged_in(site)
    assert 'id="sql"' not in (await sam.ask("GET", "/mirror")).text
    accounts = Accounts(site.browse.users, frozenset({"sam"}), {}, False)
    site.browse = replace(site.browse, changed=lambda: accounts)
    clock.now += 2
    assert 'id="sql"' in (await sam.ask("GET", "/mirror")).text


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
    sessions = Sessions(clock, lambda user: f"hash of {user}")
    names = [sessions.begin("sam") for _ in range(80)]
    other = sessions.begin("ana")
    assert [sessions.user(name) for name in names] == [None] * 30 + ["sam"] * 50
    assert sessions.user(other) == "ana"
    clock.now += LIFETIME
    sessions.begin("ana")
    assert len(sessions._open) == 1
