"""Users of the pages by command, seen from a browser of pages that go on running."""

import json
import os
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from cli_place import Place, run

from promptsync.cli.browse import browse_settings
from promptsync.store.mirror import Mirror
from promptsync.vendors import declared_schema

PASSWORD = "quiet rain 7"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    assert run("init", tmp_path / "here").exit_code == 0
    return Place(tmp_path / "here")


def add(place: Place, name: str, *options: str) -> None:
    assert place.run("user", "add", name, *options, stdin=f"{PASSWORD}\n").exit_code == 0


def listed(place: Place) -> dict[str, str]:
    return {one["name"]: one["role"] for one in json.loads(place.run("user", "list", "--json").stdout)}


def test_users_are_entered_where_a_person_wrote_and_nowhere_else(place: Place) -> None:
    before = place.file.read_text()
    add(place, "ana", "--admin")
    add(place, "sam@example.org")
    token = place.run("user", "add", "--token", "uptime", "--json")
    assert listed(place) == {"ana": "admin", "sam@example.org": "staff", "uptime": "token"}
    settings = browse_settings(place.config)
    assert settings.problems() == () and not settings.anonymous
    assert settings.tokens == {"uptime": json.loads(token.stdout)["token"]}
    for file in (place.folder / "users").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600
    for name in listed(place):
        assert place.run("user", "remove", name).exit_code == 0
    assert not listed(place) and not list((place.folder / "users").iterdir())
    assert place.file.read_text() == before.replace("anonymous = true ", "anonymous = false ")


def test_the_files_are_for_whoever_may_read_the_configuration(place: Place) -> None:
    if os.geteuid() == 0:
        os.chown(place.file, 65534, 65534)
    place.file.chmod(0o640)
    add(place, "ana")
    for path in (place.file, place.folder / "users" / "ana.hash", place.folder / "users"):
        found = path.stat()
        assert (found.st_uid, found.st_gid) == (place.file.stat().st_uid, place.file.stat().st_gid)
        assert stat.S_IMODE(found.st_mode) == (0o750 if path.is_dir() else 0o640)


def test_a_service_has_its_users_beside_the_daemons_configuration(place: Place) -> None:
    """There the pages have a file of their own."""
    text = place.file.read_text()
    mirror, rest = re.findall(r"^\[mirror\].*?(?=^\[)", text, re.MULTILINE | re.DOTALL)[0], "[browse]\nusers = {}\n"
    (place.folder / "browse.toml").write_text(mirror + rest)
    place.file.write_text(re.sub(r"^\[browse\].*?(?=^#\[)", "", text, flags=re.MULTILINE | re.DOTALL))
    add(place, "ana")
    assert 'users = { ana = { file = "users/ana.hash" } }' in (place.folder / "browse.toml").read_text()
    assert "ana" not in place.file.read_text()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("add", "ana"), "'promptsync user password ana'"),
        (("add", "../ana"), "letters, digits"),
        (("add", "bob", "--admin", "--token"), "leave --admin or --token out"),
        (("remove", "anna"), "did you mean 'ana'?"),
        (("password", "bob"), "'promptsync user list'"),
    ],
)
def test_mistakes_change_nothing(place: Place, command: tuple[str, ...], says: str) -> None:
    add(place, "ana")
    before = place.file.read_text()
    said = place.run("user", *command, stdin=f"{PASSWORD}\n")
    assert (said.exit_code, place.file.read_text()) == (2, before)
    assert says in said.stderr
    assert place.run("user", "add", "bob", stdin="short\n").exit_code == 2
    assert place.file.read_text() == before and not (place.folder / "users" / "bob.hash").exists()


def test_a_configuration_that_is_no_toml_stays_as_it_is(place: Place) -> None:
    place.file.write_text("[browse\n")
    said = place.run("user", "add", "ana", stdin=f"{PASSWORD}\n")
    assert said.exit_code == 2 and "not valid TOML" in said.stderr
    assert place.file.read_text() == "[browse\n" and not (place.folder / "users").exists()


@contextmanager
def pages(place: Place) -> Iterator[httpx.Client]:
    """``promptsync browse`` as its own process, and a browser of it."""
    command = [sys.executable, "-m", "promptsync", "--config", str(place.file), "browse", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            port = re.search(r"127.0.0.1:(\d+)/", process.stdout.readline())
            assert port
            with httpx.Client(base_url=f"http://127.0.0.1:{port[1]}/mirror/") as browser:
                yield browser
        finally:
            process.terminate()


def log_in(browser: httpx.Client, name: str, password: str) -> bool:
    form = browser.get("-/login")
    token = re.search('name="csrftoken" value="([^"]+)"', form.text)
    assert token, form.text
    fields = {"username": name, "password": password, "csrftoken": token[1]}
    return browser.post("-/login", data=fields).headers.get("location") == "/mirror/"


def reads(browser: httpx.Client) -> bool:
    return browser.get("mirror/contact").status_code == 200


def soon(check: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not check() and time.monotonic() < end:
        time.sleep(0.2)
    return check()


@pytest.mark.slow
def test_running_pages_notice_users_and_a_restart_logs_nobody_out(place: Place) -> None:
    """Below the prefix of a public address, which begins like the mirror's own."""
    Mirror(place.database, declared_schema()).close()
    add(place, "ana")
    token = json.loads(place.run("user", "add", "--token", "uptime", "--json").stdout)["token"]
    place.edit(r"^\[browse\].*", '[browse]\naddress = "http://localhost/mirror"')
    with pages(place) as browser, httpx.Client(base_url=browser.base_url) as other:
        assert log_in(browser, "ana", PASSWORD) and reads(browser)
        assert browser.get(str(browser.base_url).rstrip("/")).headers["location"] == "/mirror/"
        assert browser.get("mirror").status_code == 200  # all data, below a prefix of the same name
        assert browser.get("/-/login", headers={"host": "evil.example"}).status_code == 421
        bearer = {"authorization": f"Bearer {token}"}
        assert other.get("-/freshness.json").status_code == 403
        assert other.get("-/freshness.json", headers=bearer).json()["answer"] == "no"
        assert other.get("mirror/contact.json", headers=bearer).status_code == 403
        assert not log_in(other, "sam", PASSWORD)
        add(place, "sam")
        assert soon(lambda: log_in(other, "sam", PASSWORD)) and reads(other)
        assert place.run("user", "remove", "sam").exit_code == 0
        assert soon(lambda: not reads(other)) and reads(browser)
        cookies = dict(browser.cookies)
    with pages(place) as browser:
        browser.cookies.update(cookies)
        assert reads(browser)
        assert place.run("user", "password", "ana", stdin="a new password\n").exit_code == 0
        assert soon(lambda: not reads(browser))
        assert log_in(browser, "ana", "a new password") and reads(browser)
