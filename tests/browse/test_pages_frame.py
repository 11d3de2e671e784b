"""What all pages of ours have in common: who may see them, their headers, their head and foot, their words."""

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from account import NOW, Lived, LocalKit
from browse_sample import ask
from looking import links, page, words

import promptsync.browse
from promptsync.browse.access import Need, needs
from promptsync.browse.page import Document, Page
from promptsync.browse.pages import PAGES, READABLE
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings
from promptsync.browse.words import load

HOME = Path(promptsync.browse.__file__).parent
LISTS = [one.address for one in PAGES if re.fullmatch(r"[/a-z-]+", one.address)]


@pytest.mark.parametrize("path", LISTS)
async def test_staff_and_administrators_see_it_and_nobody_else(lived: Lived, path: str) -> None:
    for user, status in (("sam", 200), ("ana", 200), ("", 302)):
        assert (await ask(lived.site, path, user)).status_code == status


async def test_a_page_asks_for_the_right_itself(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptsync.browse.gate.needs", lambda *_: Need.NOTHING)
    for path in (*LISTS, "/-/people.csv"):
        assert (await ask(lived.site, path)).status_code == 403, path


@pytest.mark.parametrize("path", LISTS)
async def test_no_script_no_inline_style_and_nothing_from_elsewhere(lived: Lived, path: str) -> None:
    answer = await ask(lived.site, path, "sam")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self';") and "unsafe" not in policy
    assert not re.search(r"<script|<style| style=| on\w+=|https?://", answer.text)


@pytest.mark.parametrize("path", LISTS)
async def test_a_page_has_one_heading_a_skip_link_and_says_how_current_it_is(lived: Lived, path: str) -> None:
    html = await page(lived.site, path)
    assert len(re.findall("<h1[ >]", html)) == 1
    assert links(html)[0] == "#content" and 'id="content"' in html
    assert "Up to date: everything up to today, 00:00" in words(html)
    assert "times of America/Los_Angeles" in words(html)


async def test_every_link_of_the_navigation_leads_to_a_page(lived: Lived) -> None:
    navigation = re.search("(?s)<nav.*?</nav>", await page(lived.site, "/"))
    assert navigation
    for link in links(navigation[0]):
        assert f'href="{link}" aria-current="page"' in await page(lived.site, link) or link == "/mirror"


@pytest.mark.parametrize("path", LISTS)
async def test_an_empty_mirror_is_said_to_be_empty(nothing_yet: MirrorDatasette, path: str) -> None:
    assert "This copy is still empty." in words(await page(nothing_yet, path))


async def test_several_organisations_can_be_told_apart_and_the_choice_is_kept(both: Lived, lived: Lived) -> None:
    html = await page(both.site, "/?org=8")
    assert "Harbor Street 8" in words(html) and "/?org=7" in links(html)
    assert all("org=" in link for link in links(html) if link.startswith("/-/"))
    assert "Organizations" not in await page(lived.site, "/")
    assert (await ask(both.site, "/?org=9' OR 1", "sam")).status_code == 200


def test_a_page_is_named_for_the_gate_by_the_first_word_of_its_address() -> None:
    addresses = ("/", r"/-/contact/(?P<id>\d+)", r"/-/people(\.csv)?", r"/-/opt\-outs")
    named = {Page(address, lambda visit: Document({"path": visit.path})).name for address in addresses}
    assert named == {"", "contact", "people", "opt-outs"}
    for address in READABLE:
        assert needs(f"/-/{address}", READABLE) is Need.READ and needs(f"/-/{address}") is Need.ADMINISTER


async def test_a_template_is_no_page_by_itself(lived: Lived) -> None:
    """Datasette would serve those of some folders at their own names."""
    for template in (HOME / "templates").rglob("*.html"):
        path = template.relative_to(HOME / "templates").with_suffix("")
        for address in (f"/{path}", f"/{path.name}"):
            assert (await ask(lived.site, address, "ana")).status_code == 404, address


def test_every_sentence_is_used_and_every_used_one_is_there() -> None:
    said = load()
    sources = [*HOME.rglob("*.py"), *HOME.rglob("templates/staff/*.html")]
    text = "\n".join(path.read_text() for path in sources)
    used = set(re.findall(r"""["']([a-z_]+(?:\.[a-z_]+)+)["']""", text))
    families = {found.rstrip(".") for found in re.findall(r"""["']([a-z_]+(?:\.[a-z_]+)*\.)(?:\{|["'])""", text)}
    families |= set(re.findall(r"""["']([a-z_]+\.[a-z]+_)\{""", text))
    for key in said:
        plain = re.sub(r"\.(one|other)$", "", key).removesuffix(".more")
        assert {key, plain} & used or any(key.startswith(family) for family in families), f"{key} is not used"
    for key in re.findall(r"""say\(\s*["']([a-z_.]+)["']""", text):
        assert key in said or f"{key}.one" in said or key.endswith((".", "_")), f"{key} is missing"


@pytest.mark.parametrize(
    ("at", "problems", "said"),
    [
        ("2026-11-27T20:28:00.000Z", [], "Up to date"),
        (
            "2026-11-27T19:50:00.000Z",
            [],
            "This copy needs a look. The service that keeps it current last spoke 40 minutes",
        ),
        (
            "2026-11-27T20:28:00.000Z",
            ["a", "b"],
            "There are 2 things for your administrator to see to. It holds everything",
        ),
        (None, "nonsense", "Up to date"),
    ],
)
async def test_a_page_says_what_the_service_found_and_that_it_is_silent(
    settings: BrowseSettings, tmp_path: Path, at: str | None, problems: object, said: str
) -> None:
    kit = LocalKit(tmp_path)
    kit.load("contact", [{"id": 1, "display_name": "Ana"}], org=7, as_of="2026-11-27T08:00:00Z")
    kit.load("org", [{"id": 7, "name": "Kitchen"}], as_of="2026-11-27T08:00:00Z")
    row = json.dumps({"at": at, "problems": problems, "places": []}) if at else problems
    kit.restart()
    with closing(sqlite3.connect(kit.config.mirror.database)) as daemon, daemon:
        daemon.execute("INSERT INTO sync_state (name, value) VALUES ('status', ?)", (row,))
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    text = words(await page(site, "/-/people"))
    assert said in text and ("Up to date" in text) == (said == "Up to date")
    close(site)


async def test_a_copy_that_is_too_old_says_so_first(lived: Lived, settings: BrowseSettings) -> None:
    later = build_datasette(
        replace(settings, database=lived.kit.config.mirror.database), present=lambda: NOW + timedelta(days=3)
    )
    text = words(await page(later, "/"))
    assert "This copy is out of date. It holds everything up to Fri 27 Nov, 00:00." in text and "Up to date" not in text
    close(later)
