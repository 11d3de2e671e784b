"""One time line per person: every message of every vendor once and in order, and who is one person and who is not."""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace

import pytest
from account import NOW, Account, Lived, LocalKit, Row, load
from browse_sample import FORMULA, SCRIPT, ask
from datasette.utils import tilde_encode  # type: ignore[import-untyped]
from looking import links, page, planning, sheet, words
from vendor_rows import CIO, customer, insert, talk

from promptsync.browse.queries import identity, timeline
from promptsync.browse.serve import MirrorDatasette, build_datasette, close
from promptsync.browse.settings import BrowseSettings

ALONE, STRANGER = f"/-/person/customerio/1/{tilde_encode('alone')}", "+390612345678"


class Everywhere(Account):
    """An account whose first person is known to all three vendors. ``said``: what was said elsewhere."""

    said: list[str]

    @property
    def person(self) -> Row:
        return self.tables["contact"][0]

    def of(self, table: str = "message") -> list[Row]:
        return [row for row in self.tables[table] if row["contact_id"] == self.person["id"]]


def fill(connection: sqlite3.Connection, account: Everywhere) -> None:
    """Written in one way here and in another there; times meet those of Prompt's messages."""
    people, phone = account.tables["contact"], account.person["phone"]
    times = [row["created_timestamp"] for row in account.of()] * 3
    customer(connection, CIO, f"({phone[2:5]}) {phone[5:8]}-{phone[8:]}", customer_id=SCRIPT, email_addr=FORMULA)
    account.said = talk(connection, CIO, (phone, phone[1:]), times, 5)
    insert(connection, "qlara_contact", id="c1", phone=phone[1:], first_name=SCRIPT, status="ACTIVE")
    customer(connection, "shared", people[1]["phone"])  # two contacts have that number
    customer(connection, "mail", None, email_addr="ana@example.org")
    customer(connection, "both-1", people[5]["phone"])
    customer(connection, "both-2", people[5]["phone"])
    customer(connection, "by-id", "+14155559999", customer_id="crm-77")
    connection.execute(
        "INSERT INTO contact_identity (contact_id, type, key, org_id) VALUES (?, 'CUSTOMER_EXTERNAL', 'crm-77', 7)",
        (people[6]["id"],),
    )
    customer(connection, "alone", STRANGER.replace("+39", "0039 "), email_addr="alone@example.org")
    for name, at in (("alone", "2026-11-02T04:00:00.000Z"), ("nameless", None)):
        insert(connection, "cio_deliveries", workspace_id=1, delivery_id=name, internal_customer_id=name, created_at=at)
    insert(
        connection,
        "qlara_message",
        id="q",
        destination=STRANGER,
        body="Ciao",
        sent_at="2026-11-01T04:00:00.000Z",
        status="ERROR",
        error="30005",
    )
    insert(connection, "qlara_message", id="q2", destination="32665", body="Code", sent_at=None, status="odd")


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory, settings: BrowseSettings) -> Iterator[Lived]:
    account, kit = Everywhere(7, seed=12, first=0), LocalKit(tmp_path_factory.mktemp("everywhere"))
    people = account.tables["contact"]
    for row in account.tables["message"]:
        row["org_phone"] = "+14155550100"
    people[2]["phone"] = people[1]["phone"]
    account.add("contact_data", managed=0, contact_id=people[3]["id"], key="email", value="Ana@example.org")
    load(kit, account)
    with sqlite3.connect(kit.config.mirror.database) as connection:
        fill(connection, account)
    connection.close()
    site = build_datasette(replace(settings, database=kit.config.mirror.database), present=lambda: NOW)
    yield Lived(kit, (account,), site)
    close(site)
    kit.restart()


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
