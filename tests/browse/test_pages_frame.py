"""What all pages of ours have in common: who may see them, their headers, their head and foot, their words."""

import re
from pathlib import Path

import pytest
from account import Lived
from browse_sample import ask
from looking import links, page, words

import promptsync.browse
from promptsync.browse.access import Need, needs
from promptsync.browse.page import Document, Page
from promptsync.browse.pages import PAGES, READABLE
from promptsync.browse.serve import MirrorDatasette
from promptsync.browse.words import load

HOME = Path(promptsync.browse.__file__).parent
LISTS = [one.address for one in PAGES if re.fullmatch(r"[/a-z-]+", one.address)]


@pytest.mark.parametrize("path", LISTS)
async def test_staff_and_administrators_see_it_and_nobody_else(lived: Lived, path: str) -> None:
    for user, status in (("sam", 200), ("ana", 200), ("", 302)):
        assert (await ask(lived.site, path, user)).status_code == status


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


def test_every_sentence_is_used_and_every_used_one_is_there() -> None:
    said = load()
    sources = [*HOME.rglob("*.py"), *HOME.rglob("templates/pages/*.html")]
    text = "\n".join(path.read_text() for path in sources)
    used = set(re.findall(r"""["']([a-z_]+(?:\.[a-z_]+)+)["']""", text))
    families = {found.rstrip(".") for found in re.findall(r"""["']([a-z_]+(?:\.[a-z_]+)*\.)(?:\{|["'])""", text)}
    families |= set(re.findall(r"""["']([a-z_]+\.[a-z]+_)\{""", text))
    for key in said:
        plain = re.sub(r"\.(one|other)$", "", key).removesuffix(".more")
        assert {key, plain} & used or any(key.startswith(family) for family in families), f"{key} is not used"
    for key in re.findall(r"""say\(\s*["']([a-z_.]+)["']""", text):
        assert key in said or f"{key}.one" in said or key.endswith((".", "_")), f"{key} is missing"
