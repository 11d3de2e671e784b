"""One time line per person: every message of every vendor once and in order, and who is one person and who is not."""

import re

import pytest
from account import Lived
from browse_sample import SCRIPT, ask
from datasette.utils import tilde_encode  # type: ignore[import-untyped]
from looking import links, page, planning, sheet, words
from vendor_rows import CIO, STRANGER, Everywhere

from promptsync.browse.queries import identity, timeline
from promptsync.browse.serve import MirrorDatasette

ALONE = "/-/person/customerio/1/alone"


def account_of(lived: Lived) -> Everywhere:
    assert isinstance(lived.account, Everywhere)
    return lived.account


def texts(html: str) -> list[str]:
    """What bubbles say, in order; of one whose text is elsewhere, whose it is."""
    found = []
    for bubble in re.findall('(?s)<li class="(?:in|out|note)[^>]*>.*?</li>', html):
        said = re.search(r"said \d+ 0\.\d+", bubble)
        found.append(said[0] if said else re.findall('(?s)<p class="text"[^>]*>(.*?)</p>', bubble)[0])
    return found


def test_every_source_has_been_filled(everywhere: Lived) -> None:
    account = account_of(everywhere)
    with planning(everywhere.kit.config.mirror.database) as reader:
        who = identity.of_contact(reader, {**account.person, "fields": []})
        assert who.customer and who.customer["internal_customer_id"] == CIO and len(who.numbers) == 4
        rows = timeline.after(reader, who, timeline.BEGINNING, 1_000)
    assert {row["source"] for row in rows} == {"prompt", "sent", "replied", "qlara", "reported"}
    assert len(rows) == len(account.of()) + len(account.said)


@pytest.mark.parametrize("kind", ["before=", "after="])
async def test_everything_stands_once_and_in_order_over_all_pages(
    everywhere: Lived, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("promptsync.browse.pages.person.PAGE", 7)
    account = account_of(everywhere)
    path = f"/-/contact/{account.person['id']}{'' if kind == 'before=' else '?on=2000-01-01'}"
    seen: list[str] = []
    while path:
        found = texts(html := await page(everywhere.site, path))
        seen = [*found, *seen] if kind == "before=" else [*seen, *found]
        path = next((link for link in links(html) if kind in link), "")
    lines = await sheet(everywhere.site, f"/-/contact/{account.person['id']}.csv")
    times = [line["When (America/Los_Angeles)"] for line in lines]
    assert times == sorted(times)
    assert sorted(seen) == sorted([*account.said, *(row["content"] for row in account.of())])
    assert seen == [re.sub(r"^.*\n", "", line["Text"]) or line["Broadcast"] for line in lines]


async def test_a_vendor_alone_is_shown_if_asked_for(everywhere: Lived) -> None:
    account = account_of(everywhere)
    path = f"/-/contact/{account.person['id']}"
    found = {}
    for vendor in ("Prompt", "Customer.io", "Qlara"):
        lines = await sheet(everywhere.site, f"{path}.csv?vendor={vendor.lower().replace('.', '')}")
        assert {line["Vendor"] for line in lines} == {vendor}
        found[vendor] = len(lines)
    assert found["Prompt"] == len(account.of()) and sum(found.values()) == found["Prompt"] + len(account.said)
    (wanted,) = [line["Text"].rpartition("\n")[2] for line in lines if "said" in line["Text"]][-1:]
    assert texts(await page(everywhere.site, f"{path}?find={wanted.upper()}")) == [wanted]
    text = words(await page(everywhere.site, path))
    assert "At Customer.io" in text and "At Qlara" in text and SCRIPT in text and "Bounced: =HYPERLINK" in text


async def test_who_is_joined_and_who_is_only_named(everywhere: Lived) -> None:
    people = account_of(everywhere).tables["contact"]
    named = {1: ["shared"], 2: ["shared"], 3: ["mail"], 5: ["both-1", "both-2"], 6: []}
    for place, expected in named.items():
        html = await page(everywhere.site, f"/-/contact/{people[place]['id']}")
        perhaps = links(html.partition("Perhaps the same person")[2])
        assert [f"/-/person/customerio/1/{name}" for name in expected] == [x for x in perhaps if "customerio" in x]
        assert ("At Customer.io" in words(html)) == (place == 6)
    assert f"/-/contact/{people[2]['id']}" in links(await page(everywhere.site, f"/-/contact/{people[1]['id']}"))


async def test_an_address_leads_to_the_one_page_of_a_person(everywhere: Lived) -> None:
    account = account_of(everywhere)
    phone, id_ = account.person["phone"], account.person["id"]
    for path, leads in (
        (f"/-/person/customerio/1/{tilde_encode(CIO)}", f"/-/contact/{id_}"),
        (f"/-/person/qlara/{tilde_encode(phone)}", f"/-/contact/{id_}"),
        (f"/-/person/qlara/{phone[1:]}", f"/-/contact/{id_}"),
        (f"/-/person/qlara/{tilde_encode(STRANGER)}", ALONE),
        ("/-/person/customerio/1/by-id", f"/-/contact/{account.tables['contact'][6]['id']}"),
    ):
        answer = await ask(everywhere.site, path, "sam")
        assert (answer.status_code, answer.headers["location"]) == (302, leads), path


async def test_who_is_known_elsewhere_alone_has_a_page(everywhere: Lived) -> None:
    text = words(await page(everywhere.site, ALONE))
    assert "alone@example.org" in text and "Not known to Prompt" in text
    assert "Not delivered: The number does not exist (30005)" in text and "Ciao" in text
    lines = await sheet(everywhere.site, f"{ALONE}.csv")
    assert [line["Vendor"] for line in lines] == ["Qlara", "Customer.io"]
    assert "The text is not in this copy" in words(await page(everywhere.site, "/-/person/customerio/1/nameless"))
    assert "Without a date" in (text := words(await page(everywhere.site, "/-/person/qlara/32665"))) and "odd" in text
    for query in ("Alone@example.org", "39 06 1234 5678", "crm-77"):
        found = links(await page(everywhere.site, f"/-/search?q={query}"))
        assert any(link.startswith("/-/person/customerio/1/") for link in found), query


@pytest.mark.parametrize(
    "path",
    [
        "customerio/1/nobody",
        "customerio/2/alone",
        "customerio/99999999999999999999/alone",
        "qlara/~2B15415550000",
        "qlara/~00",
    ],
)
async def test_nobody_has_no_page(everywhere: Lived, nothing_yet: MirrorDatasette, path: str) -> None:
    for site in (everywhere.site, nothing_yet):
        assert (await ask(site, f"/-/person/{path}", "sam")).status_code == 404


@pytest.mark.parametrize(
    "query", ["before=x", "after=9~9~9", "before=0~3~abcx", "after=1~999~a", "vendor=x", "at=9", "before=4~0~"]
)
async def test_any_place_is_answered(everywhere: Lived, query: str) -> None:
    assert (
        await ask(everywhere.site, f"/-/contact/{account_of(everywhere).person['id']}?{query}", "sam")
    ).status_code == 200
