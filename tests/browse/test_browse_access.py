"""Who may see what: every path as nobody, as staff, as an administrator."""

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest
from browse_sample import PASSWORD, ask

from promptsync.browse.access import may
from promptsync.browse.serve import MirrorDatasette, build_datasette
from promptsync.browse.settings import BrowseSettings
from promptsync.errors import ConfigError, Unavailable

READ = [
    "/",
    "/.json",
    "/mirror",
    "/mirror.json",
    "/mirror/message",
    "/mirror/message.json",
    "/mirror/message.csv",
    "/mirror/message.csv?_stream=on",
    "/mirror/message?_search=hello",
    "/mirror/message/10",
    "/mirror/message/10.json",
    "/mirror/sync_event/1",
    "/mirror/sync_reject/1.blob?_blob_column=original",
    "/-/actor.json",
    "/-/contact/1",
    "/-/messages",
]
ADMINISTER = [
    "/mirror?sql=select+1",
    "/mirror.json?sql=select+1",
    "/mirror.csv?sql=select+1",
    "/mirror/message.json?_where=1",
    *(f"/-/{page}" for page in ("metadata", "versions", "plugins", "settings", "threads", "databases")),
    *(f"/-/{page}.json" for page in ("metadata", "versions", "plugins", "settings", "threads", "databases")),
    *(f"/-/{page}" for page in ("permissions", "allow-debug", "patterns", "password-tool")),
]
NEVER = ["/_internal", "/_internal.json", "/_internal/tables", "/mirror.db"]
OPEN = ["/-/login", "/robots.txt", "/-/assets/browse.css", "/-/static/app.css"]


@pytest.mark.parametrize("path", [*READ, *ADMINISTER, *NEVER, "/-/unheard-of", "/nothing", "/mirror/nothing"])
async def test_nobody_sees_nothing(site: MirrorDatasette, path: str) -> None:
    answer = await ask(site, path)
    assert (answer.status_code, answer.headers.get("location")) in [(302, "/-/login"), (403, None)]
    assert "Ana" not in answer.text


@pytest.mark.parametrize("path", READ)
async def test_staff_and_administrators_read(site: MirrorDatasette, path: str) -> None:
    assert (await ask(site, path, "sam")).status_code == 200
    assert (await ask(site, path, "ana")).status_code == 200


@pytest.mark.parametrize("path", ADMINISTER)
async def test_the_rest_is_for_administrators(site: MirrorDatasette, open_site: MirrorDatasette, path: str) -> None:
    assert (await ask(site, path, "sam")).status_code == 403
    assert (await ask(open_site, path)).status_code == 403
    assert (await ask(site, path, "ana")).status_code == 200


@pytest.mark.parametrize("path", NEVER)
async def test_some_is_for_no_one(site: MirrorDatasette, path: str) -> None:
    assert (await ask(site, path, "ana")).status_code in (403, 404)


@pytest.mark.parametrize("path", OPEN)
async def test_the_door_itself_is_open(site: MirrorDatasette, path: str) -> None:
    assert (await ask(site, path)).status_code == 200


async def test_robots_are_told_to_stay_away(site: MirrorDatasette) -> None:
    assert "Disallow: /" in (await ask(site, "/robots.txt")).text


@pytest.mark.parametrize("path", READ)
async def test_without_a_login_everyone_on_this_machine_reads(open_site: MirrorDatasette, path: str) -> None:
    assert (await ask(open_site, path)).status_code == 200


@pytest.mark.parametrize("user", ["mallory", "root"])
async def test_a_signed_cookie_of_an_unknown_name_is_worth_nothing(site: MirrorDatasette, user: str) -> None:
    assert (await ask(site, "/mirror", user)).status_code == 302
    assert may(site.browse, {"id": user}, "execute-sql", "mirror") is False


async def test_a_forged_cookie_and_a_password_in_a_header_are_worth_nothing(site: MirrorDatasette) -> None:
    assert (await site.client.get("/mirror", cookies={"ds_actor": "ana"})).status_code == 302
    for word in (base64.b64encode(f"sam:{PASSWORD}".encode()).decode(), "###"):
        assert (await ask(site, "/mirror", headers={"Authorization": f"Basic {word}"})).status_code == 302


async def log_in(site: MirrorDatasette, password: str) -> tuple[int, str, str]:
    page = await site.client.get("/-/login")
    token = re.search('name="csrftoken" value="([^"]+)"', page.text)
    assert token
    form = {"username": "sam", "password": password, "csrftoken": token[1]}
    answer = await site.client.post("/-/login", data=form, cookies=dict(page.cookies))
    return answer.status_code, answer.headers.get("set-cookie", ""), answer.text


async def test_logging_in(site: MirrorDatasette) -> None:
    status, cookie, _ = await log_in(site, PASSWORD)
    assert (status, "HttpOnly" in cookie, "SameSite=lax" in cookie) == (302, True, True)
    session = cookie.partition("=")[2].partition(";")[0].strip('"')
    assert (await site.client.get("/mirror", cookies={"ds_actor": session})).status_code == 200


async def test_a_wrong_password(site: MirrorDatasette) -> None:
    status, cookie, text = await log_in(site, "wrong")
    assert (status, "ds_actor" in cookie, "Invalid username or password" in text) == (200, False, True)


async def test_a_large_form_is_not_read(site: MirrorDatasette) -> None:
    assert (await site.client.post("/-/login", content=b"x" * 20_000)).status_code == 413


async def test_a_foreign_name_for_this_machine_is_refused_where_there_is_no_login(open_site: MirrorDatasette) -> None:
    for host, status in (("evil.example", 421), ("127.0.0.1:8643", 200), ("[::1]:8643", 200), ("", 200)):
        assert (await ask(open_site, "/mirror", headers={"host": host})).status_code == status
    said = (await ask(open_site, "/mirror", headers={"host": "pages.example.org"})).text
    for step in ('address = "https://pages.example.org/"', "promptsync user add NAME", "promptsync help proxy"):
        assert step in said
    assert "<" not in (await ask(open_site, "/mirror", headers={"host": "<b>"})).text


async def test_no_script_runs_and_no_hash_is_shown(site: MirrorDatasette) -> None:
    answer = await ask(site, "/-/metadata.json", "ana")
    assert "pbkdf2" not in answer.text
    for path in ("/", "/mirror", "/mirror?sql=select+1", "/mirror/message", "/mirror/message/10", "/-/login"):
        page = await ask(site, path, "ana")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert "script-src" not in page.headers["content-security-policy"]
        assert "<script" not in page.text
        assert "http://" not in page.text.replace("http://localhost", "").replace("http://evil.example", "")
        assert "https://" not in page.text


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"anonymous": True, "host": "0.0.0.0"}, "loopback"),  # noqa: S104
        ({"users": {}, "admins": frozenset()}, "promptsync user add NAME"),
        ({"anonymous": True}, "set browse.anonymous = false, or take browse.users away"),
        ({"users": {"ana": "secret"}}, "browse.users.ana is not a password hash"),
        ({"admins": frozenset({"eve"})}, "browse.admins names eve"),
    ],
)
def test_settings_that_cannot_be_right(settings: BrowseSettings, change: dict[str, object], word: str) -> None:
    with pytest.raises(ConfigError, match=word) as caught:
        build_datasette(replace(settings, **change))
    assert "pbkdf2" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "error", "word"),
    [
        (None, Unavailable, "no mirror at .* yet"),
        (b"", Unavailable, "still empty"),
        (b"not a database, whatever its name may be " * 50, ConfigError, "not a SQLite database"),
    ],
)
def test_no_mirror_yet(
    settings: BrowseSettings, tmp_path: Path, content: bytes | None, error: type[Exception], word: str
) -> None:
    path = tmp_path / "m.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error, match=word):
        build_datasette(replace(settings, database=path))
